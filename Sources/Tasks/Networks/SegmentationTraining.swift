import BIDS
import Kernels
import Networks
import Workflow

/// A U-Net on patches or slices.
struct SegmentationTraining {
    let training: NetworkTrainTask.Training

    init(
        _ environment: TaskEnvironment, _ parameters: TrainingParameters, _ people: TrainingPeople,
        _ geometry: ModelCard.Geometry
    ) throws {
        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: parameters.classes,
            units: environment.text("units"), threads: environment.threads)
        let classes = volumes.classCount
        let names =
            ["background"] + (parameters.classes.isEmpty ? ["foreground"] : parameters.classes.map(\.name))

        var net = UNet(
            rank: parameters.rank, inputChannels: parameters.channels.count, outputChannels: classes,
            widths: environment.list("widths").compactMap { $0.integerValue.map(Int.init) })
        net.block = environment.text("network") == "resunet" ? .residual : .plain
        switch environment.text("normalisation") {
        case "none": net.normalisation = .none
        case "batch": net.normalisation = .batch
        default: net.normalisation = .instance
        }
        let dropout = Float(environment.number("dropout"))
        net.dropout = dropout > 0 ? net.widths.map { _ in dropout } : []
        let network = try net.network()
        // Says which layer cannot take the patch before anything is read.
        _ = try network.shapes(
            for: [
                FeatureShape(batch: 1, channels: parameters.channels.count, size: parameters.patch)
            ])

        var options = PatchOptions(
            patch: parameters.patch, batch: environment.integer("batch"),
            samplesPerEpoch: Self.samples(environment, people.training.count))
        options.foregroundFraction = environment.number("foreground_fraction")
        options.spatial = parameters.spatial
        options.intensity = parameters.intensity
        let seed = parameters.settings.seed
        // Half of what the attempt may take is for the network.
        let cache = environment.request.memoryMiB << 19
        func data(_ sessions: [TrainingSession], _ options: PatchOptions, share: Int) throws -> PatchBatches {
            let source = volumes.source(sessions, limitBytes: cache / share)
            let index = try ForegroundIndex(source, classes: classes, seed: seed)
            return try PatchBatches(
                source, index: index, channels: parameters.channels.count, options: options, seed: seed,
                threads: environment.threads)
        }
        var judging = options
        judging.spatial = SpatialAugmentation()
        judging.intensity = IntensityAugmentation()
        judging.samplesPerEpoch = Self.samples(environment, people.validation.count)

        var card = ModelCard(
            name: environment.request.step, task: .segmentation, architecture: Self.architecture(net), network: network,
            channels: parameters.channels,
            geometry: geometry, classes: names, output: .softmax,
            inference: SlidingWindowOptions(
                window: parameters.patch, padding: .background, lateralPairs: parameters.spatial.lateralPairs),
            source: .trained, softwareVersion: Version.text)
        card.training = ModelCard.Training(settings: parameters.settings, patches: options)
        training = NetworkTrainTask.Training(
            card: card, data: try data(people.training, options, share: 2),
            validation: people.validation.isEmpty ? nil : try data(people.validation, judging, share: 4),
            metric: .dice(classes: classes), settings: parameters.settings)
    }

    /// What the model card calls it.
    private static func architecture(_ net: UNet) -> String {
        let kind = net.block == .residual ? "residual U-Net" : "U-Net"
        return "\(kind), \(net.rank)-D, \(net.widths.map(String.init).joined(separator: "-"))"
    }

    private static func samples(_ environment: TaskEnvironment, _ sessions: Int) -> Int {
        let given = environment.integer("samples_per_epoch")
        return max(given > 0 ? given : 8 * sessions, environment.integer("batch"))
    }
}
