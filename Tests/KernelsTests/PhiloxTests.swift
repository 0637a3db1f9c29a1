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

    /// Moments of many normal numbers, and how often they are beyond one and two deviations.
    @Test func normalNumbers() {
        let philox = Philox(seed: 3)
        var values: [Double] = []
        for n in 0..<25_000 {
            let four = philox.normals(SIMD4(UInt32(n), 5, 6, 7))
            for lane in 0..<4 { values.append(Double(four[lane])) }
        }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let variance = values.reduce(0) { $0 + $1 * $1 } / count
        // Four standard errors.
        #expect(abs(mean) < 4 / count.squareRoot())
        #expect(abs(variance - 1) < 4 * (2 / count).squareRoot())
        #expect(abs(values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count - 3) < 4 * (96 / count).squareRoot())
        for (bound, share) in [(1.0, 0.317_311), (2.0, 0.045_500)] {
            let beyond = Double(values.filter { abs($0) > bound }.count) / count
            #expect(abs(beyond - share) < 4 * (share * (1 - share) / count).squareRoot())
        }
        #expect(values.allSatisfy { abs($0) < 5.9 })
        // Neighbours are independent, within a counter and from one to the next.
        let product = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / count
        #expect(abs(product) < 4 / count.squareRoot())
        #expect(philox.normals(SIMD4(1, 2, 3, 4)) == Philox(seed: 3).normals(SIMD4(1, 2, 3, 4)))
    }

    @Test(arguments: [1, 2, 7, 1000]) func indicesAreEquallyLikely(count: Int) {
        var stream = Philox(seed: 4).stream(1)
        var found = [Int](repeating: 0, count: count)
        let draws = 50 * count
        for _ in 0..<draws { found[stream.index(below: count)] += 1 }
        // χ² has count − 1 degrees of freedom and twice that variance.
        let chi = found.reduce(0.0) { $0 + Double(($1 - 50) * ($1 - 50)) / 50 }
        #expect(abs(chi - Double(count - 1)) <= 4 * (2 * Double(count - 1)).squareRoot())
    }

    @Test func chances() {
        var stream = Philox(seed: 5).stream(2)
        let (never, always) = ((0..<1000).map { _ in stream.chance(0) }, (0..<1000).map { _ in stream.chance(1) })
        #expect(!never.contains(true) && !always.contains(false))
        let hits = (0..<10_000).map { _ in stream.chance(0.3) }.filter(\.self).count
        #expect(abs(hits - 3000) < 4 * 46)
    }

    @Test func permutations() {
        var stream = Philox(seed: 6).stream(3)
        let orders = [0, 1, 50].map { stream.permutation($0) }
        #expect(orders[0].isEmpty && orders[1] == [0])
        #expect(orders[2].sorted() == Array(0..<50) && orders[2] != orders[2].sorted())
        // Each of the six orders of three about equally often.
        var found: [[Int]: Int] = [:]
        for _ in 0..<6000 { found[stream.permutation(3), default: 0] += 1 }
        #expect(found.count == 6)
        #expect(found.values.allSatisfy { abs($0 - 1000) < 4 * 29 })
    }
}
