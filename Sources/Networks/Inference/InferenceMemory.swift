import Kernels

/// What inference will hold, in bytes, known before any of it is taken. The caller's own volume is not counted.
package struct InferenceMemory: Sendable, Hashable, CustomStringConvertible {
    /// Predictors: maps, packed weights and scratch of every member of the ensemble.
    package let network: Int
    /// Windows of the volume in the layout of the network.
    package let windows: Int
    /// Weighted sums of probabilities of the slices in progress, and one finished slice.
    package let accumulators: Int
    /// Results kept for the whole volume.
    package let results: Int

    package var total: Int { network + windows + accumulators + results }

    package var description: String {
        "\(ByteCount(total)): network \(ByteCount(network)), windows \(ByteCount(windows)), "
            + "accumulators \(ByteCount(accumulators)), results \(ByteCount(results))"
    }

    init(plan: WindowPlan, channels: Int, classes: Int, network: Int, resultBytes: Int) {
        let float = MemoryLayout<Float>.stride
        self.network = network
        windows = FeatureShape(batch: plan.batch, channels: channels, size: plan.window).storedCount * float
        let sums = plan.heldSlices * classes * plan.padded.height * plan.padded.width
        accumulators = (sums + classes * plan.volume.height * plan.volume.width) * float
        results = resultBytes
    }
}
