import Artifacts
import Foundation
import Synchronization
import Workflow

/// Digests of files that lie outside our own folders, remembered for as long as size, time and inode stay the same.
package final class VerifiedFiles: Sendable {
    private struct Identity: Hashable {
        var path: String
        var sizeBytes: Int64
        var modifiedSeconds: Int
        var modifiedNanoseconds: Int
        var inode: UInt64
        var device: UInt64
    }

    private let known = Mutex<[Identity: ArtifactDigest]>([:])
    private let limit: Int

    /// - Parameter limit: files remembered; one more and all are forgotten, which costs reading them again.
    package init(limit: Int = 200_000) { self.limit = limit }

    package enum Finding: Hashable, Sendable {
        case matches
        case absent
        /// It is there, but not these bytes.
        case differs
    }

    /// Whether the file at `path` has these bytes. Reads it the first time.
    package func check(_ path: String, digest: ArtifactDigest, sizeBytes: Int64) async throws -> Finding {
        guard let before = try await BlockingWork.run({ Self.identity(path) }) else { return .absent }
        guard before.sizeBytes == sizeBytes else { return .differs }
        if let found = known.withLock({ $0[before] }) { return found == digest ? .matches : .differs }
        let found: ArtifactDigest
        do {
            found = try await ArtifactReader(path: path).digest()
        } catch is ArtifactError {
            return .absent  // not readable here: the bytes are fetched instead
        }
        // Changed while it was read: the digest belongs to neither state.
        guard try await BlockingWork.run({ Self.identity(path) }) == before else { return .differs }
        known.withLock { known in
            if known.count >= limit { known = [:] }
            known[before] = found
        }
        return found == digest ? .matches : .differs
    }

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, access(path, R_OK) == 0 else { return nil }
        return Identity(
            path: path, sizeBytes: Int64(status.st_size), modifiedSeconds: status.st_mtim.tv_sec,
            modifiedNanoseconds: status.st_mtim.tv_nsec, inode: UInt64(status.st_ino), device: UInt64(status.st_dev))
    }
}
