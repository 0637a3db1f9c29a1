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
        shape = tensor.dims.map { Int($0) }
        guard let count = Bounds.count(shape) else { throw refuse("has the impossible shape \(tensor.dims)") }
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
        func number(_ key: String, _ otherwise: Int) throws -> Int {
            guard let text = entries[key] else { return otherwise }
            guard let value = Int(text), value >= 0 else {
                throw refuse("has the \(key) “\(text)” in \(location), which is no number of bytes; export it again")
            }
            return value
        }
        let offset = try number("offset", 0)
        let length = try number("length", bytes)
        guard length == bytes else {
            throw refuse("takes \(bytes) bytes by its shape and \(length) of \(location); export the model again")
        }
        let url = try confined(location, to: folder, refuse)
        do {
            let handle = try FileHandle(forReadingFrom: url)
            defer { try? handle.close() }  // only read from
            let size = try handle.seekToEnd()
            guard UInt64(offset) <= size, UInt64(bytes) <= size - UInt64(offset) else {
                throw refuse(
                    "takes \(bytes) bytes from byte \(offset) of \(url.path), which ends before; the file is truncated")
            }
            try handle.seek(toOffset: UInt64(offset))
            let data = try handle.read(upToCount: bytes) ?? Data()
            guard data.count == bytes else {
                throw refuse("lies in \(url.path), which became shorter while it was read")
            }
            return data
        } catch let error as ONNXError {
            throw error
        } catch {
            throw refuse("lies in \(url.path), which cannot be read; check its rights and the disk")
        }
    }

    /// A model may come from anywhere: it may name files beside itself and no others, not by way of a link either.
    private static func confined(
        _ location: String, to folder: URL, _ refuse: (String) -> ONNXError
    ) throws -> URL {
        guard !location.hasPrefix("/"), !location.contains("\0"), !location.split(separator: "/").contains("..") else {
            throw refuse("lies in \(location), outside the folder of the model; keep its data beside it")
        }
        let named = folder.appendingPathComponent(location)
        guard FileManager.default.fileExists(atPath: named.path) else {
            throw refuse("lies in \(named.path), which cannot be opened; copy it beside the model")
        }
        let (root, url) = (folder.resolvingSymlinksInPath(), named.resolvingSymlinksInPath())
        guard url.pathComponents.starts(with: root.pathComponents) else {
            throw refuse("lies in \(named.path), a link out of the folder of the model; copy the file itself there")
        }
        let kind: FileAttributeType?
        do {
            kind = try FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType
        } catch {
            throw refuse("lies in \(url.path), which cannot be read; check its rights and the disk")
        }
        guard kind == .typeRegular else { throw refuse("lies in \(url.path), which is no file of data") }
        return url
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
