extension LatticeField {
    /// Finds v with v(p) + u(p + v(p)) = 0: the displacement that undoes this one.
    ///
    /// A plain fixed-point iteration diverges wherever this field shrinks space by more than half. So every voxel is
    /// first carried along and leaves −u where it lands, which is right to within a voxel or so after the gaps are
    /// filled; Newton's method does the rest.
    ///
    /// - Parameters:
    ///   - inverse: overwritten.
    ///   - scratch: two buffers of the same lattice.
    ///   - tolerance: stop when no residual is longer, in voxels.
    package func invert(
        into inverse: LatticeField, scratch: (LatticeBuffer, LatticeBuffer), iterations: Int = 12,
        tolerance: Float = 0.005, threads: Int
    ) {
        scatter(into: inverse, scratch: scratch, threads: threads)
        let (nx, ny, nz) = (lattice.nx, lattice.ny, lattice.nz)
        let rowsPerPiece = 64
        let pieces = (lattice.rows + rowsPerPiece - 1) / rowsPerPiece
        for _ in 0..<iterations {
            let squares = Parallel.map(pieces, threads: threads) { piece in
                var square: Float = 0
                for r in piece * rowsPerPiece..<min(lattice.rows, (piece + 1) * rowsPerPiece) {
                    let at = r * nx
                    let found = invertRow(
                        x.values, y.values, z.values, nx, ny, nz, inverse.x.values + at, inverse.y.values + at,
                        inverse.z.values + at, 1, r % ny, r / ny)
                    square = max(square, found)
                }
                return square
            }
            if squares.reduce(0, max).squareRoot() <= tolerance { break }
        }
    }

    /// Every voxel leaves its displacement, reversed, where it lands; a narrow Gaussian spreads what is left into the
    /// gaps. One thread, so that sums have one order.
    private func scatter(
        into inverse: LatticeField, scratch: (LatticeBuffer, LatticeBuffer), threads: Int
    ) {
        let (nx, ny, nz) = (lattice.nx, lattice.ny, lattice.nz)
        let density = scratch.0
        for buffer in inverse.components + [density] { buffer.fill(0) }
        func nearest(_ position: Float, _ n: Int) -> Int { min(max(Int((position + 0.5).rounded(.down)), 0), n - 1) }
        for k in 0..<nz {
            for j in 0..<ny {
                for i in 0..<nx {
                    let from = i + nx * (j + ny * k)
                    let (ux, uy, uz) = (x.values[from], y.values[from], z.values[from])
                    let to =
                        nearest(Float(i) + ux, nx)
                        + nx * (nearest(Float(j) + uy, ny) + ny * nearest(Float(k) + uz, nz))
                    inverse.x.values[to] -= ux
                    inverse.y.values[to] -= uy
                    inverse.z.values[to] -= uz
                    density.values[to] += 1
                }
            }
        }
        let taps = GaussianTaps(sigmaVoxels: 1)
        for buffer in inverse.components + [density] {
            Gaussian.smooth(
                buffer.values, into: buffer.values, scratch: scratch.1.values, nx: nx, ny: ny, nz: nz,
                taps: (x: taps, y: taps, z: taps), threads: threads)
        }
        for n in 0..<lattice.count {
            let share = density.values[n] > 1e-6 ? 1 / density.values[n] : 0
            inverse.x.values[n] *= share
            inverse.y.values[n] *= share
            inverse.z.values[n] *= share
        }
    }
}
