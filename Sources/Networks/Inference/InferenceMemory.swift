import Kernels

/// What inference will hold, in bytes, known before any of it is taken. The caller's own volume is not counted.
package struct InferenceMemory: Sendable, Hashable, CustomStringConvertible {
    /// Predictor: maps, weights, packed weights and scratch, of the largest member of an ensemble.
    package let network: Int
    /// Weighted sums of probabilities of the slices in progress, and one finished slice; of an ensemble also the sums over
    /// its members, for the whole volume.
    package let accumulators: Int
    /// Results kept for the whole volume.
    package let results: Int

    package var total: Int { network + accumulators + results }

    package var description: String {
        "\(ByteCount(total)): network \(ByteCount(network)), "
            + "accumulators \(ByteCount(accumulators)), results \(ByteCount(results))"
    }

    init(plan: WindowPlan, classes: Int, network: Int, isEnsemble: Bool, resultBytes: Int) {
        let float = MemoryLayout<Float>.stride
        self.network = network
        let sums = plan.heldSlices * classes * plan.padded.height * plan.padded.width
        accumulators =
            (sums + classes * plan.volume.height * plan.volume.width) * float
            + (isEnsemble ? EnsembleSum.bytes(volume: plan.volume, classes: classes) : 0)
        results = resultBytes
    }
}
