/// Exact percentiles without sorting: values are counted by the upper, then the lower half of their bit pattern.
package enum OrderStatistics {
    /// Percentiles of `values` as numpy's default ("linear") defines them: linear between neighbouring ranks.
    ///
    /// - Parameters:
    ///   - percentiles: 0…100 each.
    ///   - values: values that are not finite are left out.
    ///   - mask: when given, as long as `values`; only values with a non-zero mask count.
    /// - Returns: one value per percentile; nil when no value counts.
    /// - Complexity: two or three passes over the values per percentile, no copy.
    package static func percentiles(
        _ percentiles: [Double], of values: [Float], where mask: [UInt8]? = nil
    ) -> [Float]? {
        precondition(mask == nil || mask!.count == values.count, "the mask is as long as the values")
        let upper = counts(of: values, where: mask) { Int($0 >> 16) }
        let total = upper.reduce(0, +)
        guard total > 0 else { return nil }
        return percentiles.map { percentile in
            let position = min(max(percentile, 0), 100) / 100 * Double(total - 1)
            let rank = Int(position.rounded(.down))
            let low = value(ofRank: rank, upper, values, mask)
            let fraction = position - Double(rank)
            if fraction == 0 { return low }
            let high = value(ofRank: rank + 1, upper, values, mask)
            return Float(Double(low) + fraction * (Double(high) - Double(low)))
        }
    }

    /// The value with `rank` values before it in ascending order.
    private static func value(ofRank rank: Int, _ upper: [Int], _ values: [Float], _ mask: [UInt8]?) -> Float {
        let (high, before) = bin(holding: rank, in: upper)
        let lower = counts(of: values, where: mask) { key in Int(key >> 16) == high ? Int(key & 0xffff) : nil }
        let (low, _) = bin(holding: rank - before, in: lower)
        return Float(bitPattern: bits(ofKey: UInt32(high) << 16 | UInt32(low)))
    }

    private static func bin(holding rank: Int, in counts: [Int]) -> (bin: Int, before: Int) {
        var before = 0
        for (bin, count) in counts.enumerated() {
            if before + count > rank { return (bin, before) }
            before += count
        }
        preconditionFailure("rank \(rank) of \(before) values")
    }

    @inline(__always)
    private static func counts(
        of values: [Float], where mask: [UInt8]?, _ bin: (UInt32) -> Int?
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: 1 << 16)
        counts.withUnsafeMutableBufferPointer { counts in
            for index in values.indices where values[index].isFinite && (mask == nil || mask![index] != 0) {
                if let bin = bin(key(of: values[index])) { counts[bin] += 1 }
            }
        }
        return counts
    }

    /// An unsigned number that sorts as the value does. Negative zero counts as zero.
    @inline(__always)
    private static func key(of value: Float) -> UInt32 {
        let bits = (value + 0).bitPattern
        return bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
    }

    private static func bits(ofKey key: UInt32) -> UInt32 {
        key & 0x8000_0000 == 0 ? ~key : key & 0x7fff_ffff
    }
}

extension Volume {
    /// Exact percentiles (0…100 each) of the finite values, within `mask` when given; nil when there are none.
    ///
    /// - Throws: `GridError.mismatch` when `mask` lies on another grid.
    package func percentiles(_ percentiles: [Double], within mask: Mask? = nil) throws -> [Float]? {
        if let mask, !mask.grid.matches(grid) {
            throw GridError.mismatch(first: "the image", firstGrid: grid, second: "the mask", secondGrid: mask.grid)
        }
        return OrderStatistics.percentiles(percentiles, of: values, where: mask?.values)
    }

    /// Smallest and largest finite value; nil when there is none.
    package var range: ClosedRange<Float>? {
        var (low, high) = (Float.infinity, -Float.infinity)
        for value in values where value.isFinite {
            low = min(low, value)
            high = max(high, value)
        }
        return low <= high ? low...high : nil
    }
}
