import Foundation

/// How many lesions somebody has, and how large they are: one uniform number each, read off the distribution, so that
/// numbers drawn later do not shift with the count.
enum LesionCounts {
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

    /// Zeta distribution on 1…83: probabilities as n^-1.65, which gives 48 % single bleeds and a mean of 5.
    static func zeta(_ uniform: Double) -> Int {
        var sum = 0.0
        for (n, weight) in zetaWeights.enumerated() {
            sum += weight
            if uniform < sum { return n + 1 }
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

    static func microbleeds(_ bleeds: PhantomCohort.Bleeds, age: Double, _ random: inout RandomStream) -> Int {
        let (chance, first, second) = (random.uniform(), random.uniform(), random.uniform())
        switch bleeds {
        case .enriched: return chance < 0.85 ? max(zeta(first), zeta(second)) : 0
        case .population: return chance < bleedPrevalence(age: age) ? zeta(first) : 0
        }
    }

    /// Lesions of multiple sclerosis and how many of them have a rim.
    static func demyelination(
        mean: Double, rimMean: Double, _ random: inout RandomStream
    ) -> (lesions: Int, rims: Int) {
        let (first, second) = (random.uniform(), random.uniform())
        let lesions = negativeBinomial(mean: mean, dispersion: 1.5, limit: 120, first)
        let rims = negativeBinomial(mean: rimMean, dispersion: 0.29, limit: 120, second)
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
