import BIDS
import Foundation
import Testing
import Workflow

@testable import Tasks

@Suite struct CommandTaskTests {
    private let words = CommandWords(
        inputs: ["image": ["/in/a b.nii"], "many": ["/1", "/2"]], outputs: ["mask": "/out/m.nii"],
        context: TaskContext(subject: "01"), threads: 3)

    @Test func fillsInPlaces() throws {
        #expect(try words.expand("--in={inputs.image}") == ["--in=/in/a b.nii"])
        #expect(try words.expand("{inputs.many}") == ["/1", "/2"])
        #expect(try words.expand("{subject}-{session}-{threads}") == ["01--3"])
        #expect(try words.expand("{{x}") == ["{x}"])
        #expect(try words.expand("{outputs.mask}") == ["/out/m.nii"])
    }

    @Test(arguments: ["{inputs.none}", "{what}", "{open", "x{inputs.many}"])
    func refusesPlacesItCannotFill(argument: String) {
        #expect(throws: TaskResult.Failure.self) { try words.expand(argument) }
    }

    @Test func runsTheProgramAndTakesItsOutputsAndNumbers() throws {
        let folder = try TaskFolder()
        try folder.add("text", "hello", name: "in.txt")
        let script = "cat \"$1\" > \"$2\"; printf 'metric\\tvalue\\tunit\\nlength\\t5\\tmm\\n' > numbers.tsv"
        let result = try folder.perform(
            "command",
            parameters: [
                "program": "sh",
                "arguments": [
                    "-c", .string(script.replacing("{", with: "{{")), "sh", "{inputs.text}", "{outputs.copy}",
                ],
                "outputs": ["copy": "copy.txt", "numbers": "numbers.tsv"], "measurements": "numbers",
            ], command: "/bin/sh")
        #expect(result.failure == nil)
        #expect(try folder.output("copy.txt") == "hello")
        #expect(result.measurements == [MeasuredValue(metric: "length", value: 5, unit: "mm")])
    }

    @Test func aFailingProgramIsNamedWithItsExitCode() throws {
        let result = try TaskFolder().perform(
            "command", parameters: ["program": "no", "arguments": ["-c", "exit 7"]], command: "/bin/sh")
        #expect(result.failure?.message.contains("exit code 7") == true)
        #expect(result.failure?.outcome == .permanent)
    }

    @Test func aMissingOutputIsAFailure() throws {
        let result = try TaskFolder().perform(
            "command", parameters: ["program": "true", "outputs": ["x": "x.nii"]], command: "/bin/true")
        #expect(result.failure?.message.contains("did not write x.nii") == true)
    }

    @Test func aProgramThatIsNotAllowedIsNotRun() throws {
        let result = try TaskFolder().perform("command", parameters: ["program": "rm"])
        #expect(result.failure?.message.contains("--allow-command rm=") == true)
    }
}
