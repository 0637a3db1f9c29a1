import Kernels

/// How well two regions agree.
package struct OverlapMetrics: Sendable, Equatable {
    package var firstVoxels: Int
    package var secondVoxels: Int
    package var commonVoxels: Int

    /// 2·|A∩B| / (|A| + |B|); 1 when both are empty.
    package var dice: Double {
        let sum = firstVoxels + secondVoxels
        return sum == 0 ? 1 : 2 * Double(commonVoxels) / Double(sum)
    }

    /// |A∩B| / |A∪B|; 1 when both are empty.
    package var jaccard: Double {
        let union = firstVoxels + secondVoxels - commonVoxels
        return union == 0 ? 1 : Double(commonVoxels) / Double(union)
    }

    /// (|A| − |B|) / |B|, B being the truth; nil when B is empty.
    package var relativeVolumeDifference: Double? {
        secondVoxels == 0 ? nil : Double(firstVoxels - secondVoxels) / Double(secondVoxels)
    }

    /// Of two masks.
    ///
    /// - Throws: `GridError.mismatch` when they are on different grids.
    package init(_ first: Mask, _ second: Mask) throws {
        try requireSameGrid(first.grid, "the first mask", second.grid, "the second mask")
        (firstVoxels, secondVoxels, commonVoxels) = (0, 0, 0)
        for index in first.values.indices {
            let (a, b) = (first.values[index] != 0, second.values[index] != 0)
            if a { firstVoxels += 1 }
            if b { secondVoxels += 1 }
            if a && b { commonVoxels += 1 }
        }
    }

    package init(firstVoxels: Int = 0, secondVoxels: Int = 0, commonVoxels: Int = 0) {
        (self.firstVoxels, self.secondVoxels, self.commonVoxels) = (firstVoxels, secondVoxels, commonVoxels)
    }

    /// Of every label that occurs in either map, in one pass.
    ///
    /// - Throws: `GridError.mismatch` when they are on different grids.
    package static func ofLabels(_ first: LabelMap, _ second: LabelMap) throws -> [UInt16: OverlapMetrics] {
        try requireSameGrid(first.grid, "the first label map", second.grid, "the second label map")
        var all = [OverlapMetrics](repeating: OverlapMetrics(), count: 1 << 16)
        for index in first.values.indices {
            let (a, b) = (Int(first.values[index]), Int(second.values[index]))
            if a | b == 0 { continue }
            all[a].firstVoxels += 1
            all[b].secondVoxels += 1
            if a == b { all[a].commonVoxels += 1 }
        }
        var result: [UInt16: OverlapMetrics] = [:]
        for label in 1..<all.count where all[label].firstVoxels + all[label].secondVoxels > 0 {
            result[UInt16(label)] = all[label]
        }
        return result
    }
}

/// Distances between the surfaces of two regions, in mm.
package struct SurfaceDistances: Sendable, Equatable {
    /// Largest distance from a surface voxel of one to the surface of the other (Hausdorff).
    package var largest: Double
    /// 95th percentile of all those distances, both directions pooled.
    package var percentile95: Double
    /// The larger of the 95th percentiles of the two directions by themselves, as MONAI and others take it.
    package var largerPercentile95: Double
    /// Their mean (average symmetric surface distance).
    package var mean: Double

    /// Surface voxels are those with a face neighbour outside; the edge of the grid counts as outside.
    ///
    /// - Returns: nil when either mask is empty.
    /// - Throws: `GridError.mismatch` when they are on different grids.
    package static func between(_ first: Mask, _ second: Mask, threads: Int = 1) throws -> SurfaceDistances? {
        try requireSameGrid(first.grid, "the first mask", second.grid, "the second mask")
        let (a, b) = (first.surface(), second.surface())
        guard a.voxels > 0, b.voxels > 0 else { return nil }
        let toFirst = a.distanceMillimetres(threads: threads)
        let toSecond = b.distanceMillimetres(threads: threads)
        let forwards = a.values.indices.filter { a.values[$0] != 0 }.map { toSecond.values[$0] }
        let backwards = b.values.indices.filter { b.values[$0] != 0 }.map { toFirst.values[$0] }
        let all = forwards + backwards
        let ranks = OrderStatistics.percentiles([95, 100], of: all)!
        let directed = [forwards, backwards].map { Double(OrderStatistics.percentiles([95], of: $0)![0]) }
        let mean = all.reduce(0.0) { $0 + Double($1) } / Double(all.count)
        return SurfaceDistances(
            largest: Double(ranks[1]), percentile95: Double(ranks[0]),
            largerPercentile95: max(directed[0], directed[1]),
            mean: mean)
    }
}

extension Mask {
    /// The voxels with a face neighbour outside the mask or beyond the grid.
    func surface() -> Mask {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        var result = Mask(grid: grid)
        for k in 0..<nz {
            for j in 0..<ny {
                for i in 0..<nx {
                    let index = grid.index(i, j, k)
                    guard values[index] != 0 else { continue }
                    let edge = i == 0 || j == 0 || k == 0 || i == nx - 1 || j == ny - 1 || k == nz - 1
                    let inner =
                        !edge && values[index - 1] != 0 && values[index + 1] != 0 && values[index - nx] != 0
                        && values[index + nx] != 0 && values[index - nx * ny] != 0 && values[index + nx * ny] != 0
                    if !inner { result.values[index] = 1 }
                }
            }
        }
        return result
    }
}

/// - Throws: `GridError.mismatch`, with the names that the two have for the reader.
package func requireSameGrid(_ first: VoxelGrid, _ firstName: String, _ second: VoxelGrid, _ secondName: String) throws
{
    guard first.matches(second) else {
        throw GridError.mismatch(first: firstName, firstGrid: first, second: secondName, secondGrid: second)
    }
}

extension Mask {
    /// Inside where either mask is; both on one grid.
    func union(_ other: Mask) -> Mask {
        precondition(other.values.count == values.count)
        return Mask(grid: grid, values: zip(values, other.values).map { $0 | $1 })
    }
}
