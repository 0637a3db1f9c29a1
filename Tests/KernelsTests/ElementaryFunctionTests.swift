import Glibc
import Testing

@testable import Kernels

@Suite struct ElementaryFunctionTests {
    /// Values of function number `function` of the hot loops.
    private func values(_ function: Int, _ x: [Float]) -> [Float] {
        let padded = x + [Float](repeating: 1, count: (16 - x.count % 16) % 16)
        var y = [Float](repeating: 0, count: padded.count)
        y.withUnsafeMutableBufferPointer { elementaryFunction(function, padded, $0.baseAddress!, padded.count) }
        return Array(y.prefix(x.count))
    }

    /// Largest error in units of the last place of the exact value.
    private func worst(_ function: Int, _ x: [Float], _ exact: (Double) -> Double) -> (error: Double, at: Float) {
        var result = (error: 0.0, at: Float.nan)
        for (input, found) in zip(x, values(function, x)) {
            let expected = exact(Double(input))
            let rounded = Float(expected)
            let unit = Double(max(rounded.magnitude, 0x1p-126).ulp)
            let error = Double(found) == Double(rounded) ? 0 : abs(Double(found) - expected) / unit
            if !(error <= result.error) { result = (error, input) }
        }
        return result
    }

    /// Every float of one exponent in every stretch of 4099, both signs.
    private func dense(_ range: ClosedRange<Float>) -> [Float] {
        let positive = stride(from: UInt32(0), to: Float.infinity.bitPattern, by: 4099).map { Float(bitPattern: $0) }
        return (positive + positive.map { -$0 }).filter { range.contains($0) }
    }

    @Test func exponential() {
        let x = dense(-110...95) + (0..<20000).map { -105 + Float($0) * 0.01 }
        let result = worst(0, x, Glibc.exp)
        #expect(result.error <= 2, "at \(result.at)")
        #expect(
            values(0, [.infinity, -.infinity, 0, -0.0, 89, -104, 1e30, -1e30]) == [
                .infinity, 0, 1, 1, .infinity, 0, .infinity, 0,
            ])
        #expect(values(0, [.nan])[0].isNaN)
    }

    @Test func logarithm() {
        let result = worst(1, dense(0...Float.greatestFiniteMagnitude).filter { $0 > 0 }, Glibc.log)
        #expect(result.error <= 2, "at \(result.at)")
        let near = worst(1, (0..<20000).map { 0.5 + Float($0) * 1e-4 }, Glibc.log)
        #expect(near.error <= 2, "at \(near.at)")
        #expect(values(1, [0, -0.0, .infinity, 1]) == [-.infinity, -.infinity, .infinity, 0])
        #expect(values(1, [-1, .nan, -.infinity]).allSatisfy { $0.isNaN })
        #expect(worst(1, [0x1p-149, 0x1.8p-133, 0x1.2p-128], Glibc.log).error <= 2)
    }

    @Test func logarithmOfOnePlus() {
        let result = worst(2, dense(0...1), Glibc.log1p)
        #expect(result.error <= 2, "at \(result.at)")
        #expect(values(2, [0])[0] == 0)
    }

    @Test func logistic() {
        let x = dense(-110...110) + (0..<20000).map { -100 + Float($0) * 0.01 }
        let result = worst(3, x) { 1 / (1 + Glibc.exp(-$0)) }
        #expect(result.error <= 3, "at \(result.at)")
        #expect(values(3, [.infinity, -.infinity, 0]) == [1, 0, 0.5])
        #expect(values(3, [.nan])[0].isNaN)
    }

    @Test func hyperbolicTangent() {
        let result = worst(4, dense(-20...20) + (0..<20000).map { -10 + Float($0) * 1e-3 }, Glibc.tanh)
        #expect(result.error <= 2, "at \(result.at)")
        #expect(values(4, [.infinity, -.infinity, 0, 100, -100]) == [1, -1, 0, 1, -1])
        #expect(values(4, [.nan])[0].isNaN)
    }
}
