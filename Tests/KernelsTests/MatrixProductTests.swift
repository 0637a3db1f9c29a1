import Kernels
import TestSupport
import Testing

struct MatrixProductTests {
    init() { poisonScratch() }

    @Test(arguments: 0..<40)
    func agreesWithItsDefinition(number: Int) {
        var random = SeededGenerator(seed: UInt64(100 + number))
        let sizes = [1, 2, 7, 16, 17, 33, 64, 100, 129, 300]
        let (rows, columns, inner) = (random.pick(sizes), random.pick(sizes), random.pick(sizes))
        let (transposingA, transposingB, adding) = (
            random.pick([true, false]), random.pick([true, false]), random.pick([true, false])
        )
        let (a, b, c) = (random.values(rows * inner), random.values(inner * columns), random.values(rows * columns))
        var expected = [Double](repeating: 0, count: rows * columns)
        for i in 0..<rows {
            for j in 0..<columns {
                var sum = adding ? Double(c[i * columns + j]) : 0
                for k in 0..<inner {
                    sum +=
                        Double(transposingA ? a[k * rows + i] : a[i * inner + k])
                        * Double(transposingB ? b[j * inner + k] : b[k * columns + j])
                }
                expected[i * columns + j] = sum
            }
        }
        var first: [Float] = []
        for threads in 1...3 {
            var result = c
            MatrixProduct.multiply(
                rows: rows, columns: columns, inner: inner, a, transposingA: transposingA, b,
                transposingB: transposingB, to: &result, adding: adding, threads: threads)
            if threads == 1 { first = result } else { #expect(result == first) }
        }
        #expect(ConvolutionReference.error(first, expected) < 1e-5, "\(rows)×\(inner)×\(columns)")
    }

    @Test func emptySumsAreZero() {
        var result: [Float] = [1, 2]
        MatrixProduct.multiply(rows: 1, columns: 2, inner: 0, [], [], to: &result, threads: 1)
        #expect(result == [0, 0])
    }
}
