import BIDS
import Kernels
import NIfTI
import Networks
import Workflow

/// A ResNet-18 that tells people apart by a column of participants.tsv, or lesions by a table.
struct ClassificationTraining {
    let training: NetworkTrainTask.Training

    init(
        _ environment: TaskEnvironment, _ parameters: TrainingParameters, _ people: TrainingPeople,
        _ geometry: ModelCard.Geometry
    ) throws {
        let volumes = TrainingVolumes(
            channels: parameters.channels, geometry: geometry, classes: nil, units: environment.text("units"),
            threads: environment.threads)
        let column = environment.text("target")
        var warnings: [String] = []
        /// Name of the class and the middle of the patch in world mm (nil: of the volume) of every sample.
        func samples(_ sessions: [TrainingSession]) throws -> [(session: Int, name: String, centre: SIMD3<Double>?)] {
            if column.isEmpty { return try Self.lesions(sessions, &warnings) }
            let item = try environment.input("covariates")
            let table = try CohortCovariates(try item.readJSON(), name: item.input.name)
            return sessions.enumerated().compactMap { n, session in
                guard let name = Self.level(table.values[session.subject]?[column]) else {
                    warnings.append("\(session.context) takes no part: \(item.input.name) has no \(column) for it.")
                    return nil
                }
                return (n, name, nil)
            }
        }
        let (learned, judged) = (try samples(people.training), try samples(people.validation))
        let names = Set((learned + judged).map(\.name)).sorted()
        guard names.count >= 2, names.count <= 256 else {
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
        judging.intensity = IntensityAugmentation()
        let seed = parameters.settings.seed
        let cache = environment.request.memoryMiB << 19
        func data(
            _ sessions: [TrainingSession], _ samples: [(session: Int, name: String, centre: SIMD3<Double>?)],
            _ options: TargetedOptions, share: Int
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
                threads: environment.threads)
        }

        var net = ResidualNetwork.resNet18(inputChannels: parameters.channels.count)
        net.rank = parameters.rank
        var card = ModelCard(
            name: environment.request.step, task: .classification, architecture: "ResNet-18, \(net.rank)-D",
            network: try net.classifier(outputs: names.count),
            channels: parameters.channels, geometry: geometry, classes: names, output: .softmax, source: .trained,
            softwareVersion: Version.text)
        var settings = parameters.settings
        settings.loss = environment.texts("loss").contains("focal") ? .focal() : .crossEntropy()
        card.training = ModelCard.Training(settings: settings, targeted: options)
        training = NetworkTrainTask.Training(
            card: card, data: try data(people.training, learned, options, share: 2),
            validation: judged.isEmpty ? nil : try data(people.validation, judged, judging, share: 4),
            metric: .accuracy(), settings: settings, warnings: warnings)
    }

    /// A level as participants.tsv writes it.
    private static func level(_ value: JSONValue?) -> String? {
        value?.stringValue ?? value.flatMap { $0.isNull ? nil : $0.canonicalString }
    }

    private static func lesions(
        _ sessions: [TrainingSession], _ warnings: inout [String]
    ) throws -> [(session: Int, name: String, centre: SIMD3<Double>?)] {
        var samples: [(session: Int, name: String, centre: SIMD3<Double>?)] = []
        for (n, session) in sessions.enumerated() {
            guard let labels = session.labels, let targets = session.targets else {
                warnings.append("\(session.context) takes no part: it lacks a map or a table of lesions.")
                continue
            }
            let centres = LesionCentres(try NIfTIFile.readLabelMap(labels.path))
            let table = try targets.readTable()
            let name = targets.input.name
            let (lesion, classColumn) = (try table.column("lesion", of: name), try table.column("class", of: name))
            for row in table.rows {
                guard let number = UInt16(row[lesion]), let centre = centres.worldMillimetres[number] else {
                    throw TaskResult.Failure.permanent(
                        "\(name) speaks of lesion “\(row[lesion])”, which \(labels.input.name) does not have; correct the table"
                    )
                }
                samples.append((n, row[classColumn], centre))
            }
        }
        return samples
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
