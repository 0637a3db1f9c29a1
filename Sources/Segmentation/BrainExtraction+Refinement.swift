import Kernels

extension BrainExtraction {
    /// From what the surface encloses to brain: tissue inside and just around it, and the fluid in folds and ventricles.
    ///
    /// - Parameter basin: what belongs to the brain rather than to the rest of the head, on any grid.
    static func refine(_ rough: Mask, basin: Mask, _ image: Volume, _ parameters: Parameters, threads: Int) throws
        -> Mask
    {
        // Nothing here reaches farther than this from the surface; the rest of the head need not be computed.
        let margin = 2 * parameters.closingMillimetres + 6
        guard let box = try rough.union(basin.resampled(to: rough.grid)).boundingBox(marginMillimetres: margin) else {
            return rough
        }
        let inside = rough.copied(to: box)
        // Half a millimetre of smoothing against noise; it hardly moves an edge.
        let smooth = image.copied(to: box).smoothed(sigmaMillimetres: 0.5, threads: threads)
        guard let threshold = tissueThreshold(smooth, inside) else { return rough }
        let reach = try basin.resampled(to: box.grid, threads: threads)
        var tissue = Mask(grid: box.grid)
        for index in tissue.values.indices where reach.values[index] != 0 && smooth.values[index] > threshold {
            tissue.values[index] = 1
        }
        // Dura, vessels and marrow hang on the brain by thin bridges; opening cuts them, and what was lost of the brain
        // proper lies within the opening's radius of the rest.
        let radius = 2.0
        let core = tissue.eroded(radiusMillimetres: radius, threads: threads).largestComponent(.faces)
        guard core.voxels > 0 else { return rough }
        let near = core.dilated(radiusMillimetres: radius + 1, threads: threads)
        for index in tissue.values.indices where near.values[index] == 0 { tissue.values[index] = 0 }
        let brain = tissue.largestComponent(.faces)
            .closed(radiusMillimetres: parameters.closingMillimetres, threads: threads).holesFilledBySlice()
            .holesFilled()
        let whole = box.grid.box(
            from: SIMD3(repeating: 0) &- box.lower,
            to: SIMD3(image.grid.nx, image.grid.ny, image.grid.nz) &- box.lower)
        return Mask(grid: image.grid, values: brain.copied(to: whole).values)
    }

    /// The intensity between fluid and grey matter: the lower of the two thresholds that best part the enclosed values
    /// into three classes, held to a plausible share of their median.
    private static func tissueThreshold(_ image: Volume, _ inside: Mask) -> Float? {
        guard let levels = OrderStatistics.percentiles([1, 50, 99], of: image.values, where: inside.values) else {
            return nil
        }
        // Fat that the surface has included is brighter than white matter and must not become a class of its own.
        let ends = (levels[0], min(levels[2], 1.6 * levels[1]))
        guard ends.0 < ends.1 else { return nil }
        let bins = 200
        let width = Double(ends.1 - ends.0) / Double(bins)
        var counts = [Double](repeating: 0, count: bins + 1)
        var sums = [Double](repeating: 0, count: bins + 1)
        for index in image.values.indices where inside.values[index] != 0 {
            let value = Double(min(max(image.values[index], ends.0), ends.1))
            let bin = min(bins - 1, Int((value - Double(ends.0)) / width))
            // Entry b holds what lies below bin b.
            counts[bin + 1] += 1
            sums[bin + 1] += value
        }
        for bin in 1...bins {
            counts[bin] += counts[bin - 1]
            sums[bin] += sums[bin - 1]
        }
        func spread(_ from: Int, _ to: Int) -> Double {
            let (n, s) = (counts[to] - counts[from], sums[to] - sums[from])
            return n > 0 ? s * s / n : 0
        }
        var (best, lower) = (-Double.infinity, 0)
        for a in 1..<bins - 1 {
            for b in a + 1..<bins {
                let between = spread(0, a) + spread(a, b) + spread(b, bins)
                if between > best { (best, lower) = (between, a) }
            }
        }
        let threshold = Double(ends.0) + width * Double(lower)
        let middle = Double(levels[1])
        return Float(min(max(threshold, 0.45 * middle), 0.75 * middle))
    }
}
