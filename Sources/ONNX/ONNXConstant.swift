import Foundation

/// A tensor known when the model is imported: weights, and the small whole numbers that shapes are made of.
struct ONNXConstant: Sendable {
    enum Values: Sendable {
        case floats([Float])
        case integers([Int])
    }

    var shape: [Int]
    var values: Values

    var count: Int { shape.reduce(1, *) }

    init(shape: [Int], _ values: Values) { (self.shape, self.values) = (shape, values) }

    init(integers: [Int]) { self.init(shape: [integers.count], .integers(integers)) }

    /// As single-precision numbers, whatever they are stored as.
    var floats: [Float] {
        switch values {
        case .floats(let values): values
        case .integers(let values): values.map { Float($0) }
        }
    }

    /// As whole numbers; nil where some are not.
    var integers: [Int]? {
        switch values {
        case .integers(let values): return values
        case .floats(let values):
            guard values.allSatisfy({ $0 == $0.rounded() && abs($0) < 1e9 }) else { return nil }
            return values.map { Int($0) }
        }
    }
}

extension ONNXConstant {
    /// Decodes a stored tensor.
    ///
    /// - Parameter folder: where files of external data lie, beside the model.
    init(_ tensor: ONNXTensorValue, folder: URL, path: String) throws {
        func refuse(_ problem: String) -> ONNXError { .file(path: path, problem: "tensor \(tensor.name) \(problem)") }
        guard tensor.dims.allSatisfy({ $0 >= 0 && $0 < 1 << 31 }) else { throw refuse("has a negative size") }
        shape = tensor.dims.map { Int($0) }
        var count = 1
        for axis in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: axis)
            guard !overflow, product < 1 << 40 else { throw refuse("has the impossible shape \(tensor.dims)") }
            count = product
        }
        guard let type = ElementType(rawValue: tensor.dataType) else {
            throw refuse("has the element type \(tensor.dataType); only floating-point and whole numbers are read")
        }
        if tensor.dataLocation == 1 {
            let data = try Self.external(tensor, folder: folder, bytes: count * type.bytes, refuse)
            values = type.decode(data)
        } else if !tensor.rawData.isEmpty {
            guard tensor.rawData.count == count * type.bytes else {
                throw refuse(
                    "has \(tensor.rawData.count) bytes where its shape \(tensor.dims) takes \(count * type.bytes)")
            }
            values = type.decode(tensor.rawData)
        } else {
            values = type.values(tensor)
        }
        let found =
            switch values {
            case .floats(let values): values.count
            case .integers(let values): values.count
            }
        guard found == count else { throw refuse("has \(found) values where its shape \(tensor.dims) takes \(count)") }
    }

    private static func external(
        _ tensor: ONNXTensorValue, folder: URL, bytes: Int, _ refuse: (String) -> ONNXError
    ) throws -> Data {
        let entries = Dictionary(tensor.externalData.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        guard let location = entries["location"], !location.isEmpty else { throw refuse("names no file for its data") }
        // A model may come from anywhere: it may name files beside itself and no others.
        guard !location.hasPrefix("/"), !location.split(separator: "/").contains("..") else {
            throw refuse("lies in \(location), outside the folder of the model; keep its data beside it")
        }
        let offset = entries["offset"].flatMap { Int($0) } ?? 0
        let url = folder.appendingPathComponent(location)
        guard let handle = FileHandle(forReadingAtPath: url.path) else {
            throw refuse("lies in \(url.path), which cannot be opened; copy it beside the model")
        }
        defer { try? handle.close() }  // only read from
        guard offset >= 0 else { throw refuse("begins before its file") }
        try handle.seek(toOffset: UInt64(offset))
        let data = try handle.read(upToCount: bytes) ?? Data()
        guard data.count == bytes else {
            throw refuse(
                "takes \(bytes) bytes from byte \(offset) of \(url.path), which ends before; the file is truncated")
        }
        return data
    }

    /// Element types by the numbers of the format.
    private enum ElementType: Int32 {
        case float = 1
        case uint8 = 2
        case int8 = 3
        case int32 = 6
        case int64 = 7
        case bool = 9
        case float16 = 10
        case double = 11
        case bfloat16 = 16

        var bytes: Int {
            switch self {
            case .uint8, .int8, .bool: 1
            case .float16, .bfloat16: 2
            case .float, .int32: 4
            case .int64, .double: 8
            }
        }

        /// Little-endian bytes.
        func decode(_ data: Data) -> Values {
            func all<Stored: FixedWidthInteger>(_ type: Stored.Type) -> [Stored] {
                data.withUnsafeBytes { bytes in
                    (0..<bytes.count / MemoryLayout<Stored>.size).map {
                        Stored(
                            littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Stored>.size, as: type))
                    }
                }
            }
            return switch self {
            case .float: .floats(all(UInt32.self).map { Float(bitPattern: $0) })
            case .double: .floats(all(UInt64.self).map { Float(Double(bitPattern: $0)) })
            case .float16: .floats(all(UInt16.self).map { Self.half($0) })
            case .bfloat16: .floats(all(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
            case .int64: .integers(all(Int64.self).map { Int($0) })
            case .int32: .integers(all(Int32.self).map { Int($0) })
            case .int8: .integers(all(Int8.self).map { Int($0) })
            case .uint8, .bool: .integers(all(UInt8.self).map { Int($0) })
            }
        }

        /// From the fields for typed values.
        func values(_ tensor: ONNXTensorValue) -> Values {
            switch self {
            case .float: .floats(tensor.floatData)
            case .double: .floats(tensor.doubleData.map { Float($0) })
            case .float16: .floats(tensor.int32Data.map { Self.half(UInt16(truncatingIfNeeded: $0)) })
            case .bfloat16: .floats(tensor.int32Data.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0) << 16) })
            case .int64: .integers(tensor.int64Data.map { Int($0) })
            case .int32, .int8, .uint8, .bool: .integers(tensor.int32Data.map { Int($0) })
            }
        }

        /// A half-precision number (IEEE 754 binary16) from its bits.
        static func half(_ bits: UInt16) -> Float {
            let sign: Float = bits & 0x8000 == 0 ? 1 : -1
            let exponent = Int(bits >> 10) & 0x1f
            let fraction = Float(bits & 0x3ff)
            switch exponent {
            case 0: return sign * fraction * 0x1p-24
            case 31: return fraction == 0 ? sign * .infinity : .nan
            default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction * 0x1p-10)
            }
        }
    }
}
