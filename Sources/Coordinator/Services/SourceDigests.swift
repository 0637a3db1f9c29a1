import Artifacts
import BIDS
import Logging
import Synchronization
import Workflow

/// Digests of files that no worker made: images of datasets, atlases, files that a workflow names.
///
/// A file is read once and its digest remembered with its size, time and inode: by the index for files of datasets, here
/// for the rest. What is remembered holds until the file has another stamp.
struct SourceDigests: Sendable {
    private let parallelism: Int
    private let logger: Logger
    private let remembered = RememberedDigests()

    init(parallelism: Int, logger: Logger) { (self.parallelism, self.logger) = (max(1, parallelism), logger) }

    /// Digests files, some at a time.
    ///
    /// - Returns: for every path its digest, or why it cannot be read: one bad file must not end a submission.
    func digests(of paths: [String]) async throws -> [String: Result<FileDigest, BIDSError>] {
        var results: [String: Result<FileDigest, BIDSError>] = [:]
        results.reserveCapacity(paths.count)
        var (done, bytes, reported) = (0, Int64(0), ContinuousClock.now)
        try await withThrowingTaskGroup(of: (String, Result<FileDigest, BIDSError>).self) { group in
            var rest = paths[...]
            func startNext() {
                guard let path = rest.popFirst() else { return }
                group.addTask { (path, try await digest(of: path)) }
            }
            for _ in 0..<parallelism { startNext() }
            while let (path, result) = try await group.next() {
                results[path] = result
                startNext()
                done += 1
                if case .success(let digest) = result { bytes += digest.stamp.sizeBytes }
                if reported.duration(to: .now) > .seconds(5) {
                    reported = .now
                    logger.info(
                        "Digesting files",
                        metadata: ["done": "\(done)", "of": "\(paths.count)", "MiB": "\(bytes >> 20)"])
                }
            }
        }
        return results
    }

    private func digest(of path: String) async throws -> Result<FileDigest, BIDSError> {
        try await BlockingWork.run {
            do throws(BIDSError) {
                let stamp = try FileStamp.of(path)
                if let known = remembered.find(path, stamp) { return .success(FileDigest(hex: known, stamp: stamp)) }
                let digest = try FileDigest.sha256(of: path)
                remembered.add(path, digest)
                return .success(digest)
            } catch {
                return .failure(error)
            }
        }
    }
}

private final class RememberedDigests: Sendable {
    private let digests = Mutex<[String: FileDigest]>([:])

    func find(_ path: String, _ stamp: FileStamp) -> String? {
        digests.withLock { digests in
            guard let known = digests[path], known.stamp == stamp else { return nil }
            return known.hex
        }
    }

    func add(_ path: String, _ digest: FileDigest) {
        digests.withLock { digests in
            // Bounded; what is forgotten is read once more.
            if digests.count >= 1_000_000 { digests.removeAll() }
            digests[path] = digest
        }
    }
}
