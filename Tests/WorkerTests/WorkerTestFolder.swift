import Foundation

/// A folder of its own for one test, removed when the last reference goes.
final class WorkerTestFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "worker-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A leftover in the temporary folder is harmless.
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ text: String, to name: String, executable: Bool = false) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        if executable { chmod(file, 0o755) }
        return file
    }
}

/// Looks again and again for something that happens by itself outside this process, or behind a socket; false when it
/// never does. The pauses only keep the looking cheap.
func eventually(_ condition: () -> Bool) async -> Bool {
    let giveUp = ContinuousClock.now.advanced(by: .seconds(60))
    while !condition() {
        guard ContinuousClock.now < giveUp, !Task.isCancelled else { return false }
        try? await Task.sleep(for: .milliseconds(2))  // cancelled: seen above
    }
    return true
}

/// The process exists and is more than a zombie.
func isRunning(_ pid: pid_t) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
    return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
}
