import BIDS
import Foundation
import Testing
import Workflow

@testable import Tasks

/// A folder in which one task of a test runs, and what it reads.
final class TaskFolder {
    let path: String
    var inputs: [TaskRequest.StagedInput] = []

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "tasks-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path + "/out", withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { Issue.record(error) }
    }

    func add(_ port: String, _ text: String, name: String, context: TaskContext = .cohort, metadata: JSONValue? = nil)
        throws
    {
        let file = "\(path)/\(inputs.count)-\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        add(port, path: file, name: name, context: context, metadata: metadata)
    }

    func add(
        _ port: String, path file: String, name: String, context: TaskContext = .cohort, metadata: JSONValue? = nil
    ) {
        let input = TaskInput(
            port: port, context: context, name: name, digest: ArtifactDigest(of: Data(name.utf8)), sizeBytes: 0,
            metadata: metadata)
        inputs.append(TaskRequest.StagedInput(input: input, path: file))
    }

    func request(
        _ kind: String, parameters: JSONValue = [:], missing: [MissingInput] = [], command: String? = nil,
        threads: Int = 1, memoryMiB: Int = 512
    ) throws -> TaskRequest {
        TaskRequest(
            task: TaskID(run: RunID(rawValue: 1), ordinal: 0), attempt: 1, step: "step", kind: kind,
            kindVersion: try #require(TaskKindCatalog.kind(kind)).version, context: .cohort, parameters: parameters,
            inputs: inputs, missing: missing, threads: threads, memoryMiB: memoryMiB, outputFolder: path + "/out",
            commandPath: command)
    }

    /// Runs the task; the folder lives as long as it runs.
    func perform(
        _ kind: String, parameters: JSONValue = [:], missing: [MissingInput] = [], command: String? = nil,
        threads: Int = 1, memoryMiB: Int = 512
    ) throws -> TaskResult {
        try withExtendedLifetime(self) {
            AttemptRunner.perform(
                try request(
                    kind, parameters: parameters, missing: missing, command: command, threads: threads,
                    memoryMiB: memoryMiB))
        }
    }

    func output(_ name: String) throws -> String { try String(contentsOfFile: path + "/out/" + name, encoding: .utf8) }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path + "/out/" + name)) }
}
