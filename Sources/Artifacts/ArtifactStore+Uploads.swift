import Foundation
import Workflow

// Uploads in several requests: each appends to a file named after the artifact, and the one that brings the announced
// length publishes it. A broken connection keeps what arrived.
extension ArtifactStore {
    package enum AppendOutcome: Hashable, Sendable {
        /// More is to come, from this offset.
        case incomplete(storedBytes: Int64)
        case stored
        case existed
    }

    private func uploadPath(_ digest: ArtifactDigest) -> String { "\(partialFolder)/\(digest.hex).upload" }

    /// Bytes received so far of an upload that has not ended; 0 when there is none.
    package func uploadOffset(of digest: ArtifactDigest) throws -> Int64 {
        try FileTree.status(uploadPath(digest)).map { Int64($0.st_size) } ?? 0
    }

    /// Appends to an upload, and publishes the artifact when it is complete.
    ///
    /// - Parameters:
    ///   - offset: where these bytes belong; must be what `uploadOffset` says.
    ///   - totalBytes: length of the whole artifact.
    /// - Throws: `ArtifactError.wrongOffset`, `.uploadInProgress`; `.lengthMismatch` and `.digestMismatch` discard all
    ///   that was received; `.tooLarge`, `.storageFull`, and what the stream throws, keep it.
    @discardableResult
    package func append<Chunks: AsyncSequence & Sendable>(
        _ digest: ArtifactDigest, at offset: Int64, totalBytes: Int64, chunks: Chunks
    ) async throws -> AppendOutcome where Chunks.Element: Collection & Sendable, Chunks.Element.Element == UInt8 {
        if try size(of: digest) == totalBytes { return .existed }
        guard totalBytes <= limitBytes else { throw ArtifactError.tooLarge(limitBytes: limitBytes) }
        let path = uploadPath(digest)
        let file = try FileDescriptor(path, flags: O_RDWR | O_CREAT | O_APPEND)
        guard try file.tryLock() else { throw ArtifactError.uploadInProgress(digest) }
        // Here and not with the last reference: a client that goes on at once must not find its own upload in progress.
        defer { file.unlock() }
        // Between opening and locking, another request may have published or discarded the file behind the name.
        guard let named = try FileTree.status(path), named.st_ino == (try file.status().st_ino) else {
            throw ArtifactError.uploadInProgress(digest)
        }
        let stored = try file.size()
        guard stored == offset else {
            throw ArtifactError.wrongOffset(digest, storedBytes: stored, givenBytes: offset)
        }
        try checkRoom(for: totalBytes - offset)
        let writer = ArtifactWriter(appendingTo: file, storedBytes: stored, limitBytes: totalBytes)
        do {
            try await writer.write(chunks)
        } catch ArtifactError.tooLarge {
            try FileTree.remove(path)
            throw ArtifactError.lengthMismatch(digest, expectedBytes: totalBytes, foundBytes: totalBytes + 1)
        }
        let received = writer.sizeBytes
        guard received == totalBytes else { return .incomplete(storedBytes: received) }
        try await BlockingWork.run {
            try file.synchronize()
            let found = try file.digest()
            guard found == digest else {
                try FileTree.remove(path)
                throw ArtifactError.digestMismatch(expected: digest, found: found)
            }
            try publish(path, as: digest)
        }
        return .stored
    }
}
