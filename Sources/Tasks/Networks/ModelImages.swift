import BIDS
import Kernels
import NIfTI
import Networks
import Workflow

/// The images of one session as a model wants them: one per channel, in the units of its card.
enum ModelImages {
    /// - Throws: a permanent failure when a susceptibility map states no unit, or the reader's sentence.
    static func read(
        _ items: [TaskRequest.StagedInput], channels: [ModelCard.Channel], units: String
    ) throws -> [(name: String, volume: Volume)] {
        try zip(items, channels).map { item, channel in
            // Only χ is stored in more than one unit; the card's networks are trained on ppm.
            let volume =
                channel.units == "ppm"
                ? try SusceptibilityMap.read(item, units: units) : try NIfTIFile.readVolume(item.path)
            return (item.input.name, volume)
        }
    }

    /// The channel ports of a step for one session, in order.
    static func items(_ environment: TaskEnvironment, _ ports: [String]) throws -> [TaskRequest.StagedInput] {
        var items: [TaskRequest.StagedInput] = []
        for port in ports {
            guard let item = environment.optionalInput(port) else { break }
            items.append(item)
        }
        return items
    }

    /// Says that a model was trained with one of these images; nil where none was.
    static func warning(_ environment: TaskEnvironment, _ ensemble: ModelEnsemble) throws -> String? {
        TrainingRecord.warning(ensemble.records, judging: try items(environment, ports), noun: "image")
    }

    private static let ports = ["image", "image2", "image3", "image4"]

    /// Images of a person as `network.segment` and `network.classify` take them, on the grid of the model.
    static func input(_ environment: TaskEnvironment, for model: StoredModel) throws -> ModelInput {
        let items = try items(environment, ports)
        guard items.count == model.card.channels.count else {
            throw ModelCardError.channelCount(
                model: model.card.name, given: items.count, expected: model.card.channels.map(\.modality))
        }
        let images = try read(items, channels: model.card.channels, units: environment.text("units"))
        let mask = try environment.optionalInput("mask").map { try NIfTIFile.readMask($0.path) }
        return try ModelInput(images, mask: mask, for: model.card, threads: environment.threads)
    }
}
