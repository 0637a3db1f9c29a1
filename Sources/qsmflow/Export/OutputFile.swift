import BIDS
import Foundation

/// A file that appears under its name only when it is whole: written beside it, synced, then renamed.
///
/// Unchecked: written by one thread at a time, first the transport's, then the caller's.
final class OutputFile: @unchecked Sendable {
    private let path: String
    private let aside: String
    private var descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        aside = path + ".part-\(ProcessInfo.processInfo.processIdentifier)"
        descriptor = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot be written") }
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(aside)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let done = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if done < 0 {
                if errno == EINTR { continue }
                throw Self.failure(path, "cannot be written")
            }
            rest = rest[(rest.startIndex + done)...]
        }
    }

    func publish() throws {
        guard fsync(descriptor) == 0, rename(aside, path) == 0 else { throw Self.failure(path, "cannot be written") }
        close(descriptor)
        descriptor = -1
    }

    /// Text or bytes at once.
    static func write(_ data: Data, to path: String) throws {
        let file = try OutputFile(path)
        try data.withUnsafeBytes { try file.write($0) }
        try file.publish()
    }

    static func createFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(
                "The folder \(path) cannot be made (\(SystemReason.of(error))); name another")
        }
    }

    private static func failure(_ path: String, _ what: String) -> CommandFailure {
        let code = errno
        let remedy = code == ENOSPC || code == EDQUOT ? "free space on its disk" : "check the folder and its rights"
        return CommandFailure("\(path) \(what): \(String(cString: strerror(code))); \(remedy)")
    }
}
