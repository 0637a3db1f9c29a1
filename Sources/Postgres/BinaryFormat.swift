// Big-endian integers, as the binary format of the protocol has them.

extension [UInt8] {
    @inline(__always)
    mutating func appendBigEndian<Value: FixedWidthInteger>(_ value: Value) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    init<Value: FixedWidthInteger>(bigEndian value: Value) {
        self = Swift.withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The integer at a byte offset; the caller has checked that it lies inside.
    @inline(__always)
    func bigEndian<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int = 0) -> Value {
        Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

/// Microseconds between the Unix epoch and PostgreSQL's, 2000-01-01 00:00 UTC.
let epochOffsetSeconds = 946_684_800.0
