import Crypto
import Foundation
import Glibc

/// SHA-256 of a file with the stamp of the version that was read.
package struct FileDigest: Hashable, Sendable, Codable {
    /// 64 lower-case hexadecimal digits.
    package let hex: String
    package let stamp: FileStamp

    package init(hex: String, stamp: FileStamp) { (self.hex, self.stamp) = (hex, stamp) }

    /// Reads the file once, in pieces of 1 MiB.
    ///
    /// - Throws: `BIDSError.cannotRead`, or `.changedWhileReading` when the file's stamp after reading is not the one
    ///   before: half-copied files are noticed.
    package static func sha256(of path: String) throws(BIDSError) -> FileDigest {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotRead(path: path, reason: FileSystem.lastErrorText()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .cannotRead(path: path, reason: FileSystem.lastErrorText())
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .cannotRead(path: path, reason: "it is not a file") }
        let before = FileSystem.stamp(status)
        // Advice only: a refusal changes nothing but speed.
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)

        let pieceBytes = 1 << 20
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: pieceBytes, alignment: 4_096)
        defer { buffer.deallocate() }
        var hash = SHA256()
        var total: Int64 = 0
        while true {
            let count = read(descriptor, buffer, pieceBytes)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .cannotRead(path: path, reason: FileSystem.lastErrorText())
            }
            total += Int64(count)
            hash.update(bufferPointer: UnsafeRawBufferPointer(start: buffer, count: count))
        }
        // By path, not by descriptor: a file that was replaced has another inode there.
        guard stat(path, &status) == 0, FileSystem.stamp(status) == before, total == before.sizeBytes else {
            throw .changedWhileReading(path: path)
        }
        return FileDigest(hex: hexadecimal(hash.finalize()), stamp: before)
    }

    /// Of bytes that have been read already.
    init(of bytes: [UInt8], stamp: FileStamp) {
        self.init(hex: Self.hexadecimal(SHA256.hash(data: bytes)), stamp: stamp)
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension FileStamp {
    /// The stamp of the file at `path` now, links followed.
    package static func of(_ path: String) throws(BIDSError) -> FileStamp {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .cannotRead(path: path, reason: FileSystem.lastErrorText())
        }
        return FileSystem.stamp(status)
    }
}
