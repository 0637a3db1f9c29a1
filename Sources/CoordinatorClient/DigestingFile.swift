import Crypto
import Foundation
import Synchronization
import Workflow

/// A file being written front to back whose SHA-256 is known when it ends.
final class DigestingFile: Sendable {
    private struct State {
        var hasher = SHA256()
        var count: Int64 = 0
    }

    private let path: String
    private let descriptor: Int32
    private let state = Mutex(State())

    /// Creates or empties the file.
    init(path: String) throws(ClientError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .fileFailed(path: path, doing: "creating", reason: String(cString: strerror(errno)))
        }
    }

    deinit { close(descriptor) }

    /// Bytes written so far.
    var count: Int64 { state.withLock { $0.count } }

    func append(_ piece: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            var written = 0
            while written < piece.count {
                let rest = UnsafeRawBufferPointer(rebasing: piece[written...])
                let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(state.count) + off_t(written))
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw failure("writing") }
                written += count
            }
            state.hasher.update(bufferPointer: piece)
            state.count += Int64(piece.count)
        }
    }

    func restart() throws {
        try state.withLock { state in
            guard state.count > 0 else { return }
            guard ftruncate(descriptor, 0) == 0 else { throw failure("emptying") }
            state = State()
        }
    }

    /// The digest of what was written.
    func finish() throws -> ArtifactDigest { state.withLock { ArtifactDigest($0.hasher.finalize()) } }

    private func failure(_ doing: String) -> ClientError {
        .fileFailed(path: path, doing: doing, reason: String(cString: strerror(errno)))
    }
}
