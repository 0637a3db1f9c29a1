import Foundation
import Kernels

/// What a file of weights from elsewhere does not say about itself, and a model card has to: JSON that whoever imports the
/// network writes.
package struct ModelDescription: Sendable, Hashable, Codable {
    package var name: String
    package var task: ModelCard.Task?
    package var architecture: String?
    package var channels: [ChannelDescription]
    /// Background first unless outputs stand alone (output sigmoid).
    package var classes: [String]
    package var output: SegmentationNetwork.Output?
    /// Along the axes of `orientation`; left out where any will do.
    package var spacing_mm: [Double]?
    package var orientation: String?
    package var other_grids: ModelCard.Geometry.Policy?
    /// Voxels along i, j, k; for segmentation, where the file leaves its size open.
    package var window: [Int]?
    package var licence: String?
    package var notes: [String]?

    /// - Throws: one sentence naming the file.
    package init(path: String) throws {
        func problem(_ text: String) -> NetworkError { .file(path: path, problem: text) }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw problem("cannot be read; check its path")
        }
        do {
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch DecodingError.keyNotFound(let key, _) {
            throw problem("does not say the \(key.stringValue) of the model; add it")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw problem("has something else at \(place) than belongs there; see `qsmflow models import --help`")
        } catch {
            throw problem("is not the description of a model in JSON; see `qsmflow models import --help`")
        }
    }

    /// The card of a network that was converted.
    ///
    /// - Parameters:
    ///   - size: depth × height × width for which the file was made, where it says.
    ///   - source: where the weights come from.
    package func card(
        _ network: Network, size: Extent3?, source: ModelCard.Source, softwareVersion: String
    ) throws -> ModelCard {
        func refuse(_ problem: String) -> ModelCardError { .inconsistent(model: name, problem: problem) }
        let channels = try channels.map { description in
            do {
                return try description.channel()
            } catch {
                throw refuse("\(error)")
            }
        }
        var spacing: SIMD3<Double>?
        if let mm = spacing_mm {
            guard mm.count == 3, mm.allSatisfy({ $0 > 0 }) else { throw refuse("spacing_mm is three positive numbers") }
            spacing = SIMD3(mm[0], mm[1], mm[2])
        }
        let task = task ?? .segmentation
        var inference: SlidingWindowOptions?
        if task == .segmentation {
            var extent = size
            if let window {
                guard window.count == 3, window.allSatisfy({ $0 > 0 }) else {
                    throw refuse("window is three whole numbers: voxels along i, j and k")
                }
                extent = Extent3(window[2], window[1], window[0])
            }
            guard let extent else { throw refuse("its file leaves the size open; state window") }
            inference = SlidingWindowOptions(window: extent, padding: .background)
        }
        var card = ModelCard(
            name: name, task: task, architecture: architecture ?? "imported", network: network, channels: channels,
            geometry: ModelCard.Geometry(
                spacingMillimetres: spacing, orientation: orientation,
                otherGrids: other_grids ?? (spacing == nil ? .refuse : .resample)),
            classes: classes, output: output ?? .softmax, inference: inference, source: source,
            softwareVersion: softwareVersion)
        card.licence = licence
        card.notes = notes ?? []
        try card.check()
        return card
    }
}
