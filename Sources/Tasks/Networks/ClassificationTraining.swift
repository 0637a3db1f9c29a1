import Kernels
import NIfTI
import Networks
import Workflow

/// A network that tells people apart by a column of participants.tsv, or lesions by a table.
struct ClassificationTraining {
    private(set) var training: NetworkTrainTask.Training

    init(
        _ parameters: TrainingParameters, _ people: TrainingPeople, _ geometry: ModelCard.Geometry,
        _ targets: TrainingTargets
    ) throws {
        let environment = parameters.environment
        let features =
            try targets.needs.contains(.features)
            ? TrainingTargets.featureNames(people.training + people.validation) : []
        var warnings: [String] = []
        let learned = try targets.samples(people.training, features: features, &warnings)
        let judged = try targets.samples(people.validation, features: features, &warnings)
        warnings += try Self.census(targets, people, learned: learned, judged: judged)
        let classes = try Self.classes(parameters, targets, learned: learned, judged: judged)
        let standardisation =
            features.isEmpty ? nil : FeatureStandardisation(names: features, samples: learned.map(\.features))

        var options = TargetedOptions(patch: parameters.patch, batch: environment.integer("batch"))
        options.minimumPositives = environment.integer("minimum_positives")
        options.targets =
            switch parameters.network {
            case .slices: .valuesPerSlice
            case .qsmrim: .values
            default: .classes
            }
        (options.spatial, options.intensity) = (parameters.augmentation.spatial, parameters.augmentation.intensity)
        var judging = options
        (judging.spatial, judging.intensity) = (
            parameters.augmentation.none.spatial, parameters.augmentation.none.intensity
        )

        let architecture = try NetworkArchitecture.classification(
            parameters, classes: classes.count, features: features.count)
        try parameters.checkPatch(of: architecture.network)
        let settings = parameters.settings(loss: try parameters.classificationLoss(classes))
        var card = ModelCard(
            name: parameters.modelName, task: .classification, architecture: architecture.name,
            network: architecture.network, channels: parameters.channels, geometry: geometry, classes: classes,
            output: parameters.network.hasOneLogit ? .sigmoid : .softmax, source: .trained,
            softwareVersion: Version.text)
        card.features = standardisation
        card.training = ModelCard.Training(settings: settings, targeted: options)

        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: nil, units: environment.text("units"),
            threads: environment.threads)
        // Half of what the attempt may take is for the network.
        let cache = environment.request.memoryMiB << 19
        func data(
            _ sessions: [TrainingSession], _ samples: [TrainingTargets.Sample], _ options: TargetedOptions, share: Int,
            isEvaluation: Bool = false
        ) throws -> TargetedBatches {
            let source = volumes.source(sessions, limitBytes: cache / share)
            let patches = try samples.map { sample in
                TargetedPatch(
                    volume: sample.session,
                    centre: try sample.centre.map { try Self.position($0, in: sessions[sample.session], geometry) },
                    target: Float(classes.firstIndex(of: sample.name)!),
                    features: standardisation?.standardised(sample.features) ?? [])
            }
            return try TargetedBatches(
                source, samples: patches, channels: parameters.channels.count, options: options,
                seed: parameters.seed, isEvaluation: isEvaluation, threads: environment.threads)
        }
        let constant = standardisation?.constant ?? []
        if !constant.isEmpty {
            warnings.append(
                "Features that are the same for every lesion trained on count for nothing: "
                    + "\(constant.joined(separator: ", ")).")
        }
        training = NetworkTrainTask.Training(
            card: card, data: try data(people.training, learned, options, share: 2),
            validation: judged.isEmpty
                ? nil : try data(people.validation, judged, judging, share: 4, isEvaluation: true),
            metric: try parameters.metric(classes: classes.count), settings: settings, warnings: warnings)
        training.batch = architecture.network.inputs.map { input in
            FeatureShape(
                batch: options.batch, channels: input.channels, size: input.rank == 0 ? .one : parameters.patch)
        }
        // Nothing has been read yet: what will be kept of the volumes counts.
        training.heldBytes = try volumes.heldBytes(people.training, limitBytes: cache / 2)
        if !judged.isEmpty {
            training.heldBytes += try volumes.heldBytes(people.validation, limitBytes: cache / 4)
        }
    }

    /// Warns of classes that are too few.
    ///
    /// - Throws: a finding about a column whose levels are no classes.
    private static func census(
        _ targets: TrainingTargets, _ people: TrainingPeople, learned: [TrainingTargets.Sample],
        judged: [TrainingTargets.Sample]
    ) throws -> [String] {
        guard !targets.column.isEmpty else {
            return ClassCensus(learned: learned.map(\.name), judged: judged.map(\.name))
                .warnings(unit: ("lesion", "lesions"))
        }
        // One vote each, however many sessions.
        func names(_ samples: [TrainingTargets.Sample], _ sessions: [TrainingSession]) -> [String] {
            let levels = samples.map { (sessions[$0.session].subject, $0.name) }
            return Dictionary(levels, uniquingKeysWith: { first, _ in first }).map(\.value)
        }
        let census = ClassCensus(
            learned: names(learned, people.training), judged: names(judged, people.validation))
        if let refusal = census.refusal(column: targets.column, isNumeric: targets.isNumeric) {
            throw StepFinding("target", refusal)
        }
        return census.warnings(unit: ("person", "people"))
    }

    /// Names of the classes, those stated or else those met; of two of which one counts as positive, that one last.
    private static func classes(
        _ parameters: TrainingParameters, _ targets: TrainingTargets, learned: [TrainingTargets.Sample],
        judged: [TrainingTargets.Sample]
    ) throws -> [String] {
        let environment = parameters.environment
        let trained = Set(learned.map(\.name))
        guard trained.count >= 2 else {
            let others = targets.classes.filter { !trained.contains($0) }.map { "“\($0)”" }
            throw environment.refuse(
                "what is to be told apart has \(trained.first.map { "only the class “\($0)”" } ?? "no class") among the people trained on"
                    + (others.isEmpty || trained.isEmpty ? "" : ", and nothing of \(others.joined(separator: ", "))")
                    + "; "
                    + targets.advice)
        }
        var names = targets.classes.isEmpty ? trained.union(judged.map(\.name)).sorted() : targets.classes
        let needsPositive = parameters.network.hasOneLogit || environment.integer("minimum_positives") > 0
        guard names.count <= 256, names.count == 2 || !needsPositive else {
            throw environment.refuse(
                "\(parameters.network.hasOneLogit ? "network \(parameters.network.rawValue)" : "minimum_positives") is for two classes, and there are "
                    + "\(names.count): \(names.prefix(5).joined(separator: ", "))\(names.count > 5 ? " …" : "")")
        }
        let stated = environment.text("positive")
        guard stated.isEmpty || names.contains(stated) else {
            throw environment.refuse(
                "positive names the class “\(stated)”; there are \(names.joined(separator: ", "))")
        }
        guard needsPositive || !stated.isEmpty else { return names }
        func count(_ name: String) -> Int { learned.count { $0.name == name } }
        // Of classes that are stated the last, so that folds agree; else the rarer.
        let isLast = !targets.classes.isEmpty || count(names[0]) >= count(names[1])
        let positive = stated.isEmpty ? names[isLast ? 1 : 0] : stated
        guard count(positive) > 0 || environment.integer("minimum_positives") == 0 else {
            throw StepFinding(
                "minimum_positives",
                "none of those trained on is “\(positive)”, the class that counts as positive; another “seed” splits otherwise"
            )
        }
        names.removeAll { $0 == positive }
        return names + [positive]
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
