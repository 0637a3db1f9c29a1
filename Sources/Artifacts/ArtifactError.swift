import Foundation
import Workflow

/// What can go wrong with stored bytes.
package enum ArtifactError: Error, Hashable, Sendable, CustomStringConvertible {
    case notFound(ArtifactDigest)
    /// The bytes that came are not those that were named; nothing was kept.
    case digestMismatch(expected: ArtifactDigest, found: ArtifactDigest)
    /// Fewer or more bytes came than were announced; nothing was kept.
    case lengthMismatch(ArtifactDigest, expectedBytes: Int64, foundBytes: Int64)
    case tooLarge(limitBytes: Int64)
    /// A resumed upload must go on where the stored part ends.
    case wrongOffset(ArtifactDigest, storedBytes: Int64, givenBytes: Int64)
    /// Another upload of the same artifact is being appended at this moment.
    case uploadInProgress(ArtifactDigest)
    case storageFull(path: String)
    /// Everything in the cache is in use and the rest is too small.
    case cacheFull(neededBytes: Int64, limitBytes: Int64, pinnedBytes: Int64)
    case cacheInUse(path: String)
    /// A file on disk no longer has the bytes that its name says.
    case damaged(ArtifactDigest, path: String)
    /// A system call failed.
    case system(operation: String, path: String, errorNumber: Int32)

    package var description: String {
        switch self {
        case .notFound(let digest):
            "There is no artifact \(digest) in the store; upload it first."
        case .digestMismatch(let expected, let found):
            "The bytes sent as artifact \(expected) have the SHA-256 \(found); they were discarded, send them again."
        case .lengthMismatch(let digest, let expected, let found):
            "Artifact \(digest) was announced with \(expected) bytes but has \(found); they were discarded, send it again."
        case .tooLarge(let limit):
            "The artifact is larger than the \(limit) bytes this store takes; raise its limit or split the file."
        case .wrongOffset(let digest, let stored, let given):
            "The upload of artifact \(digest) continues at byte \(stored), not at \(given); ask for the offset and go on there."
        case .uploadInProgress(let digest):
            "Another upload of artifact \(digest) is being received; wait until it has ended and ask for the offset again."
        case .storageFull(let path):
            "The disk that holds \(path) is full; free space there (for instance with `qsmflow gc`) and try again."
        case .cacheFull(let needed, let limit, let pinned):
            "The artifact cache has no room for \(needed) bytes: its limit is \(limit) and \(pinned) are in use; "
                + "raise the cache limit of this worker."
        case .cacheInUse(let path):
            "The artifact cache \(path) is in use by another worker process; give every worker a folder of its own."
        case .damaged(let digest, let path):
            "The file \(path) no longer has the bytes of artifact \(digest); it was removed, recompute or upload it."
        case .system(let operation, let path, let number):
            "Could not \(operation) \(path): \(String(cString: strerror(number)))."
        }
    }

    /// The error of the system call that just failed on this thread.
    static func last(_ operation: String, _ path: String) -> ArtifactError {
        let number = errno
        return number == ENOSPC || number == EDQUOT
            ? .storageFull(path: path) : .system(operation: operation, path: path, errorNumber: number)
    }
}
