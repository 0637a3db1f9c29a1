import Foundation
import Kernels

/// A safetensors file opened for reading: its header is checked at once, tensors are read one by one.
package final class SafetensorsFile {
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
    private let handle: FileHandle

    /// - Throws: `NetworkError.system` where the file cannot be read, `.file` where it is damaged in any way its header
    ///   shows.
    package init(path: String) throws {
        self.path = path
        func problem(_ text: String) -> NetworkError { .file(path: path, problem: text) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw NetworkError.system(path: path, problem: "cannot be read", errorNumber: errno)
        }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let count: Int
        do {
            count = Int(try handle.seekToEnd())
        } catch {
            throw problem("cannot be read: \(error.localizedDescription)")
        }
        guard count >= 8 else { throw problem("is no safetensors file: it has \(count) bytes only") }
        let start = try Self.read(handle, from: 0, count: 8, path: path)
        let length = start.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
        guard length <= UInt64(SafetensorsHeader.largestHeader) else {
            throw problem("is no safetensors file: its header would take \(length) bytes")
        }
        guard 8 + Int(length) <= count else {
            throw problem("is cut short: its header takes \(length) bytes and \(count - 8) are there")
        }
        let json = try Self.read(handle, from: 8, count: Int(length), path: path)
        header = try SafetensorsHeader(json: json, dataCount: count - 8 - Int(length), path: path)
        entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    }

    package func shape(of name: String) -> [Int]? { entries[name]?.shape }

    /// A tensor as single precision; half, bfloat16 and double precision are converted.
    ///
    /// - Throws: `NetworkError.file` where there is none of that name, or of another type.
    package func tensor(_ name: String) throws -> Tensor {
        guard let entry = entries[name] else { throw NetworkError.file(path: path, problem: "has no tensor \(name)") }
        let data = try Self.read(
            handle, from: header.dataOffset + entry.range.lowerBound, count: entry.range.count, path: path)
        let count = entry.shape.reduce(1, *)
        let values = [Float](unsafeUninitializedCapacity: count) { target, initialised in
            data.withUnsafeBytes { source in
                switch entry.type {
                case .float32:
                    if count > 0 { memcpy(target.baseAddress!, source.baseAddress!, 4 * count) }
                case .float64:
                    for n in 0..<count {
                        target[n] = Float(source.loadUnaligned(fromByteOffset: 8 * n, as: Double.self))
                    }
                case .float16:
                    for n in 0..<count {
                        target[n] = Float(halfBits: source.loadUnaligned(fromByteOffset: 2 * n, as: UInt16.self))
                    }
                case .bfloat16:
                    for n in 0..<count {
                        let bits = source.loadUnaligned(fromByteOffset: 2 * n, as: UInt16.self)
                        target[n] = Float(bitPattern: UInt32(bits) << 16)
                    }
                default: break
                }
            }
            initialised = count
        }
        switch entry.type {
        case .float32, .float64, .float16, .bfloat16: return Tensor(shape: entry.shape, values: values)
        default:
            throw NetworkError.file(
                path: path, problem: "tensor \(name) is of the type \(entry.type.rawValue), not floating point")
        }
    }

    private static func read(_ handle: FileHandle, from offset: Int, count: Int, path: String) throws -> Data {
        if count == 0 { return Data() }
        let data: Data?
        do {
            try handle.seek(toOffset: UInt64(offset))
            data = try handle.read(upToCount: count)
        } catch {
            throw NetworkError.file(path: path, problem: "cannot be read: \(error.localizedDescription)")
        }
        guard let data, data.count == count else {
            throw NetworkError.file(path: path, problem: "became shorter while it was read")
        }
        return data
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
