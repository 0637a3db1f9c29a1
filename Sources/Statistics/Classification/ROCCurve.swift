/// The receiver operating characteristic of a score: how well it tells positives from negatives, over all thresholds.
///
/// Equal scores share one threshold, so that the curve does not depend on the order of the cases.
package struct ROCCurve: Sendable, Equatable {
    package struct Point: Sendable, Equatable {
        /// Cases with this score or a higher one are called positive; infinite for the first point, where none is.
        package let threshold: Double
        /// 1 − specificity.
        package let falsePositiveRate: Double
        /// Sensitivity, or recall.
        package let truePositiveRate: Double
    }

    /// The area over the low false positive rates, under the names its forms go by.
    package struct PartialArea: Sendable, Equatable {
        /// Where the area ends.
        package let falsePositiveRate: Double
        /// The area itself, 0 … `falsePositiveRate`.
        package let raw: Double
        /// Divided by `falsePositiveRate`: the mean sensitivity over that range, 0 … 1.
        package var normalised: Double { raw / falsePositiveRate }
        /// Rescaled so that chance is ½ and a perfect score 1 (McClish, Med Decis Making 9 (1989) 190–195), as
        /// scikit-learn's `max_fpr` and pROC's `partial.auc.correct` do.
        package var mcClish: Double {
            let m = falsePositiveRate
            let chance = m * m / 2
            return 0.5 * (1 + (raw - chance) / (m - chance))
        }
    }

    /// From (0, 0) to (1, 1), one per distinct score.
    package let points: [Point]
    package let positives: Int
    package let negatives: Int

    /// - Parameters:
    ///   - scores: higher for a more likely positive; finite.
    ///   - isPositive: the truth about each.
    /// - Throws: `StatisticsError` for lists of other lengths, scores that are not finite, or cases of one class only.
    package init(scores: [Double], isPositive: [Bool]) throws(StatisticsError) {
        let ranked = try RankedCases(scores: scores, isPositive: isPositive)
        (positives, negatives) = (ranked.positives, ranked.negatives)
        guard negatives > 0 else { throw .oneClass("a ROC curve", positives: positives, negatives: 0) }
        var points = [Point(threshold: .infinity, falsePositiveRate: 0, truePositiveRate: 0)]
        for step in ranked.steps {
            points.append(
                Point(
                    threshold: step.threshold, falsePositiveRate: Double(step.falsePositives) / Double(negatives),
                    truePositiveRate: Double(step.truePositives) / Double(positives)))
        }
        self.points = points
    }

    /// The area under the whole curve: the probability that a positive scores higher than a negative, ties counting half.
    package var area: Double { partialArea(upTo: 1).raw }

    /// The area over the false positive rates 0 … `limit`; the sensitivity at the limit is interpolated.
    ///
    /// - Parameter limit: above 0, at most 1.
    package func partialArea(upTo limit: Double) -> PartialArea {
        precondition(limit > 0 && limit <= 1, "a partial area ends at a false positive rate in 0…1, not \(limit)")
        var area = 0.0
        for (a, b) in zip(points, points.dropFirst()) where a.falsePositiveRate < limit {
            let width = b.falsePositiveRate - a.falsePositiveRate
            guard width > 0 else { continue }
            let end = min(b.falsePositiveRate, limit)
            let share = (end - a.falsePositiveRate) / width
            let height = a.truePositiveRate + share * (b.truePositiveRate - a.truePositiveRate)
            area += (end - a.falsePositiveRate) * (a.truePositiveRate + height) / 2
        }
        return PartialArea(falsePositiveRate: limit, raw: area)
    }
}

/// Cases by falling score, and how many are called positive at each threshold.
struct RankedCases {
    struct Step {
        let threshold: Double
        let truePositives: Int
        let falsePositives: Int
    }

    let steps: [Step]
    let positives: Int
    let negatives: Int

    init(scores: [Double], isPositive: [Bool]) throws(StatisticsError) {
        guard scores.count == isPositive.count else {
            throw .pairing("scores", scores.count, "classes", isPositive.count)
        }
        guard scores.allSatisfy(\.isFinite) else { throw .notFinite("a score") }
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        positives = isPositive.count { $0 }
        negatives = isPositive.count - positives
        guard positives > 0 else { throw .oneClass("a curve over thresholds", positives: 0, negatives: negatives) }
        var steps: [Step] = []
        var (hits, alarms) = (0, 0)
        for (place, index) in order.enumerated() {
            if isPositive[index] { hits += 1 } else { alarms += 1 }
            if place + 1 == order.count || scores[order[place + 1]] != scores[index] {
                steps.append(Step(threshold: scores[index], truePositives: hits, falsePositives: alarms))
            }
        }
        self.steps = steps
    }
}
