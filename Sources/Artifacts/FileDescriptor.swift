import Crypto
import Foundation
import Workflow

/// An open file, closed when the last reference goes. All calls block.
///
/// Safe to share: the number never changes, and positions are given with every read.
final class FileDescriptor: Sendable {
    let number: Int32
    let path: String

    /// - Parameter flags: as of `open`; `O_CLOEXEC` is added, so that attempts do not inherit the file.
    init(_ path: String, flags: Int32, mode: mode_t = 0o644) throws {
        let number = open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw ArtifactError.last("open", path) }
        (self.number, self.path) = (number, path)
    }

    deinit {
        // A lock ends here in so many words: a child of this process between fork and exec still has a copy of the
        // descriptor, and would keep it.
        unlock()
        close(number)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = Foundation.write(number, rest.baseAddress, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw ArtifactError.last("write", path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    func read(at offset: Int64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(number, buffer.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
                if got < 0 {
                    if errno == EINTR { continue }
                    throw ArtifactError.last("read", path)
                }
                if got == 0 { break }
                filled += got
            }
        }
    }

    func status() throws -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw ArtifactError.last("examine", path) }
        return status
    }

    func size() throws -> Int64 { Int64(try status().st_size) }

    /// Returns when the bytes are on the disk.
    func synchronize() throws {
        guard fsync(number) == 0 else { throw ArtifactError.last("flush", path) }
    }

    /// False when another open file holds the lock.
    func tryLock() throws -> Bool {
        if flock(number, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw ArtifactError.last("lock", path) }
        return false
    }

    /// Does nothing where this open file holds no lock.
    func unlock() {
        flock(number, LOCK_UN)
    }

    /// SHA-256 of the whole file, read in pieces.
    func digest() throws -> ArtifactDigest {
        var hasher = SHA256()
        var offset: Int64 = 0
        while true {
            let piece = try read(at: offset, count: 1 << 20)
            if piece.isEmpty { return ArtifactDigest(hasher.finalize()) }
            hasher.update(data: piece)
            offset += Int64(piece.count)
        }
    }
}

/// Calls on paths, with the module's errors.
enum FileTree {
    static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            let number = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code ?? Int(EIO)
            throw ArtifactError.system(operation: "create the folder", path: path, errorNumber: Int32(number))
        }
    }

    /// Nil when nothing is there.
    static func status(_ path: String) throws -> stat? {
        var status = stat()
        if stat(path, &status) == 0 { return status }
        guard errno == ENOENT || errno == ENOTDIR else { throw ArtifactError.last("examine", path) }
        return nil
    }

    /// Moves the file and returns when the move itself is on the disk.
    static func renameDurably(_ source: String, to destination: String) throws {
        guard rename(source, destination) == 0 else { throw ArtifactError.last("rename to", destination) }
        let folder = (destination as NSString).deletingLastPathComponent
        try FileDescriptor(folder, flags: O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// False when nothing was there.
    @discardableResult
    static func remove(_ path: String) throws -> Bool {
        if unlink(path) == 0 { return true }
        guard errno == ENOENT else { throw ArtifactError.last("remove", path) }
        return false
    }

    /// Names in a folder, sorted; empty when it does not exist.
    static func names(in folder: String) throws -> [String] {
        guard let stream = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw ArtifactError.last("list", folder)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
