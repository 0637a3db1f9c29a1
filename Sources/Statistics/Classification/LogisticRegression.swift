import Foundation

/// Logistic regression of two classes with a quadratic penalty on the coefficients of standardised features.
///
/// Minimises C Σ wᵢ log(1 + exp(−yᵢ(b + β·xᵢ))) + ½|β|² by Newton's method (iteratively reweighted least squares) with
/// halved steps; the intercept b bears no penalty.
package struct LogisticRegression: Sendable, Equatable, Codable {
    package struct Options: Sendable, Equatable {
        /// C, the inverse of the strength of the penalty; above 0.
        package var inversePenalty = 1.0
        package var weights = ClassWeights.equal
        /// Whether features are brought to mean 0 and standard deviation 1 first. Without, the penalty depends on their
        /// units.
        package var standardises = true

        package init() {}
    }

    package let featureNames: [String]
    /// What is subtracted from features, and what they are then divided by.
    package let means: [Double]
    package let deviations: [Double]
    /// Of standardised features.
    package let coefficients: [Double]
    package let intercept: Double
    package let iterations: Int

    /// - Parameter isPositive: of each case whether it is of the class whose probability is modelled.
    /// - Throws: `StatisticsError` where lists do not pair up, one class alone has cases, or the optimum is not found.
    package static func fit(
        _ features: FeatureMatrix, isPositive: [Bool], options: Options = Options()
    ) throws(StatisticsError) -> LogisticRegression {
        let cases = try ClassifiedCases(features, classes: isPositive.map { $0 ? 1 : 0 }, of: 2)
        let classWeights = options.weights.values(counts: cases.counts)
        guard classWeights.count == 2, classWeights.allSatisfy({ $0.isFinite && $0 > 0 }),
            options.inversePenalty.isFinite, options.inversePenalty > 0
        else { throw .notFinite("the penalty or a class weight of a logistic regression (both above 0)") }
        let n = Double(features.rows)
        var (means, deviations): ([Double], [Double]) = ([], [])
        var columns: [[Double]] = []
        for column in features.columns {
            let mean = options.standardises ? column.reduce(0, +) / n : 0
            let square = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
            // What does not vary says nothing.
            let deviation = !options.standardises ? 1 : square > 1e-24 * mean * mean ? square.squareRoot() : 1
            means.append(mean)
            deviations.append(deviation)
            columns.append(column.map { ($0 - mean) / deviation })
        }
        var newton = Newton(
            columns: columns, signs: isPositive.map { $0 ? 1 : -1 },
            weights: isPositive.map { options.inversePenalty * classWeights[$0 ? 1 : 0] })
        let iterations = try newton.minimise()
        return LogisticRegression(
            featureNames: features.names, means: means, deviations: deviations,
            coefficients: Array(newton.solution.dropFirst()), intercept: newton.solution[0], iterations: iterations)
    }

    /// Probability of the positive class for one case.
    package func probability(_ row: [Double]) -> Double {
        precondition(row.count == featureNames.count, "\(row.count) features, the model has \(featureNames.count)")
        var sum = intercept
        for place in row.indices { sum += coefficients[place] * (row[place] - means[place]) / deviations[place] }
        return 1 / (1 + exp(-sum))
    }

    /// Coefficients and intercept for features in their own units.
    package var unscaled: (coefficients: [Double], intercept: Double) {
        let own = zip(coefficients, deviations).map { $0 / $1 }
        return (own, intercept - zip(own, means).reduce(0) { $0 + $1.0 * $1.1 })
    }
}

/// Newton's method on the penalised likelihood; the first unknown is the intercept.
private struct Newton {
    let columns: [[Double]]
    /// 1 for positives, −1 for the others.
    let signs: [Double]
    let weights: [Double]
    var solution: [Double]

    init(columns: [[Double]], signs: [Double], weights: [Double]) {
        (self.columns, self.signs, self.weights) = (columns, signs, weights)
        solution = [Double](repeating: 0, count: columns.count + 1)
    }

