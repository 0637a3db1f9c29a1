// Reading typed values out of the binary form of a result. A type that does not fit is an error, never a guess.

import Foundation

/// A value that can be read from a column.
package protocol PostgresDecodable {
    /// - Parameters:
    ///   - bytes: the binary form; nil is NULL.
    ///   - type: object identifier of the column's type.
    /// - Returns: nil when the bytes or the type do not fit.
    static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Self?

    /// Whether NULL is a value; says so in the error when it is not.
    static var acceptsNull: Bool { get }
}

extension PostgresDecodable {
    package static var acceptsNull: Bool { false }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Wrapped?? {
        guard let bytes else { return .some(nil) }
        guard let value = Wrapped.decode(bytes, type: type) else { return nil }
        return .some(value)
    }

    package static var acceptsNull: Bool { true }
}

extension Bool: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Bool? {
        guard let bytes, type == TypeCode.bool, bytes.count == 1 else { return nil }
        return bytes[0] != 0
    }
}

/// Any of the three integer types, when the value fits.
private func integer<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer?, _ type: UInt32) -> Value? {
    guard let bytes else { return nil }
    switch (type, bytes.count) {
    case (TypeCode.int8, 8): return Value(exactly: bytes.bigEndian(Int64.self))
    case (TypeCode.int4, 4): return Value(exactly: bytes.bigEndian(Int32.self))
    case (TypeCode.int2, 2): return Value(exactly: bytes.bigEndian(Int16.self))
    case (TypeCode.oid, 4), (TypeCode.xid, 4): return Value(exactly: bytes.bigEndian(UInt32.self))
    default: return nil
    }
}

extension Int16: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Int16? { integer(bytes, type) }
}

extension Int32: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Int32? { integer(bytes, type) }
}

extension Int64: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Int64? { integer(bytes, type) }
}

extension Int: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Int? { integer(bytes, type) }
}

extension UInt32: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> UInt32? { integer(bytes, type) }
}

extension Double: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Double? {
        guard let bytes else { return nil }
        switch (type, bytes.count) {
        case (TypeCode.float8, 8): return Double(bitPattern: bytes.bigEndian(UInt64.self))
        case (TypeCode.float4, 4): return Double(Float(bitPattern: bytes.bigEndian(UInt32.self)))
        case (TypeCode.numeric, _): return decimalText(bytes).flatMap(Double.init)
        default: return nil
        }
    }
}

extension Float: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Float? {
        guard let bytes, type == TypeCode.float4, bytes.count == 4 else { return nil }
        return Float(bitPattern: bytes.bigEndian(UInt32.self))
    }
}

extension String: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> String? {
        guard let bytes else { return nil }
        switch type {
        case TypeCode.text, TypeCode.varchar, TypeCode.bpchar, TypeCode.name, TypeCode.json, TypeCode.char,
            TypeCode.unknown:
            return String(validating: bytes, as: UTF8.self)
        case TypeCode.jsonb:
            guard bytes.first == 1 else { return nil }
            return String(validating: bytes.dropFirst(), as: UTF8.self)
        case TypeCode.numeric:
            return decimalText(bytes)
        case TypeCode.firstUserDefined...:
            // The binary form of an enumeration is its label.
            return String(validating: bytes, as: UTF8.self)
        default:
            return nil
        }
    }
}

extension UUID: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> UUID? {
        guard let bytes, type == TypeCode.uuid, bytes.count == 16 else { return nil }
        return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

extension Date: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Date? {
        guard let bytes, type == TypeCode.timestamptz, bytes.count == 8 else { return nil }
        let microseconds = bytes.bigEndian(Int64.self)
        // The two ends of the range stand for -infinity and infinity.
        if microseconds == .max { return .distantFuture }
        if microseconds == .min { return .distantPast }
        return Date(timeIntervalSince1970: epochOffsetSeconds + Double(microseconds) / 1e6)
    }
}

extension Duration: PostgresDecodable {
    /// An interval without months; a day counts 24 hours.
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> Duration? {
        guard let bytes, type == TypeCode.interval, bytes.count == 16, bytes.bigEndian(Int32.self, at: 12) == 0
        else { return nil }
        let days = Int64(bytes.bigEndian(Int32.self, at: 8))
        return .microseconds(bytes.bigEndian(Int64.self)) + .seconds(days * 86_400)
    }
}

/// One-dimensional arrays; of `UInt8`, a `bytea`.
extension Array: PostgresDecodable where Element: PostgresDecodable {
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> [Element]? {
        guard let bytes else { return nil }
        if Element.self == UInt8.self {
            return type == TypeCode.bytea ? (Array<UInt8>(bytes) as? [Element]) : nil
        }
        guard bytes.count >= 12 else { return nil }
        let dimensions = bytes.bigEndian(Int32.self)
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else { return nil }
        let element = bytes.bigEndian(UInt32.self, at: 8)
        let count = Int(bytes.bigEndian(Int32.self, at: 12))
        guard count >= 0, count <= bytes.count / 4 else { return nil }
        var values: [Element] = []
        values.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            guard offset + 4 <= bytes.count else { return nil }
            let length = Int(bytes.bigEndian(Int32.self, at: offset))
            offset += 4
            var field: UnsafeRawBufferPointer?
            if length >= 0 {
                guard offset + length <= bytes.count else { return nil }
                field = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
                offset += length
            }
            guard let value = Element.decode(field, type: element) else { return nil }
            values.append(value)
        }
        return values
    }
}

extension UInt8: PostgresDecodable {
    /// Only as the element of a `bytea`, which `Array` reads whole.
    package static func decode(_ bytes: UnsafeRawBufferPointer?, type: UInt32) -> UInt8? { nil }
}

/// The digits of a `numeric`: groups of four decimal digits, a weight (power of 10⁴ of the first) and a sign.
private func decimalText(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard bytes.count >= 8 else { return nil }
    let groups = Int(bytes.bigEndian(Int16.self))
    let weight = Int(bytes.bigEndian(Int16.self, at: 2))
    let sign = bytes.bigEndian(UInt16.self, at: 4)
    let scale = Int(bytes.bigEndian(Int16.self, at: 6))
    switch sign {
    case 0xC000: return "nan"
    case 0xD000: return "inf"
    case 0xF000: return "-inf"
    default: break
    }
    guard groups >= 0, bytes.count == 8 + 2 * groups else { return nil }
    func group(_ index: Int) -> String {
        guard index >= 0, index < groups else { return "0000" }
        let digits = String(bytes.bigEndian(Int16.self, at: 8 + 2 * index))
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
    var whole = ""
    if weight >= 0 {
        for index in 0...weight { whole += group(index) }
    }
    whole = String(whole.drop { $0 == "0" })
    var fraction = ""
    var index = weight + 1
    while fraction.count < scale {
        fraction += group(index)
        index += 1
    }
    fraction = String(fraction.prefix(scale))
    let magnitude = (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : "." + fraction)
    return sign == 0x4000 ? "-" + magnitude : magnitude
}
