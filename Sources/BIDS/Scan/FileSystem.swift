import Foundation
import Glibc

/// The few system calls the index needs, with plain errors. `FileManager` makes several calls and objects per entry,
/// which a walk over a hundred thousand files feels.
enum FileSystem {
    struct Entry {
        enum Kind {
            case file(FileStamp)
            case folder
            /// A link whose target is not there; `target` as the link states it.
            case brokenLink(target: String, FileStamp)
            /// A pipe, socket or device.
            case other
        }

        var name: String
        var kind: Kind
    }

    struct Listing {
        /// Sorted by name, so that nothing depends on the order a file system keeps.
        var entries: [Entry] = []
        /// Names that are not UTF-8, repaired for display; such files cannot be named in a table or a message.
        var unreadableNames: [String] = []
    }

    /// The entries of a folder, links followed. Names for which `wants` says no are left out before they are looked at.
    static func list(_ path: String, wants: (_ name: String) -> Bool = { _ in true }) throws(BIDSError) -> Listing {
        guard let stream = opendir(path) else { throw .cannotRead(path: path, reason: lastErrorText()) }
        defer { closedir(stream) }
        let descriptor = dirfd(stream)
        var listing = Listing()
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw .cannotRead(path: path, reason: lastErrorText()) }
                break
            }
            let type = Int32(entry.pointee.d_type)
            let (name, display) = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { characters in
                    let name = String(validatingCString: characters)
                    return (name, name ?? String(cString: characters))
                }
            }
            guard let name else {
                listing.unreadableNames.append(display)
                continue
            }
            if name == "." || name == ".." || !wants(name) { continue }
            if type == Int32(DT_DIR) {
                listing.entries.append(Entry(name: name, kind: .folder))
                continue
            }
            var status = stat()
            if fstatat(descriptor, name, &status, 0) == 0 {
                listing.entries.append(Entry(name: name, kind: kind(status)))
            } else if errno == ENOENT || errno == ELOOP, fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
                guard status.st_mode & S_IFMT == S_IFLNK else { continue }
                let target = linkTarget(descriptor, name)
                listing.entries.append(Entry(name: name, kind: .brokenLink(target: target, stamp(status))))
            } else if errno != ENOENT {
                throw .cannotRead(path: path + "/" + name, reason: lastErrorText())
            }
            // An entry that vanished between the two calls was removed meanwhile: it is simply not there.
        }
        listing.entries.sort { $0.name < $1.name }
        return listing
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Device and inode of a folder: tells a loop of links from a deep tree.
    static func identity(_ path: String) -> [UInt64]? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }

    /// A whole small file, with the stamp it had before it was read.
    static func read(
        _ path: String, limitBytes: Int = 64 << 20
    ) throws(BIDSError) -> (bytes: [UInt8], stamp: FileStamp) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotRead(path: path, reason: lastErrorText()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .cannotRead(path: path, reason: lastErrorText()) }
        guard status.st_size <= limitBytes else {
            throw .cannotRead(path: path, reason: "it has \(status.st_size) bytes, more than any such text file")
        }
        var bytes: [UInt8] = []
        var failure: String?
        // One byte more than the size tells the end of the file without another call in the usual case.
        var capacity = Int(status.st_size) + 1
        while true {
            let room = capacity
            var count = 0
            bytes.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
                    count = Glibc.read(descriptor, buffer.baseAddress, room)
                    initialized = max(0, count)
                })
            if count < 0 {
                if errno == EINTR { continue }
                failure = lastErrorText()
            }
            if count < room || failure != nil { break }
            capacity = 65_536
            if bytes.count > limitBytes { break }
        }
        if let failure { throw .cannotRead(path: path, reason: failure) }
        return (bytes, stamp(status))
    }

    static func stamp(_ status: stat) -> FileStamp {
        FileStamp(
            sizeBytes: Int64(status.st_size),
            modifiedNanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            inode: Int64(bitPattern: UInt64(status.st_ino)))
    }

    static func lastErrorText() -> String { String(cString: strerror(errno)) }

    private static func kind(_ status: stat) -> Entry.Kind {
        switch status.st_mode & S_IFMT {
        case S_IFDIR: .folder
        case S_IFREG: .file(stamp(status))
        default: .other
        }
    }

    private static func linkTarget(_ descriptor: Int32, _ name: String) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlinkat(descriptor, name, bytes.bindMemory(to: CChar.self).baseAddress!, bytes.count)
        }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
