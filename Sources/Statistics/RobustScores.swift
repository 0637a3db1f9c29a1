/// Outlier scores that the outliers themselves cannot hide.
package enum RobustScores {
    /// (value − median) / (1.4826 · MAD) per value; about a standard normal score where the bulk is Gaussian.
    ///
    /// When more than half of the values are equal the MAD is zero; then the mean absolute deviation about the median
    /// takes its place (times √(π/2), so that it too estimates the standard deviation), and 0 if that is zero as well.
    ///
    /// - Parameter values: nil or non-finite where missing; those stay nil and take no part.
    /// - Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), whose usual cut is |score| > 3.5.
    package static func medianZ(_ values: [Double?]) -> [Double?] {
        let finite = values.compactMap { $0 }.filter(\.isFinite)
        guard let centre = median(finite) else { return values.map { _ in nil } }
        let deviations = finite.map { abs($0 - centre) }
        var scale = 1.482_602_218_505_602 * (median(deviations) ?? 0)
        if scale == 0 {
            scale = 1.253_314_137_315_500 * deviations.reduce(0, +) / Double(deviations.count)
        }
        return values.map { value in
            guard let value, value.isFinite else { return nil }
            return scale == 0 ? 0 : (value - centre) / scale
        }
    }

    /// The middle value, or the mean of the two middle ones; nil for an empty list.
    package static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : sorted[half - 1] + (sorted[half] - sorted[half - 1]) / 2
    }

    /// Quantile by linear interpolation between order statistics (type 7, the default of R and NumPy).
    ///
    /// - Parameters:
    ///   - values: finite, any order.
    ///   - fraction: 0…1.
    /// - Returns: nil for an empty list.
    package static func quantile(_ values: [Double], _ fraction: Double) -> Double? {
        precondition(fraction >= 0 && fraction <= 1, "a quantile is asked for in 0…1, not \(fraction)")
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let place = fraction * Double(sorted.count - 1)
        let below = Int(place.rounded(.down))
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
}
