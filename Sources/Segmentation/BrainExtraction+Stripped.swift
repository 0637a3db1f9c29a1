import Kernels

extension BrainExtraction {
    /// The extent of an image that has no skull: nil for a head.
    ///
    /// A stripped image has one exact value (zero, as a rule) all around, encloses the volume of a brain, and has no dark
    /// layer below its surface: in a head, bone and fluid lie there.
    static func strippedMask(_ image: Volume, threads: Int) -> Mask? {
        let grid = image.grid
        let background = image.values[0]
        var mask = Mask(grid: grid, values: image.values.map { $0 == background ? 0 : 1 })
        guard Double(mask.voxels) < 0.7 * Double(grid.count) else { return nil }
        mask = mask.largestComponent(.faces).holesFilled()
        let millilitres = Double(mask.voxels) * grid.voxelVolumeCubicMillimetres / 1000
        guard strippedMillilitres.contains(millilitres) else { return nil }
        guard
            let middle = OrderStatistics.percentiles([50], of: image.values, where: mask.values)?[0],
            middle > background
        else { return nil }
        let depth = mask.complement.distanceMillimetres(threads: threads)
        var (layer, dark) = (0, 0)
        for index in mask.values.indices where mask.values[index] != 0 && (4...10).contains(depth.values[index]) {
            layer += 1
            if image.values[index] - background < 0.35 * (middle - background) { dark += 1 }
        }
        return layer > 0 && Double(dark) < 0.25 * Double(layer) ? mask : nil
    }

    /// From a small child's brain to a large adult's with its fluid.
    private static let strippedMillilitres = 300.0...2300.0
}
