import BIDS
import Kernels
import NIfTI
import Networks
import Workflow

/// A ResNet-18 that tells people apart by a column of participants.tsv, or lesions by a table.
struct ClassificationTraining {
    private(set) var training: NetworkTrainTask.Training

    init(
        _ environment: TaskEnvironment, _ parameters: TrainingParameters, _ people: TrainingPeople,
        _ geometry: ModelCard.Geometry
    ) throws {
        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: nil, units: environment.text("units"),
            threads: environment.threads)
        let targets = try ClassificationTargets(environment)
        let column = environment.text("target")
        var warnings: [String] = []
        /// Name of the class and the middle of the patch in world mm (nil: of the volume) of every sample.
        func samples(_ sessions: [TrainingSession]) throws -> [(session: Int, name: String, centre: SIMD3<Double>?)] {
            try sessions.enumerated().flatMap { n, session in
                try targets.samples(session, &warnings).map { (n, $0.name, $0.centre) }
            }
        }
        let (learned, judged) = (try samples(people.training), try samples(people.validation))
        let names = Set((learned + judged).map(\.name)).sorted()
        guard names.count <= 256 else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step) finds \(names.count) classes, and a network tells at most 256 apart; "
                    + (column.isEmpty
                        ? "correct the column class of the tables bound to “targets”"
                        : "the column \(column) is to name groups, not a number of each person's own"))
        }
        guard names.count >= 2 else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step) is to tell classes apart and finds \(names.count == 1 ? "only “\(names[0])”" : "\(names.count)"); "
                    + (column.isEmpty
                        ? "bind tables of lesions to “targets”, or name a column with “target”"
                        : "the column \(column) needs two or more levels"))
        }

        var options = TargetedOptions(patch: parameters.patch, batch: environment.integer("batch"))
        options.targets = .classes
        options.spatial = parameters.spatial
        options.intensity = parameters.intensity
        var judging = options
        judging.spatial = SpatialAugmentation()
        judging.spatial.beyond = parameters.spatial.beyond
        judging.intensity = IntensityAugmentation()
        let seed = parameters.settings.seed
        let cache = environment.request.memoryMiB << 19
        func data(
            _ sessions: [TrainingSession], _ samples: [(session: Int, name: String, centre: SIMD3<Double>?)],
            _ options: TargetedOptions, share: Int, isEvaluation: Bool
        ) throws -> TargetedBatches {
            let source = volumes.source(sessions, limitBytes: cache / share)
            let patches = try samples.map { sample in
                TargetedPatch(
                    volume: sample.session,
                    centre: try sample.centre.map { try Self.position($0, in: sessions[sample.session], geometry) },
                    target: Float(names.firstIndex(of: sample.name)!))
            }
            return try TargetedBatches(
                source, samples: patches, channels: parameters.channels.count, options: options, seed: seed,
                isEvaluation: isEvaluation, threads: environment.threads)
        }

        var net = ResidualNetwork.resNet18(inputChannels: parameters.channels.count)
        net.rank = parameters.rank
        var card = ModelCard(
            name: "resnet18-\(net.rank)d-\(parameters.modalities)", task: .classification,
            architecture: "ResNet-18, \(net.rank)-D",
            network: try net.classifier(outputs: names.count),
            channels: parameters.channels, geometry: geometry, classes: names, output: .softmax, source: .trained,
            softwareVersion: Version.text)
        var settings = parameters.settings
        settings.loss = environment.texts("loss").contains("focal") ? .focal() : .crossEntropy()
        card.training = ModelCard.Training(settings: settings, targeted: options)
        training = NetworkTrainTask.Training(
            card: card, data: try data(people.training, learned, options, share: 2, isEvaluation: false),
            validation: judged.isEmpty
                ? nil : try data(people.validation, judged, judging, share: 4, isEvaluation: true),
            metric: .accuracy(), settings: settings, warnings: warnings)
        training.batch = FeatureShape(batch: options.batch, channels: parameters.channels.count, size: parameters.patch)
        // Nothing has been read yet: what may be kept of the volumes counts.
        training.cachedBytes = cache / 2 + (judged.isEmpty ? 0 : cache / 4)
    }

    /// World mm → voxel position on the grid the model sees.
    private static func position(
        _ world: SIMD3<Double>, in session: TrainingSession, _ geometry: ModelCard.Geometry
    ) throws -> SIMD3<Double> {
        let original = try NIfTIFile.readHeader(session.images[0].path).grid
        let grid = try geometry.grid(for: original, image: session.images[0].input.name, model: "in training")
        guard let inverse = grid.affine.inverse else {
            throw GridError.singularAffine(session.images[0].input.name)
        }
        return inverse(world)
    }
}
