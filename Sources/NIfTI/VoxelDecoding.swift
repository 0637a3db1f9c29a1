/// Turns stored voxels into `Double`, byte order, slope and intercept applied.
///
/// - Parameters:
///   - raw: a whole number of voxels in file order.
///   - values: at least as many as `raw` holds.
func decodeVoxels(_ raw: UnsafeRawBufferPointer, _ header: NIfTIHeader, into values: UnsafeMutableBufferPointer<Double>)
{
    switch header.datatype {
    case .uint8: decodeIntegers(UInt8.self, raw, header, into: values)
    case .int8: decodeIntegers(Int8.self, raw, header, into: values)
    case .uint16: decodeIntegers(UInt16.self, raw, header, into: values)
    case .int16: decodeIntegers(Int16.self, raw, header, into: values)
    case .uint32: decodeIntegers(UInt32.self, raw, header, into: values)
    case .int32: decodeIntegers(Int32.self, raw, header, into: values)
    case .uint64: decodeIntegers(UInt64.self, raw, header, into: values)
    case .int64: decodeIntegers(Int64.self, raw, header, into: values)
    case .float32:
        decode(UInt32.self, raw, header, into: values) { Double(Float(bitPattern: $0)) }
    case .float64:
        decode(UInt64.self, raw, header, into: values) { Double(bitPattern: $0) }
    }
}

@inline(__always)
private func decodeIntegers<Stored: FixedWidthInteger>(
    _: Stored.Type, _ raw: UnsafeRawBufferPointer, _ header: NIfTIHeader,
    into values: UnsafeMutableBufferPointer<Double>
) {
    decode(Stored.self, raw, header, into: values) { Double($0) }
}

@inline(__always)
private func decode<Stored: FixedWidthInteger>(
    _: Stored.Type, _ raw: UnsafeRawBufferPointer, _ header: NIfTIHeader,
    into values: UnsafeMutableBufferPointer<Double>, _ value: (Stored) -> Double
) {
    let stored = raw.bindMemory(to: Stored.self)
    precondition(stored.count <= values.count)
    let (slope, intercept) = (header.slope, header.intercept)
    if header.bigEndian {
        for i in 0..<stored.count { values[i] = value(Stored(bigEndian: stored[i])) * slope + intercept }
    } else {
        for i in 0..<stored.count { values[i] = value(Stored(littleEndian: stored[i])) * slope + intercept }
    }
}
