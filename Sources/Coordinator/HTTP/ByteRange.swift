/// What a `Range` header asks for (RFC 9110, section 14). Several ranges at once, and units other than bytes, are
/// answered with the whole, as the standard allows.
package enum ByteRange: Hashable, Sendable {
    case whole
    /// First byte and number of bytes, inside the file.
    case part(offset: Int64, length: Int64)
    case unsatisfiable

    package init(header: String?, sizeBytes: Int64) {
        self = .whole
        guard let header, header.hasPrefix("bytes=") else { return }
        let bounds = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.trimmingPrefix { $0 == " " } }
        guard bounds.count == 2 else { return }
        switch (Self.number(bounds[0]), Self.number(bounds[1])) {
        case (let first?, let last?) where first <= last:
            self = Self.clamped(first, last, sizeBytes)
        case (let first?, nil) where bounds[1].isEmpty:
            self = Self.clamped(first, .max, sizeBytes)
        case (nil, let count?) where bounds[0].isEmpty:
            self =
                count == 0 || sizeBytes == 0
                ? .unsatisfiable : Self.clamped(max(0, sizeBytes - count), .max, sizeBytes)
        default:
            return
        }
    }

    private static func clamped(_ first: Int64, _ last: Int64, _ size: Int64) -> ByteRange {
        first < size ? .part(offset: first, length: min(last, size - 1) - first + 1) : .unsatisfiable
    }

    /// Digits only: `Int64` itself would accept a sign.
    private static func number(_ text: some StringProtocol) -> Int64? {
        text.utf8.allSatisfy { (48...57).contains($0) } ? Int64(text) : nil
    }
}
