import Foundation
import Kernels

/// What a file of weights from elsewhere does not say about itself, and a model card has to: JSON that whoever imports the
/// network writes.
package struct ModelDescription: Sendable, Hashable, Decodable {
    package var name: String
    package var task: ModelCard.Task?
    package var architecture: String?
    package var channels: [ChannelDescription]
    /// Background first unless outputs stand alone (output sigmoid).
    package var classes: [String]
    /// Where it is left out: sigmoid when the network ends in one, otherwise softmax.
    package var output: SegmentationNetwork.Output?
    /// Along the axes of `orientation`; left out where any will do.
    package var spacing_mm: [Double]?
    package var orientation: String?
    package var other_grids: ModelCard.Geometry.Policy?
    /// Voxels along i, j, k, where the file leaves its size open: of the windows that images are cut into, or the patch
    /// that a classifier judges.
    package var window: [Int]?
    package var licence: String?
    package var notes: [String]?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, task, architecture, channels, classes, output, spacing_mm, orientation, other_grids, window, licence
        case notes
    }

    package init(from decoder: any Decoder) throws {
        try KnownKeys.check(decoder, among: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        task = try container.decodeIfPresent(ModelCard.Task.self, forKey: .task)
        architecture = try container.decodeIfPresent(String.self, forKey: .architecture)
        channels = try container.decode([ChannelDescription].self, forKey: .channels)
        classes = try container.decode([String].self, forKey: .classes)
        output = try container.decodeIfPresent(SegmentationNetwork.Output.self, forKey: .output)
        spacing_mm = try container.decodeIfPresent([Double].self, forKey: .spacing_mm)
        orientation = try container.decodeIfPresent(String.self, forKey: .orientation)
        other_grids = try container.decodeIfPresent(ModelCard.Geometry.Policy.self, forKey: .other_grids)
        window = try container.decodeIfPresent([Int].self, forKey: .window)
        licence = try container.decodeIfPresent(String.self, forKey: .licence)
        notes = try container.decodeIfPresent([String].self, forKey: .notes)
    }

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
        } catch let unknown as UnknownKey {
            throw problem("\(unknown)")
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
        var extent = size
        if let window {
            guard window.count == 3, window.allSatisfy({ $0 > 0 && $0 <= LayerBounds.edge }) else {
                throw refuse("window is three whole numbers: voxels along i, j and k")
            }
            extent = Extent3(window[2], window[1], window[0])
        }
        guard let extent else { throw refuse("its file leaves the size open; state window") }
        var card = ModelCard(
            name: name, task: task, architecture: architecture ?? "imported", network: network, channels: channels,
            geometry: ModelCard.Geometry(
                spacingMillimetres: spacing, orientation: orientation,
                otherGrids: other_grids ?? (spacing == nil ? .refuse : .resample)),
            classes: classes, output: output ?? (network.endsIn(.sigmoid) ? .sigmoid : .softmax),
            inference: task == .segmentation ? SlidingWindowOptions(window: extent, padding: .background) : nil,
            source: source,
            softwareVersion: softwareVersion)
        if task == .classification { card.patch = extent }
        card.licence = licence
        card.notes = notes ?? []
        try card.check()
        return card
    }
}