    private func margins(_ at: [Double]) -> [Double] {
        var sums = [Double](repeating: at[0], count: signs.count)
        for (n, column) in columns.enumerated() where at[n + 1] != 0 {
            let factor = at[n + 1]
            for row in sums.indices { sums[row] += factor * column[row] }
        }
        return sums
    }

    /// log(1 + exp(−m)) without overflow.
    private static func softplus(ofMinus m: Double) -> Double { max(0, -m) + log1p(exp(-abs(m))) }

    private func objective(_ at: [Double], _ margins: [Double]) -> Double {
        var sum = at.dropFirst().reduce(0) { $0 + $1 * $1 } / 2
        for row in signs.indices { sum += weights[row] * Self.softplus(ofMinus: signs[row] * margins[row]) }
        return sum
    }

    /// - Returns: how many steps were taken.
    mutating func minimise() throws(StatisticsError) -> Int {
        var margins = margins(solution)
        var value = objective(solution, margins)
        let scale = weights.reduce(0, +)
        for iteration in 0..<200 {
            let (gradient, curvature) = derivatives(margins)
            if gradient.allSatisfy({ abs($0) <= 1e-11 * scale }) { return iteration }
            guard let step = Self.solve(curvature, gradient) else { break }
            var length = 1.0
            var isBetter = false
            while length > 1e-10 {
                let next = zip(solution, step).map { $0 - length * $1 }
                let other = self.margins(next)
                let reached = objective(next, other)
                // What rounding adds is no reason to stop short of the optimum.
                if reached <= value + 1e-14 * abs(value) {
                    isBetter = reached < value
                    (solution, margins, value) = (next, other, reached)
                    break
                }
                length /= 2
            }
            if !isBetter { return iteration + 1 }
        }
        throw .notFinite("the optimum of a logistic regression")
    }

    /// Gradient, and the lower triangle of the matrix of second derivatives, by rows.
    private func derivatives(_ margins: [Double]) -> ([Double], [[Double]]) {
        var (residuals, curvatures): ([Double], [Double]) = ([], [])
        for row in signs.indices {
            let p = 1 / (1 + exp(-margins[row]))
            residuals.append(weights[row] * (p - (signs[row] > 0 ? 1 : 0)))
            curvatures.append(weights[row] * p * (1 - p))
        }
        var gradient = [residuals.reduce(0, +)]
        var matrix = [[curvatures.reduce(0, +)]]
        var weighted: [[Double]] = []
        for (n, column) in columns.enumerated() {
            gradient.append(zip(residuals, column).reduce(solution[n + 1]) { $0 + $1.0 * $1.1 })
            let own = zip(curvatures, column).map { $0 * $1 }
            weighted.append(own)
            var line = [own.reduce(0, +)]
            for other in 0...n {
                var sum = other == n ? 1.0 : 0
                let left = weighted[other]
                for row in left.indices { sum += left[row] * column[row] }
                line.append(sum)
            }
            matrix.append(line)
        }
        return (gradient, matrix)
    }

    /// Cholesky; nil where the matrix is not positive.
    private static func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
        var l = matrix
        for i in l.indices {
            for j in 0...i {
                var sum = l[i][j]
                for k in 0..<j { sum -= l[i][k] * l[j][k] }
                if i == j {
                    guard sum > 0 else { return nil }
                    l[i][i] = sum.squareRoot()
                } else {
                    l[i][j] = sum / l[j][j]
                }
            }
        }
        var x = right
        for i in x.indices {
            for k in 0..<i { x[i] -= l[i][k] * x[k] }
            x[i] /= l[i][i]
        }
        for i in x.indices.reversed() {
            for k in (i + 1)..<max(i + 1, x.count) { x[i] -= l[k][i] * x[k] }
            x[i] /= l[i][i]
        }
        return x
    }
}
