import Kernels

/// Intervals by drawing the cohort anew, with replacement (Efron 1979). What belongs to one person is drawn together, as
/// its values are not independent.
package struct Bootstrap: Sendable, Equatable {
    package let estimate: Double
    /// Percentiles of the repeats, e.g. 2.5 and 97.5.
    package let interval: ClosedRange<Double>
    package let standardError: Double
    /// Repeats in which the statistic could be computed.
    package let repeats: Int

    /// - Parameters:
    ///   - people: how many are drawn from, and drawn, in every repeat.
    ///   - seed: the draws are a function of it and of the number of the repeat.
    ///   - statistic: of people given by number, some more than once; nil where it cannot be computed (no positive among
    ///     them, say).
    /// - Returns: nil where the statistic cannot be computed of the people themselves, or in fewer than half of the repeats.
    package init?(
        people: Int, repeats wanted: Int = 2000, confidence: Double = 0.95, seed: UInt64 = 1, threads: Int = 1,
        statistic: @Sendable ([Int]) -> Double?
    ) {
        let all = Self.several(
            people: people, repeats: wanted, confidence: confidence, seed: seed, threads: threads
        ) { [statistic($0)] }
        guard let one = all[0] else { return nil }
        self = one
    }

    /// Several statistics of the same draws, such as areas under curves that are costly to make.
    ///
    /// - Parameter statistics: always as many, in the same order.
    /// - Returns: for each of them what `init` gives of it alone.
    package static func several(
        people: Int, repeats wanted: Int = 2000, confidence: Double = 0.95, seed: UInt64 = 1, threads: Int = 1,
        statistics: @Sendable ([Int]) -> [Double?]
    ) -> [Bootstrap?] {
        precondition(people > 0 && wanted > 1, "a bootstrap needs somebody to draw from and two repeats or more")
        let estimates = statistics(Array(0..<people))
        let random = Philox(seed: seed)
        let drawn = Parallel.map(wanted, threads: threads) { number -> [Double?] in
            var stream = random.stream(UInt32(truncatingIfNeeded: number), 0, 0x424F_4F54)
            return statistics((0..<people).map { _ in Int.random(in: 0..<people, using: &stream) })
        }
        return estimates.indices.map { place in
            guard let estimate = estimates[place] else { return nil }
            let values = drawn.compactMap { $0[place] }.filter(\.isFinite)
            guard values.count * 2 >= wanted else { return nil }
            let tail = (1 - confidence) / 2
            let mean = accurateMean(values)
            return Bootstrap(
                estimate: estimate,
                interval: RobustScores.quantile(values, tail)!...RobustScores.quantile(values, 1 - tail)!,
                standardError: (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1))
                    .squareRoot(),
                repeats: values.count)
        }
    }

    private init(estimate: Double, interval: ClosedRange<Double>, standardError: Double, repeats: Int) {
        (self.estimate, self.interval, self.standardError, self.repeats) = (estimate, interval, standardError, repeats)
    }
}
