import Statistics
import TestSupport
import Testing

/// Curves over thresholds, decisions, calibration, correlation and the bootstrap.
@Suite struct ClassificationTests {
    // 24 cases by falling score, 4 of them positive; values computed by hand and with scikit-learn 1.7.
    static let labels = "110100000000000000001000".map { $0 == "1" }
    static let scores = (0..<24).map { 1 - Double($0) / 24 }

    @Test func areasOfTheWorkedExample() throws {
        let roc = try ROCCurve(scores: Self.scores, isPositive: Self.labels)
        #expect(abs(roc.area - 0.775) < 1e-12)
        let part = roc.partialArea(upTo: 0.1)
        #expect(abs(part.raw - 0.0625) < 1e-12 && abs(part.normalised - 0.625) < 1e-12)
        #expect(abs(part.mcClish - 0.802_631_578_947) < 1e-9)
        let curve = try PrecisionRecallCurve(scores: Self.scores, isPositive: Self.labels)
        #expect(abs(curve.averagePrecision - 0.735_119_047_6) < 1e-9)
        #expect(abs(curve.trapezoidArea - 0.719_642_857_1) < 1e-9)
    }

    /// Areas as the R package pROC states them of its own example, 113 people with a subarachnoid haemorrhage: how many of each
    /// WFNS grade had a good and a poor outcome. pROC keeps the areas in its tests (github.com/xrobin/pROC, test-auc.R).
    @Test func areasAreThoseOfPROC() throws {
        let (good, poor) = ([37, 20, 3, 8, 4], [2, 12, 1, 8, 18])
        var (grades, isPoor): ([Double], [Bool]) = ([], [])
        for (outcome, counts) in [(false, good), (true, poor)] {
            for (grade, count) in counts.enumerated() {
                grades += [Double](repeating: Double(grade + 1), count: count)
                isPoor += [Bool](repeating: outcome, count: count)
            }
        }
        let roc = try ROCCurve(scores: grades, isPositive: isPoor)
        #expect(abs(roc.area - 0.823_678_861_788_618) < 1e-14)
        let part = roc.partialArea(upTo: 0.1)
        #expect(abs(part.raw - 0.033_441_734_417_344_2) < 1e-14)
        #expect(abs(part.mcClish - 0.649_693_339_038_653) < 1e-14)
        // Of specificities .9 to .8.
        #expect(abs(roc.partialArea(upTo: 0.2).raw - part.raw - 0.059_837_398_373_983_7) < 1e-14)
    }

    /// The area is the share of pairs in which the positive scores higher, ties counting half.
    @Test(arguments: 1...20) func areaIsTheShareOfPairsInOrder(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let count = 5 + seed * 3
        // Few distinct scores, so that many are tied.
        let scores = (0..<count).map { _ in (random.uniform() * 6).rounded() }
        var labels = (0..<count).map { _ in random.uniform() < 0.3 }
        (labels[0], labels[1]) = (true, false)
        var wins = 0.0
        for p in 0..<count where labels[p] {
            for n in 0..<count where !labels[n] {
                wins += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0
            }
        }
        let positives = labels.count { $0 }
        let expected = wins / Double(positives * (count - positives))
        #expect(abs(try ROCCurve(scores: scores, isPositive: labels).area - expected) < 1e-12)
        // The order of the cases does not matter.
        let turned = Array(0..<count).shuffled(using: &random)
        let again = try ROCCurve(scores: turned.map { scores[$0] }, isPositive: turned.map { labels[$0] })
        #expect(try again == ROCCurve(scores: scores, isPositive: labels))
    }

