import CNIfTI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The unpacked bytes of a `.nii` or `.nii.gz` file, in order.
///
/// libnifti's own reader returns what it could read when a gzip stream is cut, and never looks at the checksum at its end;
/// this one tells a complete stream from a short one and zlib checks length and CRC-32 of every member.
final class ByteSource {
    let path: String
    /// Size on disk.
    let fileBytes: Int
    let isGzip: Bool
    /// Unpacked bytes handed out so far.
    private(set) var position = 0

    private let descriptor: Int32
    private var stream = z_stream()
    private var input: [UInt8]
    /// Unread part of `input`.
    private var inputRange = 0..<0
    private var inputEnded = false
    /// Whether the stream stands at the end of a gzip member.
    private var memberEnded = false
    /// Whether only padding follows the last member.
    private var finished = false

    /// Opens the file and decides from its name and first bytes how it is packed.
    ///
    /// - Throws: `NIfTIError` when the file is missing, unreadable, empty, or packed otherwise than its name says.
    init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { throw NIfTIError.missing(path: path) }
            throw NIfTIError.unreadable(path: path, reason: message(code))
        }
        var status = stat()
        var first: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
        let failure: NIfTIError?
        if fstat(descriptor, &status) != 0 {
            failure = .unreadable(path: path, reason: message(errno))
        } else if status.st_mode & S_IFMT != S_IFREG {
            failure = .unreadable(path: path, reason: "it is not a regular file")
        } else if status.st_size == 0 {
            failure = .empty(path: path)
        } else if withUnsafeMutableBytes(of: &first, { pread(descriptor, $0.baseAddress, 4, 0) }) < 0 {
            failure = .unreadable(path: path, reason: message(errno))
        } else {
            let gzip = first.0 == 0x1f && first.1 == 0x8b
            let named = path.hasSuffix(".gz")
            if named && !gzip {
                // 348 or 540 in either byte order.
                let length = UInt32(first.0) | UInt32(first.1) << 8 | UInt32(first.2) << 16 | UInt32(first.3) << 24
                let known = [UInt32(HeaderLength.nifti1), UInt32(HeaderLength.nifti2)]
                failure = .notGzip(
                    path: path, looksLikeNIfTI: known.contains(length) || known.contains(length.byteSwapped))
            } else {
                failure = gzip && !named ? .gzipWithoutSuffix(path: path) : nil
            }
        }
        if let failure {
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        fileBytes = Int(status.st_size)
        isGzip = path.hasSuffix(".gz")
        input = isGzip ? [UInt8](repeating: 0, count: 1 << 18) : []
        if isGzip {
            // 15 bits of window, plus 16 for "gzip and nothing else".
            let code = inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            precondition(code == Z_OK, "zlib does not start: \(code)")
        }
    }

    deinit {
        if isGzip { inflateEnd(&stream) }
        close(descriptor)
    }

    /// Fills the buffer as far as the file goes and returns the number of bytes; less than the buffer only at the end.
    ///
    /// - Throws: `NIfTIError.damagedGzip` or `.unreadable`. A stream that merely ends is not an error here.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try isGzip ? inflate(into: buffer) : readDirectly(into: buffer)
        position += count
        return count
    }

    /// Reads the rest and returns its length. Afterwards `isComplete` says whether the stream came to its proper end.
    func drain() throws -> Int {
        var scratch = [UInt8](repeating: 0, count: 1 << 16)
        var total = 0
        while true {
            let count = try scratch.withUnsafeMutableBytes { try read(into: $0) }
            if count == 0 { return total }
            total += count
        }
    }

    /// Whether the last gzip member has ended and its checksum agreed. Always true for an unpacked file.
    var isComplete: Bool { !isGzip || memberEnded }

    private func readDirectly(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = systemRead(descriptor, buffer.baseAddress! + done, buffer.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw NIfTIError.unreadable(path: path, reason: message(errno))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    private func refill() throws {
        guard inputRange.isEmpty, !inputEnded else { return }
        let count = try input.withUnsafeMutableBytes { try readDirectly(into: $0) }
        inputRange = 0..<count
        inputEnded = count < input.count
    }

    private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < buffer.count && !finished {
            try refill()
            if inputRange.isEmpty { break }
            if memberEnded && !startNextMember() { break }
            // zlib counts in 32 bits.
            let room = min(buffer.count - done, 1 << 30)
            let code: Int32 = input.withUnsafeMutableBufferPointer { bytes in
                stream.next_in = bytes.baseAddress! + inputRange.lowerBound
                stream.avail_in = UInt32(inputRange.count)
                stream.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self) + done
                stream.avail_out = UInt32(room)
                return CNIfTI.inflate(&stream, Z_NO_FLUSH)
            }
            inputRange = (inputRange.upperBound - Int(stream.avail_in))..<inputRange.upperBound
            done += room - Int(stream.avail_out)
            switch code {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: memberEnded = true
            default:
                let reason = stream.msg.map { String(cString: $0) } ?? "code \(code)"
                throw NIfTIError.damagedGzip(path: path, reason: reason)
            }
        }
        return done
    }

    /// After one member another may follow (block-wise compressors write many). Anything else after a whole member is
    /// padding, which gzip ignores as well.
    private func startNextMember() -> Bool {
        guard input[inputRange.lowerBound] == 0x1f else {
            finished = true
            return false
        }
        inflateReset(&stream)
        memberEnded = false
        return true
    }
}

/// `read(2)`, which the method of the same name hides.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

/// The system's words for an error number.
func message(_ code: Int32) -> String { String(cString: strerror(code)) }
