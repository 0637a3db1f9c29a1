/// A displacement field on a lattice in voxels of that lattice: voxel p goes to p + u(p).
///
/// Beyond the lattice the displacement of the nearest edge point holds.
package final class LatticeField {
    package let lattice: Lattice
    package let x: LatticeBuffer
    package let y: LatticeBuffer
    package let z: LatticeBuffer

    /// Moves nothing.
    package init(_ lattice: Lattice) {
        self.lattice = lattice
        (x, y, z) = (LatticeBuffer(lattice), LatticeBuffer(lattice), LatticeBuffer(lattice))
    }

    package var components: [LatticeBuffer] { [x, y, z] }

    private static let rowsPerPiece = 64

    /// Values of `moving` at matrix·(p + u(p)) for every voxel p of the lattice.
    ///
    /// - Parameters:
    ///   - matrix: voxels of this lattice → voxels of `moving`.
    ///   - outside: value beyond the moving image.
    package func warp(
        _ moving: Volume, matrix: Affine, outside: Float, into target: LatticeBuffer, threads: Int
    ) {
        let (nx, ny) = (lattice.nx, lattice.ny)
        let grid = moving.grid
        let coefficients = matrix.coefficients
        moving.values.withUnsafeBufferPointer { source in
            coefficients.withUnsafeBufferPointer { m in
                Parallel.forRanges(lattice.rows, piece: Self.rowsPerPiece, threads: threads) { rows in
                    for r in rows {
                        let at = r * nx
                        warpRow(
                            source.baseAddress!, grid.nx, grid.ny, grid.nz, m.baseAddress!, x.values + at,
                            y.values + at, z.values + at, nx, r % ny, r / ny, outside, target.values + at)
                    }
                }
            }
        }
    }

    /// The composition "first `step`·scale, then this field", written to `target`.
    package func composed(
        after step: LatticeField, scale: Float, into target: LatticeField, threads: Int
    ) {
        let (nx, ny, nz) = (lattice.nx, lattice.ny, lattice.nz)
        Parallel.forRanges(lattice.rows, piece: Self.rowsPerPiece, threads: threads) { rows in
            for r in rows {
                let at = r * nx
                composeRow(
                    x.values, y.values, z.values, nx, ny, nz, step.x.values + at, step.y.values + at,
                    step.z.values + at, scale, r % ny, r / ny, target.x.values + at, target.y.values + at,
                    target.z.values + at)
            }
        }
    }

    /// Largest displacement, in voxels.
    package func largestLength(threads: Int) -> Float {
        let count = lattice.count
        let piece = 1 << 16
        let squares = Parallel.map((count + piece - 1) / piece, threads: threads) { n in
            let from = n * piece
            return largestSquare(x.values + from, y.values + from, z.values + from, min(piece, count - from))
        }
        return squares.reduce(0, max).squareRoot()
    }

    /// Root mean square length over the whole lattice, in voxels.
    package func rootMeanSquare(threads: Int) -> Double {
        let count = lattice.count
        let piece = 1 << 16
        let sums = Parallel.map((count + piece - 1) / piece, threads: threads) { n in
            let from = n * piece
            return sumOfSquares(x.values + from, y.values + from, z.values + from, min(piece, count - from))
        }
        return (sums.reduce(0, +) / Double(count)).squareRoot()
    }

    /// Turns forces into steps, in place: scale·force/(curvature + damping·mean curvature), shortened smoothly so that
    /// none is longer than `bound` voxels.
    package func toSteps(
        curvature: LatticeBuffer, damping: Double, scale: Float, bound: Float, threads: Int
    ) {
        let count = lattice.count
        let piece = 1 << 16
        let sums = Parallel.map((count + piece - 1) / piece, threads: threads) { n in
            sumOfValues(curvature.values + n * piece, min(piece, count - n * piece))
        }
        let mean = sums.reduce(0, +) / Double(count)
        guard mean > 0 else { return }
        Parallel.forRanges(count, piece: piece, threads: threads) { range in
            let from = range.lowerBound
            forceToStep(
                x.values + from, y.values + from, z.values + from, curvature.values + from, range.count,
                Float(damping * mean), scale, 1 / (bound * bound))
        }
    }

    /// Multiplies by a weight that rises from 0 on the border of the lattice to 1 `width` voxels inside.
    package func taper(width: Int, threads: Int) {
        func ramp(_ n: Int, _ count: Int) -> Float { min(1, Float(min(n, count - 1 - n)) / Float(width)) }
        let (nx, ny, nz) = (lattice.nx, lattice.ny, lattice.nz)
        let weights = (0..<nx).map { ramp($0, nx) }
        weights.withUnsafeBufferPointer { weights in
            Parallel.forRanges(lattice.rows, piece: Self.rowsPerPiece, threads: threads) { rows in
                for r in rows {
                    let at = r * nx
                    scaleRow(
                        x.values + at, y.values + at, z.values + at, nx, weights.baseAddress!,
                        ramp(r % ny, ny) * ramp(r / ny, nz))
                }
            }
        }
    }

    /// Smooths every component by a Gaussian, in place.
    package func smooth(_ taps: GaussianTaps, scratch: LatticeBuffer, threads: Int) {
        guard taps.radius > 0 else { return }
        for component in components {
            Gaussian.smooth(
                component.values, into: component.values, scratch: scratch.values, nx: lattice.nx, ny: lattice.ny,
                nz: lattice.nz, taps: (x: taps, y: taps, z: taps), threads: threads)
        }
    }

    /// Determinants of the Jacobian of p + u(p); 1 on the border of the lattice.
    package func jacobian(into target: LatticeBuffer, threads: Int) {
        let (nx, ny, nz) = (lattice.nx, lattice.ny, lattice.nz)
        Parallel.forRanges(lattice.rows, piece: Self.rowsPerPiece, threads: threads) { rows in
            for r in rows {
                jacobianRow(
                    x.values, y.values, z.values, nx, ny, nz, r % ny, r / ny, target.values + r * nx)
            }
        }
    }
}

