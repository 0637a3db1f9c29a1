extension Volume {
    /// The threshold that best separates two classes of values: largest variance between the classes.
    ///
    /// - Parameters:
    ///   - mask: when given, only values inside count.
    ///   - bins: resolution of the search between the smallest and largest value.
    /// - Returns: values above it form the upper class; nil when all finite values are equal or there are none.
    /// - Throws: `GridError.mismatch` when `mask` lies on another grid.
    /// - Source: Otsu, IEEE Trans Syst Man Cybern 9 (1979) 62–66.
    package func otsuThreshold(within mask: Mask? = nil, bins: Int = 1024) throws -> Float? {
        guard let ends = try percentiles([0, 100], within: mask), ends[0] < ends[1] else { return nil }
        let width = (Double(ends[1]) - Double(ends[0])) / Double(bins)
        var counts = [Double](repeating: 0, count: bins)
        var sums = [Double](repeating: 0, count: bins)
        for index in values.indices where values[index].isFinite && (mask == nil || mask!.values[index] != 0) {
            let value = Double(values[index])
            let bin = min(bins - 1, Int((value - Double(ends[0])) / width))
            counts[bin] += 1
            sums[bin] += value
        }
        let (total, totalSum) = (counts.reduce(0, +), sums.reduce(0, +))
        var (below, belowSum) = (0.0, 0.0)
        var (best, bestSpread) = (0, -1.0)
        for bin in 0..<bins - 1 {
            below += counts[bin]
            belowSum += sums[bin]
            guard below > 0, below < total else { continue }
            let difference = belowSum / below - (totalSum - belowSum) / (total - below)
            let spread = below * (total - below) * difference * difference
            if spread > bestSpread { (best, bestSpread) = (bin, spread) }
        }
        return Float(Double(ends[0]) + width * Double(best + 1))
    }
}
