import Foundation

/// NIfTI files made byte by byte from the standard's tables, so that the reader is not tested with its own writer.
struct RawNIfTI {
    var version = 1
    var bigEndian = false
    /// Leading count of axes first.
    var dim: [Int] = [3, 5, 4, 3, 1, 1, 1, 1]
    var datatype = 16
    var bitpix = 32
    var pixdim: [Double] = [1, 2, 2, 2, 0, 0, 0, 0]
    var voxOffset: Double?
    var slope = 0.0
    var intercept = 0.0
    var units = 2
    var qformCode = 0
    var sformCode = 1
    var quaternion: [Double] = [0, 0, 0, 0, 0, 0]
    var srow: [[Double]] = [[2, 0, 0, -10], [0, 2, 0, -20], [0, 0, 2, -30]]
    var intent = 0
    var magic = "n+1"
    var voxels: [UInt8] = []

    /// Any integer or floating-point value in the chosen byte order.
    func bytes<T>(_ value: T) -> [UInt8] {
        let native = withUnsafeBytes(of: value) { Array($0) }
        return bigEndian ? native.reversed() : native
    }

    var header: [UInt8] { version == 1 ? header1 : header2 }

    private var header1: [UInt8] {
        var out = [UInt8](repeating: 0, count: 352)
        func put<T>(_ value: T, at offset: Int) {
            let b = bytes(value)
            out.replaceSubrange(offset..<offset + b.count, with: b)
        }
        put(Int32(348), at: 0)
        for (n, d) in dim.enumerated() { put(Int16(truncatingIfNeeded: d), at: 40 + 2 * n) }
        put(Int16(intent), at: 68)
        put(Int16(datatype), at: 70)
        put(Int16(bitpix), at: 72)
        for (n, p) in pixdim.enumerated() { put(Float(p), at: 76 + 4 * n) }
        put(Float(voxOffset ?? 352), at: 108)
        put(Float(slope), at: 112)
        put(Float(intercept), at: 116)
        out[123] = UInt8(units)
        put(Int16(qformCode), at: 252)
        put(Int16(sformCode), at: 254)
        for (n, q) in quaternion.enumerated() { put(Float(q), at: 256 + 4 * n) }
        for (n, s) in srow.joined().enumerated() { put(Float(s), at: 280 + 4 * n) }
        out.replaceSubrange(344..<347, with: Array(magic.utf8))
        return out
    }

    private var header2: [UInt8] {
        var out = [UInt8](repeating: 0, count: 544)
        func put<T>(_ value: T, at offset: Int) {
            let b = bytes(value)
            out.replaceSubrange(offset..<offset + b.count, with: b)
        }
        put(Int32(540), at: 0)
        out.replaceSubrange(4..<12, with: [0x6e, 0x2b, 0x32, 0, 0x0d, 0x0a, 0x1a, 0x0a])
        put(Int16(datatype), at: 12)
        put(Int16(bitpix), at: 14)
        for (n, d) in dim.enumerated() { put(Int64(d), at: 16 + 8 * n) }
        for (n, p) in pixdim.enumerated() { put(p, at: 104 + 8 * n) }
        put(Int64(voxOffset ?? 544), at: 168)
        put(slope, at: 176)
        put(intercept, at: 184)
        put(Int32(qformCode), at: 344)
        put(Int32(sformCode), at: 348)
        for (n, q) in quaternion.enumerated() { put(q, at: 352 + 8 * n) }
        for (n, s) in srow.joined().enumerated() { put(s, at: 400 + 8 * n) }
        put(Int32(units), at: 500)
        put(Int32(intent), at: 504)
        return out
    }

    var file: [UInt8] { header + voxels }

    /// A file of 32-bit floats.
    static func floats(_ values: [Float], configure: (inout RawNIfTI) -> Void = { _ in }) -> RawNIfTI {
        var raw = RawNIfTI()
        configure(&raw)
        raw.voxels = values.flatMap { raw.bytes($0) }
        return raw
    }
}

/// A gzip member of stored (uncompressed) blocks, with its checksum.
func gzipStored(_ data: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]
    var rest = data[...]
    repeat {
        let block = rest.prefix(65535)
        rest = rest.dropFirst(block.count)
        let n = UInt16(block.count)
        out +=
            [rest.isEmpty ? 1 : 0, UInt8(n & 255), UInt8(n >> 8), UInt8(~n & 255), UInt8(~n >> 8)] + block
    } while !rest.isEmpty
    var crc: UInt32 = .max
    for byte in data {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    for word in [~crc, UInt32(truncatingIfNeeded: data.count)] {
        out += (0..<4).map { UInt8(word >> (8 * $0) & 255) }
    }
    return out
}

/// A folder that goes away with its test.
final class ScratchFolder {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.appendingPathComponent("imaging-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A folder that cannot be removed is the system's to clear.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes the bytes under a name and returns the path.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = self.path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    func callAsFunction(_ name: String) -> String { path + "/" + name }
}
