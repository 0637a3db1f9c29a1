import CNIfTI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file that appears under its name only when it is complete: bytes go to a hidden neighbour, which is renamed at the
/// end. With a name ending in `.gz` the bytes are compressed on the way.
///
/// The gzip header carries neither a time nor a name, so equal input gives equal bytes.
final class GzipSink {
    private let path: String
    private let partialPath: String
    private var descriptor: Int32
    private let isGzip: Bool
    private var stream = z_stream()
    private var output = [UInt8](repeating: 0, count: 1 << 18)

    /// - Parameter level: zlib's effort, 1 to 9.
    init(path: String, level: Int) throws {
        self.path = path
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { path[...$0] } ?? ""
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        // Two processes may write the same output at the same time; each needs a neighbour of its own.
        partialPath = "\(folder).\(name).\(getpid()).partial"
        isGzip = path.hasSuffix(".gz")
        descriptor = open(partialPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw NIfTIError.cannotWrite(path: path, reason: message(errno)) }
        if isGzip {
            let code = deflateInit2_(
                &stream, Int32(level), Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size))
            precondition(code == Z_OK, "zlib does not start: \(code)")
        }
    }

    deinit {
        if isGzip { deflateEnd(&stream) }
        if descriptor >= 0 {
            close(descriptor)
            unlink(partialPath)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if isGzip { try deflate(bytes, flush: Z_NO_FLUSH) } else { try writeDirectly(bytes) }
    }

    /// Makes the file durable and gives it its name. Without this call nothing stays behind.
    func finish() throws {
        if isGzip { try deflate(UnsafeRawBufferPointer(start: nil, count: 0), flush: Z_FINISH) }
        guard fsync(descriptor) == 0 else { throw NIfTIError.cannotWrite(path: path, reason: message(errno)) }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(partialPath, path) == 0 else {
            let reason = message(errno)
            unlink(partialPath)
            throw NIfTIError.cannotWrite(path: path, reason: reason)
        }
    }

    private func deflate(_ bytes: UnsafeRawBufferPointer, flush: Int32) throws {
        var done = 0
        repeat {
            // zlib counts in 32 bits.
            let piece = min(bytes.count - done, 1 << 30)
            stream.next_in = bytes.baseAddress.map {
                UnsafeMutableRawPointer(mutating: $0 + done).assumingMemoryBound(to: UInt8.self)
            }
            stream.avail_in = UInt32(piece)
            var room: UInt32
            repeat {
                room = UInt32(output.count)
                try output.withUnsafeMutableBytes { buffer in
                    stream.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = room
                    let code = CNIfTI.deflate(&stream, flush)
                    precondition(code != Z_STREAM_ERROR, "zlib was called out of turn")
                    room -= stream.avail_out
                    try writeDirectly(UnsafeRawBufferPointer(rebasing: buffer[..<Int(room)]))
                }
            } while Int(room) == output.count
            done += piece
        } while done < bytes.count
    }

    private func writeDirectly(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = systemWrite(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw NIfTIError.cannotWrite(path: path, reason: message(errno))
            }
            done += count
        }
    }
}

/// `write(2)`, which the method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, buffer, count)
}
