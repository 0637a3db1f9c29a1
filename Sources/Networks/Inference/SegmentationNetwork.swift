import Kernels

/// A network with its weights as the sliding window uses it: one image in, one probability per class and voxel out.
package struct SegmentationNetwork: WindowNetwork {
    /// What makes probabilities of the network's output.
    package enum Output: String, Sendable, Hashable, Codable {
        /// They are probabilities already.
        case probabilities
        /// Classes that exclude each other.
        case softmax
        /// Classes that stand alone.
        case sigmoid
    }

    package let network: Network
    package let weights: Weights
    package let output: Output
    package let inputChannels: Int
    package let classes: Int
    package let sizeMultiple: Extent3
    package var takesSlices: Bool { network.inputs[0].rank == 2 }

    /// - Throws: `InferenceError.network` when it is no network from one image to one of the same kind.
    package init(_ network: Network, weights: Weights, output: Output) throws {
        guard network.inputs.count == 1, let input = network.inputs.first, input.rank >= 2 else {
            throw InferenceError.network("it takes \(network.inputs.count) inputs instead of one image")
        }
        guard let last = network.outputs.first, let kind = network.kinds[last], kind.rank == input.rank else {
            throw InferenceError.network("its output is no image of the kind of its input")
        }
        self.network = network
        self.weights = weights
        // A softmax at the end is not taken twice.
        let endsInSoftmax = network.nodes.contains { $0.name == last && $0.layer == .softmax }
        let endsInSigmoid = network.nodes.contains { $0.name == last && $0.layer == .activation(function: .sigmoid) }
        self.output = endsInSoftmax || endsInSigmoid ? .probabilities : output
        (inputChannels, classes, sizeMultiple) = (input.channels, kind.channels, network.sizeDivisor)
    }

    package func bytes(input: FeatureShape, threads: Int) throws -> Int {
        try check(input)
        return try InferencePlan.memory(for: network, inputs: [input], threads: threads).total
    }

    package func predictor(input: FeatureShape, threads: Int) throws -> any WindowPredictor {
        try check(input)
        return PlanPredictor(
            try InferencePlan(network, weights: weights, inputs: [input], threads: threads), output: output,
            threads: threads)
    }

    private func check(_ input: FeatureShape) throws {
        guard network.inputs[0].rank == 3 || input.size.depth == 1 else {
            throw InferenceError.network("it takes slices; choose a window of depth 1, not \(input.size)")
        }
        let shapes = try network.shapes(for: [input])
        let names = network.inputs.map(\.name) + network.nodes.map(\.name)
        let place = names.firstIndex(of: network.outputs[0])!
        guard shapes[place].size == input.size else {
            throw InferenceError.network("it makes \(shapes[place].size) of a window of \(input.size) voxels")
        }
    }
}

private final class PlanPredictor: WindowPredictor {
    private let plan: InferencePlan
    private let output: SegmentationNetwork.Output
    private let threads: Int

    init(_ plan: InferencePlan, output: SegmentationNetwork.Output, threads: Int) {
        (self.plan, self.output, self.threads) = (plan, output, threads)
    }

    var windows: FeatureMap { plan.input() }

    func predict() -> FeatureMap {
        plan.run()
        let result = plan.output()
        switch output {
        case .probabilities: break
        case .softmax: Softmax.probabilities.forward(result, to: result, threads: threads)
        case .sigmoid: Activation.sigmoid.forward(result, to: result, threads: threads)
        }
        return result
    }
}
