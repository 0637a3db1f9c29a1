import Foundation
import Workflow

/// An artifact (or any file) open for reading; stays readable after it is removed from the store.
package struct ArtifactReader: Sendable {
    private let file: FileDescriptor
    package let sizeBytes: Int64
    /// When the file was last changed, nanoseconds since 1970.
    package let modifiedNanoseconds: Int64

    package init(path: String) throws {
        file = try FileDescriptor(path, flags: O_RDONLY)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ArtifactError.system(operation: "read as a file", path: path, errorNumber: EISDIR)
        }
        sizeBytes = Int64(status.st_size)
        modifiedNanoseconds = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// Up to `count` bytes from `offset`; fewer only at the end.
    package func read(at offset: Int64, count: Int) async throws -> [UInt8] {
        try await BlockingWork.run { [file] in try file.read(at: offset, count: count) }
    }

    /// SHA-256 of the whole file.
    package func digest() async throws -> ArtifactDigest {
        try await BlockingWork.run { [file] in try file.digest() }
    }
}

/// The bytes of a file in pieces.
struct FileChunks: AsyncSequence, Sendable {
    let file: FileDescriptor
    init(_ file: FileDescriptor) { self.file = file }

    struct AsyncIterator: AsyncIteratorProtocol {
        let file: FileDescriptor
        var offset: Int64 = 0

        mutating func next() async throws -> [UInt8]? {
            let (file, offset) = (file, offset)
            let piece = try await BlockingWork.run { try file.read(at: offset, count: ArtifactStore.pieceBytes) }
            self.offset += Int64(piece.count)
            return piece.isEmpty ? nil : piece
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: file) }
}
