/// Ordinary least squares on typed covariates: estimates with standard errors, tests and confidence intervals.
///
/// The fit is a Householder QR in double precision on a centred response. Covariates that the data cannot tell apart
/// are set aside and named in `aliased`; rows with a missing value are dropped and counted.
package struct LinearModel: Sendable {
    /// An estimate with its uncertainty: a coefficient, or a combination of coefficients.
    package struct Estimate: Sendable, Equatable {
        /// `Intercept`, a numeric covariate, or `covariate[level]` (difference to the reference level).
        package let name: String
        /// In units of the response, for numeric covariates per unit of the covariate.
        package let estimate: Double
        package let standardError: Double
        package let tStatistic: Double
        package let degreesOfFreedom: Int
        /// Two-sided, against zero.
        package let pValue: Double
        package let confidenceLower: Double
        package let confidenceUpper: Double
    }

    /// A covariate as it entered the model.
    package struct Term: Sendable, Equatable {
        package let name: String
        /// Levels among the complete rows, the reference first; empty for a numeric covariate.
        package let levels: [String]
        /// The value of a numeric covariate at which its column is zero.
        package let zero: Double
    }

    /// A joint test that all coefficients of a term are zero.
    package struct FTest: Sendable, Equatable {
        package let term: String
        package let fStatistic: Double
        package let numeratorDegreesOfFreedom: Int
        package let denominatorDegreesOfFreedom: Int
        package let pValue: Double
    }

    package let coefficients: [Estimate]
    /// Names of design columns left out because they are combinations of earlier ones, in design order.
    package let aliased: [String]
    package let terms: [Term]
    /// Coverage of the confidence intervals, for example 0.95.
    package let confidence: Double
    /// Rows of the input that entered the model, rising.
    package let rowsUsed: [Int]
    /// Rows left out because the response or a covariate is missing or not finite.
    package let droppedRows: Int
    package let residualDegreesOfFreedom: Int
    package let residualStandardDeviation: Double
    package let residualSumOfSquares: Double
    /// About the mean with an intercept, about zero without.
    package let totalSumOfSquares: Double
    package let rSquared: Double
    package let adjustedRSquared: Double
    /// All terms against the mean alone (against zero without an intercept); nil when no term is estimable.
    package let overall: FTest?
    /// One per row used.
    package let residuals: [Double]
    package let fitted: [Double]
    /// Diagonal of the hat matrix, one per row used, 0…1.
    package let leverages: [Double]

    /// (XᵀX)⁻¹ of the estimable columns; times the residual variance it is the covariance of the coefficients.
    let inverseCrossProduct: [[Double]]
    let columnTerms: [String]
    let hasIntercept: Bool

    /// Fits response = intercept + covariates + noise.
    ///
    /// - Parameters:
    ///   - response: one value per row; nil or non-finite where missing.
    ///   - covariates: one value per row each; names must differ.
    ///   - intercept: whether the model has a constant column.
    ///   - confidence: coverage of the intervals, between 0 and 1.
    /// - Throws: `tooFewRows` when no residual degree of freedom is left, `constantResponse` when all values are equal,
    ///   and what is wrong with a covariate.
    /// - Complexity: rows × columns².
    package init(
        response: [Double?], covariates: [Covariate], intercept: Bool = true, confidence: Double = 0.95
    ) throws(StatisticsError) {
        precondition(confidence > 0 && confidence < 1, "confidence is between 0 and 1, not \(confidence)")
        let design = try Design(response: response, covariates: covariates, intercept: intercept)
        let values = design.rowsUsed.compactMap { response[$0] }
        let rows = values.count
        let dropped = response.count - rows
        let qr = HouseholderQR(columns: design.columns.map(\.values), rows: rows)
        let degrees = rows - qr.rank
        guard degrees > 0, qr.rank > 0 else {
            throw .tooFewRows(complete: rows, dropped: dropped, coefficients: max(qr.rank, 1))
        }
        guard values.contains(where: { $0 != values[0] }) else { throw .constantResponse(rows: rows) }

        // A large common part of the response costs digits; the intercept takes it back at the end.
        let shift = intercept ? accurateMean(values) : 0
        let centred = values.map { $0 - shift }
        let rotated = qr.transposedProduct(centred)
        let inverse = qr.inverseTriangle()
        var solution = qr.solve(rotated)
        var residuals = Self.residuals(of: centred, design: design, qr: qr, solution: solution)
        // One step of refinement recovers digits that ill-conditioned columns cost.
        let correction = qr.solve(qr.transposedProduct(residuals))
        for place in solution.indices { solution[place] += correction[place] }
        residuals = Self.residuals(of: centred, design: design, qr: qr, solution: solution)

        let residualSquares = residuals.reduce(0) { $0 + $1 * $1 }
        let totalSquares = centred.reduce(0) { $0 + $1 * $1 }
        let variance = residualSquares / Double(degrees)
        let estimable = qr.order[..<qr.rank]
        var coefficients: [Estimate] = []
        let critical = StudentT.twoSidedCritical(1 - confidence, degreesOfFreedom: Double(degrees))
        var cross = [[Double]](repeating: [Double](repeating: 0, count: qr.rank), count: qr.rank)
        for i in 0..<qr.rank {
            for j in i..<qr.rank {
                var sum = 0.0
                for m in j..<qr.rank { sum += inverse[i][m] * inverse[j][m] }
                cross[i][j] = sum
                cross[j][i] = sum
            }
        }
        for (place, column) in estimable.enumerated() {
            let isIntercept = design.columns[column].term == Design.intercept
            coefficients.append(
                Estimate(
                    name: design.columns[column].name, value: solution[place] + (isIntercept ? shift : 0),
                    standardError: (variance * cross[place][place]).squareRoot(), degreesOfFreedom: degrees,
                    critical: critical))
        }

        self.coefficients = coefficients
        self.aliased = qr.order[qr.rank...].sorted().map { design.columns[$0].name }
        self.terms = design.terms
        self.confidence = confidence
        self.rowsUsed = design.rowsUsed
        self.droppedRows = dropped
        self.residualDegreesOfFreedom = degrees
        self.residualStandardDeviation = variance.squareRoot()
        self.residualSumOfSquares = residualSquares
        self.totalSumOfSquares = totalSquares
        self.rSquared = 1 - residualSquares / totalSquares
        let meanDegrees = Double(rows - (intercept ? 1 : 0))
        self.adjustedRSquared = 1 - residualSquares / Double(degrees) / (totalSquares / meanDegrees)
        let modelDegrees = qr.rank - (intercept ? 1 : 0)
        if modelDegrees > 0 {
            // The explained part is read from the rotated response: a difference of sums of squares would cancel.
            var explained = 0.0
            for place in (intercept ? 1 : 0)..<qr.rank { explained += rotated[place] * rotated[place] }
            let f = explained / Double(modelDegrees) / variance
            self.overall = FTest(
                term: "model", fStatistic: f, numeratorDegreesOfFreedom: modelDegrees,
                denominatorDegreesOfFreedom: degrees,
                pValue: FisherF.upperTail(f, numerator: Double(modelDegrees), denominator: Double(degrees)))
        } else {
            self.overall = nil
        }
        self.residuals = residuals
        self.fitted = zip(values, residuals).map { $0 - $1 }
        self.leverages = (0..<rows).map { row in
            var sum = 0.0
            for (i, a) in estimable.enumerated() {
                for (j, b) in estimable.enumerated() {
                    sum += design.columns[a].values[row] * cross[i][j] * design.columns[b].values[row]
                }
            }
            return sum
        }
        self.inverseCrossProduct = cross
        self.columnTerms = estimable.map { design.columns[$0].term }
        self.hasIntercept = intercept
    }

    /// The coefficient of this name; nil when the model has none or it is aliased.
    package func coefficient(_ name: String) -> Estimate? { coefficients.first { $0.name == name } }

    private static func residuals(
        of response: [Double], design: Design, qr: HouseholderQR, solution: [Double]
    ) -> [Double] {
        var result = response
        for (place, column) in qr.order[..<qr.rank].enumerated() {
            let values = design.columns[column].values
            for row in result.indices { result[row] -= solution[place] * values[row] }
        }
        return result
    }
}

extension LinearModel.Estimate {
    /// Completes an estimate from its standard error and the critical t of the interval.
    init(name: String, value: Double, standardError: Double, degreesOfFreedom: Int, critical: Double) {
        let t = value / standardError
        self.init(
            name: name, estimate: value, standardError: standardError, tStatistic: t,
            degreesOfFreedom: degreesOfFreedom,
            pValue: StudentT.twoSided(t, degreesOfFreedom: Double(degreesOfFreedom)),
            confidenceLower: value - critical * standardError, confidenceUpper: value + critical * standardError)
    }
}
