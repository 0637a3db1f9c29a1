import Kernels

/// How well a region stands out from its surroundings: the distance between the medians inside and in a shell around it,
/// in units of their common robust standard deviation. 0 is not at all; above 2 the two distributions hardly overlap.
enum Separability {
    /// Thickness of the shell around a region, mm.
    static let shellMillimetres = 3.0
    /// A deviation is taken as no smaller than this part of the image's own: maps without noise are no better than that.
    static let relativeFloor = 0.15
    private static let minimalVoxels = 8

    /// - Parameters:
    ///   - usable: voxels that count.
    ///   - floor: the smallest standard deviation believed.
    /// - Returns: nil when the region or the shell has too few voxels.
    static func of(
        _ label: UInt16, in labels: LabelMap, _ image: Volume, where usable: Mask, floor: Double
    ) -> Double? {
        let all = Mask(grid: labels.grid, values: labels.values.map { $0 == label ? 1 : 0 })
        guard let box = all.boundingBox(marginMillimetres: shellMillimetres) else { return nil }
        let region = all.copied(to: box)
        let values = image.copied(to: box)
        let distance = region.squaredDistanceMillimetres()
        var inside = usable.copied(to: box)
        var shell = inside
        for index in inside.values.indices {
            if region.values[index] == 0 { inside.values[index] = 0 }
            if !(distance.values[index] > 0 && distance.values[index] <= Float(shellMillimetres * shellMillimetres)) {
                shell.values[index] = 0
            }
        }
        guard inside.voxels >= minimalVoxels, shell.voxels >= minimalVoxels,
            let inner = quartiles(of: values, where: inside), let outer = quartiles(of: values, where: shell)
        else { return nil }
        let (a, b) = (max(inner.deviation, floor), max(outer.deviation, floor))
        let common = ((a * a + b * b) / 2).squareRoot()
        return common > 0 ? abs(inner.median - outer.median) / common : nil
    }

    /// Median, and the interquartile range as the standard deviation of a normal distribution that has it.
    static func quartiles(of image: Volume, where mask: Mask) -> (median: Double, deviation: Double)? {
        guard let found = OrderStatistics.percentiles([25, 50, 75], of: image.values, where: mask.values) else {
            return nil
        }
        return (Double(found[1]), (Double(found[2]) - Double(found[0])) / 1.3489795)
    }
}
