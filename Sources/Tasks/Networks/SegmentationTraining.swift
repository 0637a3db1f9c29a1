import BIDS
import Kernels
import Networks
import Workflow

/// A network that gives every voxel a class, on patches or slices.
struct SegmentationTraining {
    let training: NetworkTrainTask.Training

    init(_ parameters: TrainingParameters, _ people: TrainingPeople, _ geometry: ModelCard.Geometry) throws {
        let environment = parameters.environment
        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: parameters.classes,
            units: environment.text("units"), threads: environment.threads)
        let names =
            ["background"] + (parameters.classes.isEmpty ? ["foreground"] : parameters.classes.map(\.name))
        let hasOneLogit = try parameters.segmentationHasOneLogit()
        let settings = parameters.settings(loss: try parameters.segmentationLoss(names))
        let metric = try parameters.metric(classes: names.count)
        let architecture = try NetworkArchitecture.segmentation(
            parameters, outputs: hasOneLogit ? 1 : names.count)
        let network = architecture.network
        // Says which layer cannot take the patch before anything is read.
        _ = try network.shapes(
            for: network.inputs.map { input in
                FeatureShape(batch: 1, channels: input.channels, size: parameters.patch)
            })

        var card = ModelCard(
            name: environment.request.step, task: .segmentation, architecture: architecture.name, network: network,
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
        let data: (training: any TrainingData, validation: (any TrainingData)?)
        if try parameters.samplesSlices() {
            let options = try samples.sliceOptions
            card.training = ModelCard.Training(settings: settings, slices: options)
            data = (
                try samples.slices(people.training, options),
                people.validation.isEmpty ? nil : try samples.judgedSlices(people.validation, options)
            )
        } else {
            let options = try samples.patchOptions(sessions: people.training.count)
            card.training = ModelCard.Training(settings: settings, patches: options)
            data = (
                try samples.patches(people.training, options),
                people.validation.isEmpty ? nil : try samples.judgedPatches(people.validation)
            )
        }
        training = NetworkTrainTask.Training(
            card: card, data: data.training, validation: data.validation, metric: metric, settings: settings)
    }
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
    private func source(_ sessions: [TrainingSession], share: Int) -> CachedVolumes {
        volumes.source(sessions, limitBytes: (environment.request.memoryMiB << 19) / share)
    }

    // MARK: Patches

    func patchOptions(sessions: Int) throws -> PatchOptions {
        guard parameters.augmentation.deepmir == nil else {
            throw environment.refuse("augmentation deepmir is for sampling slices, of networks of rank 2")
        }
        guard !environment.isSet("skip_empty") else {
            throw environment.refuse("skip_empty is for sampling slices, of networks of rank 2")
        }
        let (given, batch) = (environment.integer("samples_per_epoch"), environment.integer("batch"))
        var options = PatchOptions(
            patch: parameters.patch, batch: batch, samplesPerEpoch: max(given > 0 ? given : 8 * sessions, batch))
        options.foregroundFraction = environment.number("foreground_fraction")
        options.classWeights =
            try environment.weights("foreground_weights", of: Array(names.dropFirst())).map { [0] + $0 } ?? []
        (options.spatial, options.intensity) = (parameters.augmentation.spatial, parameters.augmentation.intensity)
        // As at inference.
        options.spatial.beyond = .background
        options.targets = hasOneLogit ? .values : .classes
        options.globalScale = globalScale
        return options
    }

    func patches(_ sessions: [TrainingSession], _ options: PatchOptions, share: Int = 2) throws -> PatchBatches {
        let source = source(sessions, share: share)
        return try PatchBatches(
            source, index: try ForegroundIndex(source, classes: names.count, seed: parameters.seed),
            channels: channels, options: options, seed: parameters.seed, threads: environment.threads)
    }

    func judgedPatches(_ sessions: [TrainingSession]) throws -> PatchBatches {
        var options = try patchOptions(sessions: sessions.count)
        let unchanged = parameters.augmentation.none
        (options.spatial, options.intensity) = (unchanged.spatial, unchanged.intensity)
        options.spatial.beyond = .background
        return try patches(sessions, options, share: 4)
    }

    // MARK: Slices

    var sliceOptions: SliceOptions {
        get throws {
            guard !environment.isSet("foreground_weights") else {
                throw environment.refuse("foreground_weights is for sampling patches; leave it out")
            }
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
    }

    func slices(_ sessions: [TrainingSession], _ options: SliceOptions) throws -> SliceBatches {
        let source = source(sessions, share: 2)
        return try SliceBatches(
            source, index: try SliceIndex(source, emptyChannel: try emptyChannel()), channels: channels,
            options: options, seed: parameters.seed, threads: environment.threads)
    }

    /// Every slice once, as it is.
    func judgedSlices(_ sessions: [TrainingSession], _ options: SliceOptions) throws -> SliceBatches {
        let source = source(sessions, share: 4)
        let index = try SliceIndex(source, emptyChannel: try emptyChannel())
        var options = options
        (options.foregroundFraction, options.samplesPerEpoch) = (nil, nil)
        (options.shapes, options.intensity) = (.spatial(SpatialAugmentation()), IntensityAugmentation())
        options.batch = judgingBatch(
            samples: index.foreground.count + index.background.count, atMost: options.batch)
        return try SliceBatches(
            source, index: index, channels: channels, options: options, seed: parameters.seed,
            threads: environment.threads)
    }

    private func emptyChannel() throws -> Int? {
        let modality = environment.text("skip_empty")
        guard !modality.isEmpty else { return nil }
        let modalities = parameters.channels.map(\.modality)
        guard let channel = modalities.firstIndex(of: modality) else {
            throw environment.refuse(
                "skip_empty names the channel “\(modality)”; there are \(modalities.joined(separator: ", "))")
        }
        return channel
    }
}
