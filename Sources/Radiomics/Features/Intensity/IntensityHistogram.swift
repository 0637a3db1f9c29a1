import Foundation

/// Intensity histogram (IBSI family ZVCW): grey levels after discretisation.
package enum IntensityHistogram {
    package static let tags = [
        "ih_mean", "ih_var", "ih_skew", "ih_kurt", "ih_median", "ih_min", "ih_p10", "ih_p90", "ih_max", "ih_mode",
        "ih_iqr", "ih_range", "ih_mad", "ih_rmad", "ih_medad", "ih_cov", "ih_qcod", "ih_entropy", "ih_uniformity",
        "ih_max_grad", "ih_max_grad_g", "ih_min_grad", "ih_min_grad_g",
    ]

    /// In the order of `tags`; NaN where a feature does not exist.
    package static func measure(_ region: DiscretisedRegion) -> [Double] {
        let levels = region.voxelLevels
        guard !levels.isEmpty else { return [Double](repeating: .nan, count: tags.count) }
        let d = Distribution(levels.map(Double.init))
        // Index 0 is level 1; levels that do not occur count as empty bins.
        var counts = [Int](repeating: 0, count: region.levelCount)
        for level in levels { counts[level - 1] += 1 }
        let (entropy, uniformity) = entropyAndUniformity(counts, total: levels.count)
        let gradient = gradient(of: counts)
        let steepest = gradient.indices.max { gradient[$0] < gradient[$1] }
        let deepest = gradient.indices.min { gradient[$0] < gradient[$1] }
        return [
            d.mean, d.variance, d.skewness, d.kurtosis - 3, d.median, d.minimum, d.percentile(10), d.percentile(90),
            d.maximum, Double(mode(of: counts, mean: d.mean)), d.interquartileRange, d.range,
            d.meanAbsoluteDeviation(from: d.mean), d.robustMeanAbsoluteDeviation,
            d.meanAbsoluteDeviation(from: d.median), d.coefficientOfVariation, d.quartileCoefficientOfDispersion,
            entropy,
            uniformity, steepest.map { gradient[$0] } ?? .nan, steepest.map { Double($0 + 1) } ?? .nan,
            deepest.map { gradient[$0] } ?? .nan, deepest.map { Double($0 + 1) } ?? .nan,
        ]
    }

    /// Entropy in bits, and the sum of squared probabilities.
    static func entropyAndUniformity(_ counts: [Int], total: Int) -> (Double, Double) {
        var (entropy, uniformity) = (0.0, 0.0)
        for count in counts where count > 0 {
            let p = Double(count) / Double(total)
            entropy -= p * log2(p)
            uniformity += p * p
        }
        return (entropy, uniformity)
    }

    /// The most frequent level; among several the one closest to the mean, the lower one of two at the same distance.
    private static func mode(of counts: [Int], mean: Double) -> Int {
        let largest = counts.max() ?? 0
        let candidates = counts.indices.filter { counts[$0] == largest }.map { $0 + 1 }
        return candidates.min { abs(Double($0) - mean) < abs(Double($1) - mean) } ?? 1
    }

    /// Central differences, one-sided at both ends; empty for a single level.
    private static func gradient(of counts: [Int]) -> [Double] {
        let last = counts.count - 1
        guard last > 0 else { return [] }
        return counts.indices.map { n in
            switch n {
            case 0: Double(counts[1] - counts[0])
            case last: Double(counts[last] - counts[last - 1])
            default: Double(counts[n + 1] - counts[n - 1]) / 2
            }
        }
    }
}
