import BIDS
import Foundation
import Networks
import Testing
import Workflow

@testable import Tasks

@Suite struct AttemptRunnerTests {
    @Test func everyDeclaredKindIsImplementedAndNoOther() {
        #expect(TaskRegistry.kinds == Set(TaskKindCatalog.kinds.map(\.name)))
    }

    @Test func declaredDefaultsAreValid() {
        for kind in TaskKindCatalog.kinds {
            for parameter in kind.parameters {
                #expect(parameter.problem(with: parameter.defaultValue) == nil, "\(kind.name).\(parameter.name)")
            }
        }
    }

    @Test func leavesAResultForSuccessAndForFailure() throws {
        let folder = try TaskFolder()
        try folder.add("reports", #"{"numbers": {"x": 1}}"#, name: "a.json", context: TaskContext(subject: "1"))
        let good = try folder.request("cohort.qc")
        try JSONEncoder().encode(good).write(to: URL(fileURLWithPath: folder.path + "/task.json"))
        #expect(try AttemptRunner.run(folder: folder.path) == 0)
        let result = try JSONDecoder().decode(
            TaskResult.self, from: Data(contentsOf: URL(fileURLWithPath: folder.path + "/result.json")))
        #expect(result.failure == nil)
        #expect(result.outputs.map(\.file) == ["table.tsv"])

        var bad = good
        bad.kindVersion += 1
        try JSONEncoder().encode(bad).write(to: URL(fileURLWithPath: folder.path + "/task.json"))
        #expect(try AttemptRunner.run(folder: folder.path) == 1)
        let refused = try JSONDecoder().decode(
            TaskResult.self, from: Data(contentsOf: URL(fileURLWithPath: folder.path + "/result.json")))
        #expect(refused.failure?.outcome == .permanent)
        #expect(refused.failure?.message.contains("update the worker or the coordinator") == true)
    }

    @Test func namesTheFileOfTheDatasetNotTheStagedOne() throws {
        let folder = try TaskFolder()
        try folder.add("reports", "{", name: "sub-1_report.json", context: TaskContext(subject: "1"))
        let result = try folder.perform("cohort.qc")
        let message = try #require(result.failure?.message)
        #expect(message.contains("sub-1_report.json"))
        #expect(!message.contains(folder.path))
    }

    @Test func aFullDiskMayPassAndBadInputMayNot() {
        #expect(AttemptRunner.classify(POSIXError(.ENOSPC)).outcome == .transient)
        #expect(AttemptRunner.classify(POSIXError(.ENOMEM)).outcome == .outOfMemory)
        #expect(AttemptRunner.classify(CocoaError(.fileWriteOutOfSpace)).outcome == .transient)
        let full = NetworkError.system(path: "m", problem: "cannot be written", errorNumber: ENOSPC)
        #expect(AttemptRunner.classify(full).outcome == .transient)
        #expect(AttemptRunner.classify(TabSeparatedTable.Problem.noHeader("x")).outcome == .permanent)
    }
}
