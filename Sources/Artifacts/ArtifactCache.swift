import Foundation
import Synchronization
import Workflow

/// A worker's bounded folder of artifacts. What is pinned stays; the rest goes, least recently used first, when room is
/// needed.
///
/// Several attempts that need the same artifact at once share one download. Entries found at the start are digested
/// before their first use, so that neither a power cut nor a damaged disk reaches a computation.
package final class ArtifactCache: Sendable {
    package let folder: String
    private let state: Mutex<CacheState>
    /// Held for as long as the cache lives: two processes counting the same folder would both be wrong.
    private let lock: FileDescriptor

    /// - Throws: `ArtifactError.cacheInUse` when another process has this folder.
    package init(folder: String, limitBytes: Int64) throws {
        self.folder = folder
        try FileTree.makeFolder(folder + "/objects")
        try FileTree.makeFolder(folder + "/partial")
        lock = try FileDescriptor(folder + "/lock", flags: O_RDWR | O_CREAT)
        guard try lock.tryLock() else { throw ArtifactError.cacheInUse(path: folder) }
        for name in try FileTree.names(in: folder + "/partial") { try FileTree.remove("\(folder)/partial/\(name)") }

        var found: [(digest: ArtifactDigest, status: stat)] = []
        for shelf in try FileTree.names(in: folder + "/objects") {
            for name in try FileTree.names(in: "\(folder)/objects/\(shelf)") {
                guard let digest = ArtifactDigest(hex: name),
                    let status = try FileTree.status("\(folder)/objects/\(shelf)/\(name)")
                else { continue }
                found.append((digest, status))
            }
        }
        found.sort {
            let (a, b) = ($0.status.st_mtim, $1.status.st_mtim)
            return (a.tv_sec, a.tv_nsec) < (b.tv_sec, b.tv_nsec)
        }
        var initial = CacheState(limitBytes: limitBytes)
        for item in found { initial.found(item.digest, sizeBytes: Int64(item.status.st_size)) }
        let surplus = initial.trim()
        for digest in surplus { try FileTree.remove(Self.path(of: digest, in: folder)) }
        state = Mutex(initial)
    }

    package func path(of digest: ArtifactDigest) -> String { Self.path(of: digest, in: folder) }

    private static func path(of digest: ArtifactDigest, in folder: String) -> String {
        "\(folder)/objects/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// Bytes in the cache, downloads under way included.
    package var usedBytes: Int64 { state.withLock { $0.usedBytes } }

    /// The artifact, brought by `fill` when the cache does not have it. It stays at its path while the answer is held.
    ///
    /// - Parameters:
    ///   - sizeBytes: exact size, for which room is made beforehand.
    ///   - fill: writes the bytes to a new file at the path it is given.
    /// - Throws: `ArtifactError.cacheFull`, `.digestMismatch`, `.lengthMismatch`, `.storageFull`, what `fill` throws, or
    ///   `CancellationError`.
    package func artifact(
        _ digest: ArtifactDigest, sizeBytes: Int64, fill: @Sendable (_ path: String) async throws -> Void
    ) async throws -> PinnedArtifact {
        while true {
            try Task.checkCancellation()
            let step = try state.withLock { state in
                let step = state.request(digest, sizeBytes: sizeBytes)
                // Within the lock, so that no new download of an evicted artifact can take the path first.
                if case .fill(let evicted) = step {
                    for victim in evicted { try FileTree.remove(path(of: victim)) }
                }
                return step
            }
            switch step {
            case .ready:
                return pin(digest)
            case .verify:
                if try await verified(digest) { return pin(digest) }
            case .fill:
                try await settling(digest) { try await bring(digest, sizeBytes: sizeBytes, fill: fill) }
                return pin(digest)
            case .wait:
                try await waitUntilSettled(digest)
            case .full(let pinned):
                throw ArtifactError.cacheFull(
                    neededBytes: sizeBytes, limitBytes: state.withLock { $0.limitBytes }, pinnedBytes: pinned)
            }
        }
    }

    /// The artifact if the cache has it.
    package func artifactIfPresent(_ digest: ArtifactDigest) async throws -> PinnedArtifact? {
        guard state.withLock({ $0.has(digest) }) else { return nil }
        do {
            return try await artifact(digest, sizeBytes: 0) { _ in throw ArtifactError.notFound(digest) }
        } catch ArtifactError.notFound {
            return nil
        }
    }

    /// Takes a file that lies on this machine into the cache: linked where the disk is the same, else copied.
    package func adopt(
        fileAt source: String, as digest: ArtifactDigest, sizeBytes: Int64
    ) async throws -> PinnedArtifact {
        try await artifact(digest, sizeBytes: sizeBytes) { path in
            try await BlockingWork.run { try placeFile(source, at: path) }
        }
    }

    // MARK: - Steps

    private func pin(_ digest: ArtifactDigest) -> PinnedArtifact {
        let path = path(of: digest)
        // For the order of use after a restart; a file system that refuses (read-only times) only loses that order.
        _ = utimensat(AT_FDCWD, path, nil, 0)
        return PinnedArtifact(digest: digest, path: path) { [self] in state.withLock { $0.unpin(digest) } }
    }

    private func bring(
        _ digest: ArtifactDigest, sizeBytes: Int64, fill: @Sendable (String) async throws -> Void
    ) async throws {
        let temporary = "\(folder)/partial/\(UUID().uuidString)"
        do {
            try await fill(temporary)
            let target = path(of: digest)
            try await BlockingWork.run {
                let file = try FileDescriptor(temporary, flags: O_RDONLY)
                let found = try file.size()
                guard found == sizeBytes else {
                    throw ArtifactError.lengthMismatch(digest, expectedBytes: sizeBytes, foundBytes: found)
                }
                let foundDigest = try file.digest()
                guard foundDigest == digest else {
                    throw ArtifactError.digestMismatch(expected: digest, found: foundDigest)
                }
                try FileTree.makeFolder((target as NSString).deletingLastPathComponent)
                guard rename(temporary, target) == 0 else { throw ArtifactError.last("rename to", target) }
            }
        } catch {
            try FileTree.remove(temporary)
            throw error
        }
    }

    /// Runs `work` and tells those who wait for this artifact how it ended.
    private func settling(_ digest: ArtifactDigest, _ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch {
            resume(state.withLock { $0.settle(digest, present: false) })
            throw error
        }
        resume(state.withLock { $0.settle(digest, present: true) })
    }

    /// Digests an entry that an earlier process left; a damaged one is removed.
    private func verified(_ digest: ArtifactDigest) async throws -> Bool {
        let path = path(of: digest)
        do {
            try await settling(digest) {
                try await BlockingWork.run {
                    guard try FileDescriptor(path, flags: O_RDONLY).digest() == digest else {
                        try FileTree.remove(path)
                        throw ArtifactError.damaged(digest, path: path)
                    }
                }
            }
            return true
        } catch ArtifactError.damaged {
            return false
        } catch ArtifactError.system(_, _, ENOENT) {
            return false
        }
    }

    private func waitUntilSettled(_ digest: ArtifactDigest) async throws {
        let id = UUID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { !Task.isCancelled && $0.wait(for: digest, id: id, continuation) }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            if let continuation = state.withLock({ $0.stopWaiting(for: digest, id: id) }) { continuation.resume() }
        }
    }

    private func resume(_ waiters: [CheckedContinuation<Void, Never>]) {
        for waiter in waiters { waiter.resume() }
    }
}

