/// Grey level run length matrix (IBSI family TP0I): lengths of rows of voxels of one level.
package enum RunLengths {
    package static let tags = [
        "rlm_sre", "rlm_lre", "rlm_lgre", "rlm_hgre", "rlm_srlge", "rlm_srhge", "rlm_lrlge", "rlm_lrhge", "rlm_glnu",
        "rlm_glnu_norm", "rlm_rlnu", "rlm_rlnu_norm", "rlm_r_perc", "rlm_gl_var", "rlm_rl_var", "rlm_rl_entr",
    ]

    /// In the order of `tags`; NaN for an empty region.
    ///
    /// - Parameter onlyLines: directions along which no two voxels of the region lie on one line are left out.
    package static func measure(
        _ region: DiscretisedRegion, _ aggregation: TextureAggregation, onlyLines: Bool = false
    ) -> [Double] {
        var directions: [Int] = region.directions(inSlice: aggregation.isInSlice)
        if onlyLines {
            let vectors = DiscretisedRegion.directions(inSlice: aggregation.isInSlice)
            directions = zip(directions, vectors).filter { region.hasLine(along: $0.1) }.map(\.0)
        }
        let parts = aggregation.isBySlice ? region.slices : [0..<region.voxels.count]
        let longest = max(region.size.x, region.size.y, region.size.z)
        var means = FeatureMeans(count: tags.count)
        var counts = [Int32](repeating: 0, count: region.levels.count * longest)
        for part in parts {
            for (n, direction) in directions.enumerated() {
                if n == 0 || !aggregation.mergesDirections {
                    for index in counts.indices { counts[index] = 0 }
                }
                count(region, part, direction, longest, &counts)
                if n + 1 == directions.count || !aggregation.mergesDirections {
                    let matrix = LevelSizeMatrix(counts: counts, levels: region.levels, sizes: longest)
                    let merged = aggregation.mergesDirections ? directions.count : 1
                    means.add(Array(matrix.features(voxels: part.count * merged).dropLast()))
                }
            }
        }
        return means.means
    }

    private static func count(
        _ region: DiscretisedRegion, _ part: Range<Int>, _ step: Int, _ longest: Int, _ counts: inout [Int32]
    ) {
        region.ranks.withUnsafeBufferPointer { ranks in
            region.voxels.withUnsafeBufferPointer { voxels in
                counts.withUnsafeMutableBufferPointer { counts in
                    for n in part {
                        var voxel = voxels[n]
                        let rank = ranks[voxel]
                        if ranks[voxel - step] == rank { continue }
                        var length = 0
                        repeat {
                            voxel += step
                            length += 1
                        } while ranks[voxel] == rank
                        counts[(Int(rank) - 1) * longest + length - 1] += 1
                    }
                }
            }
        }
    }
}
