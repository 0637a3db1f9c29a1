/// Single-precision values on a grid; `values[grid.index(i, j, k)]`, i fastest.
package struct Volume: Sendable {
    package let grid: VoxelGrid
    package var values: [Float]

    package init(grid: VoxelGrid, values: [Float]) {
        precondition(values.count == grid.count, "\(values.count) values for a grid of \(grid.count) voxels")
        (self.grid, self.values) = (grid, values)
    }

    package init(grid: VoxelGrid, filledWith value: Float = 0) {
        self.init(grid: grid, values: [Float](repeating: value, count: grid.count))
    }

    package subscript(i: Int, j: Int, k: Int) -> Float {
        get { values[grid.index(i, j, k)] }
        set { values[grid.index(i, j, k)] = newValue }
    }
}

/// A yes-or-no value per voxel: 0 outside, 1 inside.
package struct Mask: Sendable {
    package let grid: VoxelGrid
    package var values: [UInt8]

    package init(grid: VoxelGrid, values: [UInt8]) {
        precondition(values.count == grid.count, "\(values.count) values for a grid of \(grid.count) voxels")
        (self.grid, self.values) = (grid, values)
    }

    package init(grid: VoxelGrid, filledWith value: UInt8 = 0) {
        self.init(grid: grid, values: [UInt8](repeating: value, count: grid.count))
    }

    /// Number of voxels inside.
    package var voxels: Int { values.reduce(0) { $0 + ($1 == 0 ? 0 : 1) } }
}

/// A region number per voxel; 0 is background.
package struct LabelMap: Sendable {
    package let grid: VoxelGrid
    package var values: [UInt16]

    package init(grid: VoxelGrid, values: [UInt16]) {
        precondition(values.count == grid.count, "\(values.count) values for a grid of \(grid.count) voxels")
        (self.grid, self.values) = (grid, values)
    }

    package init(grid: VoxelGrid) {
        self.init(grid: grid, values: [UInt16](repeating: 0, count: grid.count))
    }
}
