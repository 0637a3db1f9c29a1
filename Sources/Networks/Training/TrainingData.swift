import Kernels

/// What a network is trained with. Every call for the same epoch and index has to give the same batch, so that a training
/// that was interrupted goes on as if it had not been: random choices are keyed by epoch, index and sample.
package protocol TrainingData: Sendable {
    var batchesPerEpoch: Int { get }

    /// - Parameter index: 0 ..< batchesPerEpoch.
    func batch(epoch: Int, index: Int) throws -> Batch
}

package struct Batch: Sendable {
    /// One per input of the network: (batch, channels, depth, height, width), (batch, channels, height, width) for
    /// slices, (batch, channels) for vectors.
    package var inputs: [Tensor]
    /// One per output of the network that the loss or a metric looks at, from the first on.
    package var targets: [Target]

    package init(inputs: [Tensor], targets: [Target]) { (self.inputs, self.targets) = (inputs, targets) }
}

extension Network {
    /// The shapes of a batch's inputs.
    ///
    /// - Throws: `NetworkError.input` where a tensor has other axes than its input.
    package func inputShapes(of tensors: [Tensor]) throws -> [FeatureShape] {
        guard tensors.count == inputs.count else {
            throw NetworkError.input("the network has \(inputs.count) inputs and is given \(tensors.count)")
        }
        return try zip(inputs, tensors).map { input, tensor in
            let axes = tensor.shape
            let size: Extent3
            switch (input.rank, axes.count) {
            case (0, 2): size = .one
            case (2, 4): size = Extent3(1, axes[2], axes[3])
            case (_, 5): size = Extent3(axes[2], axes[3], axes[4])
            default:
                throw NetworkError.input(
                    "input \(input.name) takes a batch of \(ValueKind.name(rank: input.rank))s, not the shape \(axes)")
            }
            return FeatureShape(batch: axes[0], channels: axes[1], size: size)
        }
    }
}
