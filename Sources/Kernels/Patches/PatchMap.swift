/// Where a volume is looked up for every voxel of a patch: one composed map, so that a patch is resampled once however
/// many changes of shape it goes through. Voxel indices on both sides, (i, j, k) with i along width.
package struct PatchMap: Sendable {
    /// What is seen beyond the volume.
    package enum Beyond: Sendable, Hashable {
        case value(Float)
        /// The nearest voxel at the border.
        case edge
    }

    /// The patch, in voxels.
    package let size: Extent3
    /// From displaced patch voxel to voxel of the volume.
    package let affine: Affine
    /// Displacements along i, j, k in patch voxels, added before the affine map.
    package let displacement: (i: SplineLattice, j: SplineLattice, k: SplineLattice)?

    package init(
        size: Extent3, affine: Affine, displacement: (i: SplineLattice, j: SplineLattice, k: SplineLattice)? = nil
    ) {
        if let displacement {
            precondition(
                displacement.i.size == size && displacement.j.size == size && displacement.k.size == size,
                "displacements belong to the patch of \(size)")
        }
        (self.size, self.affine, self.displacement) = (size, affine, displacement)
    }

    /// Values of a volume of `volume` voxels at the patch's places, to `target` (size.product values).
    ///
    /// - Parameter isCubic: cubic convolution instead of trilinear interpolation.
    package func sample(
        _ values: UnsafePointer<Float>, volume: Extent3, isCubic: Bool, beyond: Beyond,
        to target: UnsafeMutablePointer<Float>, threads: Int = 1
    ) {
        var outside: Float = 0
        var keepsInside = false
        switch beyond {
        case .value(let value): outside = value
        case .edge: keepsInside = true
        }
        if let steps = WholeSteps(self) {
            return copy(
                values, volume: volume, steps: steps, outside: keepsInside ? nil : outside, to: target,
                threads: threads)
        }
        let sample = isCubic ? sampleCubic : sampleLinear
        forEachRow(threads: threads) { row, first in
            if keepsInside { row.keepInside(volume, count: size.width) }
            sample(
                values, volume.width, volume.height, volume.depth, row.x, row.y, row.z, size.width, outside,
                target + first)
        }
    }

    /// Labels of the nearest voxels; `outside` beyond the volume, or the border's label where it is nil.
    package func sampleNearest<Label>(
        _ labels: UnsafePointer<Label>, volume: Extent3, outside: Label?, to target: UnsafeMutablePointer<Label>,
        threads: Int = 1
    ) {
        if let steps = WholeSteps(self) {
            return copy(labels, volume: volume, steps: steps, outside: outside, to: target, threads: threads)
        }
        let (endX, endY) = (Float(volume.width) - 0.5, Float(volume.height) - 0.5)
        let endZ = Float(volume.depth) - 0.5
        forEachRow(threads: threads) { row, first in
            for n in 0..<size.width {
                let (x, y, z) = (row.x[n], row.y[n], row.z[n])
                if let outside, !(x >= -0.5 && y >= -0.5 && z >= -0.5 && x < endX && y < endY && z < endZ) {
                    target[first + n] = outside
                    continue
                }
                let i = nearestVoxel(x, volume.width)
                let j = nearestVoxel(y, volume.height)
                let k = nearestVoxel(z, volume.depth)
                target[first + n] = labels[(k * volume.height + j) * volume.width + i]
            }
        }
    }

    /// What `sample` does where voxels fall on voxels, bit for bit.
    private func copy<Value>(
        _ values: UnsafePointer<Value>, volume: Extent3, steps: WholeSteps, outside: Value?,
        to target: UnsafeMutablePointer<Value>, threads: Int
    ) {
        let last = SIMD3(volume.width - 1, volume.height - 1, volume.depth - 1)
        Parallel.forRanges(size.depth * size.height, piece: 256, threads: threads) { rows in
            for r in rows {
                var place = steps.first &+ steps.y &* (r % size.height) &+ steps.z &* (r / size.height)
                let row = target + r * size.width
                for x in 0..<size.width {
                    let inside = place.clamped(lowerBound: SIMD3(), upperBound: last)
                    if let outside, inside != place {
                        row[x] = outside
                    } else {
                        row[x] = values[(inside.z * volume.height + inside.y) * volume.width + inside.x]
                    }
                    place &+= steps.x
                }
            }
        }
    }

    private func forEachRow(threads: Int, _ body: (PositionRow, Int) -> Void) {
        let matrix = affine.coefficients
        Parallel.forRanges(size.depth * size.height, piece: 64, threads: threads) { rows in
            let row = PositionRow(capacity: size.width)
            defer { row.deallocate() }
            for r in rows {
                let (y, z) = (r % size.height, r / size.height)
                if let displacement {
                    displacement.i.row(y: y, z: z, to: row.x)
                    displacement.j.row(y: y, z: z, to: row.y)
                    displacement.k.row(y: y, z: z, to: row.z)
                    for x in 0..<size.width {
                        row.x[x] += Float(x)
                        row.y[x] += Float(y)
                        row.z[x] += Float(z)
                    }
                    row.apply(matrix, count: size.width)
                } else {
                    row.fill(count: size.width, j: y, k: z, affine)
                }
                body(row, r * size.width)
            }
        }
    }
}

/// A map that takes voxels to voxels: shifts by whole voxels, flips, quarter turns and their compositions.
private struct WholeSteps {
    /// The voxel that the first voxel of the patch shows, and the steps from there along the axes of the patch.
    let first, x, y, z: SIMD3<Int>

    init?(_ map: PatchMap) {
        guard map.displacement == nil else { return nil }
        func whole(_ v: SIMD3<Double>) -> SIMD3<Int>? {
            let rounded = v.rounded(.toNearestOrEven)
            let difference = v - rounded
            // Well below what single-precision positions can tell, well above rounding in double precision.
            guard (difference * difference).sum() < 1e-18, (v * v).sum() < 1e12 else { return nil }
            return SIMD3<Int>(rounded)
        }
        guard let first = whole(map.affine.translation), let x = whole(map.affine.column(0)),
            let y = whole(map.affine.column(1)), let z = whole(map.affine.column(2))
        else { return nil }
        (self.first, self.x, self.y, self.z) = (first, x, y, z)
    }
}

private func nearestVoxel(_ position: Float, _ count: Int) -> Int {
    // A position that is not a number counts as the first voxel.
    guard position > 0 else { return 0 }
    return min(Int(min(position, Float(count)) + 0.5), count - 1)
}

extension PositionRow {
    /// Moves positions beyond the outermost voxel centres to them, and what is not a number to the first.
    func keepInside(_ volume: Extent3, count: Int) {
        let (lastX, lastY, lastZ) = (Float(volume.width - 1), Float(volume.height - 1), Float(volume.depth - 1))
        for n in 0..<count {
            x[n] = x[n] > 0 ? min(x[n], lastX) : 0
            y[n] = y[n] > 0 ? min(y[n], lastY) : 0
            z[n] = z[n] > 0 ? min(z[n], lastZ) : 0
        }
    }
}
