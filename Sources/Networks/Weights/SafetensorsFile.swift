import Foundation
import Kernels

/// A safetensors file opened for reading: its header is checked at once, tensors are read one by one.
package final class SafetensorsFile: Sendable {
    package let path: String
    package var metadata: [String: String] { header.metadata }
    /// In the order of the data.
    package var names: [String] { header.entries.map(\.name) }
    /// In the order of the data; the type as the file writes it, such as F32.
    package var tensors: [(name: String, type: String, shape: [Int])] {
        header.entries.map { ($0.name, $0.type.rawValue, $0.shape) }
    }

    private let header: SafetensorsHeader
    private let entries: [String: SafetensorsHeader.Entry]
    private let descriptor: Int32

    /// - Throws: `NetworkError.system` where the file cannot be read, `.file` where it is damaged in any way its header
    ///   shows.
    package init(path: String) throws {
        self.path = path
        func problem(_ text: String) -> NetworkError { .file(path: path, problem: text) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw NetworkError.system(path: path, problem: "cannot be read", errorNumber: errno)
        }
        var isGood = false
        defer { if !isGood { close(descriptor) } }
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= 0 else { throw NetworkError.system(path: path, problem: "cannot be read", errorNumber: errno) }
        let count = Int(end)
        guard count >= 8 else { throw problem("is no safetensors file: it has \(count) bytes only") }
        var start = [UInt8](repeating: 0, count: 8)
        try start.withUnsafeMutableBytes { try Self.read(descriptor, from: 0, to: $0, path: path) }
        let length = start.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
        guard length <= UInt64(SafetensorsHeader.largestHeader) else {
            throw problem("is no safetensors file: its header would take \(length) bytes")
        }
        guard 8 + Int(length) <= count else {
            throw problem("is cut short: its header takes \(length) bytes and \(count - 8) are there")
        }
        var json = Data(count: Int(length))
        try json.withUnsafeMutableBytes { try Self.read(descriptor, from: 8, to: $0, path: path) }
        header = try SafetensorsHeader(json: json, dataCount: count - 8 - Int(length), path: path)
        entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
        self.descriptor = descriptor
        isGood = true
    }

    deinit { close(descriptor) }

    package func shape(of name: String) -> [Int]? { entries[name]?.shape }

    /// A tensor as single precision; half, bfloat16 and double precision are converted.
    ///
    /// - Throws: `NetworkError.file` where there is none of that name, or of another type.
    package func tensor(_ name: String) throws -> Tensor {
        guard let entry = entries[name] else { throw NetworkError.file(path: path, problem: "has no tensor \(name)") }
        let count = entry.shape.reduce(1, *)
        let offset = header.dataOffset + entry.range.lowerBound
        var values = [Float](repeating: 0, count: count)
        if entry.type == .float32 {
            try values.withUnsafeMutableBytes { try Self.read(descriptor, from: offset, to: $0, path: path) }
            return Tensor(shape: entry.shape, values: values)
        }
        var data = [UInt8](repeating: 0, count: entry.range.count)
        try data.withUnsafeMutableBytes { try Self.read(descriptor, from: offset, to: $0, path: path) }
        data.withUnsafeBytes { source in
            for n in 0..<count {
                switch entry.type {
                case .float64: values[n] = Float(source.loadUnaligned(fromByteOffset: 8 * n, as: Double.self))
                case .float16:
                    values[n] = Float(halfBits: source.loadUnaligned(fromByteOffset: 2 * n, as: UInt16.self))
                case .bfloat16:
                    let bits = source.loadUnaligned(fromByteOffset: 2 * n, as: UInt16.self)
                    values[n] = Float(bitPattern: UInt32(bits) << 16)
                default: break
                }
            }
        }
        switch entry.type {
        case .float64, .float16, .bfloat16: return Tensor(shape: entry.shape, values: values)
        default:
            throw NetworkError.file(
                path: path, problem: "tensor \(name) is of the type \(entry.type.rawValue), not floating point")
        }
    }

    /// Fills `target` with the bytes from `offset` on.
    private static func read(
        _ descriptor: Int32, from offset: Int, to target: UnsafeMutableRawBufferPointer, path: String
    ) throws {
        var done = 0
        while done < target.count {
            let count = pread(descriptor, target.baseAddress! + done, target.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw NetworkError.system(path: path, problem: "cannot be read", errorNumber: errno)
            }
            guard count > 0 else { throw NetworkError.file(path: path, problem: "became shorter while it was read") }
            done += count
        }
    }
}

extension Float {
    /// From IEEE half precision.
    init(halfBits bits: UInt16) {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:
            let magnitude = Float(fraction) * 0x1p-24
            self = sign == 0 ? magnitude : -magnitude
        case 31: self = Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
