import Kernels

/// Where a map has values.
package enum Coverage {
    /// Connected exact zeros in this number or more are a part the map does not cover, not values.
    ///
    /// Maps are filled with exact zeros where nothing was computed. Single zeros do occur as values in maps stored as
    /// whole ppb, but not so many side by side.
    package static let smallestZeroPatch = 27

    /// Inside where `map` has a value: finite, not part of a patch of exact zeros (through shared faces; a patch at the
    /// edge of the grid counts at any size), and inside `mask` when one is given.
    ///
    /// - Throws: `GridError.mismatch` when `mask` lies on another grid.
    package static func mask(of map: Volume, within mask: Mask? = nil) throws -> Mask {
        if let mask, !mask.grid.matches(map.grid) {
            throw GridError.mismatch(first: "the map", firstGrid: map.grid, second: "the mask", secondGrid: mask.grid)
        }
        let grid = map.grid
        let zeros = Mask(grid: grid, values: map.values.map { $0 == 0 ? 1 : 0 })
        let patches = zeros.components(.faces)
        var isPatch = [false] + patches.sizes.map { $0 >= smallestZeroPatch }
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let rowAtEdge = k == 0 || k == grid.nz - 1 || j == 0 || j == grid.ny - 1
                for i in stride(from: 0, to: grid.nx, by: rowAtEdge ? 1 : max(1, grid.nx - 1)) {
                    let label = Int(patches.labels[grid.index(i, j, k)])
                    if label != 0 { isPatch[label] = true }
                }
            }
        }
        var result = mask ?? Mask(grid: grid, filledWith: 1)
        for index in result.values.indices
        where result.values[index] != 0 && (!map.values[index].isFinite || isPatch[Int(patches.labels[index])]) {
            result.values[index] = 0
        }
        return result
    }
}
