/// A displacement in world mm at every voxel of a grid: the point at world position p is moved to p + d(p).
///
/// Outside the grid the displacement of its nearest edge point holds.
package struct DisplacementField: Sendable {
    package let grid: VoxelGrid
    /// World components (x to the right, y to the front, z up), mm; one value per voxel, i fastest.
    package var x: [Float]
    package var y: [Float]
    package var z: [Float]

    package init(grid: VoxelGrid, x: [Float], y: [Float], z: [Float]) {
        precondition(
            x.count == grid.count && y.count == grid.count && z.count == grid.count,
            "a displacement field has three components of \(grid.count) values")
        (self.grid, self.x, self.y, self.z) = (grid, x, y, z)
    }

    /// The field that moves nothing.
    package init(grid: VoxelGrid) {
        let zeros = [Float](repeating: 0, count: grid.count)
        self.init(grid: grid, x: zeros, y: zeros, z: zeros)
    }
}

/// A map from world mm to world mm, made of steps applied one after the other: first step first.
///
/// To resample an image B onto the grid of A, the map takes a world point of A to the world point of B shown there.
package struct SpatialMap: Sendable {
    package enum Step: Sendable {
        case affine(Affine)
        case displacement(DisplacementField)
    }

    package var steps: [Step]

    package init(_ steps: [Step]) { self.steps = steps }

    package static let identity = SpatialMap([])

    package static func affine(_ affine: Affine) -> SpatialMap { SpatialMap([.affine(affine)]) }

    /// This map, then `next`.
    package func then(_ next: SpatialMap) -> SpatialMap { SpatialMap(steps + next.steps) }
}