    @Test func perfectChanceAndWrongScores() throws {
        let truth = [true, true, false, false]
        let perfect = try ROCCurve(scores: [4, 3, 2, 1], isPositive: truth)
        #expect(perfect.area == 1 && perfect.partialArea(upTo: 0.1).mcClish == 1)
        let chance = try ROCCurve(scores: [1, 1, 1, 1], isPositive: truth)
        #expect(chance.area == 0.5 && abs(chance.partialArea(upTo: 0.2).mcClish - 0.5) < 1e-12)
        #expect(try ROCCurve(scores: [1, 2, 3, 4], isPositive: truth).area == 0)
        #expect(throws: StatisticsError.oneClass("a ROC curve", positives: 2, negatives: 0)) {
            try ROCCurve(scores: [1, 2], isPositive: [true, true])
        }
        #expect(throws: StatisticsError.self) { try PrecisionRecallCurve(scores: [1], isPositive: [false]) }
        #expect(throws: StatisticsError.notFinite("a score")) {
            try ROCCurve(scores: [1, .nan], isPositive: [true, false])
        }
    }

    @Test func decisionsAgainstTheTruth() throws {
        let matrix = try ConfusionMatrix(
            classes: ["control", "HH"], truth: [0, 0, 0, 1, 1, 1, 1, 1], decisions: [0, 0, 1, 1, 1, 1, 0, 1])
        #expect(matrix.counts == [[2, 1], [1, 4]] && matrix.accuracy == 0.75)
        #expect(matrix.recall(1) == 0.8 && matrix.precision(1) == 0.8 && matrix.f1(1) == 0.8)
        #expect(abs(matrix.balancedAccuracy! - (2.0 / 3 + 0.8) / 2) < 1e-15)
        #expect(abs(matrix.cohensKappa! - (0.75 - 0.53125) / (1 - 0.53125)) < 1e-12)
        #expect((matrix + matrix).cases == 16)
        let empty = ConfusionMatrix(classes: ["a", "b"])
        #expect(empty.accuracy == nil && empty.recall(0) == nil && empty.cohensKappa == nil)
    }

    @Test func calibrationOfKnownProbabilities() throws {
        let calibration = try Calibration(
            probabilities: [0.05, 0.05, 0.95, 1], isPositive: [false, true, true, true], bins: 10)
        #expect(calibration.bins.count == 2 && calibration.bins[0].observed == 0.5)
        #expect(abs(calibration.brierScore - (0.0025 + 0.9025 + 0.0025) / 4) < 1e-12)
        #expect(abs(calibration.expectedError - (0.5 * 0.45 + 0.5 * 0.025)) < 1e-12)
        #expect(throws: StatisticsError.self) { try Calibration(probabilities: [1.2], isPositive: [true]) }
    }

    @Test func fishersIntervals() throws {
        let published = try #require(Correlation.fisherInterval(0.89, pairs: 172))
        #expect(abs(published.lowerBound - 0.8541) < 5e-5 && abs(published.upperBound - 0.9175) < 5e-5)
        let small = try #require(Correlation.fisherInterval(0.5, pairs: 20))
        #expect(abs(small.lowerBound - 0.0738) < 5e-5 && abs(small.upperBound - 0.7718) < 5e-5)
        let exact = try Correlation([1, 2, 3, 4], [2, 4, 6, 8])
        #expect(exact.coefficient == 1 && exact.interval == 1...1)
        #expect(abs(try Correlation([1, 2, 3], [1, 3, 2]).coefficient - 0.5) < 1e-15)
        #expect(throws: StatisticsError.constantResponse(rows: 2)) { try Correlation([1, 1], [1, 2]) }
    }

    @Test func bootstrapOfAMean() throws {
        var random = SeededGenerator(seed: 3)
        let values = (0..<200).map { _ in random.gaussian() }
        @Sendable func mean(_ people: [Int]) -> Double? {
            people.reduce(0) { $0 + values[$1] } / Double(people.count)
        }
        let one = try #require(Bootstrap(people: 200, seed: 5, statistic: mean))
        #expect(one == Bootstrap(people: 200, seed: 5, threads: 3, statistic: mean))
        #expect(one != Bootstrap(people: 200, seed: 6, statistic: mean))
        let spread = values.reduce(0) { $0 + ($1 - one.estimate) * ($1 - one.estimate) } / 199
        let expected = (spread / 200).squareRoot()
        #expect(abs(one.standardError / expected - 1) < 0.06 && one.repeats == 2000)
        #expect(abs((one.interval.upperBound - one.interval.lowerBound) / (2 * 1.96 * expected) - 1) < 0.1)
        #expect(Bootstrap(people: 3, statistic: { _ in nil }) == nil)
    }
}
