import Statistics

/// How well predicted numbers of people, of lesions or of mm³, agree with the true ones.
struct CountAgreement {
    static let names = ["mse", "r", "bias", "limit_low", "limit_high"]

    /// Mean of (predicted − reference)² over all people.
    let meanSquaredError: Double?
    /// Pearson's; nil for fewer than two people, or where one side does not vary.
    let r: Double?
    /// Fisher's interval of r.
    let fisher: ClosedRange<Double>?
    /// Of predicted − reference (Bland and Altman); nil for fewer than two people.
    let differences: Agreement.BlandAltman?

    init(reference: [Double], predicted: [Double], confidence: Double = 0.95) {
        let squares = zip(reference, predicted).reduce(0) { $0 + ($1.1 - $1.0) * ($1.1 - $1.0) }
        meanSquaredError = reference.isEmpty ? nil : squares / Double(reference.count)
        // What cannot be computed of these people is nil, and n/a in the table.
        let correlation = try? Correlation(reference, predicted, confidence: confidence)
        (r, fisher) = (correlation?.coefficient, correlation?.interval)
        differences = try? Agreement.blandAltman(first: reference, second: predicted, confidence: confidence)
    }

    /// In the order of `names`.
    var values: [Double?] {
        [meanSquaredError, r, differences?.bias, differences?.limitLower, differences?.limitUpper]
    }
}

/// The spread of values over people or folds.
struct Spread {
    let count: Int
    let mean: Double
    /// With n − 1; nil for one value.
    let standardDeviation: Double?
    let median: Double
    let minimum: Double
    let maximum: Double

    /// Standard deviation / √n.
    var standardError: Double? { standardDeviation.map { $0 / Double(count).squareRoot() } }

    /// nil for no value.
    init?(_ values: [Double]) {
        guard let median = RobustScores.median(values) else { return nil }
        count = values.count
        let mean = values.reduce(0, +) / Double(values.count)
        (self.mean, self.median) = (mean, median)
        (minimum, maximum) = (values.min()!, values.max()!)
        standardDeviation =
            values.count < 2
            ? nil : (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }
}
