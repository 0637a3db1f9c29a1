import Foundation

/// Neighbourhood grey tone difference matrix (IBSI family IPET) and neighbouring grey level dependence matrix (REK0): each
/// voxel against its neighbours in the region at Chebyshev distance 1.
package enum Neighbourhoods {
    package static let differenceTags = [
        "ngt_coarseness", "ngt_contrast", "ngt_busyness", "ngt_complexity", "ngt_strength",
    ]
    package static let dependenceTags = [
        "ngl_lde", "ngl_hde", "ngl_lgce", "ngl_hgce", "ngl_ldlge", "ngl_ldhge", "ngl_hdlge", "ngl_hdhge", "ngl_glnu",
        "ngl_glnu_norm", "ngl_dcnu", "ngl_dcnu_norm", "ngl_dc_perc", "ngl_gl_var", "ngl_dc_var", "ngl_dc_entr",
        "ngl_dc_energy",
    ]

    /// In the order of the two lists of tags; NaN for an empty region.
    ///
    /// Neighbours depend on a voxel when they have its level (coarseness parameter 0).
    ///
    /// - Parameter countsIsolated: voxels without a neighbour count in the tone differences, as voxels that do not differ.
    package static func measure(
        _ region: DiscretisedRegion, _ aggregation: ZoneAggregation, countsIsolated: Bool = false
    ) -> (differences: [Double], dependences: [Double]) {
        let neighbours = region.neighbours(inSlice: aggregation.isInSlice)
        let sizes = neighbours.count + 1
        var differences = FeatureMeans(count: differenceTags.count)
        var dependences = FeatureMeans(count: dependenceTags.count)
        for part in aggregation.parts(of: region) {
            var tones = ToneDifferences(levels: region.levels)
            var counts = [Int32](repeating: 0, count: region.levels.count * sizes)
            for n in part {
                let voxel = region.voxels[n]
                let rank = region.ranks[voxel]
                var (known, same, sum) = (0, 0, 0)
                for step in neighbours {
                    let other = region.ranks[voxel + step]
                    if other == 0 { continue }
                    known += 1
                    if other == rank { same += 1 }
                    sum += region.levels[Int(other) - 1]
                }
                counts[(Int(rank) - 1) * sizes + same] += 1
                if known > 0 {
                    tones.add(rank: Int(rank) - 1, neighbours: known, sum: sum)
                } else if countsIsolated {
                    tones.add(rank: Int(rank) - 1, neighbours: 1, sum: region.levels[Int(rank) - 1])
                }
            }
            differences.add(tones.features)
            let matrix = LevelSizeMatrix(counts: counts, levels: region.levels, sizes: sizes)
            dependences.add(matrix.features(voxels: part.count))
        }
        return (differences.means, dependences.means)
    }
}

/// Per level, how many voxels have neighbours and how far they differ from the mean of these.
private struct ToneDifferences {
    let levels: [Int]
    private var counts: [Double]
    private var differences: [Double]

    init(levels: [Int]) {
        self.levels = levels
        counts = [Double](repeating: 0, count: levels.count)
        differences = counts
    }

    mutating func add(rank: Int, neighbours: Int, sum: Int) {
        counts[rank] += 1
        differences[rank] += abs(Double(levels[rank]) - Double(sum) / Double(neighbours))
    }

    /// In the order of `Neighbourhoods.differenceTags`. A region of one level has coarseness 10⁶ and 0 for the others, as
    /// the IBSI and PyRadiomics have it; NaN where no voxel has a neighbour.
    var features: [Double] {
        let total = counts.reduce(0, +)
        guard total > 0 else { return [Double](repeating: .nan, count: Neighbourhoods.differenceTags.count) }
        let present = levels.indices.filter { counts[$0] > 0 }
        let p = present.map { counts[$0] / total }
        let s = present.map { differences[$0] }
        let i = present.map { Double(levels[$0]) }
        var weighted = 0.0
        for n in present.indices { weighted += p[n] * s[n] }
        let sum = s.reduce(0, +)
        var (contrast, spread, complexity, strength) = (0.0, 0.0, 0.0, 0.0)
        for a in present.indices {
            for b in present.indices where a != b {
                let d = i[a] - i[b]
                contrast += p[a] * p[b] * d * d
                spread += abs(i[a] * p[a] - i[b] * p[b])
                complexity += abs(d) * (p[a] * s[a] + p[b] * s[b]) / (p[a] + p[b])
                strength += (p[a] + p[b]) * d * d
            }
        }
        let levelsPresent = Double(present.count)
        return [
            weighted > 0 ? 1 / weighted : 1e6,
            present.count > 1 ? contrast / (levelsPresent * (levelsPresent - 1)) * sum / total : 0,
            spread > 0 ? weighted / spread : 0, complexity / total, sum > 0 ? strength / sum : 0,
        ]
    }
}
