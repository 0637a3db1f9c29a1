import BIDS
import Foundation
import Kernels
import Networks
import Workflow

/// What the parameters of `network.train` say, read into the types of the networks.
struct TrainingParameters {
    let environment: TaskEnvironment
    var network: NetworkChoice
    var channels: [ModelCard.Channel]
    /// Of a segmentation, beside background; empty: one class of all that is labelled.
    var classes: [TrainingClass]
    var patch: Extent3
    var rank: Int
    var augmentation: TrainingAugmentation
    var seed: UInt64

    /// - Throws: `StepFinding`, that names the parameter.
    init(_ environment: TaskEnvironment) throws {
        self.environment = environment
        let settings = environment.settings
        // A run that is submitted has passed them; what follows goes by them.
        try environment.kind.rules.check(settings)
        network = NetworkChoice(settings)
        let given = environment.list("channels")
        channels =
            try given.isEmpty
            ? [ModelCard.Channel(modality: "Chimap", units: "ppm", normalisation: Self.chi)]
            : given.enumerated().map { n, value in try Self.channel(value, number: n, environment.refuse) }
        classes = network.segments ? try TrainingClass.all(settings) : []
        rank = try settings.trainingRank()
        let sizes = try settings.trainingPatch()
        patch = Extent3(rank == 2 ? 1 : sizes[2], sizes[1], sizes[0])
        augmentation = try TrainingAugmentation(settings, isFlat: rank == 2)
        // As images are padded when the model is applied.
        augmentation.spatial.beyond = .background
        // The values of a susceptibility map are measured: nothing scales them.
        augmentation.intensity.scaledChannels =
            channels.enumerated().filter { $0.element.modality != "Chimap" }.map(\.offset)
        seed = UInt64(environment.integer("seed"))
    }

    /// Says which layer cannot take the patch before anything is read.
    ///
    /// - Throws: `StepFinding`.
    func checkPatch(of network: Network) throws {
        do {
            _ = try network.shapes(
                for: network.inputs.map { input in
                    FeatureShape(batch: 1, channels: input.channels, size: input.rank == 0 ? .one : patch)
                })
        } catch {
            throw StepFinding("patch", "\(patch) voxels do not pass the network: \(error)")
        }
    }

    /// What the model is called: by what it is, never by the step, since equal trainings share their result.
    var modelName: String {
        "\(network.rawValue)-\(rank)d-\(channels.map(\.modality).joined(separator: "+"))"
    }

    /// χ between ∓0.25 ppm becomes −1 … 1.
    private static let chi = IntensityNormalisation.clip(lower: -0.25, upper: 0.25, low: -1, high: 1)

    private static func channel(
        _ value: JSONValue, number: Int, _ refuse: (String) -> TaskResult.Failure
    ) throws -> ModelCard.Channel {
        let description: ChannelDescription
        do {
            description = try JSONDecoder().decode(ChannelDescription.self, from: value.canonicalData)
        } catch let unknown as UnknownKey {
            throw refuse("channel \(number + 1) \(unknown)")
        } catch {
            throw refuse(
                "channel \(number + 1) is {modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]} or a part of it "
                    + "with the modality, not \(value.canonicalString)")
        }
        do {
            return try description.channel()
        } catch {
            throw refuse(error.description)
        }
    }
}

extension TaskEnvironment {
    /// A permanent failure for what a parameter of the step says.
    func refuse(_ what: String) -> TaskResult.Failure { .permanent("Step \(request.step): \(what)") }
}
