#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Normally distributed numbers from counters (Box and Muller 1958, doi 10.1214/aoms/1177706645).
extension Philox {
    /// Four independent standard normal numbers for one counter; the largest possible is 5.8.
    package func normals(_ counter: SIMD4<UInt32>) -> SIMD4<Float> {
        let words = words(counter)
        let (a, b) = Self.pair(words.x, words.y)
        let (c, d) = Self.pair(words.z, words.w)
        return SIMD4(a, b, c, d)
    }

    private static func pair(_ first: UInt32, _ second: UInt32) -> (Float, Float) {
        // In (0, 1], so that the logarithm is finite.
        let uniform = (Float(first >> 8) + 1) * 0x1p-24
        let radius = (-2 * log(uniform)).squareRoot()
        let angle = 2 * Float.pi * (Float(second >> 8) * 0x1p-24)
        return (radius * cos(angle), radius * sin(angle))
    }
}

extension Philox.Stream {
    package mutating func uniform(in range: ClosedRange<Double>) -> Double {
        range.lowerBound + Double(uniform()) * (range.upperBound - range.lowerBound)
    }

    /// A whole number in 0 ..< count, every one equally likely to within count / 2⁶⁴.
    package mutating func index(below count: Int) -> Int {
        precondition(count > 0, "there is nothing to choose from")
        return Int(next().multipliedFullWidth(by: UInt64(count)).high)
    }

    /// True with the given probability.
    package mutating func chance(_ probability: Double) -> Bool { Double(uniform()) < probability }

    /// 0 ..< count in random order (Fisher and Yates).
    package mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, index(below: last + 1)) }
        return order
    }
}
