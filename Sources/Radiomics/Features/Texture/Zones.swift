/// Grey level size zone matrix (IBSI family 9SAK) and grey level distance zone matrix (VMDZ): connected groups of voxels
/// of one level, by their size and by their distance to the border of the morphological mask.
package enum Zones {
    package static let sizeTags = [
        "szm_sze", "szm_lze", "szm_lgze", "szm_hgze", "szm_szlge", "szm_szhge", "szm_lzlge", "szm_lzhge", "szm_glnu",
        "szm_glnu_norm", "szm_zsnu", "szm_zsnu_norm", "szm_z_perc", "szm_gl_var", "szm_zs_var", "szm_zs_entr",
    ]
    package static let distanceTags = [
        "dzm_sde", "dzm_lde", "dzm_lgze", "dzm_hgze", "dzm_sdlge", "dzm_sdhge", "dzm_ldlge", "dzm_ldhge", "dzm_glnu",
        "dzm_glnu_norm", "dzm_zdnu", "dzm_zdnu_norm", "dzm_z_perc", "dzm_gl_var", "dzm_zd_var", "dzm_zd_entr",
    ]

    /// In the order of the two lists of tags; NaN for an empty region.
    ///
    /// - Parameter border: the region as cut from the image, for the distances; nil leaves them NaN.
    package static func measure(
        _ region: DiscretisedRegion, border: RegionImage?, _ aggregation: ZoneAggregation
    ) -> (sizes: [Double], distances: [Double]) {
        let distance = border.map { BorderDistance.measure($0, inSlice: aggregation.isInSlice) }
        let neighbours = region.neighbours(inSlice: aggregation.isInSlice)
        var sizes = FeatureMeans(count: sizeTags.count)
        var distances = FeatureMeans(count: distanceTags.count)
        var isOpen = region.ranks
        for part in aggregation.parts(of: region) {
            let zones = zones(region, part, neighbours, distance, &isOpen)
            let bySize = LevelSizeMatrix(zones.map { ($0.level, $0.size) })
            sizes.add(Array(bySize.features(voxels: part.count).dropLast()))
            if distance != nil {
                let byDistance = LevelSizeMatrix(zones.map { ($0.level, $0.distance) })
                distances.add(Array(byDistance.features(voxels: part.count).dropLast()))
            }
        }
        return (sizes.means, distances.means)
    }

    private struct Zone {
        var level: Int
        var size = 0
        var distance = Int.max
    }

    /// - Parameter isOpen: ranks, 0 where a voxel was taken.
    private static func zones(
        _ region: DiscretisedRegion, _ part: Range<Int>, _ neighbours: [Int], _ distance: [Int32]?,
        _ isOpen: inout [Int32]
    ) -> [Zone] {
        var result: [Zone] = []
        var stack: [Int] = []
        isOpen.withUnsafeMutableBufferPointer { isOpen in
            for n in part where isOpen[region.voxels[n]] != 0 {
                let start = region.voxels[n]
                let rank = isOpen[start]
                var zone = Zone(level: region.levels[Int(rank) - 1])
                isOpen[start] = 0
                stack.append(start)
                while let voxel = stack.popLast() {
                    zone.size += 1
                    if let distance { zone.distance = min(zone.distance, Int(distance[voxel])) }
                    for step in neighbours where isOpen[voxel + step] == rank {
                        isOpen[voxel + step] = 0
                        stack.append(voxel + step)
                    }
                }
                result.append(zone)
            }
        }
        return result
    }
}

/// Steps across faces (within a slice: across its edges) from each voxel of the morphological mask to the outside: 1 at
/// the border.
enum BorderDistance {
    static func measure(_ region: RegionImage, inSlice: Bool) -> [Int32] {
        let steps = inSlice ? [1, region.lineStride] : [1, region.lineStride, region.sliceStride]
        let far = Int32.max / 2
        var distance = region.morphologicalMask.map { $0 == 0 ? 0 : far }
        // Distances along the axes add up, so one pass in each sense over the box is exact. The margin is outside.
        for voxel in distance.indices where distance[voxel] != 0 {
            for step in steps { distance[voxel] = min(distance[voxel], distance[voxel - step] + 1) }
        }
        for voxel in distance.indices.reversed() where distance[voxel] != 0 {
            for step in steps { distance[voxel] = min(distance[voxel], distance[voxel + step] + 1) }
        }
        return distance
    }
}
