import BIDS
import Foundation
import Kernels
import Networks
import Workflow

/// Trains a network on the cohort's images.
///
/// The weights are a function of the parameters and of the bytes of the images: not of the number of threads, nor of how
/// often the training was interrupted.
enum NetworkTrainTask: TaskImplementation {
    static let kind = "network.train"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let parameters = try TrainingParameters(environment)
        let targets = parameters.network.segments ? nil : try TrainingTargets(environment, parameters.network)
        let isByName = parameters.classes.contains { !$0.regions.isEmpty }
        let masks: [TrainingPeople.Need] =
            parameters.channels.contains { $0.normalisation.needsMask } ? [.masks] : []
        let people = try TrainingPeople(
            environment, channels: parameters.channels.count,
            needs: masks + (targets?.needs ?? (isByName ? [.labels, .tables] : [.labels])),
            fraction: environment.number("validation"), seed: parameters.seed,
            unless: { try targets?.reason(against: $0) ?? TrainingVolumes.problem(of: $0, parameters) })
        let geometry = try geometry(environment, people)
        let subject =
            try targets.map { try ClassificationTraining(parameters, people, geometry, $0).training }
            ?? SegmentationTraining(parameters, people, geometry).training
        return try train(environment, people, subject)
    }

    /// What is trained, whatever its kind.
    struct Training {
        var card: ModelCard
        var data: any TrainingData
        var validation: (any TrainingData)?
        var metric: ValidationMetric
        var settings: TrainingSettings
        var warnings: [String] = []
        /// Of a segmentation, how many voxels of each class there are to learn from, by name.
        var classVoxels: [(name: String, voxels: Int)] = []
        /// Of one batch, per input of the network.
        var batch: [FeatureShape] = []
        /// Volumes held in memory, at most.
        var heldBytes = 0
        /// Whole images to judge a segmentation by in the end.
        var volumes: VolumeValidation?
    }

    private static func geometry(_ environment: TaskEnvironment, _ people: TrainingPeople) throws -> ModelCard.Geometry
    {
        if let spacing = try environment.settings.trainingSpacingMillimetres() {
            return ModelCard.Geometry(spacingMillimetres: spacing, orientation: "RAS", otherGrids: .resample)
        }
        let first = try TrainingGrid.spacing(of: people.training[0].images[0])
        if environment.request.context.fold != nil { try TrainingGrid.checkIsCommon(people, environment) }
        return ModelCard.Geometry(spacingMillimetres: first, orientation: "RAS", otherGrids: .resample)
    }

    private static func train(
        _ environment: TaskEnvironment, _ people: TrainingPeople, _ training: Training
    ) throws -> TaskResult {
        var card = training.card
        let memory = try TrainingMemory(training, threads: environment.threads)
        environment.say("the training takes \(memory)")
        // A class that cannot be learned is better known before days of training than after.
        for warning in training.warnings { environment.say(warning) }
        try memory.check(limitMiB: environment.request.memoryMiB, step: environment.request.step)
        let (result, unsaved) = try learned(environment, people, training)

        card.split = people.split
        card.data = people.data
        card.notes += environment.texts("notes")
        // Averaged weights are those of no epoch.
        let best = result.averagedMetric == nil ? result.bestEpoch : nil
        let judged = best.flatMap { best in result.history.first { $0.epoch == best } }
        let metric = result.averagedMetric ?? judged?.metric
        if let metric {
            card.metrics = [ModelCard.Metric(name: training.metric.name, measuredOn: "validation", value: metric)]
        }
        let judgement = try training.volumes?.dice(
            Model(card: card, weights: result.weights), threads: environment.threads)
        card.metrics += (judgement ?? []).map {
            ModelCard.Metric(name: "dice", className: $0.name, measuredOn: "validation", value: $0.value)
        }
        let model = try Model(card: card, weights: result.weights)
        let cardValue = try JSONValue.parse(Data(try card.json().utf8))
        let (path, entry) = environment.output(
            "model", metadata: .object(["type": "model", "card": cardValue]))
        try model.write(to: path)

        var measured = [
            MeasuredValue(metric: "epochs", value: Double(result.history.count), unit: "1"),
            MeasuredValue(metric: "parameters", value: Double(card.network.trainableCount), unit: "1"),
        ]
        if let last = result.history.last {
            measured.append(MeasuredValue(metric: "training_loss", value: last.trainingLoss, unit: "1"))
        }
        if let best {
            measured.append(MeasuredValue(metric: "best_epoch", value: Double(best + 1), unit: "1"))
        }
        if let loss = result.averagedLoss ?? judged?.validationLoss {
            measured.append(MeasuredValue(metric: "validation_loss", value: loss, unit: "1"))
        }
        if let metric {
            measured.append(
                MeasuredValue(term: training.metric.name, metric: "validation_metric", value: metric, unit: "1"))
        }
        for one in training.classVoxels {
            measured.append(
                MeasuredValue(term: one.name, metric: "training_voxels", value: Double(one.voxels), unit: "1"))
        }
        for one in judgement ?? [] {
            measured.append(MeasuredValue(term: one.name, metric: "dice", value: one.value, unit: "1"))
        }
        return TaskResult(
            outputs: [
                entry, try environment.writeTable(curve(result.history, training.metric.name), to: "curve"),
                try environment.writeTable(split(people), to: "split"),
            ],
            measurements: measured, warnings: training.warnings + people.warnings + (unsaved.map { [$0] } ?? []))
    }

    /// What comes of all epochs, and where their progress could not be saved the sentence that says so. The trainer's memory is
    /// given back.
    private static func learned(
        _ environment: TaskEnvironment, _ people: TrainingPeople, _ training: Training
    ) throws -> (result: TrainingResult, unsaved: String?) {
        let checkpoint = environment.keptFile("checkpoint.safetensors")
        let trainer = try trainer(environment, training, people, checkpoint: checkpoint)
        let epochs = training.settings.epochs
        var unsaved: String?
        let result = try trainer.run(
            training.data, validation: training.validation, metric: training.metric,
            checkpoints: checkpoint.map { Trainer.Checkpoints(path: $0) },
            progress: { event in
                switch event {
                case .batch(let epoch, let index, let of, _, _, _):
                    environment.report(progress: (Double(epoch) + Double(index + 1) / Double(of)) / Double(epochs))
                case .epoch(let record, let of, let isBest, let remaining):
                    environment.say(
                        line(record, of: of, isBest: isBest, remaining: remaining, metric: training.metric.name))
                case .stoppedEarly(let epoch, let bestEpoch):
                    environment.say("stopped early after epoch \(epoch + 1); the best was epoch \(bestEpoch + 1)")
                case .checkpoint: unsaved = nil
                case .checkpointFailed(let error):
                    unsaved = "The training's progress could not be saved (\(error))"
                    environment.say("\(error); an interruption now would cost what was done since the last checkpoint")
                case .statistics: break
                }
            })
        return (result, unsaved)
    }

    /// Goes on from the checkpoint that an earlier attempt of the same task left on this worker; else begins.
    private static func trainer(
        _ environment: TaskEnvironment, _ training: Training, _ people: TrainingPeople, checkpoint: String?
    ) throws -> Trainer {
        let network = training.card.network
        if let checkpoint { SafetensorsWriter.removeHalfWritten(checkpoint) }
        if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
            do {
                let trainer = try Trainer(
                    resuming: checkpoint, network, settings: training.settings, dataDigest: people.digest,
                    threads: environment.threads)
                environment.say(
                    "goes on from the checkpoint of an earlier attempt, after epoch \(trainer.nextEpoch)/\(training.settings.epochs)"
                )
                return trainer
            } catch {
                // A damaged or foreign checkpoint costs time, never the training.
                environment.say("the checkpoint of an earlier attempt is not used: \(error)")
            }
        }
        var weights = network.initialWeights(.heNormal, seed: training.settings.seed)
        if let item = environment.optionalInput("model") {
            let model = try Model(path: item.path)
            guard model.card.network == network else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) holds another network than step \(environment.request.step) trains; give it the same "
                        + "network, widths and channels")
            }
            weights = model.weights
        }
        return try Trainer(
            network, settings: training.settings, weights: weights, dataDigest: people.digest,
            threads: environment.threads)
    }

    private static func line(
        _ record: EpochRecord, of epochs: Int, isBest: Bool, remaining: Double, metric: String
    ) -> String {
        func text(_ x: Double) -> String { String(format: "%.5g", x) }
        var parts = ["epoch \(record.epoch + 1)/\(epochs)", "loss \(text(record.trainingLoss))"]
        if let loss = record.validationLoss { parts.append("validation loss \(text(loss))") }
        if let value = record.metric { parts.append("\(metric) \(text(value))\(isBest ? " (best)" : "")") }
        parts.append("\(Int(remaining)) s to go")
        return parts.joined(separator: ", ")
    }

    private static func curve(_ history: [EpochRecord], _ metric: String) -> TabSeparatedTable {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "n/a" }
        return TabSeparatedTable(
            columns: [
                "epoch", "learning_rate", "training_loss", "validation_loss", metric == "loss" ? "metric" : metric,
            ],
            rows: history.map {
                [
                    "\($0.epoch + 1)", text($0.learningRate), text($0.trainingLoss), text($0.validationLoss),
                    text($0.metric),
                ]
            })
    }

    private static func split(_ people: TrainingPeople) -> TabSeparatedTable {
        func rows(_ sessions: [TrainingSession], _ part: String) -> [[String]] {
            sessions.map { ["sub-\($0.subject)", $0.context.session.map { "ses-\($0)" } ?? "n/a", part] }
        }
        return TabSeparatedTable(
            columns: ["participant_id", "session_id", "part"],
            rows: rows(people.training, "training") + rows(people.validation, "validation"))
    }
}
