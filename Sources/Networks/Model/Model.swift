import Foundation
import Kernels

/// A network with its weights and everything known about it: one safetensors file, the card in its metadata. Other
/// programs read the weights; the digest of the file names the model.
package struct Model: Sendable {
    package let card: ModelCard
    package let weights: Weights

    /// The key of the card in the file's metadata.
    package static let metadataKey = "qsmflow.card"
    /// The key of a classical classifier, whose card is beside it; such a file holds no network.
    package static let classifierKey = "qsmflow.classifier"

    /// - Throws: `ModelCardError.inconsistent` or `NetworkError.weights` where card and weights contradict each other.
    package init(card: ModelCard, weights: Weights) throws {
        try card.check()
        guard weights.parameters == card.network.parameters else {
            throw NetworkError.weights(
                "the weights are those of another network than the card of \(card.name) describes")
        }
        (self.card, self.weights) = (card, weights)
    }

    /// - Throws: `NetworkError.file` naming the file and what is wrong with it.
    package init(path: String) throws {
        let stored = try StoredModel(path: path)
        try self.init(card: stored.card, weights: Weights(stored.weights))
    }

    /// Writes card and weights; the same model gives the same bytes.
    package func write(to path: String) throws {
        try weights.write(to: path, metadata: [Self.metadataKey: card.json()])
    }

    /// The network for volumes.
    ///
    /// - Throws: `InferenceError.network` where it classifies instead.
    package func segmentationNetwork() throws -> SegmentationNetwork {
        try card.segmentationNetwork(weights: weights)
    }

    /// Whether the windows that the card cuts volumes into, or the patch that it judges, go through the network.
    ///
    /// - Throws: `InferenceError` or `NetworkError` saying what does not fit.
    package func checkWindow() throws {
        if card.task == .classification, let patch = card.judged?.patch {
            let shapes = card.network.inputs.map { input in
                FeatureShape(batch: 1, channels: input.channels, size: input.rank == 0 ? .one : patch)
            }
            _ = try card.network.shapes(for: shapes)
        }
        guard card.task == .segmentation, let options = card.inference else { return }
        let network = try segmentationNetwork()
        guard options.window.isMultiple(of: network.sizeMultiple) else {
            throw InferenceError.windowSize(window: options.window, multiple: network.sizeMultiple)
        }
        try network.check(FeatureShape(batch: 1, channels: network.inputChannels, size: options.window))
    }
}

extension ModelCard {
    /// The network for volumes, with weights.
    ///
    /// - Throws: `InferenceError.network` where it classifies instead.
    func segmentationNetwork(weights: any WeightSource) throws -> SegmentationNetwork {
        try SegmentationNetwork(network, weights: weights, output: output, globalScale: globalScale)
    }

    /// As JSON with sorted keys, so that equal cards are equal bytes.
    package func json(isIndented: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            isIndented
            ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
