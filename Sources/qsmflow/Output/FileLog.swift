import Foundation
import Logging
import Synchronization

/// Log lines appended to a file, for services that run inside a command whose terminal belongs to the user.
struct FileLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    private let file: LogFile
    private let label: String

    static func handler(path: String, label: String = "coordinator") -> FileLog {
        FileLog(file: LogFile(path: path), label: label)
    }

    private init(file: LogFile, label: String) { (self.file, self.label) = (file, label) }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let tail = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let now = Date.now.formatted(.iso8601)
        file.append("\(now) \(event.level) \(label): \(event.message)\(tail)\n")
    }
}

/// One open file; lines are appended whole.
private final class LogFile: Sendable {
    private let descriptor: Int32

    init(path: String) { descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) }
    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ line: String) {
        guard descriptor >= 0 else { return }
        Console.write(line, to: descriptor)
    }
}
