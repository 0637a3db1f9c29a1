import Foundation
import Kernels

/// Grey level co-occurrence matrix (IBSI family LFYI): levels of voxels beside each other (Chebyshev distance 1), counted
/// both ways round.
package enum Cooccurrence {
    package static let tags = [
        "cm_joint_max", "cm_joint_avg", "cm_joint_var", "cm_joint_entr", "cm_diff_avg", "cm_diff_var", "cm_diff_entr",
        "cm_sum_avg", "cm_sum_var", "cm_sum_entr", "cm_energy", "cm_contrast", "cm_dissimilarity", "cm_inv_diff",
        "cm_inv_diff_norm", "cm_inv_diff_mom", "cm_inv_diff_mom_norm", "cm_inv_var", "cm_corr", "cm_auto_corr",
        "cm_clust_tend", "cm_clust_shade", "cm_clust_prom", "cm_info_corr1", "cm_info_corr2", "cm_mcc",
    ]

    /// In the order of `tags`; NaN where a feature does not exist.
    ///
    /// - Parameter maximalCorrelation: `cm_mcc`, the maximal correlation coefficient of PyRadiomics, costs eigenvalues and
    ///   is NaN when not asked for.
    package static func measure(
        _ region: DiscretisedRegion, _ aggregation: TextureAggregation, maximalCorrelation: Bool = false
    ) -> [Double] {
        let directions: [Int] = region.directions(inSlice: aggregation.isInSlice)
        let parts = aggregation.isBySlice ? region.slices : [0..<region.voxels.count]
        let order = region.levels.count
        var means = FeatureMeans(count: tags.count)
        var matrix = CooccurrenceMatrix(levels: region.levels, levelCount: region.levelCount)
        for part in parts {
            for (n, direction) in directions.enumerated() {
                if n == 0 || !aggregation.mergesDirections { matrix.clear() }
                count(region, part, direction, order, &matrix.counts)
                if n + 1 == directions.count || !aggregation.mergesDirections {
                    means.add(matrix.features(maximalCorrelation: maximalCorrelation))
                }
            }
        }
        return means.means
    }

    private static func count(
        _ region: DiscretisedRegion, _ part: Range<Int>, _ step: Int, _ order: Int, _ counts: inout [Int32]
    ) {
        region.ranks.withUnsafeBufferPointer { ranks in
            region.voxels.withUnsafeBufferPointer { voxels in
                counts.withUnsafeMutableBufferPointer { counts in
                    for n in part {
                        let (a, b) = (Int(ranks[voxels[n]]), Int(ranks[voxels[n] + step]))
                        if b > 0 { counts[(a - 1) * order + b - 1] += 1 }
                    }
                }
            }
        }
    }
}

/// Counts of pairs of levels, one way round; features are of the matrix made symmetric.
struct CooccurrenceMatrix {
    let levels: [Int]
    /// N_g, by which normalised differences are divided.
    let levelCount: Int
    /// By rank of the level: `counts[a * levels.count + b]`.
    var counts: [Int32]

    init(levels: [Int], levelCount: Int) {
        (self.levels, self.levelCount) = (levels, levelCount)
        counts = [Int32](repeating: 0, count: levels.count * levels.count)
    }

    mutating func clear() { for index in counts.indices { counts[index] = 0 } }

    /// What one pass over the matrix gives. Counts of the symmetric matrix are whole numbers, so their sums are exact.
    private struct Sums {
        var total = 0.0
        var largest = 0.0
        var squares = 0.0
        /// Σ c log₂ c
        var logarithms = 0.0
        var rows: [Double]
        var differences: [Double]
        /// Index k is the sum of two levels less twice the lowest level.
        var sums: [Double]
    }

    private func sums() -> Sums {
        let (order, lowest) = (levels.count, levels.first ?? 1)
        let span = (levels.last ?? 1) - lowest + 1
        var result = Sums(
            rows: [Double](repeating: 0, count: order), differences: [Double](repeating: 0, count: span),
            sums: [Double](repeating: 0, count: 2 * span - 1))
        for a in 0..<order {
            for b in 0...a {
                let count = counts[a * order + b] + counts[b * order + a]
                if count == 0 { continue }
                let c = Double(count)
                // Off the diagonal the entry is there twice; on it, the count was doubled above.
                let weight = a == b ? 1.0 : 2.0
                result.total += weight * c
                result.largest = max(result.largest, c)
                result.squares += weight * c * c
                result.logarithms += weight * c * log2(c)
                result.rows[a] += c
                if a != b { result.rows[b] += c }
                result.differences[levels[a] - levels[b]] += weight * c
                result.sums[levels[a] + levels[b] - 2 * lowest] += weight * c
            }
        }
        return result
    }

