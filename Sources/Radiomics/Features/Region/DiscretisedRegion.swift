/// A region as grey levels, the input of all texture matrices.
package struct DiscretisedRegion: Sendable {
    /// Voxels of the box along i, j, k; a margin of one voxel on all sides is outside the region.
    package let size: SIMD3<Int>
    /// Flat indices of the voxels of the region, ascending: slice by slice.
    package let voxels: [Int]
    /// For every voxel of the box the place of its grey level in `levels`, from 1; 0 outside the region.
    package let ranks: [Int32]
    /// Grey levels that occur, ascending.
    package let levels: [Int]
    /// The largest grey level, N_g. Levels below it need not occur.
    package let levelCount: Int
    /// Ranges of `voxels` per slice k that holds a voxel.
    package let slices: [Range<Int>]

    /// - Throws: `FeatureError`.
    package init(_ region: RegionImage, _ discretisation: Discretisation) throws {
        let voxels = region.voxels
        let byVoxel = try discretisation.levels(of: voxels.map { region.values[$0] })
        levelCount = Int(byVoxel.max() ?? 0)
        var occurs = [Bool](repeating: false, count: levelCount + 1)
        for level in byVoxel { occurs[Int(level)] = true }
        var rank = [Int32](repeating: 0, count: levelCount + 1)
        var present: [Int] = []
        for level in occurs.indices where occurs[level] {
            present.append(level)
            rank[level] = Int32(present.count)
        }
        var ranks = [Int32](repeating: 0, count: region.count)
        for (voxel, level) in zip(voxels, byVoxel) { ranks[voxel] = rank[Int(level)] }
        var slices: [Range<Int>] = []
        var start = 0
        for n in voxels.indices
        where n + 1 == voxels.count || voxels[n + 1] / region.sliceStride != voxels[n] / region.sliceStride {
            slices.append(start..<n + 1)
            start = n + 1
        }
        (size, self.voxels, self.ranks, levels, self.slices) = (region.size, voxels, ranks, present, slices)
    }

    /// Grey levels in the order of `voxels`.
    package var voxelLevels: [Int] { voxels.map { levels[Int(ranks[$0]) - 1] } }

    /// One of each pair of opposite neighbours at Chebyshev distance 1, along i, j, k: 4 in the slice, 13 in the volume.
    package static func directions(inSlice: Bool) -> [SIMD3<Int>] {
        var result = [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(1, 1, 0), SIMD3(-1, 1, 0)]
        guard !inSlice else { return result }
        for dj in -1...1 { for di in -1...1 { result.append(SIMD3(di, dj, 1)) } }
        return result
    }

    /// The same as steps between flat indices.
    package func directions(inSlice: Bool) -> [Int] {
        Self.directions(inSlice: inSlice).map { $0.x + size.x * ($0.y + size.y * $0.z) }
    }

    /// Whether any two voxels of the region lie on one line along a direction, beside each other or not.
    package func hasLine(along direction: SIMD3<Int>) -> Bool {
        let step = direction.x + size.x * (direction.y + size.y * direction.z)
        if voxels.contains(where: { ranks[$0 + step] != 0 }) { return true }
        return voxels.contains { voxel in
            var place = SIMD3(voxel % size.x, voxel / size.x % size.y, voxel / (size.x * size.y)) &+ direction
            var index = voxel + step
            while (0..<size.x).contains(place.x), (0..<size.y).contains(place.y), (0..<size.z).contains(place.z) {
                if ranks[index] != 0 { return true }
                place &+= direction
                index += step
            }
            return false
        }
    }

    /// Steps to all neighbours at Chebyshev distance 1: 8 or 26.
    package func neighbours(inSlice: Bool) -> [Int] {
        let half: [Int] = directions(inSlice: inSlice)
        return half + half.map { -$0 }
    }
}
