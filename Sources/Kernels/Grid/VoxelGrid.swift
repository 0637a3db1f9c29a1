/// Where the voxels of an image are: counts along the three axes and the map from voxel index to world mm.
///
/// Voxel (i, j, k) is at flat index `i + nx * (j + ny * k)`: i runs fastest.
package struct VoxelGrid: Sendable, Hashable {
    package let nx: Int
    package let ny: Int
    package let nz: Int
    package let affine: Affine

    package init(nx: Int, ny: Int, nz: Int, affine: Affine) {
        precondition(nx > 0 && ny > 0 && nz > 0, "a grid has at least one voxel on each axis, not \(nx)×\(ny)×\(nz)")
        (self.nx, self.ny, self.nz, self.affine) = (nx, ny, nz, affine)
    }

    package var count: Int { nx * ny * nz }

    /// Voxel size in mm along i, j, k.
    package var spacingMillimetres: SIMD3<Double> { affine.columnLengths }

    package var voxelVolumeCubicMillimetres: Double { abs(affine.determinant) }

    /// World mm of the middle of the grid.
    package var centre: SIMD3<Double> { affine(SIMD3(Double(nx - 1), Double(ny - 1), Double(nz - 1)) / 2) }

    package func index(_ i: Int, _ j: Int, _ k: Int) -> Int { i + nx * (j + ny * k) }

    /// Whether two grids put every voxel at the same place, to within `tolerance` millimetres at the corners.
    package func matches(_ other: VoxelGrid, toleranceMillimetres tolerance: Double = 0.01) -> Bool {
        guard nx == other.nx, ny == other.ny, nz == other.nz else { return false }
        for corner in 0..<8 {
            let p = SIMD3(
                corner & 1 == 0 ? 0 : Double(nx - 1), corner & 2 == 0 ? 0 : Double(ny - 1),
                corner & 4 == 0 ? 0 : Double(nz - 1))
            let d = affine(p) - other.affine(p)
            if (d * d).sum().squareRoot() > tolerance { return false }
        }
        return true
    }
}

extension VoxelGrid {
    /// What tells two grids apart whose descriptions are the same, as the end of a clause; empty where those differ.
    package func placeClause(beside other: VoxelGrid) -> String {
        guard description == other.description else { return "" }
        let (a, b) = (affine(.zero), other.affine(.zero))
        func short(_ p: SIMD3<Double>) -> String {
            "(" + [p.x, p.y, p.z].map { "\(($0 * 100).rounded() / 100)" }.joined(separator: ", ") + ")"
        }
        let d = a - b
        return (d * d).sum().squareRoot() > 0.01
            ? ": their first voxels lie at \(short(a)) and \(short(b)) mm" : ": their axes point elsewhere"
    }
}

extension VoxelGrid: CustomStringConvertible {
    package var description: String {
        let s = spacingMillimetres
        func short(_ x: Double) -> String {
            let n = (x * 1000).rounded() / 1000
            return n == n.rounded() ? String(Int(n)) : String(n)
        }
        return "\(nx)×\(ny)×\(nz) voxels of \(short(s.x))×\(short(s.y))×\(short(s.z)) mm"
    }
}