    /// In the order of `Cooccurrence.tags`; NaN for a matrix without pairs.
    func features(maximalCorrelation: Bool) -> [Double] {
        let s = sums()
        guard s.total > 0 else { return [Double](repeating: .nan, count: Cooccurrence.tags.count) }
        let total = s.total
        func entropy(_ counts: [Double]) -> Double {
            log2(total) - counts.reduce(0) { $1 > 0 ? $0 + $1 * log2($1) : $0 } / total
        }
        let (lowest, n) = (Double(levels.first ?? 1), Double(levelCount))
        var mean = 0.0
        for (rank, count) in s.rows.enumerated() { mean += Double(levels[rank]) * count / total }
        var variance = 0.0
        for (rank, count) in s.rows.enumerated() {
            let d = Double(levels[rank]) - mean
            variance += d * d * count / total
        }
        var (contrast, dissimilarity, difference, differenceNorm) = (0.0, 0.0, 0.0, 0.0)
        var (moment, momentNorm, inverseVariance) = (0.0, 0.0, 0.0)
        for (k, count) in s.differences.enumerated() where count > 0 {
            let (k, p) = (Double(k), count / total)
            dissimilarity += k * p
            contrast += k * k * p
            difference += p / (1 + k)
            differenceNorm += p / (1 + k / n)
            moment += p / (1 + k * k)
            momentNorm += p / (1 + k * k / (n * n))
            if k > 0 { inverseVariance += p / (k * k) }
        }
        let differenceVariance = contrast - dissimilarity * dissimilarity
        var (tendency, shade, prominence) = (0.0, 0.0, 0.0)
        for (k, count) in s.sums.enumerated() where count > 0 {
            let (d, p) = (Double(k) + 2 * lowest - 2 * mean, count / total)
            tendency += d * d * p
            shade += d * d * d * p
            prominence += d * d * d * d * p
        }
        let covariance = (tendency - contrast) / 4
        // Two equal, independent marginals: their joint entropy is twice that of one.
        let (jointEntropy, rowEntropy) = (log2(total) - s.logarithms / total, entropy(s.rows))
        let isFlat = levels.count < 2 || s.rows.contains(total)
        let gain = max(0, 2 * rowEntropy - jointEntropy)
        return [
            s.largest / total, mean, variance, jointEntropy, dissimilarity, max(0, differenceVariance),
            entropy(s.differences), 2 * mean, tendency, entropy(s.sums), s.squares / (total * total), contrast,
            dissimilarity, difference, differenceNorm, moment, momentNorm, inverseVariance,
            isFlat ? 1 : covariance / variance, covariance + mean * mean, tendency, shade, prominence,
            isFlat ? 0 : (jointEntropy - 2 * rowEntropy) / rowEntropy,
            isFlat ? 0 : (1 - exp(-2 * gain)).squareRoot(),
            maximalCorrelation ? (levels.count < 2 ? 1 : self.maximalCorrelation(s.rows)) : .nan,
        ]
    }

    /// Second largest singular value of the matrix scaled by the roots of its margins, whose largest one is 1; 0 where only
    /// one level of several has pairs.
    private func maximalCorrelation(_ rows: [Double]) -> Double {
        let present = rows.indices.filter { rows[$0] > 0 }
        let (n, order) = (present.count, levels.count)
        let total = rows.reduce(0, +)
        var scaled = [Double](repeating: 0, count: n * n)
        for a in 0..<n {
            for b in 0..<n {
                let (i, j) = (present[a], present[b])
                let count = Double(counts[i * order + j] + counts[j * order + i])
                let margin = (rows[i] * rows[j]).squareRoot()
                // Less the known first component, so that the second is the largest that is left.
                scaled[a * n + b] = count / margin - margin / total
            }
        }
        return SymmetricEigenvalues.of(scaled, order: n).map(abs).max() ?? 1
    }
}
