import Kernels

/// To which side of the body the voxel axes of an image point, to the nearest axis: "RAS" is i to the right, j to the
/// front (anterior), k up (superior).
package struct Orientation: Sendable, Hashable, CustomStringConvertible {
    /// World axis (0 left–right, 1 back–front, 2 down–up) of i, j and k.
    let axes: [Int]
    /// Whether i, j and k go towards right, front and up.
    let isPositive: [Bool]

    private static let letters: [[Character]] = [["L", "R"], ["P", "A"], ["I", "S"]]

    /// - Parameter code: three letters out of L/R, P/A and I/S in any order; nil for anything else.
    package init?(_ code: String) {
        var (axes, isPositive) = ([Int](), [Bool]())
        for letter in code {
            guard let axis = Self.letters.firstIndex(where: { $0.contains(letter) }) else { return nil }
            axes.append(axis)
            isPositive.append(Self.letters[axis][1] == letter)
        }
        guard axes.sorted() == [0, 1, 2] else { return nil }
        (self.axes, self.isPositive) = (axes, isPositive)
    }

    /// The assignment of voxel axes to world axes with the largest sum of cosines.
    package init(_ grid: VoxelGrid) {
        let lengths = grid.affine.columnLengths
        let cosines = (0..<3).map { grid.affine.column($0) / lengths[$0] }
        let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        func fit(_ p: [Int]) -> Double { (0..<3).reduce(0) { $0 + abs(cosines[$1][p[$1]]) } }
        let best = permutations.max { fit($0) < fit($1) }!
        axes = best
        isPositive = (0..<3).map { cosines[$0][best[$0]] > 0 }
    }

    package var description: String {
        String((0..<3).map { Self.letters[axes[$0]][isPositive[$0] ? 1 : 0] })
    }
}

extension VoxelGrid {
    /// A grid over the same part of space, its axes in another order and direction and its voxels of another size.
    ///
    /// - Parameters:
    ///   - orientation: where the new axes point; nil keeps them.
    ///   - spacing: voxel size along the new axes; nil keeps that of each axis.
    package func regridded(orientation: Orientation?, spacingMillimetres spacing: SIMD3<Double>?) -> VoxelGrid {
        let present = Orientation(self)
        let wanted = orientation ?? present
        let counts = [nx, ny, nz]
        let old = spacingMillimetres
        var columns: [SIMD3<Double>] = []
        var (newCounts, corner) = ([Int](), affine(SIMD3(-0.5, -0.5, -0.5)))
        for axis in 0..<3 {
            // The present axis that runs along the same side of the body.
            let from = present.axes.firstIndex(of: wanted.axes[axis])!
            let isReversed = present.isPositive[from] != wanted.isPositive[axis]
            let extent = Double(counts[from]) * old[from]
            let step = spacing?[axis] ?? old[from]
            // Part of a voxel at the end is kept when it is more than a hundredth.
            let count = max(1, Int((extent / step - 0.01).rounded(.up)))
            let direction = affine.column(from) / old[from]
            if isReversed { corner += direction * extent }
            columns.append(direction * (isReversed ? -step : step))
            newCounts.append(count)
            // Where voxels do not fill the extent exactly, the overhang is shared by both sides.
            let overhang = Double(count) * step - extent
            corner += direction * (isReversed ? overhang / 2 : -overhang / 2)
        }
        let origin = corner + (columns[0] + columns[1] + columns[2]) / 2
        func row(_ r: Int) -> SIMD4<Double> { SIMD4(columns[0][r], columns[1][r], columns[2][r], origin[r]) }
        return VoxelGrid(
            nx: newCounts[0], ny: newCounts[1], nz: newCounts[2], affine: Affine(row(0), row(1), row(2)))
    }
}
