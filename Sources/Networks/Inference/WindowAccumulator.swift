import Kernels

/// Weighted sums of the predictions of overlapping windows, for the slices in progress only: a slice's place is taken
/// over by a later one as soon as no window can reach it any more.
final class WindowAccumulator {
    private let plan: WindowPlan
    private let classes: Int
    /// Where the prediction of a class goes when the window was flipped from left to right.
    private let lateral: [Int]
    /// Predictions added per place and window: one for each flip.
    private let copies: Int
    /// held slices × classes × height × width of the padded volume.
    private var sums: [Float]
    /// classes × height × width of the volume.
    private var slice: [Float]

    init(plan: WindowPlan, classes: Int, lateral: [Int], copies: Int) {
        (self.plan, self.classes, self.lateral, self.copies) = (plan, classes, lateral, copies)
        sums = [Float](repeating: 0, count: plan.heldSlices * classes * plan.padded.height * plan.padded.width)
        slice = [Float](repeating: 0, count: classes * plan.volume.height * plan.volume.width)
    }

    /// Adds a batch of predictions, one window after the other.
    func add(_ predicted: FeatureMap, origins: ArraySlice<Extent3>, flip: Flip, threads: Int) {
        let (lanes, window) = (FeatureShape.lanes, plan.window)
        let (height, width) = (plan.padded.height, plan.padded.width)
        let rowsPerPiece = 16
        let rowPieces = (window.height + rowsPerPiece - 1) / rowsPerPiece
        sums.withUnsafeMutableBufferPointer { buffer in
            // Pieces write disjoint rows.
            nonisolated(unsafe) let sums = buffer.baseAddress!
            for (image, origin) in origins.enumerated() {
                Parallel.forEach(window.depth * rowPieces, threads: threads) { piece in
                    let z = piece / rowPieces
                    let first = piece % rowPieces * rowsPerPiece
                    let held = sums + (origin.depth + z) % plan.heldSlices * classes * height * width
                    let sourceZ = flip.depth ? window.depth - 1 - z : z
                    for y in first..<min(first + rowsPerPiece, window.height) {
                        let weight = plan.weights.depth[z] * plan.weights.height[y]
                        let sourceY = flip.height ? window.height - 1 - y : y
                        let row = (sourceZ * window.height + sourceY) * window.width * lanes
                        for source in 0..<classes {
                            let target = flip.width ? lateral[source] : source
                            let to = held + (target * height + origin.height + y) * width + origin.width
                            let from = predicted.block(source / lanes, image: image) + row + source % lanes
                            plan.weights.width.withUnsafeBufferPointer { across in
                                if flip.width {
                                    for x in 0..<window.width {
                                        to[x] += weight * across[x] * from[(window.width - 1 - x) * lanes]
                                    }
                                } else {
                                    for x in 0..<window.width { to[x] += weight * across[x] * from[x * lanes] }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Averages a slice of the padded volume, hands it out when it belongs to the volume, and makes its place free.
    func finish(slice index: Int, threads: Int, _ body: (SlidingWindow.Slice) throws -> Void) throws {
        let (height, width) = (plan.padded.height, plan.padded.width)
        let count = classes * height * width
        let place = index % plan.heldSlices * count
        defer {
            sums.withUnsafeMutableBufferPointer { ($0.baseAddress! + place).update(repeating: 0, count: count) }
        }
        let (volume, before) = (plan.volume, plan.before)
        let inside = index - before.depth
        guard inside >= 0, inside < volume.depth else { return }
        let depthWeight = plan.totals.depth[index] * Float(copies)
        let rows = classes * volume.height
        let finite = slice.withUnsafeMutableBufferPointer { target in
            // Pieces write disjoint rows.
            nonisolated(unsafe) let target = target.baseAddress!
            return sums.withUnsafeBufferPointer { buffer in
                let held = buffer.baseAddress! + place
                return Parallel.map(rows, threads: threads) { row in
                    let (channel, y) = (row / volume.height, row % volume.height)
                    let weight = depthWeight * plan.totals.height[before.height + y]
                    let from = held + (channel * height + before.height + y) * width + before.width
                    let to = target + row * volume.width
                    var sum: Float = 0
                    plan.totals.width.withUnsafeBufferPointer { across in
                        for x in 0..<volume.width {
                            to[x] = from[x] / (weight * across[before.width + x])
                            sum += to[x]
                        }
                    }
                    return sum.isFinite
                }
            }
        }
        guard finite.allSatisfy({ $0 }) else { throw InferenceError.notFinite(slice: inside) }
        try slice.withUnsafeBufferPointer {
            try body(
                SlidingWindow.Slice(
                    index: inside, classes: classes, voxels: volume.height * volume.width,
                    probabilities: $0.baseAddress!))
        }
    }
}
