import Foundation
import Synchronization
import Testing

/// The built program and a folder of its own for one test. What a test starts, it ends.
final class Program: Sendable {
    let folder: String
    private let running = Mutex<[Process]>([])

    /// Beside the test bundle.
    static let path: String = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates = [bundle, bundle.deletingLastPathComponent(), URL(fileURLWithPath: ".build/debug")]
        let found = candidates.map { $0.appending(path: "qsmflow").path }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        return found ?? ".build/debug/qsmflow"
    }()

    /// The project's root, where `workflows` is.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "e2e-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // A private server drops to an unprivileged user, who must be able to enter.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
    }

    deinit {
        running.withLock { processes in
            for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
            for process in processes { process.waitUntilExit() }
        }
        do { try FileManager.default.removeItem(atPath: folder) } catch { Issue.record(error) }
    }

    struct Outcome {
        var code: Int32
        var output: String
        var errors: String
    }

    var state: String { folder + "/state" }

    private func process(_ arguments: [String], log: String, environment: [String: String] = [:]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("QSMFLOW_")
        }
        variables["QSMFLOW_STATE"] = state
        variables.merge(environment) { _, new in new }
        process.environment = variables
        for (end, name) in [("out", 1), ("err", 2)] {
            let path = "\(folder)/\(log).\(end)"
            try Data().write(to: URL(fileURLWithPath: path))
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            if name == 1 { process.standardOutput = handle } else { process.standardError = handle }
        }
        process.standardInput = FileHandle.nullDevice
        return process
    }

    /// Runs a command to its end.
    @discardableResult
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
        let log = "command-\(UUID().uuidString)"
        let process = try process(arguments, log: log, environment: environment)
        await withCheckedContinuation { continuation in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch {
                Issue.record(error)
                continuation.resume()
            }
        }
        func text(_ end: String) throws -> String {
            try String(contentsOfFile: "\(folder)/\(log).\(end)", encoding: .utf8)
        }
        return Outcome(code: process.terminationStatus, output: try text("out"), errors: try text("err"))
    }

    /// Starts a command that stays.
    func start(_ arguments: String..., log: String, environment: [String: String] = [:]) throws -> Process {
        try start(arguments, log: log, environment: environment)
    }

    func start(_ arguments: [String], log: String, environment: [String: String] = [:]) throws -> Process {
        let process = try process(arguments, log: log, environment: environment)
        try process.run()
        running.withLock { $0.append(process) }
        return process
    }

    /// A phantom cohort at a coarse voxel size; its atlas is at `folder/phantom/atlas`.
    func phantom(subjects: Int, voxel: Double = 4, options: String...) async throws {
        let process = try process(
            ["phantom", folder + "/phantom", "--subjects", "\(subjects)", "--voxel", "\(voxel)", "--quiet"] + options,
            log: "phantom")
        await withCheckedContinuation { continuation in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch {
                Issue.record(error)
                continuation.resume()
            }
        }
        #expect(process.terminationStatus == 0)
    }

    var dataset: String { folder + "/phantom/rawdata" }
    var recon: String { folder + "/phantom/derivatives/recon" }
    /// The phantom's true regions: label maps `desc-nuclei_dseg` on the grid of the χ maps.
    var labels: String { folder + "/phantom/derivatives/truth" }
    var atlas: String { "phantom=" + folder + "/phantom/atlas" }
    static var workflow: String { root + "/workflows/subcortical.yaml" }

    /// Asks again until the answer is there or the time is over. The only waiting that other processes allow.
    func eventually<Value>(within seconds: Double, _ question: () async throws -> Value?) async throws -> Value {
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        while ContinuousClock.now < end {
            if let value = try await question() { return value }
            try await Task.sleep(for: .milliseconds(100))  // between two looks at another process
        }
        throw Late(seconds: seconds)
    }

    struct Late: Error, CustomStringConvertible {
        var seconds: Double
        var description: String { "nothing came within \(seconds) s" }
    }
}
