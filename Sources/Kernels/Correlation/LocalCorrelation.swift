/// Squared local cross-correlation of a fixed image with warped moving images on the same lattice, and its derivative.
///
/// The score is the weighted mean over voxels of s_fm²/(s_ff·s_mm) with sums over a cube of (2·radius + 1)³ voxels.
/// - Source: Avants et al., Med Image Anal 12 (2008) 26–41; derivative taken over all windows that see a voxel.
package final class LocalCorrelation {
    package let lattice: Lattice
    package let radius: Int
    private let fixed: LatticeBuffer
    private let weight: LatticeBuffer
    private let floor: Float
    private let mean: LatticeBuffer
    private let deviation: LatticeBuffer
    private let a: LatticeBuffer
    private let b: LatticeBuffer
    private let c: LatticeBuffer
    private let planesPerPiece = 24

    /// - Parameters:
    ///   - fixed: intensities scaled to about 0…1.
    ///   - weight: how much the window around each voxel counts, 0…1.
    ///   - noise: standard deviation (in units of intensity) below which a window carries no information.
    package init(fixed: LatticeBuffer, weight: LatticeBuffer, radius: Int, noise: Float, threads: Int) {
        precondition(radius >= 1, "a window has a radius of at least one voxel")
        self.lattice = fixed.lattice
        (self.fixed, self.weight, self.radius) = (fixed, weight, radius)
        let side = Float(2 * radius + 1)
        floor = side * side * side * noise * noise
        mean = LatticeBuffer(lattice)
        deviation = LatticeBuffer(lattice)
        a = LatticeBuffer(lattice)
        b = LatticeBuffer(lattice)
        c = LatticeBuffer(lattice)
        forPieces(threads) { _, planes, scratch in
            localMoments(
                fixed.values, lattice.nx, lattice.ny, lattice.nz, planes.lowerBound, planes.upperBound, radius, scratch,
                mean.values, deviation.values)
        }
    }

    private var pieces: Int { (lattice.nz + planesPerPiece - 1) / planesPerPiece }

    private func forPieces(_ threads: Int, _ body: (Int, Range<Int>, MutableFloats) -> Void) {
        let scratchCount = correlationScratchCount(lattice.nx, lattice.ny, radius)
        Parallel.forEach(pieces, threads: threads) { piece in
            let scratch = MutableFloats.allocate(capacity: scratchCount)
            scratch.initialize(repeating: 0, count: scratchCount)
            defer { scratch.deallocate() }
            body(piece, piece * planesPerPiece..<min(lattice.nz, (piece + 1) * planesPerPiece), scratch)
        }
    }

    /// The score, 0…1, of a moving image already on the lattice. Also prepares `force`.
    package func score(_ moving: LatticeBuffer, threads: Int) -> Double {
        var sums = [Double](repeating: 0, count: 2 * pieces)
        sums.withUnsafeMutableBufferPointer { sums in
            let base = sums.baseAddress!
            forPieces(threads) { piece, planes, scratch in
                correlationTerms(
                    fixed.values, mean.values, deviation.values, moving.values, weight.values, lattice.nx, lattice.ny,
                    lattice.nz, planes.lowerBound, planes.upperBound, radius, floor, scratch, a.values, b.values,
                    c.values, base + 2 * piece)
            }
        }
        var (total, weights) = (0.0, 0.0)
        for piece in 0..<pieces {
            total += sums[2 * piece]
            weights += sums[2 * piece + 1]
        }
        return weights > 0 ? total / weights : 0
    }

    /// Derivative of the summed score with respect to the displacement of each voxel of the moving image last scored,
    /// and how fast that derivative falls along its direction (0 or more).
    package func force(
        _ moving: LatticeBuffer, into target: LatticeField, curvature: LatticeBuffer, threads: Int
    ) {
        forPieces(threads) { _, planes, scratch in
            correlationForce(
                fixed.values, moving.values, a.values, b.values, c.values, lattice.nx, lattice.ny, lattice.nz,
                planes.lowerBound, planes.upperBound, radius, scratch, target.x.values, target.y.values,
                target.z.values, curvature.values)
        }
    }
}
