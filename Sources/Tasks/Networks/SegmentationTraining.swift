import BIDS
import Kernels
import Networks
import Workflow

/// A network that gives every voxel a class, on patches or slices.
struct SegmentationTraining {
    private(set) var training: NetworkTrainTask.Training

    init(_ parameters: TrainingParameters, _ people: TrainingPeople, _ geometry: ModelCard.Geometry) throws {
        let environment = parameters.environment
        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: parameters.classes,
            units: environment.text("units"), threads: environment.threads)
        let names = try TrainingClass.names(environment.settings)
        let hasOneLogit = try environment.settings.segmentationHasOneLogit()
        let settings = parameters.settings(loss: try parameters.segmentationLoss(names))
        let metric = try parameters.metric(classes: names.count)
        let architecture = try NetworkArchitecture.segmentation(
            parameters, outputs: hasOneLogit ? 1 : names.count)
        let network = architecture.network
        try parameters.checkPatch(of: network)

        var card = ModelCard(
            name: parameters.modelName, task: .segmentation, architecture: architecture.name, network: network,
            channels: parameters.channels, geometry: geometry, classes: hasOneLogit ? [names[1]] : names,
            output: hasOneLogit ? .sigmoid : .softmax,
            inference: SlidingWindowOptions(
                window: parameters.patch, padding: .background,
                lateralPairs: parameters.augmentation.spatial.lateralPairs),
            source: .trained, softwareVersion: Version.text)
        card.globalScale = architecture.globalScale

        let samples = Samples(
            parameters: parameters, volumes: volumes, names: names, hasOneLogit: hasOneLogit,
            globalScale: architecture.globalScale)
        card.emptyChannel = samples.emptyChannel
        let source = samples.source(people.training, share: 2)
        let index = try ForegroundIndex(source, classes: names.count, seed: parameters.seed)
        var warnings = try Self.missing(names, index, environment)
        let data: any TrainingData
        if try environment.settings.samplesSlices() {
            let options = samples.sliceOptions
            card.training = ModelCard.Training(settings: settings, slices: options)
            data = try samples.slices(source, options)
        } else {
            let options = try samples.patchOptions(sessions: people.training.count)
            card.training = ModelCard.Training(settings: settings, patches: options)
            data = try samples.patches(source, index, options)
        }
        training = NetworkTrainTask.Training(card: card, data: data, metric: metric, settings: settings)
        training.batch = network.inputs.map { input in
            FeatureShape(batch: environment.integer("batch"), channels: input.channels, size: parameters.patch)
        }
        training.classVoxels = zip(names, index.counts).dropFirst().map { ($0, $1) }
        training.heldBytes = source.heldBytes(threads: environment.threads)
        if !people.validation.isEmpty {
            let judged = samples.source(people.validation, share: 4)
            let judgedIndex = try ForegroundIndex(judged, classes: names.count, seed: parameters.seed)
            let isBare = judgedIndex.counts.dropFirst().allSatisfy { $0 == 0 }
            // Patches are centred on what may be chosen.
            let weights = try samples.foregroundWeights() ?? names.map { _ in 1 }
            let hasNone = zip(judgedIndex.counts, weights).dropFirst().allSatisfy { $0 == 0 || $1 == 0 }
            if isBare {
                // Normal where what is looked for is rare: the loss decides then.
                training.metric = .loss
                warnings.append(
                    "No validation image has a voxel of \(Self.listed(names)): the best epoch is chosen by the loss; a larger "
                        + "“validation” or another “seed” judges by what is to be found.")
            }
            training.validation =
                try environment.settings.samplesSlices()
                ? samples.judgedSlices(judged)
                : samples.judgedPatches(judged, judgedIndex, sessions: people.validation.count, anywhere: hasNone)
            training.volumes = VolumeValidation(volumes: judged, subjects: people.validation.map(\.subject))
            training.heldBytes += judged.heldBytes(threads: environment.threads)
        }
        training.warnings = warnings
    }

    /// Warns of classes that never occur.
    ///
    /// - Throws: a permanent failure where none does.
    private static func missing(
        _ names: [String], _ index: ForegroundIndex, _ environment: TaskEnvironment
    ) throws -> [String] {
        let absent = zip(names, index.counts).dropFirst().filter { $0.1 == 0 }.map(\.0)
        guard absent.count < names.count - 1 else {
            throw environment.refuse(
                "no label map of the people to be trained on has a voxel of \(listed(names)); check “classes” and what is "
                    + "bound to “labels”")
        }
        return absent.map {
            "The label maps of the people trained on have no voxel of \($0): the model cannot learn it; check what “classes” "
                + "says of it."
        }
    }

    private static func listed(_ names: [String]) -> String { names.dropFirst().joined(separator: ", ") }
}

