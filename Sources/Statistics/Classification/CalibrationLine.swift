import Foundation

/// How stated probabilities would have to be stretched and shifted to be true: logit of the truth = intercept + slope ·
/// logit of what was stated. Slope 1 and intercept 0 are right; a slope below 1 says that they were too extreme
/// (Cox, Biometrika 45 (1958) 562–565).
package struct CalibrationLine: Sendable, Equatable {
    package let slope: Double
    package let intercept: Double

    /// Fitted by maximum likelihood (Newton's method).
    ///
    /// - Parameters:
    ///   - probabilities: stated, 0 … 1; kept 1e-15 from both ends.
    /// - Returns: nil where no line is the best: one class only, one probability only, or classes that a threshold
    ///   separates, whose slope has no bound.
    /// - Throws: `StatisticsError` for lists of other lengths or values outside 0 … 1.
    package static func fit(
        probabilities: [Double], isPositive: [Bool]
    ) throws(StatisticsError) -> CalibrationLine? {
        guard probabilities.count == isPositive.count else {
            throw .pairing("probabilities", probabilities.count, "classes", isPositive.count)
        }
        guard probabilities.allSatisfy({ (0...1).contains($0) }) else { throw .notFinite("a probability of 0…1") }
        let logits = probabilities.map { p -> Double in
            let inside = max(1e-15, min(1 - 1e-15, p))
            return log(inside / (1 - inside))
        }
        let positives = zip(logits, isPositive).filter(\.1).map(\.0)
        let negatives = zip(logits, isPositive).filter { !$0.1 }.map(\.0)
        // Where the classes do not overlap the likelihood has no maximum.
        guard let lowPositive = positives.min(), let highPositive = positives.max(), let lowNegative = negatives.min(),
            let highNegative = negatives.max(), lowPositive < highNegative, lowNegative < highPositive
        else { return nil }
        var (intercept, slope) = (0.0, 0.0)
        for _ in 0..<200 {
            var (g0, g1, h00, h01, h11) = (0.0, 0.0, 0.0, 0.0, 0.0)
            for (x, positive) in zip(logits, isPositive) {
                let p = 1 / (1 + exp(-(intercept + slope * x)))
                let (miss, weight) = ((positive ? 1 : 0) - p, p * (1 - p))
                g0 += miss
                g1 += miss * x
                h00 += weight
                h01 += weight * x
                h11 += weight * x * x
            }
            let determinant = h00 * h11 - h01 * h01
            guard determinant > 1e-300 else { return nil }
            var step = ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant)
            // Far from the maximum a whole step may overshoot; the likelihood is concave, so a bounded one arrives.
            let size = max(abs(step.0), abs(step.1))
            if size > 2 { step = (step.0 * 2 / size, step.1 * 2 / size) }
            intercept += step.0
            slope += step.1
            if size < 1e-10 * max(1, abs(intercept), abs(slope)) {
                return CalibrationLine(slope: slope, intercept: intercept)
            }
        }
        return nil
    }
}
