import Testing

@testable import Coordinator

@Suite struct HTTPByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-0", ByteRange.part(offset: 0, length: 1)),
            ("bytes=0-99", .part(offset: 0, length: 100)),
            ("bytes=0-100000", .part(offset: 0, length: 100)),
            ("bytes=99-", .part(offset: 99, length: 1)),
            ("bytes=-1", .part(offset: 99, length: 1)),
            ("bytes=-1000", .part(offset: 0, length: 100)),
            ("bytes=100-", .unsatisfiable),
            ("bytes=100-200", .unsatisfiable),
            ("bytes=-0", .unsatisfiable),
            ("bytes=9223372036854775807-", .unsatisfiable),
            // Not a range we know: the whole file, as the standard says.
            ("bytes=5-3", .whole), ("bytes=", .whole), ("bytes=-", .whole), ("bytes=a-b", .whole),
            ("bytes=+1-2", .whole), ("bytes=1-2,4-5", .whole), ("items=1-2", .whole),
            ("bytes=99999999999999999999-", .whole), ("bytes=1-2-3", .whole),
        ])
    func readsTheHeader(header: String, expected: ByteRange) {
        #expect(ByteRange(header: header, sizeBytes: 100) == expected)
    }

    @Test func anEmptyFileHasNoRanges() {
        #expect(ByteRange(header: "bytes=0-", sizeBytes: 0) == .unsatisfiable)
        #expect(ByteRange(header: "bytes=-5", sizeBytes: 0) == .unsatisfiable)
        #expect(ByteRange(header: nil, sizeBytes: 0) == .whole)
    }
}
