import Kernels

/// Which voxel axis runs to the right, to the front and up, and whether against its numbering: the signed permutation
/// of axes that comes closest to RAS. Oblique images are shown along their own axes.
struct DisplayAxes: Sendable, Equatable {
    /// Voxel axis (0, 1, 2) for right, front and up.
    var axis: SIMD3<Int>
    /// Whether the voxel index falls along right, front, up.
    var flipped: SIMD3<Int>

    init(_ grid: VoxelGrid) {
        let lengths = grid.affine.columnLengths
        let columns = (0..<3).map { grid.affine.column($0) / lengths[$0] }
        let orders = [
            SIMD3(0, 1, 2), SIMD3(0, 2, 1), SIMD3(1, 0, 2), SIMD3(1, 2, 0), SIMD3(2, 0, 1), SIMD3(2, 1, 0),
        ]
        var (best, bestFit) = (orders[0], -1.0)
        for order in orders {
            let fit = (0..<3).reduce(0.0) { $0 + abs(columns[order[$1]][$1]) }
            if fit > bestFit + 1e-9 { (best, bestFit) = (order, fit) }
        }
        axis = best
        flipped = SIMD3(0, 0, 0)
        for direction in 0..<3 where columns[best[direction]][direction] < 0 { flipped[direction] = 1 }
    }

    /// Voxels along right, front and up.
    func size(of grid: VoxelGrid) -> SIMD3<Int> {
        let size = SIMD3(grid.nx, grid.ny, grid.nz)
        return SIMD3(size[axis.x], size[axis.y], size[axis.z])
    }

    func spacing(of grid: VoxelGrid) -> SIMD3<Double> {
        let spacing = grid.spacingMillimetres
        return SIMD3(spacing[axis.x], spacing[axis.y], spacing[axis.z])
    }

    /// Flat index of the voxel that is p.x from the left, p.y from the back and p.z from the bottom.
    func index(_ p: SIMD3<Int>, in grid: VoxelGrid) -> Int {
        let size = SIMD3(grid.nx, grid.ny, grid.nz)
        var voxel = SIMD3(0, 0, 0)
        for direction in 0..<3 {
            let a = axis[direction]
            voxel[a] = flipped[direction] == 1 ? size[a] - 1 - p[direction] : p[direction]
        }
        return grid.index(voxel.x, voxel.y, voxel.z)
    }

    /// A box of voxels in these axes: the smallest that holds every index for which `isInside` holds; nil when none does.
    func bounds(in grid: VoxelGrid, where isInside: (Int) -> Bool) -> (lower: SIMD3<Int>, upper: SIMD3<Int>)? {
        let size = SIMD3(grid.nx, grid.ny, grid.nz)
        var lower = SIMD3(repeating: Int.max)
        var upper = SIMD3(repeating: Int.min)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx where isInside(grid.index(i, j, k)) {
                    let v = SIMD3(i, j, k)
                    for a in 0..<3 {
                        lower[a] = min(lower[a], v[a])
                        upper[a] = max(upper[a], v[a])
                    }
                }
            }
        }
        guard lower.x <= upper.x else { return nil }
        var (first, last) = (SIMD3(0, 0, 0), SIMD3(0, 0, 0))
        for direction in 0..<3 {
            let a = axis[direction]
            first[direction] = flipped[direction] == 1 ? size[a] - 1 - upper[a] : lower[a]
            last[direction] = flipped[direction] == 1 ? size[a] - 1 - lower[a] : upper[a]
        }
        return (first, last)
    }
}
