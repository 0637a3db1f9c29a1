import Foundation
import Statistics
import TestSupport
import Testing

/// Calibration lines, free-response curves and bootstraps of several statistics.
@Suite struct EvaluationStatisticsTests {
    /// Probabilities that are stretched by a known factor have the inverse slope.
    @Test func aCalibrationLineUndoesAStretch() throws {
        var random = SeededGenerator(seed: 5)
        var (stated, truth): ([Double], [Bool]) = ([], [])
        for _ in 0..<20_000 {
            let logit = 3 * random.gaussian()
            truth.append(random.uniform() < 1 / (1 + exp(-logit)))
            // Twice too extreme, and shifted by 1.
            stated.append(1 / (1 + exp(-(2 * logit + 1))))
        }
        let line = try #require(try CalibrationLine.fit(probabilities: stated, isPositive: truth))
        #expect(abs(line.slope - 0.5) < 0.03 && abs(line.intercept + 0.5) < 0.08)
        // At the maximum the residuals add up to nothing, also weighted by the logits.
        var sums = (0.0, 0.0)
        for (p, positive) in zip(stated, truth) {
            let x = log(p / (1 - p))
            let miss = (positive ? 1 : 0) - 1 / (1 + exp(-(line.intercept + line.slope * x)))
            sums = (sums.0 + miss, sums.1 + miss * x)
        }
        #expect(abs(sums.0) < 1e-6 && abs(sums.1) < 1e-6)
    }

    @Test func whereNoLineIsTheBestThereIsNone() throws {
        #expect(try CalibrationLine.fit(probabilities: [0.1, 0.2, 0.8], isPositive: [false, false, true]) == nil)
        #expect(try CalibrationLine.fit(probabilities: [0.1, 0.2], isPositive: [true, true]) == nil)
        #expect(try CalibrationLine.fit(probabilities: [0.3, 0.3], isPositive: [true, false]) == nil)
        #expect(throws: StatisticsError.self) {
            try CalibrationLine.fit(probabilities: [1.5, 0.2], isPositive: [true, false])
        }
    }

    @Test func freeResponseByHand() throws {
        let curve = try FreeResponseCurve(
            lesionScores: [0.9, 0.5, nil, 0.5], falseAlarmScores: [0.7, 0.5, 0.2], images: 2)
        #expect(curve.points.map(\.threshold) == [0.9, 0.7, 0.5, 0.2])
        #expect(curve.points.map(\.falseAlarmsPerImage) == [0, 0.5, 1, 1.5])
        #expect(curve.points.map(\.sensitivity) == [0.25, 0.25, 0.75, 0.75])
        #expect(curve.sensitivity(atFalseAlarmsPerImage: 0.9) == 0.25)
        #expect(curve.sensitivity(atFalseAlarmsPerImage: 8) == 0.75)
        #expect(throws: StatisticsError.self) {
            try FreeResponseCurve(lesionScores: [], falseAlarmScores: [1], images: 3)
        }
        let late = try FreeResponseCurve(lesionScores: [0.1], falseAlarmScores: [0.9, 0.8], images: 1)
        #expect(late.sensitivity(atFalseAlarmsPerImage: 0.5) == 0)
    }

    @Test func severalStatisticsAreThoseOfEachAlone() throws {
        let values = (0..<30).map { Double(($0 * 37) % 17) }
        @Sendable func mean(_ people: [Int]) -> Double? { people.reduce(0) { $0 + values[$1] } / Double(people.count) }
        @Sendable func largest(_ people: [Int]) -> Double? { people.map { values[$0] }.max() }
        let both = Bootstrap.several(people: 30, repeats: 300) { [mean($0), largest($0), nil] }
        #expect(both[0] == Bootstrap(people: 30, repeats: 300, statistic: mean))
        #expect(both[1] == Bootstrap(people: 30, repeats: 300, statistic: largest))
        #expect(both[2] == nil && both[0] != both[1])
    }
}
