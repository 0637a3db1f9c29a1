import Kernels
import Radiomics
import TestSupport

/// Small regions for tests.
enum TestRegions {
    static func grid(_ nx: Int, _ ny: Int, _ nz: Int, spacing: SIMD3<Double> = SIMD3(1, 1, 1)) -> VoxelGrid {
        VoxelGrid(nx: nx, ny: ny, nz: nz, affine: .scaling(spacing))
    }

    /// Whole values 1 … levels in a random part of a box, which touches the borders of the image.
    static func random(_ generator: inout SeededGenerator, levels: Int, filled: Double = 0.7) throws -> RegionImage {
        let grid = grid(
            Int.random(in: 1...5, using: &generator), Int.random(in: 1...5, using: &generator),
            Int.random(in: 1...4, using: &generator), spacing: SIMD3(1, 1.5, 2))
        var image = Volume(grid: grid)
        var mask = Mask(grid: grid)
        for n in image.values.indices {
            image.values[n] = Float(Int.random(in: 1...levels, using: &generator))
            mask.values[n] = generator.uniform() < filled ? 1 : 0
        }
        if mask.voxels == 0 { mask.values[0] = 1 }
        guard let region = try RegionImage(image, mask: mask) else { preconditionFailure("an empty region") }
        return region
    }

    /// A ball of noise around a value.
    static func ball(radius: Double, spacing: SIMD3<Double>, seed: UInt64 = 1) throws -> (image: Volume, mask: Mask) {
        let size = (0..<3).map { Int((2 * radius / spacing[$0]).rounded(.up)) + 5 }
        let grid = grid(size[0], size[1], size[2], spacing: spacing)
        var generator = SeededGenerator(seed: seed)
        var image = Volume(grid: grid)
        var mask = Mask(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let d = grid.affine(SIMD3(Double(i), Double(j), Double(k))) - grid.centre
                    let n = grid.index(i, j, k)
                    mask.values[n] = (d * d).sum() <= radius * radius ? 1 : 0
                    image.values[n] = Float(100 + 40 * generator.gaussian())
                }
            }
        }
        return (image, mask)
    }
}
