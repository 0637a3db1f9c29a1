// Morphology with a ball of a given radius, by exact distances: works alike for any voxel size. What lies outside the
// grid is unknown; it neither grows a mask nor eats into it.

extension Mask {
    /// Voxels whose centre is at most `radius` mm from a voxel inside.
    package func dilated(radiusMillimetres radius: Double, threads: Int = 1) -> Mask {
        let limit = Float(radius * radius * (1 + 1e-6))
        return Mask(
            grid: grid, values: squaredDistanceMillimetres(threads: threads).values.map { $0 <= limit ? 1 : 0 })
    }

    /// Voxels whose centre is more than `radius` mm from every voxel outside.
    package func eroded(radiusMillimetres radius: Double, threads: Int = 1) -> Mask {
        complement.dilated(radiusMillimetres: radius, threads: threads).complement
    }

    /// Dilated, then eroded: gaps and dents narrower than the ball are closed.
    ///
    /// The grid is padded meanwhile, so that a mask near the edge comes out as it would on a larger grid.
    package func closed(radiusMillimetres radius: Double, threads: Int = 1) -> Mask {
        let spacing = grid.spacingMillimetres
        let margin = SIMD3(
            Int((radius / spacing.x).rounded(.up)) + 1, Int((radius / spacing.y).rounded(.up)) + 1,
            Int((radius / spacing.z).rounded(.up)) + 1)
        let box = grid.box(from: SIMD3(repeating: 0) &- margin, to: SIMD3(grid.nx, grid.ny, grid.nz) &+ margin)
        let padded = copied(to: box).dilated(radiusMillimetres: radius, threads: threads)
            .eroded(radiusMillimetres: radius, threads: threads)
        let inner = box.grid.box(from: margin, to: margin &+ SIMD3(grid.nx, grid.ny, grid.nz))
        return Mask(grid: grid, values: padded.copied(to: inner).values)
    }

    /// Eroded, then dilated: parts and bridges narrower than the ball are removed.
    package func opened(radiusMillimetres radius: Double, threads: Int = 1) -> Mask {
        eroded(radiusMillimetres: radius, threads: threads).dilated(radiusMillimetres: radius, threads: threads)
    }

    /// What is not inside.
    package var complement: Mask { Mask(grid: grid, values: values.map { $0 == 0 ? 1 : 0 }) }
}
