import Foundation

/// How many lesions somebody has, and how large they are.
///
/// Counts are read off their distributions at uniform numbers that are spread evenly over the people of a cohort, so that a
/// few people already have what many would have, and none of them changes with how many follow.
enum LesionCounts {
    /// Two uniform numbers of a person: the multiples of the golden ratio and of √2, whose parts after the point fill
    /// 0…1 evenly, from a random start.
    static func uniforms(seed: UInt64, number: Int) -> (Double, Double) {
        var random = RandomStream(seed: seed, "counts")
        let (first, second) = (random.uniform(), random.uniform())
        func wrapped(_ x: Double) -> Double { x - x.rounded(.down) }
        let place = Double(number)
        return (wrapped(first + place * 0.618_033_988_749_895), wrapped(second + place * 0.414_213_562_373_095))
    }

    /// The number n in 0… at which the sum of probabilities passes a uniform number.
    private static func inverse(_ uniform: Double, limit: Int, first: Double, next: (Int, Double) -> Double) -> Int {
        var (n, p, sum) = (0, first, first)
        while uniform >= sum, n < limit {
            p = next(n, p)
            n += 1
            sum += p
        }
        return n
    }

    /// Negative binomial with mean m and dispersion k (variance m + m²/k), cut at `limit`.
    static func negativeBinomial(mean: Double, dispersion k: Double, limit: Int, _ uniform: Double) -> Int {
        guard mean > 0 else { return 0 }
        let ratio = mean / (mean + k)
        return inverse(uniform, limit: limit, first: pow(k / (k + mean), k)) { n, p in
            p * (Double(n) + k) / Double(n + 1) * ratio
        }
    }

    /// The larger of `draws` draws of a zeta distribution on 1…83: probabilities as n^-1.65, which for one draw gives 48 %
    /// single bleeds and a mean of 5.
    static func zeta(largestOf draws: Int, _ uniform: Double) -> Int {
        let wanted = pow(uniform, 1 / Double(draws))
        var sum = 0.0
        for (n, weight) in zetaWeights.enumerated() {
            sum += weight
            if wanted < sum { return n + 1 }
        }
        return zetaWeights.count
    }

    private static let zetaWeights: [Double] = {
        let weights = (1...83).map { pow(Double($0), -1.65) }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }()

    /// Part of people of an age who have microbleeds: from 20 % at 62 years to 45 % at 87.
    static func bleedPrevalence(age: Double) -> Double { 1 / (1 + exp(4.35 - 0.0474 * age)) }

    static func microbleeds(_ bleeds: PhantomCohort.Bleeds, age: Double, _ uniform: Double) -> Int {
        // Those without come first.
        let (part, draws) = bleeds == .enriched ? (0.85, 2) : (bleedPrevalence(age: age), 1)
        return uniform < 1 - part ? 0 : zeta(largestOf: draws, (uniform - (1 - part)) / part)
    }

    /// Lesions of multiple sclerosis and how many of them have a rim.
    static func demyelination(
        mean: Double, rimMean: Double, _ uniforms: (Double, Double)
    ) -> (lesions: Int, rims: Int) {
        let lesions = negativeBinomial(mean: mean, dispersion: 1.5, limit: 120, uniforms.0)
        let rims = negativeBinomial(mean: rimMean, dispersion: 0.29, limit: 120, uniforms.1)
        return (lesions, min(rims, lesions))
    }

    /// A log-normal value within a range, drawn again until it is.
    static func logNormal(
        median: Double, spread: Double, within range: ClosedRange<Double>, _ random: inout RandomStream
    ) -> Double {
        while true {
            let value = exp(random.normal(log(median), spread))
            if range.contains(value) { return value }
        }
    }
}
