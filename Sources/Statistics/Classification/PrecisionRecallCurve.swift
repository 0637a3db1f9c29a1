/// Precision against recall of a score over all thresholds: what a reader of its alarms sees, where positives are rare.
///
/// Between two thresholds precision does not change along a straight line, so the two areas differ and are never mixed:
/// `averagePrecision` is the step form, `trapezoidArea` joins the points (Davis and Goadrich, ICML 2006).
package struct PrecisionRecallCurve: Sendable, Equatable {
    package struct Point: Sendable, Equatable {
        /// Cases with this score or a higher one are called positive.
        package let threshold: Double
        package let recall: Double
        package let precision: Double
    }

    /// By rising recall, one per distinct score.
    package let points: [Point]
    package let positives: Int
    package let negatives: Int

    /// - Parameters: as those of `ROCCurve`.
    /// - Throws: `StatisticsError` for lists of other lengths, scores that are not finite, or no positive case.
    package init(scores: [Double], isPositive: [Bool]) throws(StatisticsError) {
        let ranked = try RankedCases(scores: scores, isPositive: isPositive)
        (positives, negatives) = (ranked.positives, ranked.negatives)
        let all = Double(ranked.positives)
        points = ranked.steps.map { step in
            Point(
                threshold: step.threshold, recall: Double(step.truePositives) / all,
                precision: Double(step.truePositives) / Double(step.truePositives + step.falsePositives))
        }
    }

    /// Σ (Rᵢ − Rᵢ₋₁)·Pᵢ, scikit-learn's `average_precision_score`.
    package var averagePrecision: Double {
        var (area, recall) = (0.0, 0.0)
        for point in points {
            area += (point.recall - recall) * point.precision
            recall = point.recall
        }
        return area
    }

    /// The trapezoids under the points, from recall 0 and precision 1 on.
    package var trapezoidArea: Double {
        var (area, recall, precision) = (0.0, 0.0, 1.0)
        for point in points {
            area += (point.recall - recall) * (point.precision + precision) / 2
            (recall, precision) = (point.recall, point.precision)
        }
        return area
    }
}
