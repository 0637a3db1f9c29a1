extension Volume {
    /// This volume on another grid, by trilinear interpolation.
    ///
    /// A target point takes the value found here at `map(point)`. Up to half a voxel beyond the outermost voxel centres
    /// the edge value repeats; farther out the value is `outside`.
    ///
    /// - Parameters:
    ///   - map: target world mm → world mm of this volume.
    ///   - threads: how many threads to use; the result does not depend on it.
    /// - Throws: `GridError.singularAffine`.
    package func resampled(
        to target: VoxelGrid, through map: SpatialMap = .identity, outside: Float = 0, threads: Int = 1
    ) throws -> Volume {
        let plan = try PositionPlan(from: target, through: map, to: grid)
        var result = Volume(grid: target)
        values.withUnsafeBufferPointer { source in
            result.values.withUnsafeMutableBufferPointer { output in
                let (from, to) = (source.baseAddress!, output.baseAddress!)
                plan.forEachRow(of: target, threads: threads) { row, first in
                    sampleLinear(
                        from, grid.nx, grid.ny, grid.nz, row.x, row.y, row.z, target.nx, outside, to + first)
                }
            }
        }
        return result
    }

    /// This volume on another grid, each target voxel taking the nearest voxel's value; `outside` beyond the grid.
    package func resampledNearest(
        to target: VoxelGrid, through map: SpatialMap = .identity, outside: Float = 0, threads: Int = 1
    ) throws -> Volume {
        Volume(
            grid: target,
            values: try nearest(values, grid, to: target, through: map, outside: outside, threads: threads))
    }
}

extension Mask {
    /// This mask on another grid: inside where the trilinear share of inside voxels is at least `threshold`.
    package func resampled(
        to target: VoxelGrid, through map: SpatialMap = .identity, threshold: Float = 0.5, threads: Int = 1
    ) throws -> Mask {
        let share = try Volume(grid: grid, values: values.map { $0 == 0 ? 0 : 1 })
            .resampled(to: target, through: map, threads: threads)
        return Mask(grid: target, values: share.values.map { $0 >= threshold ? 1 : 0 })
    }
}

extension LabelMap {
    /// How a label is chosen between voxels.
    package enum Interpolation: Sendable, Hashable {
        /// The nearest voxel's label.
        case nearest
        /// The label with the largest trilinear weight among the eight voxels around; smoother borders than `nearest`.
        /// The lowest label wins a tie.
        case heaviest
    }

    /// This label map on another grid; 0 beyond its own.
    package func resampled(
        to target: VoxelGrid, through map: SpatialMap = .identity, interpolation: Interpolation = .heaviest,
        threads: Int = 1
    ) throws -> LabelMap {
        switch interpolation {
        case .nearest:
            return LabelMap(
                grid: target,
                values: try Kernels.nearest(values, grid, to: target, through: map, outside: 0, threads: threads))
        case .heaviest:
            return LabelMap(
                grid: target, values: try heaviest(to: target, through: map, threads: threads))
        }
    }

    private func heaviest(to target: VoxelGrid, through map: SpatialMap, threads: Int) throws -> [UInt16] {
        let plan = try PositionPlan(from: target, through: map, to: grid)
        var result = [UInt16](repeating: 0, count: target.count)
        values.withUnsafeBufferPointer { labels in
            result.withUnsafeMutableBufferPointer { output in
                let to = output.baseAddress!
                plan.forEachRow(of: target, threads: threads) { row, first in
                    for i in 0..<target.nx {
                        to[first + i] = heaviestLabel(labels, grid, row.x[i], row.y[i], row.z[i])
                    }
                }
            }
        }
        return result
    }
}

/// The label with most trilinear weight at a position in voxel units; 0 outside.
private func heaviestLabel(
    _ labels: UnsafeBufferPointer<UInt16>, _ grid: VoxelGrid, _ x: Float, _ y: Float, _ z: Float
) -> UInt16 {
    guard let (i, fx) = corner(x, grid.nx), let (j, fy) = corner(y, grid.ny), let (k, fz) = corner(z, grid.nz) else {
        return 0
    }
    let base = grid.index(i, j, k)
    let (right, up, above) = (fx > 0 ? 1 : 0, fy > 0 ? grid.nx : 0, fz > 0 ? grid.nx * grid.ny : 0)
    let found: SIMD8<UInt16> = [
        labels[base], labels[base + right], labels[base + up], labels[base + up + right], labels[base + above],
        labels[base + above + right], labels[base + above + up], labels[base + above + up + right],
    ]
    // Most places lie within one region.
    if found == SIMD8(repeating: found[0]) { return found[0] }
    let (gx, gy, gz) = (1 - fx, 1 - fy, 1 - fz)
    let weights: SIMD8<Float> = [
        gx * gy * gz, fx * gy * gz, gx * fy * gz, fx * fy * gz, gx * gy * fz, fx * gy * fz, gx * fy * fz, fx * fy * fz,
    ]
    var best: UInt16 = 0
    var bestWeight: Float = -1
    for candidate in 0..<8 {
        let same = weights.replacing(
            with: 0,
            where: unsafeBitCast(SIMD8<UInt32>(truncatingIfNeeded: found), to: SIMD8<Int32>.self)
                .!= Int32(found[candidate]))
        let weight = same.sum()
        if weight > bestWeight || (weight == bestWeight && found[candidate] < best) {
            (best, bestWeight) = (found[candidate], weight)
        }
    }
    return best
}

/// Lower voxel and fraction along an axis of n voxels; nil more than half a voxel outside or not a number.
private func corner(_ position: Float, _ n: Int) -> (index: Int, fraction: Float)? {
    guard position >= -0.5, position <= Float(n) - 0.5 else { return nil }
    let inside = min(max(position, 0), Float(n - 1))
    let low = Int(inside)
    return (low, inside - Float(low))
}

/// Nearest-voxel resampling of any element type.
private func nearest<Element>(
    _ values: [Element], _ grid: VoxelGrid, to target: VoxelGrid, through map: SpatialMap, outside: Element,
    threads: Int
) throws -> [Element] {
    let plan = try PositionPlan(from: target, through: map, to: grid)
    var result = [Element](repeating: outside, count: target.count)
    values.withUnsafeBufferPointer { source in
        result.withUnsafeMutableBufferPointer { output in
            let to = output.baseAddress!
            let (endX, endY, endZ) = (Float(grid.nx) - 0.5, Float(grid.ny) - 0.5, Float(grid.nz) - 0.5)
            plan.forEachRow(of: target, threads: threads) { row, first in
                for n in 0..<target.nx {
                    let (x, y, z) = (row.x[n], row.y[n], row.z[n])
                    guard x >= -0.5, y >= -0.5, z >= -0.5, x < endX, y < endY, z < endZ else { continue }
                    let i = max(0, Int((x + 0.5).rounded(.down)))
                    let j = max(0, Int((y + 0.5).rounded(.down)))
                    let k = max(0, Int((z + 0.5).rounded(.down)))
                    to[first + n] = source[grid.index(min(i, grid.nx - 1), min(j, grid.ny - 1), min(k, grid.nz - 1))]
                }
            }
        }
    }
    return result
}
