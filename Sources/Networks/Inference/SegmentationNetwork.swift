import Kernels

/// A network with its weights as the sliding window uses it: one image in, or a second with a larger field of view beside
/// it, and one probability per class and voxel out.
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
    private let weights: any WeightSource
    package let output: Output
    package let inputChannels: Int
    package let classes: Int
    package let sizeMultiple: Extent3
    package let globalScale: Int?
    package var takesSlices: Bool { network.inputs[0].rank == 2 }

    /// - Parameter globalScale: voxel size of its second input in voxels of the first, for networks of two branches.
    /// - Throws: `InferenceError.network` when it is no network from one image to one of the same kind.
    package init(_ network: Network, weights: any WeightSource, output: Output, globalScale: Int? = nil) throws {
        guard network.inputs.count == (globalScale == nil ? 1 : 2), let input = network.inputs.first, input.rank >= 2
        else {
            throw InferenceError.network(
                "it takes \(network.inputs.count) inputs instead of one image"
                    + (globalScale == nil ? "" : " and a second of larger voxels"))
        }
        guard globalScale.map({ $0 > 1 && input.rank == 3 }) ?? true,
            network.inputs.allSatisfy({ $0.rank == input.rank && $0.channels == input.channels })
        else {
            throw InferenceError.network(
                "a second input shows the channels of the first in voxels 2 or more times larger, both as volumes")
        }
        guard let last = network.outputs.first, let kind = network.kinds[last], kind.rank == input.rank else {
            throw InferenceError.network("its output is no image of the kind of its input")
        }
        self.network = network
        self.weights = weights
        // A softmax at the end is not taken twice.
        self.output = network.endsIn(.softmax) || network.endsIn(.sigmoid) ? .probabilities : output
        (inputChannels, classes, sizeMultiple) = (input.channels, kind.channels, network.sizeDivisor)
        self.globalScale = globalScale
    }

    /// One per input of the network.
    private func inputs(_ input: FeatureShape) -> [FeatureShape] { network.inputs.map { _ in input } }
    /// Averages of voxels are made for two branches as maps.
    private var hasPlanarInput: Bool { network.inputs.count == 1 }

    package func bytes(input: FeatureShape, threads: Int) throws -> Int {
        try check(input)
        let plan = try InferencePlan.memory(
            for: network, inputs: inputs(input), threads: threads, planarInputs: hasPlanarInput)
        // Weights in memory stay beside what is packed from them.
        return weights.heldBytes + plan.total
    }

    package func predictor(input: FeatureShape, threads: Int) throws -> any WindowPredictor {
        try check(input)
        return PlanPredictor(
            try InferencePlan(
                network, weights: weights, inputs: inputs(input), threads: threads, planarInputs: hasPlanarInput),
            output: output, threads: threads)
    }

    /// Whether windows of this shape go through, and come out as large.
    func check(_ input: FeatureShape) throws {
        guard network.inputs[0].rank == 3 || input.size.depth == 1 else {
            throw InferenceError.network("it takes slices; choose a window of depth 1, not \(input.size)")
        }
        let shapes = try network.shapes(for: inputs(input))
        let names = network.inputs.map(\.name) + network.nodes.map(\.name)
        let place = names.firstIndex(of: network.outputs[0])!
        guard shapes[place].size == input.size else {
            throw InferenceError.network("it makes \(shapes[place].size) of a window of \(input.size) voxels")
        }
    }
}

extension Network {
    /// Whether the first output comes from a layer that makes probabilities so.
    package func endsIn(_ output: SegmentationNetwork.Output) -> Bool {
        guard let last = nodes.first(where: { $0.name == outputs.first }) else { return false }
        return switch output {
        case .softmax: last.layer == .softmax
        case .sigmoid: last.layer == .activation(function: .sigmoid)
        case .probabilities: endsIn(.softmax) || endsIn(.sigmoid)
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

    var windows: WindowInput {
        plan.planarInput().map { .planar($0, plan.inputShapes[0]) } ?? .blocked(plan.input())
    }
    var globalWindows: FeatureMap? { plan.inputShapes.count > 1 ? plan.input(1) : nil }

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
