import Kernels
import Radiomics

/// Mean χ of every region in every slice along the third axis of a map.
struct SliceMeans {
    private let grid: VoxelGrid
    /// By slice that meets a region, from the first on: its place, and by region the mean; nil where the slice has no value
    /// of the region.
    private let slices: [(place: Int, means: [Double?])]

    /// - Parameter regions: their labels, in the order of the means.
    /// - Throws: `GridError.mismatch` where the mask lies on another grid.
    init(_ map: Volume, _ labels: LabelMap, within mask: Mask?, of regions: [UInt16]) throws {
        grid = map.grid
        let coverage = try Coverage.mask(of: map, within: mask)
        var places = [Int](repeating: -1, count: 1 << 16)
        for (place, label) in regions.enumerated() { places[Int(label)] = place }
        let plane = grid.nx * grid.ny
        slices = (0..<grid.nz).compactMap { k in
            var (sums, counts) = (
                [Double](repeating: 0, count: regions.count), [Int](repeating: 0, count: regions.count)
            )
            var meetsRegion = false
            for n in (k * plane)..<((k + 1) * plane) {
                let place = places[Int(labels.values[n])]
                guard place >= 0 else { continue }
                meetsRegion = true
                guard coverage.values[n] != 0 else { continue }
                sums[place] += Double(map.values[n])
                counts[place] += 1
            }
            // Whether it has a value is another matter: which slices are judged hangs on the regions alone.
            guard meetsRegion else { return nil }
            return (k, zip(sums, counts).map { $1 == 0 ? nil : $0 / Double($1) })
        }
    }

    /// One row per slice; `z_mm` is the height of its middle in world mm.
    ///
    /// - Parameter reference: what χ is taken against, for the column of that name.
    func table(names: [String], reference: String) -> TabSeparatedTable {
        let middle = SIMD2(Double(grid.nx - 1) / 2, Double(grid.ny - 1) / 2)
        let rows = slices.map { slice -> [String] in
            let z = grid.affine(SIMD3(middle.x, middle.y, Double(slice.place))).z
            return ["\(slice.place)", TabSeparatedTable.cell(z), reference]
                + slice.means.map { TabSeparatedTable.cell($0) }
        }
        return TabSeparatedTable(columns: ["slice", "z_mm", "reference"] + names, rows: rows)
    }
}
