import Statistics

/// How well a score tells the cases of one class from the rest.
struct BinaryMetrics {
    struct Settings: Sendable {
        /// Cases with this score or a higher one are called positive.
        var threshold: Double
        /// Where the partial area under the ROC curve ends.
        var partialFalsePositiveRate: Double
        var calibrationBins: Int
    }

    /// What `measure` gives, in its order.
    static let names =
        [
            "auc", "partial_auc", "partial_auc_normalised", "partial_auc_mcclish", "average_precision",
            "pr_auc_trapezoid",
        ] + decisionNames + ["brier", "log_loss", "calibration_error", "calibration_slope", "calibration_intercept"]

    /// What `measureDecisions` gives, in its order.
    static let decisionNames = [
        "accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1", "kappa",
    ]

    /// - Returns: nil for what these cases do not have: an area where one class is lacking, a calibration where scores are
    ///   no probabilities.
    static func measure(scores: [Double], isPositive: [Bool], _ settings: Settings) -> [Double?] {
        guard !scores.isEmpty else { return names.map { _ in nil } }
        // That a curve or a calibration cannot be had of these cases is what the nil says.
        let roc = try? ROCCurve(scores: scores, isPositive: isPositive)
        let partial = roc?.partialArea(upTo: settings.partialFalsePositiveRate)
        let precisionRecall = try? PrecisionRecallCurve(scores: scores, isPositive: isPositive)
        let calibration = try? Calibration(
            probabilities: scores, isPositive: isPositive, bins: settings.calibrationBins)
        let line = try? CalibrationLine.fit(probabilities: scores, isPositive: isPositive)
        let areas = [
            roc?.area, partial?.raw, partial?.normalised, partial?.mcClish, precisionRecall?.averagePrecision,
            precisionRecall?.trapezoidArea,
        ]
        return areas + measureDecisions(scores: scores, isPositive: isPositive, threshold: settings.threshold) + [
            calibration?.brierScore, calibration?.logLoss, calibration?.expectedError, line?.slope, line?.intercept,
        ]
    }

    /// What needs no score beyond the side of the threshold on which it is; nil as of `measure`.
    static func measureDecisions(scores: [Double], isPositive: [Bool], threshold: Double) -> [Double?] {
        guard !scores.isEmpty else { return decisionNames.map { _ in nil } }
        let decisions = confusion(scores: scores, isPositive: isPositive, threshold: threshold)
        let hasBoth = isPositive.contains(true) && isPositive.contains(false)
        return [
            decisions.accuracy, hasBoth ? decisions.balancedAccuracy : nil, decisions.recall(1), decisions.recall(0),
            decisions.precision(1), decisions.f1(1), decisions.cohensKappa,
        ]
    }

    /// Negatives first, then positives.
    static func confusion(scores: [Double], isPositive: [Bool], threshold: Double) -> ConfusionMatrix {
        var matrix = ConfusionMatrix(classes: ["rest", "positive"])
        for (score, positive) in zip(scores, isPositive) {
            matrix.add(truth: positive ? 1 : 0, decision: score >= threshold ? 1 : 0)
        }
        return matrix
    }
}
