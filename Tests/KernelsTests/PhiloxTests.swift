import Kernels
import Testing

struct PhiloxTests {
    /// Known answers published with the reference implementation (Random123, kat_vectors, philox4x32 10).
    @Test(arguments: [
        (
            UInt64(0), SIMD4<UInt32>(0, 0, 0, 0),
            SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
        ),
        (
            UInt64.max, SIMD4<UInt32>(repeating: .max),
            SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
        ),
        (
            UInt64(0x299f_31d0_a409_3822), SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
            SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
        ),
    ])
    func knownAnswers(seed: UInt64, counter: SIMD4<UInt32>, expected: SIMD4<UInt32>) {
        #expect(Philox(seed: seed).words(counter) == expected)
    }

    @Test func aStreamIsAFunctionOfItsPlace() {
        var first = Philox(seed: 7).stream(1, 2, 3)
        var again = Philox(seed: 7).stream(1, 2, 3)
        var other = Philox(seed: 7).stream(1, 2, 4)
        let values = (0..<9).map { _ in first.next() }
        #expect(values == (0..<9).map { _ in again.next() })
        #expect(values != (0..<9).map { _ in other.next() })
    }
}
