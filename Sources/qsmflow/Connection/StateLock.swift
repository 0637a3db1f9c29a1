import Foundation

/// The right to be the coordinator of a state folder, held for as long as the object lives.
///
/// A lock of the kernel, which goes with the process however it ends: a number in a file would say nothing, as another
/// process may have it after a restart of the machine or of a container.
final class StateLock: Sendable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Returns: nil when another process holds it.
    static func take(_ path: String) throws -> StateLock? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure(
                "\(path) cannot be opened (\(String(cString: strerror(errno)))); name another folder with --state")
        }
        let lock = StateLock(descriptor)
        // Whoever asks `isHeld` has the lock for a moment.
        for _ in 0..<20 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return lock }
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw CommandFailure("\(path) cannot be locked: \(String(cString: strerror(errno)))")
            }
            usleep(10_000)
        }
        return nil
    }

    static func isHeld(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
