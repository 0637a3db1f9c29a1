// A lock on a file, which the kernel releases however the process ends.

import Foundation

#if canImport(Glibc)
    import Glibc
#endif

final class FileLock: Sendable {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(LocalPostgresError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        self.path = path
        guard descriptor >= 0 else { throw .fileSystem(action: "open", path: path, code: errno) }
    }

    deinit {
        close(descriptor)
    }

    enum Mode { case shared, exclusive }

    /// Waits for the lock; changing from one mode to the other may let others in between.
    func lock(_ mode: Mode) throws(LocalPostgresError) {
        while flock(descriptor, mode == .shared ? LOCK_SH : LOCK_EX) != 0 {
            if errno != EINTR { throw .fileSystem(action: "lock", path: path, code: errno) }
        }
    }

    /// Takes the lock if nobody holds it.
    func tryExclusive() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    func unlock() {
        // Cannot fail on an open descriptor.
        _ = flock(descriptor, LOCK_UN)
    }

    /// Runs `body` with the lock of a file held, waiting for it.
    ///
    /// The file is opened anew: a lock belongs to the opening, so that two threads exclude each other too.
    static func holding<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        let lock = try FileLock(path)
        try lock.lock(.exclusive)
        defer { lock.unlock() }
        return try body()
    }
}
