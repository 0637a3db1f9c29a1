import Foundation
import Kernels

/// A model as its file has it: the card is read and checked, weights are read when a plan packs them.
package struct StoredModel: Sendable {
    package let card: ModelCard
    package let weights: WeightFile

    /// - Throws: `NetworkError.file` naming the file and what is wrong with it.
    package init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        guard let json = file.metadata[Model.metadataKey] else {
            throw NetworkError.file(
                path: path, problem: "holds weights without a model card; import it with a description of its network")
        }
        guard file.metadata[Model.classifierKey] == nil else {
            throw NetworkError.file(
                path: path,
                problem: "holds a classifier of tables of features and no network; apply it with classifier.apply")
        }
        let card: ModelCard
        do {
            card = try JSONDecoder().decode(ModelCard.self, from: Data(json.utf8))
        } catch let error as NetworkError {
            throw NetworkError.file(path: path, problem: "its model card describes an impossible network: \(error)")
        } catch let error as DecodingError {
            throw NetworkError.file(path: path, problem: "its model card is damaged: \(Self.explain(error))")
        }
        try card.check()
        self.card = card
        weights = try WeightFile(card.network, file)
    }

    /// The network for volumes.
    ///
    /// - Throws: `InferenceError.network` where it classifies instead.
    package func segmentationNetwork() throws -> SegmentationNetwork {
        try card.segmentationNetwork(weights: weights)
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
