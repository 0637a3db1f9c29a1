import Crypto
import Foundation
import Workflow

/// Bytes on disk, named by their SHA-256. What is in the store is complete and never changes.
///
///     folder/objects/ab/ab12…   the artifacts, read-only files
///     folder/partial/…          what is still being received, and resumable uploads
///
/// A file is written aside and digested as it is written, flushed to the disk, and only then renamed to its name, which
/// is flushed too: whoever sees an artifact sees all of it, also after a power cut. Writers of the same artifact do not
/// disturb each other, as each writes its own file and the renames put equal bytes in place of each other.
///
/// Nothing here holds a whole file in memory. The asynchronous functions block no thread of the caller's pool; the
/// others are single quick system calls, or say that they block.
package struct ArtifactStore: Sendable {
    package enum Outcome: Hashable, Sendable { case stored, existed }

    package struct Entry: Hashable, Sendable {
        package var digest: ArtifactDigest
        package var sizeBytes: Int64
        /// Seconds since it was stored or last asked to be stored.
        package var ageSeconds: Double
    }

    package let folder: String
    /// Largest artifact taken, bytes.
    package let limitBytes: Int64

    /// Bytes gathered before they go to the disk in one piece.
    static let pieceBytes = 1 << 20

    /// Opens the store, creating the folder where needed.
    ///
    /// - Parameter limitBytes: largest artifact taken.
    package init(folder: String, limitBytes: Int64 = 8 << 30) throws {
        self.folder = folder
        self.limitBytes = limitBytes
        try FileTree.makeFolder(partialFolder)
        try FileTree.makeFolder(objectsFolder)
    }

    var objectsFolder: String { folder + "/objects" }
    var partialFolder: String { folder + "/partial" }

    /// Where the artifact lies, or would lie.
    package func path(of digest: ArtifactDigest) -> String {
        "\(objectsFolder)/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// Size in bytes; nil when the store does not have it.
    package func size(of digest: ArtifactDigest) throws -> Int64? {
        try FileTree.status(path(of: digest)).map { Int64($0.st_size) }
    }

    package func contains(_ digest: ArtifactDigest) throws -> Bool { try size(of: digest) != nil }

    // MARK: - Writing

    /// Stores the bytes that arrive, if their digest is the one named.
    ///
    /// - Parameters:
    ///   - expectedBytes: announced length; a stream that ends early or goes on is refused. Nil where unknown.
    ///   - chunks: the bytes, in pieces of any size.
    /// - Returns: `.existed` when the store has it already; the chunks are then not read.
    /// - Throws: `ArtifactError.digestMismatch`, `.lengthMismatch`, `.tooLarge`, `.storageFull`, or what the stream throws.
    @discardableResult
    package func put<Chunks: AsyncSequence & Sendable>(
        _ digest: ArtifactDigest, expectedBytes: Int64? = nil, chunks: Chunks
    ) async throws -> Outcome where Chunks.Element: Collection & Sendable, Chunks.Element.Element == UInt8 {
        if let size = try size(of: digest), expectedBytes == nil || expectedBytes == size {
            try touch(digest)
            return .existed
        }
        if let expectedBytes { try checkRoom(for: expectedBytes) }
        let writer = try ArtifactWriter(path: temporaryPath(), limitBytes: limitBytes)
        do {
            try await writer.write(chunks)
            let (found, size) = try await writer.finish()
            if let expectedBytes, size != expectedBytes {
                throw ArtifactError.lengthMismatch(digest, expectedBytes: expectedBytes, foundBytes: size)
            }
            guard found == digest else { throw ArtifactError.digestMismatch(expected: digest, found: found) }
            try await BlockingWork.run { try publish(writer.path, as: digest) }
        } catch {
            try FileTree.remove(writer.path)
            throw error
        }
        return .stored
    }

    /// Stores a copy of a file under the digest that its bytes have.
    package func add(fileAt path: String) async throws -> (digest: ArtifactDigest, sizeBytes: Int64) {
        let source = try FileDescriptor(path, flags: O_RDONLY)
        let writer = try ArtifactWriter(path: temporaryPath(), limitBytes: limitBytes)
        do {
            try await writer.write(FileChunks(source))
            let (digest, size) = try await writer.finish()
            if try self.size(of: digest) == size {
                try FileTree.remove(writer.path)
                try touch(digest)
            } else {
                try await BlockingWork.run { try publish(writer.path, as: digest) }
            }
            return (digest, size)
        } catch {
            try FileTree.remove(writer.path)
            throw error
        }
    }

    /// Moves a finished, flushed file to its name. Blocks.
    func publish(_ path: String, as digest: ArtifactDigest) throws {
        guard chmod(path, 0o444) == 0 else { throw ArtifactError.last("protect", path) }
        let target = self.path(of: digest)
        let shelf = (target as NSString).deletingLastPathComponent
        if mkdir(shelf, 0o755) == 0 {
            try FileDescriptor(objectsFolder, flags: O_RDONLY | O_DIRECTORY).synchronize()
        } else if errno != EEXIST {
            throw ArtifactError.last("create the folder", shelf)
        }
        try FileTree.renameDurably(path, to: target)
    }

    func temporaryPath() -> String { "\(partialFolder)/\(UUID().uuidString).new" }

    /// Refuses at once what cannot fit, rather than after gigabytes have come over the network.
    func checkRoom(for bytes: Int64) throws {
        guard bytes <= limitBytes else { throw ArtifactError.tooLarge(limitBytes: limitBytes) }
        guard try freeBytes() >= bytes else { throw ArtifactError.storageFull(path: folder) }
    }

    /// Bytes that an unprivileged process may still write to the disk of the store.
    package func freeBytes() throws -> Int64 {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw ArtifactError.last("examine", folder) }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }

    /// Makes the artifact young again, so that a sweep with a grace period leaves alone what was just asked for.
    package func touch(_ digest: ArtifactDigest) throws {
        let path = path(of: digest)
        if utimensat(AT_FDCWD, path, nil, 0) != 0, errno != ENOENT { throw ArtifactError.last("touch", path) }
    }

    // MARK: - Reading

    /// - Throws: `ArtifactError.notFound`.
    package func open(_ digest: ArtifactDigest) throws -> ArtifactReader {
        do {
            return try ArtifactReader(path: path(of: digest))
        } catch ArtifactError.system(_, _, ENOENT) {
            throw ArtifactError.notFound(digest)
        }
    }

    // MARK: - Upkeep

    /// Calls `body` for every artifact, in order of the digests. Blocks.
    package func forEach(_ body: (Entry) throws -> Void) throws {
        let now = Date().timeIntervalSince1970
        for shelf in try FileTree.names(in: objectsFolder) {
            for name in try FileTree.names(in: "\(objectsFolder)/\(shelf)") {
                guard let digest = ArtifactDigest(hex: name), let status = try FileTree.status(path(of: digest)) else {
                    continue
                }
                let modified = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
                try body(
                    Entry(digest: digest, sizeBytes: Int64(status.st_size), ageSeconds: max(0, now - modified)))
            }
        }
    }

    /// Every artifact, in order of the digests.
    package func entries() async throws -> [Entry] {
        try await BlockingWork.run {
            var entries: [Entry] = []
            try forEach { entries.append($0) }
            return entries
        }
    }

    /// - Returns: false when the store did not have it.
    @discardableResult
    package func remove(_ digest: ArtifactDigest) throws -> Bool { try FileTree.remove(path(of: digest)) }

    /// Removes the artifact unless it became young meanwhile: somebody asked for it to be stored.
    package func remove(_ digest: ArtifactDigest, olderThanSeconds age: Double) throws -> Bool {
        guard let status = try FileTree.status(path(of: digest)),
            Date().timeIntervalSince1970 - Double(status.st_mtim.tv_sec) > age
        else { return false }
        return try remove(digest)
    }

    /// Reads the artifact and compares it with its name; a damaged one is removed, so that it can be stored anew.
    ///
    /// - Throws: `ArtifactError.damaged`, `.notFound`.
    package func scrub(_ digest: ArtifactDigest) async throws {
        let path = path(of: digest)
        guard try contains(digest) else { throw ArtifactError.notFound(digest) }
        try await BlockingWork.run {
            guard try FileDescriptor(path, flags: O_RDONLY).digest() == digest else {
                try FileTree.remove(path)
                throw ArtifactError.damaged(digest, path: path)
            }
        }
    }

    /// Removes what interrupted uploads left and nobody went on with for so long. Blocks shortly.
    ///
    /// - Returns: bytes freed.
    @discardableResult
    package func removeAbandonedUploads(olderThanSeconds age: Double) throws -> Int64 {
        let now = Date().timeIntervalSince1970
        var freed: Int64 = 0
        for name in try FileTree.names(in: partialFolder) {
            let path = "\(partialFolder)/\(name)"
            guard let status = try FileTree.status(path), now - Double(status.st_mtim.tv_sec) > age else { continue }
            if try FileTree.remove(path) { freed += Int64(status.st_size) }
        }
        return freed
    }
}