/// Where the samples of a segmentation come from.
private struct Samples {
    let parameters: TrainingParameters
    let volumes: TrainingVolumes
    /// Background first.
    let names: [String]
    let hasOneLogit: Bool
    let globalScale: Int?

    private var environment: TaskEnvironment { parameters.environment }
    private var channels: Int { parameters.channels.count }

    /// Half of what the attempt may take is for the network; a share of the rest for images.
    func source(_ sessions: [TrainingSession], share: Int) -> CachedVolumes {
        volumes.source(sessions, limitBytes: (environment.request.memoryMiB << 19) / share)
    }

    // MARK: Patches

    func patchOptions(sessions: Int) throws -> PatchOptions {
        let (given, batch) = (environment.integer("samples_per_epoch"), environment.integer("batch"))
        var options = PatchOptions(
            patch: parameters.patch, batch: batch, samplesPerEpoch: max(given > 0 ? given : 8 * sessions, batch))
        options.foregroundFraction = environment.number("foreground_fraction")
        options.classWeights = try foregroundWeights() ?? []
        (options.spatial, options.intensity) = (parameters.augmentation.spatial, parameters.augmentation.intensity)
        options.targets = hasOneLogit ? .values : .classes
        options.globalScale = globalScale
        return options
    }

    /// By class, background first; nil where all are chosen alike.
    func foregroundWeights() throws -> [Double]? {
        try environment.settings.weights("foreground_weights", of: Array(names.dropFirst())).map { [0] + $0 }
    }

    func patches(
        _ source: CachedVolumes, _ index: ForegroundIndex, _ options: PatchOptions, isEvaluation: Bool = false
    ) throws -> PatchBatches {
        try PatchBatches(
            source, index: index, channels: channels, options: options, seed: parameters.seed,
            isEvaluation: isEvaluation, threads: environment.threads)
    }

    /// - Parameter anywhere: whether patches lie anywhere, for there is no foreground to lie on.
    func judgedPatches(
        _ source: CachedVolumes, _ index: ForegroundIndex, sessions: Int, anywhere: Bool
    ) throws -> PatchBatches {
        var options = try patchOptions(sessions: sessions)
        let unchanged = parameters.augmentation.none
        (options.spatial, options.intensity) = (unchanged.spatial, unchanged.intensity)
        if anywhere { options.foregroundFraction = 0 }
        return try patches(source, index, options, isEvaluation: true)
    }

    // MARK: Slices

    var sliceOptions: SliceOptions {
        var options = SliceOptions(
            height: parameters.patch.height, width: parameters.patch.width, batch: environment.integer("batch"))
        options.foregroundFraction = environment.number("foreground_fraction")
        let given = environment.integer("samples_per_epoch")
        options.samplesPerEpoch = given > 0 ? given : nil
        if let deepmir = parameters.augmentation.deepmir {
            options.shapes = .deepmir(deepmir)
            options.interpolation = .cubic
        } else {
            options.shapes = .spatial(parameters.augmentation.spatial)
        }
        options.lateralPairs = parameters.augmentation.spatial.lateralPairs
        options.intensity = parameters.augmentation.intensity
        options.targets = hasOneLogit ? .values : .classes
        return options
    }

    func slices(_ source: CachedVolumes, _ options: SliceOptions, isEvaluation: Bool = false) throws -> SliceBatches {
        try SliceBatches(
            source, index: try SliceIndex(source, emptyChannel: emptyChannel), channels: channels,
            options: options, seed: parameters.seed, classes: names.count, isEvaluation: isEvaluation,
            threads: environment.threads)
    }

    /// Every slice once, as it is.
    func judgedSlices(_ source: CachedVolumes) throws -> SliceBatches {
        var options = sliceOptions
        (options.shapes, options.intensity) = (
            .spatial(parameters.augmentation.none.spatial), parameters.augmentation.none.intensity
        )
        return try slices(source, options, isEvaluation: true)
    }

    /// Of the channel that `skip_empty` names, if any.
    var emptyChannel: Int? {
        let modality = environment.text("skip_empty")
        return modality.isEmpty ? nil : parameters.channels.firstIndex { $0.modality == modality }
    }
}