// MARK: - Between lattices and the world

extension LatticeField {
    /// Takes over a field of another lattice, sampled here and converted to voxels of this one.
    ///
    /// - Parameters:
    ///   - grid: grid of the other field. `target`: grid of this one; both with the same directions of axes.
    package func copy(from other: LatticeField, grid: VoxelGrid, to target: VoxelGrid, threads: Int) {
        guard let worldToOther = grid.affine.inverse else { preconditionFailure("the grid of a lattice is regular") }
        let matrix = worldToOther * target.affine
        let ratio = grid.spacingMillimetres / target.spacingMillimetres
        Parallel.forRanges(lattice.rows, piece: 64, threads: threads) { rows in
            let row = PositionRow(capacity: lattice.nx)
            defer { row.deallocate() }
            for r in rows {
                row.fill(count: lattice.nx, j: r % lattice.ny, k: r / lattice.ny, matrix)
                let at = r * lattice.nx
                for component in components { (component.values + at).update(repeating: 0, count: lattice.nx) }
                addDisplacement(
                    other.x.values, other.y.values, other.z.values, other.lattice.nx, other.lattice.ny,
                    other.lattice.nz, row.x, row.y, row.z, lattice.nx, x.values + at, y.values + at, z.values + at)
                for n in at..<at + lattice.nx {
                    x.values[n] *= Float(ratio.x)
                    y.values[n] *= Float(ratio.y)
                    z.values[n] *= Float(ratio.z)
                }
            }
        }
    }

    /// The displacement in world mm on `grid`, the grid of this lattice.
    package func inWorld(_ grid: VoxelGrid) -> DisplacementField {
        precondition(grid.count == lattice.count, "the grid belongs to this lattice")
        var field = DisplacementField(grid: grid)
        let (a, b, c) = (grid.affine.rows.0, grid.affine.rows.1, grid.affine.rows.2)
        func mapped(_ row: SIMD4<Double>, _ values: inout [Float]) {
            let (rx, ry, rz) = (Float(row.x), Float(row.y), Float(row.z))
            for n in 0..<lattice.count { values[n] = rx * x.values[n] + ry * y.values[n] + rz * z.values[n] }
        }
        mapped(a, &field.x)
        mapped(b, &field.y)
        mapped(c, &field.z)
        return field
    }
}

extension LatticeBuffer {
    /// Takes over the values of a volume of the same size.
    package func copy(from volume: Volume) {
        precondition(volume.grid.count == lattice.count, "the volume has the size of the lattice")
        volume.values.withUnsafeBufferPointer { values.update(from: $0.baseAddress!, count: lattice.count) }
    }
}
