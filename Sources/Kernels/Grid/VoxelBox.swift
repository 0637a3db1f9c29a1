/// A box of voxels of a grid, which may reach beyond it: for cropping to a region and padding around it.
package struct VoxelBox: Sendable, Hashable {
    /// The first voxel, and the one after the last, in indices of the grid it was cut from.
    package let lower: SIMD3<Int>
    package let upper: SIMD3<Int>
    /// The box as a grid of its own: same spacing and directions, shifted origin.
    package let grid: VoxelGrid
}

extension VoxelGrid {
    /// The box of voxels `lower` ..< `upper`; may reach beyond this grid.
    package func box(from lower: SIMD3<Int>, to upper: SIMD3<Int>) -> VoxelBox {
        let shift = Affine.translation(SIMD3(Double(lower.x), Double(lower.y), Double(lower.z)))
        let size = upper &- lower
        return VoxelBox(
            lower: lower, upper: upper, grid: VoxelGrid(nx: size.x, ny: size.y, nz: size.z, affine: affine * shift))
    }

    /// The box of all voxels.
    package var wholeBox: VoxelBox { box(from: SIMD3(0, 0, 0), to: SIMD3(nx, ny, nz)) }

    /// Copies the values of this grid to those of a box of it; places beyond this grid take `fill`.
    package func copy<Element>(_ values: [Element], to box: VoxelBox, fill: Element) -> [Element] {
        var result = [Element](repeating: fill, count: box.grid.count)
        let (fromX, toX) = (max(0, box.lower.x), min(nx, box.upper.x))
        guard fromX < toX else { return result }
        result.withUnsafeMutableBufferPointer { target in
            values.withUnsafeBufferPointer { source in
                for k in max(0, box.lower.z)..<max(0, box.lower.z, min(nz, box.upper.z)) {
                    for j in max(0, box.lower.y)..<max(0, box.lower.y, min(ny, box.upper.y)) {
                        let to = box.grid.index(fromX - box.lower.x, j - box.lower.y, k - box.lower.z)
                        let from = index(fromX, j, k)
                        (target.baseAddress! + to).update(from: source.baseAddress! + from, count: toX - fromX)
                    }
                }
            }
        }
        return result
    }
}

extension Volume {
    /// The values in a box of this grid; `fill` beyond it.
    package func copied(to box: VoxelBox, fill: Float = 0) -> Volume {
        Volume(grid: box.grid, values: grid.copy(values, to: box, fill: fill))
    }
}

extension Mask {
    /// The part in a box of this grid; outside beyond it.
    package func copied(to box: VoxelBox) -> Mask {
        Mask(grid: box.grid, values: grid.copy(values, to: box, fill: 0))
    }

    /// The smallest box holding every inside voxel, widened by `margin` mm on all sides but not beyond the grid;
    /// nil when the mask is empty.
    package func boundingBox(marginMillimetres margin: Double = 0) -> VoxelBox? {
        var lower = SIMD3(repeating: Int.max)
        var upper = SIMD3(repeating: -1)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let row = grid.index(0, j, k)
                guard let first = (0..<grid.nx).first(where: { values[row + $0] != 0 }),
                    let last = (0..<grid.nx).last(where: { values[row + $0] != 0 })
                else { continue }
                lower = SIMD3(min(lower.x, first), min(lower.y, j), min(lower.z, k))
                upper = SIMD3(max(upper.x, last), max(upper.y, j), max(upper.z, k))
            }
        }
        guard upper.x >= 0 else { return nil }
        let spacing = grid.spacingMillimetres
        func steps(_ axis: Int) -> Int { Int((margin / spacing[axis]).rounded(.up)) }
        let count = SIMD3(grid.nx, grid.ny, grid.nz)
        return grid.box(
            from: SIMD3(max(0, lower.x - steps(0)), max(0, lower.y - steps(1)), max(0, lower.z - steps(2))),
            to: SIMD3(
                min(count.x, upper.x + 1 + steps(0)), min(count.y, upper.y + 1 + steps(1)),
                min(count.z, upper.z + 1 + steps(2))))
    }
}

extension LabelMap {
    /// The labels in a box of this grid; 0 beyond it.
    package func copied(to box: VoxelBox) -> LabelMap {
        LabelMap(grid: box.grid, values: grid.copy(values, to: box, fill: 0))
    }
}
