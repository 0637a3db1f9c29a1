// Parameters laid out as libpq takes them: parallel arrays of types, pointers, lengths and formats.

struct BoundParameters {
    private let types: [UInt32]
    private let storage: [UInt8]
    /// Where each value starts in `storage`; nil is NULL.
    private let offsets: [Int?]
    private let lengths: [Int32]

    init(_ parameters: [Parameter]) {
        types = parameters.map(\.type)
        var storage: [UInt8] = []
        storage.reserveCapacity(parameters.reduce(0) { $0 + ($1.bytes?.count ?? 0) } + 1)
        var offsets: [Int?] = []
        for parameter in parameters {
            offsets.append(parameter.bytes == nil ? nil : storage.count)
            storage.append(contentsOf: parameter.bytes ?? [])
        }
        // Never empty: an empty value still needs an address that is not null.
        storage.append(0)
        self.storage = storage
        self.offsets = offsets
        lengths = parameters.map { Int32($0.bytes?.count ?? 0) }
    }

    /// - Parameter body: receives types, values, lengths and formats, valid during the call.
    func withPointers<Result>(
        _ body: (
            UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Result
    ) -> Result {
        storage.withUnsafeBytes { bytes in
            let base = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
            let values = offsets.map { offset in offset.map { base + $0 } }
            let formats = [Int32](repeating: 1, count: offsets.count)
            return types.withUnsafeBufferPointer { types in
                values.withUnsafeBufferPointer { values in
                    lengths.withUnsafeBufferPointer { lengths in
                        formats.withUnsafeBufferPointer { formats in
                            body(types.baseAddress, values.baseAddress, lengths.baseAddress, formats.baseAddress)
                        }
                    }
                }
            }
        }
    }
}
