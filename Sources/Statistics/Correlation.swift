import Foundation

/// Pearson's correlation of paired values.
package struct Correlation: Sendable, Equatable {
    package let pairs: Int
    package let coefficient: Double
    /// Fisher's interval, tanh(atanh r ∓ z/√(n − 3)); nil for fewer than four pairs.
    package let interval: ClosedRange<Double>?

    /// - Parameter confidence: coverage of the interval.
    /// - Throws: `StatisticsError` for lists of other lengths, fewer than two pairs, values that are not finite, or a list
    ///   whose values are all equal.
    package init(_ first: [Double], _ second: [Double], confidence: Double = 0.95) throws(StatisticsError) {
        guard first.count == second.count, first.count >= 2 else {
            throw .pairing("first values", first.count, "second values", second.count)
        }
        guard (first + second).allSatisfy(\.isFinite) else { throw .notFinite("a value to be correlated") }
        let (meanA, meanB) = (accurateMean(first), accurateMean(second))
        var (ab, aa, bb) = (0.0, 0.0, 0.0)
        for (a, b) in zip(first, second) {
            ab += (a - meanA) * (b - meanB)
            aa += (a - meanA) * (a - meanA)
            bb += (b - meanB) * (b - meanB)
        }
        guard aa > 0, bb > 0 else { throw .constantResponse(rows: first.count) }
        pairs = first.count
        // Neither the product of the squares nor its root is formed: no overflow, and ∓1 exactly where it is ∓1.
        coefficient = max(-1, min(1, ab / aa * (aa / bb).squareRoot()))
        interval = Self.fisherInterval(coefficient, pairs: pairs, confidence: confidence)
    }

    /// The interval of a coefficient that somebody reports.
    package static func fisherInterval(
        _ coefficient: Double, pairs: Int, confidence: Double = 0.95
    ) -> ClosedRange<Double>? {
        guard pairs > 3 else { return nil }
        // At ∓1 the interval has no width.
        guard abs(coefficient) < 1 else { return coefficient...coefficient }
        let half = Normal.twoSidedCritical(1 - confidence) / Double(pairs - 3).squareRoot()
        let z = atanh(coefficient)
        return tanh(z - half)...tanh(z + half)
    }
}
