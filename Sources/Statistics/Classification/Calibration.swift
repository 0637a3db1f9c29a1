import Foundation

/// Whether probabilities mean what they say.
package struct Calibration: Sendable, Equatable {
    package struct Bin: Sendable, Equatable {
        package let lower: Double
        package let upper: Double
        package let cases: Int
        /// Mean probability stated.
        package let stated: Double
        /// Share of positives seen.
        package let observed: Double
    }

    /// Equal widths of 0 … 1, those that hold a case.
    package let bins: [Bin]
    /// Mean squared distance of probability and truth (Brier, Mon Weather Rev 78 (1950) 1–3).
    package let brierScore: Double
    /// Mean negative log probability of the truth; probabilities are kept 1e-15 from 0 and 1.
    package let logLoss: Double
    /// Mean distance of stated and observed, weighted by cases (Naeini et al., AAAI 2015).
    package let expectedError: Double

    /// - Throws: `StatisticsError` for lists of other lengths or empty ones, or values outside 0 … 1.
    package init(probabilities: [Double], isPositive: [Bool], bins count: Int = 10) throws(StatisticsError) {
        guard probabilities.count == isPositive.count, !probabilities.isEmpty else {
            throw .pairing("probabilities", probabilities.count, "classes", isPositive.count)
        }
        guard probabilities.allSatisfy({ (0...1).contains($0) }) else { throw .notFinite("a probability of 0…1") }
        precondition(count > 0, "a calibration needs a bin")
        var (cases, stated, observed) = (
            [Int](repeating: 0, count: count), [Double](repeating: 0, count: count), [Int](repeating: 0, count: count)
        )
        var (squares, logs) = (0.0, 0.0)
        for (p, positive) in zip(probabilities, isPositive) {
            let bin = min(count - 1, Int(p * Double(count)))
            cases[bin] += 1
            stated[bin] += p
            if positive { observed[bin] += 1 }
            let miss = positive ? 1 - p : p
            squares += miss * miss
            logs -= log(max(1e-15, min(1 - 1e-15, 1 - miss)))
        }
        let n = Double(probabilities.count)
        brierScore = squares / n
        logLoss = logs / n
        bins = (0..<count).filter { cases[$0] > 0 }.map { b in
            Bin(
                lower: Double(b) / Double(count), upper: Double(b + 1) / Double(count), cases: cases[b],
                stated: stated[b] / Double(cases[b]), observed: Double(observed[b]) / Double(cases[b]))
        }
        expectedError = bins.reduce(0) { $0 + Double($1.cases) / n * abs($1.stated - $1.observed) }
    }
}
