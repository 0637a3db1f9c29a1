import Statistics
import TestSupport
import Testing

/// Adjusted p-values, robust scores and agreement.
@Suite struct FamilyTests {
    // The fifteen p-values of Benjamini and Hochberg (1995), section 3; adjusted values from SciPy 1.15.3 and
    // statsmodels 0.15.0.
    static let published: [Double] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]

    @Test func benjaminiHochberg() throws {
        let expected = [
            0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714285714286, 0.06385714285714286, 0.0645,
            0.0765, 0.486, 0.5811818181818181, 0.7148749999999999, 0.7532307692307693, 0.8132142857142857, 1,
        ]
        let adjusted = MultipleComparisons.benjaminiHochberg.adjusted(Self.published)
        for (value, reference) in zip(adjusted, expected) {
            #expect(relativeError(try #require(value), reference) < 1e-12)
        }
        // The published finding: four hypotheses are rejected at 5 %.
        #expect(adjusted.count { $0! <= 0.05 } == 4)
    }

    @Test func holm() throws {
        let expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1, 1, 1, 1, 1, 1]
        for (value, reference) in zip(MultipleComparisons.holm.adjusted(Self.published), expected) {
            #expect(relativeError(try #require(value), reference) < 1e-12)
        }
    }

    @Test(arguments: MultipleComparisons.allCases)
    func orderAndMissingValuesAreKept(method: MultipleComparisons) throws {
        var random = SeededGenerator(seed: 4)
        let shuffled = Self.published.indices.shuffled(using: &random)
        let straight = method.adjusted(Self.published)
        let withGaps = method.adjusted([nil] + shuffled.map { Self.published[$0] } + [.nan])
        #expect(withGaps.first == .some(nil))
        #expect(withGaps.last == .some(nil))
        for (place, original) in shuffled.enumerated() { #expect(withGaps[place + 1] == straight[original]) }
        for (p, q) in zip(Self.published, straight) { #expect(try #require(q) >= p) }
        #expect(method.adjusted([]).isEmpty)
        #expect(method.adjusted([0.03]) == [0.03])
    }

    @Test func robustScoresShowTheOutlierThatAStandardScoreHides() throws {
        let scores = RobustScores.medianZ([10, 11, 9, 10.5, 9.5, nil, 1000, 10, .nan])
        #expect(try #require(scores[6]) > 100)
        #expect(scores[5] == nil && scores[8] == nil)
        #expect(scores[0] == 0)
        // Median 10, absolute deviations 0 1 1 .5 .5 990 0: their median is 0.5.
        #expect(relativeError(try #require(scores[1]), 1 / (1.4826022185056018 * 0.5)) < 1e-12)
    }

    @Test func robustScoresOfDegenerateLists() throws {
        #expect(RobustScores.medianZ([]).isEmpty)
        #expect(RobustScores.medianZ([nil, nil]) == [nil, nil])
        #expect(RobustScores.medianZ([3, 3, 3]) == [0, 0, 0])
        // More than half equal: the mean absolute deviation, 10/5, stands in.
        let scores = RobustScores.medianZ([5, 5, 5, 5, 15])
        #expect(relativeError(try #require(scores[4]), 10 / (1.2533141373155003 * 2)) < 1e-12)
    }

    @Test func quantilesAsInNumPy() throws {
        #expect(RobustScores.quantile([3, 1, 2, 10], 0.25) == 1.75)
        #expect(abs(try #require(RobustScores.quantile([3, 1, 2, 10], 0.9)) - 7.9) < 1e-12)
        #expect(RobustScores.quantile([4], 0.3) == 4)
        #expect(RobustScores.quantile([], 0.5) == nil)
        #expect(RobustScores.median([4, 1, 3, 2]) == 2.5)
    }

    // Shrout and Fleiss (1979), table 2: six targets, four judges; ICC(2,1) = .29, ICC(3,1) = .71. Further digits and
    // intervals from pingouin 0.7.0.
    static let judges: [[Double]] = [
        [9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7],
    ]

    @Test func intraclassCorrelations() throws {
        let absolute = try Agreement.absolute(Self.judges)
        #expect(abs(absolute.value - 0.289764) < 1e-6)
        #expect(abs(absolute.confidenceLower - 0.02) < 0.005)
        #expect(abs(absolute.confidenceUpper - 0.76) < 0.005)
        let consistency = try Agreement.consistency(Self.judges)
        #expect(abs(consistency.value - 0.714841) < 1e-6)
        #expect(abs(consistency.confidenceLower - 0.34) < 0.005)
        #expect(abs(consistency.confidenceUpper - 0.95) < 0.005)
    }

    @Test func aConstantOffsetHurtsAbsoluteAgreementOnly() throws {
        let table = [1.0, 5, 2, 8, 4].map { [$0, $0 + 3] }
        #expect(try Agreement.consistency(table).value > 0.999999)
        #expect(try Agreement.absolute(table).value < 0.8)
        #expect(try Agreement.absolute(table.map { [$0[0], $0[0]] }).value == 1)
        #expect(throws: StatisticsError.incompleteTable(subjects: 1, raters: 2)) {
            try Agreement.absolute([[1, 2]])
        }
        #expect(throws: StatisticsError.self) { try Agreement.absolute([[1, 2], [3, .nan]]) }
    }

    @Test func blandAltman() throws {
        // Differences 1 −1 2 0 3: mean 1, SD √2.5; t(4, 95 %) = 2.776445105.
        let result = try Agreement.blandAltman(first: [10, 20, 30, 40, 50], second: [11, 19, 32, 40, 53])
        #expect(result.bias == 1)
        #expect(relativeError(result.standardDeviation, 2.5.squareRoot()) < 1e-14)
        #expect(relativeError(result.limitUpper, 1 + 1.959963984540054 * 2.5.squareRoot()) < 1e-12)
        #expect(relativeError(result.biasUpper, 1 + 2.776445105 * 0.5.squareRoot()) < 1e-9)
        #expect(result.meanAbsoluteDifference == 1.4)
        #expect(throws: StatisticsError.incompleteTable(subjects: 1, raters: 2)) {
            try Agreement.blandAltman(first: [1], second: [2])
        }
    }
}
