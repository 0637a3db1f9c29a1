import Foundation
import Testing

/// What the program says to wrong input, and its exit codes.
@Suite struct CommandLineTests {
    @Test func helpNamesEveryCommand() async throws {
        let help = try await Program().run("--help")
        #expect(help.code == 0)
        for command in [
            "run", "submit", "status", "tasks", "retry", "rerun", "cancel", "logs", "explain", "results", "sql",
            "export",
            "report", "index", "validate", "plan", "kinds", "phantom", "coordinator", "worker", "gc", "doctor", "bids",
        ] {
            #expect(help.output.contains("  \(command) "), "\(command)")
        }
    }

    @Test func wrongUsageIs64() async throws {
        #expect(try await Program().run("frobnicate").code == 64)
        #expect(try await Program().run("run").code == 64)
    }

    @Test func everyExampleWorkflowIsValid() async throws {
        let program = try Program()
        for file in try FileManager.default.contentsOfDirectory(atPath: Program.root + "/workflows")
        where file.hasSuffix(".yaml") {
            let outcome = try await program.run("validate", Program.root + "/workflows/" + file)
            #expect(outcome.code == 0, "\(file): \(outcome.output)")
        }
    }

    @Test func aWrongWorkflowIs65WithLineAndColumn() async throws {
        let program = try Program()
        let file = program.folder + "/bad workflow.yaml"
        try Data("name: x\nsteps:\n  a:\n    kind: image.chek\n".utf8).write(to: URL(fileURLWithPath: file))
        let outcome = try await program.run("validate", file)
        #expect(outcome.code == 65)
        #expect(outcome.output.contains("bad workflow.yaml:4:"))
        #expect(outcome.output.contains("image.check"))
    }

    @Test func anUnreachableCoordinatorIs69() async throws {
        let outcome = try await Program().run("status", "--coordinator", "http://127.0.0.1:9")
        #expect(outcome.code == 69)
        #expect(outcome.errors.contains("127.0.0.1:9"))
    }

    @Test func anUnreachableDatabaseIs69() async throws {
        let outcome = try await Program().run(
            "status", "--database", "host=127.0.0.1 port=9 dbname=x connect_timeout=1")
        #expect(outcome.code == 69, "\(outcome.errors)")
    }

    @Test func anEmptyDatasetIsRefusedByName() async throws {
        let program = try Program()
        let empty = program.folder + "/no thing"
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
        let outcome = try await program.run("run", Program.workflow, empty)
        #expect(outcome.code == 65, "\(outcome.errors)")
        #expect(outcome.errors.contains("no thing"))
    }

    @Test func kindsAreListedAsJSON() async throws {
        let outcome = try await Program().run("kinds", "--json")
        let kinds = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
        #expect(kinds.contains { $0["name"] as? String == "roi.statistics" })
    }
}
