import BIDS
import Kernels
import Networks
import Workflow

/// A U-Net on patches or slices.
struct SegmentationTraining {
    private(set) var training: NetworkTrainTask.Training

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
        let source = volumes.source(people.training, limitBytes: cache / 2)
        let index = try ForegroundIndex(source, classes: classes, seed: seed)
        var warnings = try Self.missing(names, index, environment.request.step)
        let data = try PatchBatches(
            source, index: index, channels: parameters.channels.count, options: options, seed: seed,
            threads: environment.threads)
        var judging = options
        judging.spatial = SpatialAugmentation()
        judging.spatial.beyond = parameters.spatial.beyond
        judging.intensity = IntensityAugmentation()
        judging.samplesPerEpoch = Self.samples(environment, people.validation.count)

        var card = ModelCard(
            name: "\(environment.text("network"))-\(net.rank)d-\(parameters.modalities)", task: .segmentation,
            architecture: Self.architecture(net), network: network,
            channels: parameters.channels,
            geometry: geometry, classes: names, output: .softmax,
            inference: SlidingWindowOptions(
                window: parameters.patch, padding: .background, lateralPairs: parameters.spatial.lateralPairs),
            source: .trained, softwareVersion: Version.text)
        card.training = ModelCard.Training(settings: parameters.settings, patches: options)
        training = NetworkTrainTask.Training(
            card: card, data: data, metric: .dice(classes: classes, name: "patch_dice"), settings: parameters.settings)
        training.batch = FeatureShape(batch: options.batch, channels: parameters.channels.count, size: parameters.patch)
        training.cachedBytes = source.keptBytes
        if !people.validation.isEmpty {
            let judged = volumes.source(people.validation, limitBytes: cache / 4)
            let judgedIndex = try ForegroundIndex(judged, classes: classes, seed: seed)
            if judgedIndex.counts.dropFirst().allSatisfy({ $0 == 0 }) {
                // Normal where what is looked for is rare: patches lie anywhere then, and the loss decides.
                judging.foregroundFraction = 0
                training.metric = .loss
                warnings.append(
                    "No validation image has a voxel of \(Self.listed(names)): the best epoch is chosen by the loss, on patches from "
                        + "anywhere; a larger “validation” or another “seed” judges by what is to be found.")
            }
            training.validation = try PatchBatches(
                judged, index: judgedIndex, channels: parameters.channels.count, options: judging, seed: seed,
                isEvaluation: true, threads: environment.threads)
            training.volumes = VolumeValidation(volumes: judged, subjects: people.validation.map(\.subject))
            training.cachedBytes += judged.keptBytes
        }
        training.warnings = warnings
    }

    /// Warns of classes that never occur.
    ///
    /// - Throws: a permanent failure where none does.
    private static func missing(_ names: [String], _ index: ForegroundIndex, _ step: String) throws -> [String] {
        let absent = zip(names, index.counts).dropFirst().filter { $0.1 == 0 }.map(\.0)
        guard absent.count < names.count - 1 else {
            throw TaskResult.Failure.permanent(
                "Step \(step): no label map of the people to be trained on has a voxel of \(listed(names)); check the numbers "
                    + "in “classes” and what is bound to “labels”")
        }
        return absent.map {
            "The label maps of the people trained on have no voxel of \($0): the model cannot learn it; check its numbers in "
                + "“classes”."
        }
    }

    private static func listed(_ names: [String]) -> String { names.dropFirst().joined(separator: ", ") }

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
