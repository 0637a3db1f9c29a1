// Values bound to $1, $2, … of a statement. They travel in binary form with their type, apart from the SQL text: no
// value is ever spliced into a statement, and the server never guesses a type.

import Foundation

/// A bound value.
package struct Parameter: Sendable, Hashable {
    let type: UInt32
    /// Binary form; nil is NULL.
    let bytes: [UInt8]?

    init(type: UInt32, bytes: [UInt8]?) {
        self.type = type
        self.bytes = bytes
    }

    package static func bool(_ value: Bool?) -> Parameter {
        Parameter(type: TypeCode.bool, bytes: value.map { [$0 ? 1 : 0] })
    }

    package static func smallint(_ value: Int16?) -> Parameter {
        Parameter(type: TypeCode.int2, bytes: value.map { [UInt8](bigEndian: $0) })
    }

    package static func int(_ value: Int32?) -> Parameter {
        Parameter(type: TypeCode.int4, bytes: value.map { [UInt8](bigEndian: $0) })
    }

    /// An `integer` from an `Int`, which must fit 32 bits.
    package static func int(_ value: Int) -> Parameter { .int(Int32(value)) }

    package static func bigint(_ value: Int64?) -> Parameter {
        Parameter(type: TypeCode.int8, bytes: value.map { [UInt8](bigEndian: $0) })
    }

    package static func bigint(_ value: Int) -> Parameter { .bigint(Int64(value)) }

    package static func float8(_ value: Double?) -> Parameter {
        Parameter(type: TypeCode.float8, bytes: value.map { [UInt8](bigEndian: $0.bitPattern) })
    }

    package static func text(_ value: String?) -> Parameter {
        Parameter(type: TypeCode.text, bytes: value.map { Array($0.utf8) })
    }

    package static func bytea(_ value: [UInt8]?) -> Parameter {
        Parameter(type: TypeCode.bytea, bytes: value)
    }

    package static func uuid(_ value: UUID?) -> Parameter {
        Parameter(type: TypeCode.uuid, bytes: value.map(Binary.uuid))
    }

    /// JSON text, stored as `jsonb`.
    package static func jsonb(_ value: String?) -> Parameter {
        Parameter(type: TypeCode.jsonb, bytes: value.map(Binary.jsonb))
    }

    /// Rounded to microseconds, the resolution of the type.
    package static func timestamptz(_ value: Date?) -> Parameter {
        Parameter(type: TypeCode.timestamptz, bytes: value.map(Binary.timestamp))
    }

    /// Cut to microseconds, the resolution of the type.
    package static func interval(_ value: Duration?) -> Parameter {
        Parameter(
            type: TypeCode.interval,
            bytes: value.map { duration in
                let (seconds, attoseconds) = duration.components
                var bytes = [UInt8](bigEndian: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
                bytes.appendBigEndian(Int32(0))
                bytes.appendBigEndian(Int32(0))
                return bytes
            })
    }

    // MARK: Arrays

    package static func boolArray(_ values: [Bool?]) -> Parameter {
        array(TypeCode.boolArray, of: TypeCode.bool, values) { [$0 ? 1 : 0] }
    }

    package static func smallintArray(_ values: [Int16]) -> Parameter {
        fixedArray(TypeCode.int2Array, of: TypeCode.int2, values)
    }

    package static func intArray(_ values: [Int32]) -> Parameter {
        fixedArray(TypeCode.int4Array, of: TypeCode.int4, values)
    }

    package static func intArray(_ values: [Int32?]) -> Parameter {
        array(TypeCode.int4Array, of: TypeCode.int4, values) { [UInt8](bigEndian: $0) }
    }

    package static func bigintArray(_ values: [Int64]) -> Parameter {
        fixedArray(TypeCode.int8Array, of: TypeCode.int8, values)
    }

    package static func bigintArray(_ values: [Int64?]) -> Parameter {
        array(TypeCode.int8Array, of: TypeCode.int8, values) { [UInt8](bigEndian: $0) }
    }

    package static func float8Array(_ values: [Double]) -> Parameter {
        fixedArray(TypeCode.float8Array, of: TypeCode.float8, values.map(\.bitPattern))
    }

    package static func float8Array(_ values: [Double?]) -> Parameter {
        array(TypeCode.float8Array, of: TypeCode.float8, values) { [UInt8](bigEndian: $0.bitPattern) }
    }

    package static func textArray(_ values: [String?]) -> Parameter {
        array(TypeCode.textArray, of: TypeCode.text, values) { Array($0.utf8) }
    }

    package static func byteaArray(_ values: [[UInt8]?]) -> Parameter {
        array(TypeCode.byteaArray, of: TypeCode.bytea, values) { $0 }
    }

    package static func uuidArray(_ values: [UUID?]) -> Parameter {
        array(TypeCode.uuidArray, of: TypeCode.uuid, values, Binary.uuid)
    }

    package static func jsonbArray(_ values: [String?]) -> Parameter {
        array(TypeCode.jsonbArray, of: TypeCode.jsonb, values, Binary.jsonb)
    }

    package static func timestamptzArray(_ values: [Date?]) -> Parameter {
        array(TypeCode.timestamptzArray, of: TypeCode.timestamptz, values, Binary.timestamp)
    }

    private static func arrayHeader(of element: UInt32, count: Int, hasNull: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
        bytes.appendBigEndian(Int32(hasNull ? 1 : 0))
        bytes.appendBigEndian(element)
        if count > 0 {
            bytes.appendBigEndian(Int32(count))
            bytes.appendBigEndian(Int32(1))
        }
        return bytes
    }

    private static func array<Value>(
        _ type: UInt32, of element: UInt32, _ values: [Value?], _ encode: (Value) -> [UInt8]
    ) -> Parameter {
        var bytes = arrayHeader(of: element, count: values.count, hasNull: values.contains { $0 == nil })
        for value in values {
            if let value {
                let encoded = encode(value)
                bytes.appendBigEndian(Int32(encoded.count))
                bytes.append(contentsOf: encoded)
            } else {
                bytes.appendBigEndian(Int32(-1))
            }
        }
        return Parameter(type: type, bytes: bytes)
    }

    private static func fixedArray<Value: FixedWidthInteger>(
        _ type: UInt32, of element: UInt32, _ values: [Value]
    ) -> Parameter {
        var bytes = arrayHeader(of: element, count: values.count, hasNull: false)
        bytes.reserveCapacity(bytes.count + values.count * (4 + MemoryLayout<Value>.size))
        for value in values {
            bytes.appendBigEndian(Int32(MemoryLayout<Value>.size))
            bytes.appendBigEndian(value)
        }
        return Parameter(type: type, bytes: bytes)
    }
}

private enum Binary {
    static func uuid(_ value: UUID) -> [UInt8] {
        withUnsafeBytes(of: value.uuid) { Array($0) }
    }

    static func jsonb(_ value: String) -> [UInt8] {
        // The first byte is the version of the binary form.
        [1] + Array(value.utf8)
    }

    static func timestamp(_ value: Date) -> [UInt8] {
        let microseconds = ((value.timeIntervalSince1970 - epochOffsetSeconds) * 1e6).rounded()
        return [UInt8](bigEndian: Int64(microseconds))
    }
}
