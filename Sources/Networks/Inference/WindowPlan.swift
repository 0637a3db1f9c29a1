import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where the windows of a volume lie and how their predictions are weighed: geometry alone, no memory of the volume.
package struct WindowPlan: Sendable, Hashable {
    /// The volume.
    package let volume: Extent3
    /// The volume, padded to at least one window on every axis.
    package let padded: Extent3
    package let window: Extent3
    /// Voxels put before the volume on each axis; what is missing more is put behind it.
    package let before: Extent3
    /// First voxels, in the padded volume, of all windows; depth slowest, so that slices are finished in order.
    package let origins: [Extent3]
    package let batch: Int
    /// Slices that windows of one batch can reach: how many the accumulators hold.
    package let heldSlices: Int
    /// Blending weight along each edge of the window; the weight of a place is the product of the three.
    package let weights: AxisLines
    /// Sums of the weights of all windows along each axis of the padded volume; again their product counts.
    package let totals: AxisLines

    /// One line of values for each axis.
    package struct AxisLines: Sendable, Hashable {
        package let depth, height, width: [Float]
    }

    /// - Throws: `InferenceError.options` when an option is out of its range.
    package init(volume: Extent3, options: SlidingWindowOptions) throws {
        let window = options.window
        guard window.depth > 0, window.height > 0, window.width > 0 else {
            throw InferenceError.options("a window of \(window) voxels has no voxel")
        }
        guard options.overlap >= 0, options.overlap < 1 else {
            throw InferenceError.options("the overlap is a fraction from 0 to below 1, not \(options.overlap)")
        }
        guard options.batch > 0 else {
            throw InferenceError.options("at least one window is predicted at once, not \(options.batch)")
        }
        if case .gaussian(let sigma) = options.blending, !(sigma > 0.02) {
            throw InferenceError.options("the Gaussian's width is over 0.02 of the window's edge, not \(sigma)")
        }
        self.volume = volume
        self.window = window
        padded = Extent3(
            max(volume.depth, window.depth), max(volume.height, window.height), max(volume.width, window.width))
        before = Extent3(
            (padded.depth - volume.depth) / 2, (padded.height - volume.height) / 2, (padded.width - volume.width) / 2)
        let depth = Self.starts(size: padded.depth, window: window.depth, overlap: options.overlap)
        let height = Self.starts(size: padded.height, window: window.height, overlap: options.overlap)
        let width = Self.starts(size: padded.width, window: window.width, overlap: options.overlap)
        var origins: [Extent3] = []
        origins.reserveCapacity(depth.count * height.count * width.count)
        for z in depth { for y in height { for x in width { origins.append(Extent3(z, y, x)) } } }
        self.origins = origins
        batch = min(options.batch, origins.count)
        var held = window.depth
        for first in stride(from: 0, to: origins.count, by: batch) {
            let last = min(first + batch, origins.count) - 1
            held = max(held, origins[last].depth + window.depth - origins[first].depth)
        }
        heldSlices = held
        weights = AxisLines(
            depth: Self.line(window.depth, options.blending), height: Self.line(window.height, options.blending),
            width: Self.line(window.width, options.blending))
        totals = AxisLines(
            depth: Self.total(weights.depth, starts: depth, size: padded.depth),
            height: Self.total(weights.height, starts: height, size: padded.height),
            width: Self.total(weights.width, starts: width, size: padded.width))
    }

    /// First voxels of windows spread evenly over an axis, the first at 0 and the last ending with the axis.
    static func starts(size: Int, window: Int, overlap: Double) -> [Int] {
        let room = size - window
        guard room > 0 else { return [0] }
        let step = max(1, Double(window) * (1 - overlap))
        let gaps = Int((Double(room) / step).rounded(.up))
        return (0...gaps).map { Int((Double(room * $0) / Double(gaps)).rounded()) }
    }

    /// Blending weights along an edge; the largest is 1.
    private static func line(_ edge: Int, _ blending: SlidingWindowOptions.Blending) -> [Float] {
        switch blending {
        case .constant: return [Float](repeating: 1, count: edge)
        case .gaussian(let sigmaFraction):
            // The middle voxel of an even edge is the upper of the two, as nnU-Net has it.
            let (sigma, middle) = (Double(edge) * sigmaFraction, Double(edge / 2))
            return (0..<edge).map { n in
                let t = (Double(n) - middle) / sigma
                // Never so small that a place seen by one corner alone loses its digits.
                return Float(max(exp(-0.5 * t * t), 1e-6))
            }
        }
    }

    private static func total(_ line: [Float], starts: [Int], size: Int) -> [Float] {
        var sums = [Double](repeating: 0, count: size)
        for start in starts {
            for (n, weight) in line.enumerated() { sums[start + n] += Double(weight) }
        }
        return sums.map { Float($0) }
    }
}
