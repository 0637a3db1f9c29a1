import Foundation
import Testing
import Worker

/// What killed workers leave behind, and what living ones keep.
@Suite struct WorkerScratchTests {
    private let folder: WorkerTestFolder

    init() throws { folder = try WorkerTestFolder() }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    @Test func livingWorkersShareAFolder() throws {
        let first = try ScratchFolder(in: folder.path + "/scratch")
        let second = try ScratchFolder(in: folder.path + "/scratch")
        #expect(first.path != second.path)
        #expect(exists(first.path))
        #expect(exists(second.path))
        try first.removeAll()
        #expect(!exists(first.path))
        #expect(exists(second.path))
    }

    @Test func leftoversOfADeadWorkerAreCleared() throws {
        let parent = folder.path + "/scratch"
        let leftover = parent + "/worker-1-dead/1.2-1-abc/outputs/locked"
        try FileManager.default.createDirectory(atPath: leftover, withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(fileURLWithPath: leftover + "/file"))
        chmod(leftover, 0o500)
        try FileManager.default.createDirectory(atPath: parent + "/other", withIntermediateDirectories: true)
        let scratch = try ScratchFolder(in: parent)
        #expect(!exists(parent + "/worker-1-dead"))
        #expect(exists(parent + "/other"))
        #expect(exists(scratch.path))
    }

    @Test func processesOfADeadWorkerAreEnded() async throws {
        let parent = folder.path + "/scratch"
        let attempt = parent + "/worker-1-dead/1.2-1-abc"
        try FileManager.default.createDirectory(atPath: attempt, withIntermediateDirectories: true)
        let process = AttemptProcess(
            AttemptProcess.Request(
                executable: "/bin/sh", arguments: ["-c", "echo ready; sleep 1000"],
                environment: AttemptEnvironment.variables(from: ["PATH": "/usr/bin:/bin"], folder: attempt, threads: 1),
                workingFolder: "/", logPath: folder.path + "/log", memoryLimitBytes: 1 << 30,
                deadline: .now.advanced(by: .seconds(600)), terminationGrace: .seconds(1),
                samplingInterval: .milliseconds(20)))
        async let end = process.run()
        #expect(
            await eventually {
                (try? String(contentsOfFile: folder.path + "/log", encoding: .utf8))?.contains("ready") == true
            })
        let scratch = try ScratchFolder(in: parent)
        #expect(try await end.signal == Int(SIGKILL))
        #expect(try await end.intervention == nil)
        #expect(!exists(attempt))
        try scratch.removeAll()
    }
}
