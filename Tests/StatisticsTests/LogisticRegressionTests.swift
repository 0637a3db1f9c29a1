import Foundation
import Statistics
import Testing

@Suite struct LogisticRegressionTests {
    /// Sixty cases of four features that any language can make.
    static func cases() throws -> (FeatureMatrix, [Bool]) {
        var columns = [[Double]](repeating: [], count: 4)
        var positive: [Bool] = []
        for i in 0..<60 {
            for j in 0..<4 {
                let angle: Double = 1.7 * Double(i) + 0.9 * Double(j * j) + 0.3 * Double(i * j)
                columns[j].append(sin(angle) * Double(1 + 3 * j) + 0.5 * Double(j))
            }
            let sum: Double = columns[0][i] * 1.2 - 0.3 * columns[1][i] + 0.1 * columns[3][i]
            positive.append(sum + 0.8 * cos(5.1 * Double(i)) > 0.3)
        }
        return (try FeatureMatrix(names: ["a", "b", "c", "d"], columns: columns), positive)
    }

    struct Case: Sendable {
        let inversePenalty: Double
        let weights: ClassWeights
        let standardises: Bool
        let coefficients: [Double]
        let intercept: Double
    }

    // scikit-learn 1.9.1, LogisticRegression(solver="newton-cholesky", tol=1e-13).
    static let reference = [
        Case(
            inversePenalty: 1, weights: .equal, standardises: false,
            coefficients: [1.9561944535577531, -0.6875112365198799, 0.0966667100354059, 0.22487657661090546],
            intercept: -0.2173843150557394),
        Case(
            inversePenalty: 1, weights: .equal, standardises: true,
            coefficients: [1.3158039599854792, -1.5625240085938792, 0.3136027485866302, 1.2847016927682207],
            intercept: -0.12733122137904118),
        Case(
            inversePenalty: 0.1, weights: .equal, standardises: false,
            coefficients: [0.5535154680970665, -0.4425721458687279, 0.038480964369201044, 0.14574038995179206],
            intercept: -0.13488501508793033),
        Case(
            inversePenalty: 10, weights: .balanced, standardises: false,
            coefficients: [3.6716627942749325, -1.0739856596813473, 0.1828053558596307, 0.3508733707135172],
            intercept: -0.25600017752382076),
        Case(
            inversePenalty: 10, weights: .balanced, standardises: true,
            coefficients: [2.450654726019291, -2.8109820484312595, 0.8056260135122202, 2.342038608257989],
            intercept: -0.09851167856588193),
    ]

    @Test(arguments: reference)
    func coefficientsAreThoseOfScikitLearn(expected: Case) throws {
        let (features, isPositive) = try Self.cases()
        #expect(isPositive.count { $0 } == 29)
        var options = LogisticRegression.Options()
        options.inversePenalty = expected.inversePenalty
        options.weights = expected.weights
        options.standardises = expected.standardises
        let model = try LogisticRegression.fit(features, isPositive: isPositive, options: options)
        for (own, other) in zip(model.coefficients + [model.intercept], expected.coefficients + [expected.intercept]) {
            #expect(abs(own - other) < 1e-6, "\(own) for \(other)")
        }
        #expect(model.iterations < 30)
        // In the features' own units the same probabilities.
        let (slopes, intercept) = model.unscaled
        for n in 0..<60 {
            let row = features.row(n)
            let sum = zip(slopes, row).reduce(intercept) { $0 + $1.0 * $1.1 }
            #expect(abs(model.probability(row) - 1 / (1 + exp(-sum))) < 1e-12)
        }
        let data = try JSONEncoder().encode(model)
        #expect(try JSONDecoder().decode(LogisticRegression.self, from: data) == model)
    }

    @Test func whatCanBePartedIsParted() throws {
        // Two classes without overlap, a feature that does not vary, more features than cases, large values.
        var columns: [[Double]] = [(0..<12).map { n in Double(n) * 1e6 }, [Double](repeating: 3, count: 12)]
        for f in 0..<20 { columns.append((0..<12).map { n in sin(Double(n * f) + Double(f)) }) }
        let features = try FeatureMatrix(names: columns.indices.map { "f\($0)" }, columns: columns)
        let isPositive = (0..<12).map { $0 > 5 }
        var options = LogisticRegression.Options()
        options.inversePenalty = 1e4
        let model = try LogisticRegression.fit(features, isPositive: isPositive, options: options)
        for n in 0..<12 { #expect((model.probability(features.row(n)) > 0.5) == isPositive[n]) }
        #expect(model.coefficients[1] == 0)
        #expect(throws: StatisticsError.self) {
            try LogisticRegression.fit(features, isPositive: isPositive.map { _ in true })
        }
        options.inversePenalty = 0
        #expect(throws: StatisticsError.self) {
            try LogisticRegression.fit(features, isPositive: isPositive, options: options)
        }
    }
}
