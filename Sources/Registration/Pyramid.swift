import Kernels

/// Images made coarser without aliasing, each level computed once.
struct Pyramid {
    let volume: Volume
    let threads: Int
    private var levels: [Double: Volume] = [:]

    init(_ volume: Volume, threads: Int) {
        (self.volume, self.threads) = (volume, threads)
    }

    /// The image smoothed for sampling every `spacing` mm, on its own grid; the image itself when that is not coarser.
    mutating func smoothed(forSpacing spacing: Double) -> Volume {
        let own = volume.grid.spacingMillimetres
        // Half the new spacing removes what it cannot carry; what the voxels already blur is left out.
        var sigma = SIMD3<Double>()
        for axis in 0..<3 where spacing > 1.2 * own[axis] {
            let square = 0.25 * (spacing * spacing - own[axis] * own[axis])
            sigma[axis] = square.squareRoot() / own[axis]
        }
        if sigma == SIMD3() { return volume }
        if let known = levels[spacing] { return known }
        let level = volume.smoothed(sigmaVoxels: sigma, threads: threads)
        levels[spacing] = level
        return level
    }

    /// The image on a coarser grid of about `spacing` mm along its own axes.
    mutating func coarse(_ spacing: Double) throws -> Volume {
        let smooth = smoothed(forSpacing: spacing)
        let grid = Self.coarseGrid(volume.grid, spacing)
        return grid == volume.grid ? smooth : try smooth.resampled(to: grid, threads: threads)
    }

    static func coarse(_ volume: Volume, _ spacing: Double, threads: Int) throws -> Volume {
        var pyramid = Pyramid(volume, threads: threads)
        return try pyramid.coarse(spacing)
    }

    mutating func forget() { levels = [:] }

    /// A grid over the same extent with voxels of `spacing` mm, or the own voxel size where that is larger.
    static func coarseGrid(_ grid: VoxelGrid, _ spacing: Double) -> VoxelGrid {
        let own = grid.spacingMillimetres
        var factor = SIMD3<Double>(1, 1, 1)
        var count = SIMD3(grid.nx, grid.ny, grid.nz)
        for axis in 0..<3 where spacing > 1.2 * own[axis] {
            factor[axis] = spacing / own[axis]
            count[axis] = max(1, Int((Double(count[axis] - 1) / factor[axis]).rounded(.down)) + 1)
        }
        // Centred: the remainder is shared by both ends.
        let last = SIMD3(Double(grid.nx - 1), Double(grid.ny - 1), Double(grid.nz - 1))
        let used = factor * SIMD3(Double(count.x - 1), Double(count.y - 1), Double(count.z - 1))
        let start = Affine.translation((last - used) / 2)
        return VoxelGrid(nx: count.x, ny: count.y, nz: count.z, affine: grid.affine * start * .scaling(factor))
    }
}
