extension LinearModel {
    /// A weighted sum of coefficients, with its standard error, test against zero and interval.
    ///
    /// - Parameter weights: coefficient name to weight; coefficients not named have weight zero.
    /// - Throws: `unknownCoefficient` or `aliasedCoefficient`.
    package func contrast(named name: String, _ weights: [String: Double]) throws(StatisticsError) -> Estimate {
        for key in weights.keys.sorted() {
            if aliased.contains(key) { throw .aliasedCoefficient(key) }
            guard coefficient(key) != nil else {
                throw .unknownCoefficient(key, available: coefficients.map(\.name))
            }
        }
        let vector = coefficients.map { weights[$0.name] ?? 0 }
        return combination(named: name, vector)
    }

    /// The expected response at given covariate values, with the confidence interval of that mean.
    ///
    /// - Parameters:
    ///   - numeric: values on the covariate's own scale (centring is applied here); covariates not named are at their
    ///     zero, which for a mean-centred one is the mean.
    ///   - levels: levels of categorical covariates; those not named are at their reference.
    /// - Throws: `unknownCoefficient` for a covariate or level that the model does not have.
    package func prediction(
        numeric: [String: Double] = [:], levels: [String: String] = [:]
    ) throws(StatisticsError) -> Estimate {
        var weights: [String: Double] = hasIntercept ? [Design.intercept: 1] : [:]
        for (name, value) in numeric.sorted(by: { $0.key < $1.key }) {
            guard let term = terms.first(where: { $0.name == name && $0.levels.isEmpty }) else {
                throw .unknownCoefficient(name, available: terms.map(\.name))
            }
            if !aliased.contains(name) { weights[name] = value - term.zero }
        }
        for term in terms where !term.levels.isEmpty {
            let level = levels[term.name] ?? term.levels[0]
            guard term.levels.contains(level) else {
                throw .unknownCoefficient("\(term.name)[\(level)]", available: term.levels)
            }
            let column = "\(term.name)[\(level)]"
            if coefficient(column) != nil { weights[column] = 1 }
        }
        if let stray = levels.keys.sorted().first(where: { key in !terms.contains { $0.name == key } }) {
            throw .unknownCoefficient(stray, available: terms.map(\.name))
        }
        return combination(named: "prediction", coefficients.map { weights[$0.name] ?? 0 })
    }

    /// Tests jointly that every coefficient of a term is zero, given all other terms (type III without interactions).
    ///
    /// - Throws: `untestableTerm` when the term is unknown, has one level only, or is wholly aliased.
    package func factorTest(_ term: String) throws(StatisticsError) -> FTest {
        let places = columnTerms.indices.filter { columnTerms[$0] == term }
        guard !places.isEmpty else {
            throw .untestableTerm(term, available: terms.map(\.name).filter { columnTerms.contains($0) })
        }
        let block = places.map { i in places.map { j in inverseCrossProduct[i][j] } }
        let estimates = places.map { coefficients[$0].estimate }
        let whitened = Self.forwardSolve(Self.cholesky(block), estimates)
        let squares = whitened.reduce(0) { $0 + $1 * $1 }
        let variance = residualStandardDeviation * residualStandardDeviation
        let f = squares / Double(places.count) / variance
        return FTest(
            term: term, fStatistic: f, numeratorDegreesOfFreedom: places.count,
            denominatorDegreesOfFreedom: residualDegreesOfFreedom,
            pValue: FisherF.upperTail(
                f, numerator: Double(places.count), denominator: Double(residualDegreesOfFreedom)))
    }

    private func combination(named name: String, _ vector: [Double]) -> Estimate {
        var (value, quadratic) = (0.0, 0.0)
        for i in vector.indices where vector[i] != 0 {
            value += vector[i] * coefficients[i].estimate
            for j in vector.indices { quadratic += vector[i] * inverseCrossProduct[i][j] * vector[j] }
        }
        return Estimate(
            name: name, value: value, standardError: residualStandardDeviation * max(0, quadratic).squareRoot(),
            degreesOfFreedom: residualDegreesOfFreedom,
            critical: StudentT.twoSidedCritical(1 - confidence, degreesOfFreedom: Double(residualDegreesOfFreedom)))
    }

    /// Lower triangle of a positive definite matrix.
    private static func cholesky(_ matrix: [[Double]]) -> [[Double]] {
        var lower = matrix
        for j in matrix.indices {
            for i in j..<matrix.count {
                var sum = matrix[i][j]
                for m in 0..<j { sum -= lower[i][m] * lower[j][m] }
                lower[i][j] = i == j ? sum.squareRoot() : sum / lower[j][j]
            }
        }
        return lower
    }

    private static func forwardSolve(_ lower: [[Double]], _ vector: [Double]) -> [Double] {
        var result = vector
        for i in vector.indices {
            for j in 0..<i { result[i] -= lower[i][j] * result[j] }
            result[i] /= lower[i][i]
        }
        return result
    }
}
