import Crypto
import Foundation
import Synchronization
import Workflow

/// Writes a stream of bytes to one file, digesting what it writes. One stream at a time.
final class ArtifactWriter: Sendable {
    private struct State: Sendable {
        /// Nil when appending: the digest of the whole is then taken from the file at the end.
        var hasher: SHA256?
        var sizeBytes: Int64
    }

    private let file: FileDescriptor
    private let limitBytes: Int64
    private let state: Mutex<State>

    var path: String { file.path }
    var sizeBytes: Int64 { state.withLock { $0.sizeBytes } }

    /// Starts a new file.
    init(path: String, limitBytes: Int64) throws {
        file = try FileDescriptor(path, flags: O_WRONLY | O_CREAT | O_EXCL)
        self.limitBytes = limitBytes
        state = Mutex(State(hasher: SHA256(), sizeBytes: 0))
    }

    init(appendingTo file: FileDescriptor, storedBytes: Int64, limitBytes: Int64) {
        self.file = file
        self.limitBytes = limitBytes
        state = Mutex(State(hasher: nil, sizeBytes: storedBytes))
    }

    /// Small chunks are gathered into pieces, so that there is one hop to the disk's thread per piece. What came before
    /// an error of the stream is written: a resumed upload goes on there.
    func write<Chunks: AsyncSequence & Sendable>(_ chunks: Chunks) async throws
    where Chunks.Element: Collection & Sendable, Chunks.Element.Element == UInt8 {
        var piece: [UInt8] = []
        do {
            for try await chunk in chunks {
                piece.append(contentsOf: chunk)
                if piece.count >= ArtifactStore.pieceBytes {
                    try await write(piece)
                    piece.removeAll(keepingCapacity: true)
                }
            }
        } catch let error as ArtifactError {
            throw error
        } catch {
            try await write(piece)
            throw error
        }
        try await write(piece)
    }

    private func write(_ piece: [UInt8]) async throws {
        guard !piece.isEmpty else { return }
        guard sizeBytes + Int64(piece.count) <= limitBytes else { throw ArtifactError.tooLarge(limitBytes: limitBytes) }
        try await BlockingWork.run { [self] in
            try piece.withUnsafeBytes { try file.write($0) }
            state.withLock { state in
                state.hasher?.update(data: piece)
                state.sizeBytes += Int64(piece.count)
            }
        }
    }

    /// Flushes the file to the disk. The writer is used up.
    func finish() async throws -> (digest: ArtifactDigest, sizeBytes: Int64) {
        try await BlockingWork.run { [self] in
            try file.synchronize()
            return state.withLock { state in
                guard let hasher = state.hasher else { preconditionFailure("an appending writer has no digest") }
                return (ArtifactDigest(hasher.finalize()), state.sizeBytes)
            }
        }
    }
}
