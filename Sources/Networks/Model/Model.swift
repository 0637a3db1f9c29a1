import Foundation
import Kernels

/// A network with its weights and everything known about it: one safetensors file, the card in its metadata. Other
/// programs read the weights; the digest of the file names the model.
package struct Model: Sendable {
    package let card: ModelCard
    package let weights: Weights

    /// The key of the card in the file's metadata.
    package static let metadataKey = "qsmflow.card"

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
        let file = try SafetensorsFile(path: path)
        guard let json = file.metadata[Self.metadataKey] else {
            throw NetworkError.file(
                path: path, problem: "holds weights without a model card; import it with a description of its network")
        }
        let card: ModelCard
        do {
            card = try JSONDecoder().decode(ModelCard.self, from: Data(json.utf8))
        } catch let error as NetworkError {
            throw NetworkError.file(path: path, problem: "its model card describes an impossible network: \(error)")
        } catch let error as DecodingError {
            throw NetworkError.file(path: path, problem: "its model card is damaged: \(Self.explain(error))")
        }
        try self.init(card: card, weights: Weights(card.network, from: file))
    }

    /// Writes card and weights; the same model gives the same bytes.
    package func write(to path: String) throws {
        try weights.write(to: path, metadata: [Self.metadataKey: card.json()])
    }

    /// The network for volumes.
    ///
    /// - Throws: `InferenceError.network` where it classifies instead.
    package func segmentationNetwork() throws -> SegmentationNetwork {
        try SegmentationNetwork(
            card.network, weights: weights, output: card.output, globalScale: card.globalScale)
    }

    /// Whether the windows that the card cuts volumes into go through the network.
    ///
    /// - Throws: `InferenceError` or `NetworkError` saying what does not fit.
    package func checkWindow() throws {
        guard card.task == .segmentation, let options = card.inference else { return }
        let network = try segmentationNetwork()
        guard options.window.isMultiple(of: network.sizeMultiple) else {
            throw InferenceError.windowSize(window: options.window, multiple: network.sizeMultiple)
        }
        try network.check(FeatureShape(batch: 1, channels: network.inputChannels, size: options.window))
    }

    private static func explain(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            let names = path.map { $0.intValue.map(String.init) ?? $0.stringValue }
            return names.isEmpty ? "the card" : names.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context.codingPath)) lacks \(key.stringValue)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return "\(place(context.codingPath)) is not what belongs there"
        @unknown default: return "\(error)"
        }
    }
}

extension ModelCard {
    /// As JSON with sorted keys, so that equal cards are equal bytes.
    package func json(isIndented: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            isIndented
            ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
