/// How well methods, raters or sessions agree on the same subjects.
package enum Agreement {
    /// An intraclass correlation with its confidence interval.
    package struct IntraclassCorrelation: Sendable, Equatable {
        package let value: Double
        package let confidenceLower: Double
        package let confidenceUpper: Double
    }

    /// Differences between two methods (Bland and Altman 1986), in the unit of the measurements.
    package struct BlandAltman: Sendable, Equatable {
        package let pairs: Int
        /// Mean of second − first.
        package let bias: Double
        package let biasLower: Double
        package let biasUpper: Double
        package let standardDeviation: Double
        /// bias ∓ 1.96 SD: 95 % of differences lie within, if they are Gaussian.
        package let limitLower: Double
        package let limitUpper: Double
        package let meanAbsoluteDifference: Double
    }

    /// Mean squares of the two-way table subjects × raters.
    struct MeanSquares {
        let subjects: Double
        let raters: Double
        let error: Double
        let rows: Double
        let columns: Double

        init(_ table: [[Double]]) throws(StatisticsError) {
            let columns = table.first?.count ?? 0
            guard table.count >= 2, columns >= 2, table.allSatisfy({ $0.count == columns }),
                table.allSatisfy({ $0.allSatisfy(\.isFinite) })
            else { throw .incompleteTable(subjects: table.count, raters: columns) }
            let (n, k) = (Double(table.count), Double(columns))
            let grand = accurateMean(table.flatMap { $0 })
            let rowMeans = table.map { accurateMean($0) - grand }
            let columnMeans = (0..<columns).map { c in accurateMean(table.map { $0[c] }) - grand }
            var error = 0.0
            for (r, row) in table.enumerated() {
                for (c, value) in row.enumerated() {
                    let rest = value - grand - rowMeans[r] - columnMeans[c]
                    error += rest * rest
                }
            }
            self.subjects = k * rowMeans.reduce(0) { $0 + $1 * $1 } / (n - 1)
            self.raters = n * columnMeans.reduce(0) { $0 + $1 * $1 } / (k - 1)
            self.error = error / ((n - 1) * (k - 1))
            (self.rows, self.columns) = (n, k)
        }
    }

    /// ICC(A,1): absolute agreement of single measurements, raters a random sample (ICC(2,1) of Shrout and Fleiss).
    ///
    /// - Parameters:
    ///   - table: one row per subject, one column per rater; complete.
    ///   - confidence: coverage of the interval.
    /// - Source: McGraw and Wong, Psychol Methods 1 (1996) 30–46, table 7.
    package static func absolute(
        _ table: [[Double]], confidence: Double = 0.95
    ) throws(StatisticsError) -> IntraclassCorrelation {
        let m = try MeanSquares(table)
        let (n, k) = (m.rows, m.columns)
        let value = (m.subjects - m.error) / (m.subjects + (k - 1) * m.error + k * (m.raters - m.error) / n)
        // Perfect agreement leaves no error to build an interval from.
        if m.error == 0 && m.raters == 0 { return .init(value: 1, confidenceLower: 1, confidenceUpper: 1) }
        let a = k * value / (n * (1 - value))
        let b = 1 + k * value * (n - 1) / (n * (1 - value))
        let numerator = (a * m.raters + b * m.error) * (a * m.raters + b * m.error)
        let raterPart = a * m.raters * a * m.raters / (k - 1)
        let errorPart = b * m.error * b * m.error / ((n - 1) * (k - 1))
        let degrees = numerator / (raterPart + errorPart)
        let tail = (1 - confidence) / 2
        let f1 = FisherF.critical(tail, numerator: n - 1, denominator: degrees)
        let f2 = FisherF.critical(tail, numerator: degrees, denominator: n - 1)
        let spread = k * m.raters + (k * n - k - n) * m.error
        return IntraclassCorrelation(
            value: value,
            confidenceLower: n * (m.subjects - f1 * m.error) / (f1 * spread + n * m.subjects),
            confidenceUpper: n * (f2 * m.subjects - m.error) / (spread + n * f2 * m.subjects))
    }

    /// ICC(C,1): consistency of single measurements, constant offsets between raters ignored (ICC(3,1)).
    ///
    /// - Source: as `absolute`.
    package static func consistency(
        _ table: [[Double]], confidence: Double = 0.95
    ) throws(StatisticsError) -> IntraclassCorrelation {
        let m = try MeanSquares(table)
        let (n, k) = (m.rows, m.columns)
        if m.error == 0 { return .init(value: 1, confidenceLower: 1, confidenceUpper: 1) }
        let f = m.subjects / m.error
        let tail = (1 - confidence) / 2
        let residual = (n - 1) * (k - 1)
        let lower = f / FisherF.critical(tail, numerator: n - 1, denominator: residual)
        let upper = f * FisherF.critical(tail, numerator: residual, denominator: n - 1)
        return IntraclassCorrelation(
            value: (f - 1) / (f + k - 1), confidenceLower: (lower - 1) / (lower + k - 1),
            confidenceUpper: (upper - 1) / (upper + k - 1))
    }

    /// Bias and limits of agreement of paired measurements.
    ///
    /// - Throws: `incompleteTable` for fewer than two pairs or a non-finite value.
    package static func blandAltman(
        first: [Double], second: [Double], confidence: Double = 0.95
    ) throws(StatisticsError) -> BlandAltman {
        guard first.count == second.count, first.count >= 2, (first + second).allSatisfy(\.isFinite) else {
            throw .incompleteTable(subjects: min(first.count, second.count), raters: 2)
        }
        let differences = zip(first, second).map { $1 - $0 }
        let n = Double(differences.count)
        let bias = accurateMean(differences)
        let deviation = (differences.reduce(0) { $0 + ($1 - bias) * ($1 - bias) } / (n - 1)).squareRoot()
        let half =
            StudentT.twoSidedCritical(1 - confidence, degreesOfFreedom: n - 1) * deviation / n.squareRoot()
        return BlandAltman(
            pairs: differences.count, bias: bias, biasLower: bias - half, biasUpper: bias + half,
            standardDeviation: deviation, limitLower: bias - 1.959_963_984_540_054 * deviation,
            limitUpper: bias + 1.959_963_984_540_054 * deviation,
            meanAbsoluteDifference: differences.reduce(0) { $0 + abs($1) } / n)
    }
}