/// An artifact in use. Its file stays until `release`, or until the last reference goes: which thread lets go last, and
/// when, is not in anybody's hands, so whoever needs the room says so.
package final class PinnedArtifact: Sendable {
    package let digest: ArtifactDigest
    /// Read-only: the same file may serve other attempts.
    package let path: String
    private let unpin: Mutex<(@Sendable () -> Void)?>

    init(digest: ArtifactDigest, path: String, unpin: @escaping @Sendable () -> Void) {
        (self.digest, self.path) = (digest, path)
        self.unpin = Mutex(unpin)
    }

    deinit { release() }

    /// From here on the cache may drop the file. Does nothing the second time.
    package func release() {
        unpin.withLock { $0.take() }?()
    }

    /// Makes the artifact appear at `destination`: a hard link where the disk is the same, else a copy. Blocks when it
    /// copies.
    package func place(at destination: String) throws { try placeFile(path, at: destination) }

    /// Writes a copy that nobody else has. Blocks.
    package func copy(to destination: String) throws { try copyFile(path, to: destination) }
}

private func placeFile(_ source: String, at destination: String) throws {
    if link(source, destination) == 0 { return }
    guard [EXDEV, EPERM, EMLINK, ENOTSUP].contains(errno) else { throw ArtifactError.last("link to", destination) }
    try copyFile(source, to: destination)
}

/// Copies a file's bytes to a new file. Blocks.
package func copyFile(_ source: String, to destination: String) throws {
    let input = try FileDescriptor(source, flags: O_RDONLY)
    let output = try FileDescriptor(destination, flags: O_WRONLY | O_CREAT | O_EXCL)
    var offset: Int64 = 0
    while true {
        let piece = try input.read(at: offset, count: ArtifactStore.pieceBytes)
        if piece.isEmpty { return }
        try piece.withUnsafeBytes { try output.write($0) }
        offset += Int64(piece.count)
    }
}
