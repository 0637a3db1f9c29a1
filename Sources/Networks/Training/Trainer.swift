import Foundation
import Kernels

/// Trains a network.
///
/// The same bits come out for any number of threads, and for a training that was interrupted and resumed from its
/// checkpoint: everything random is a function of the seed and of epoch, batch and sample.
package final class Trainer {
    package let network: Network
    package let settings: TrainingSettings
    package let threads: Int

    /// The epoch that comes next, counted from 0.
    package var nextEpoch: Int { state.epoch }

    let parameters: ParameterStorage
    let optimiser: OptimiserState
    var state = TrainingState()
    /// Parameters of the best epoch, and the average, laid out as `parameters` is.
    var best: FeatureStorage?
    var average: FeatureStorage?
    /// What the training data is, by what it holds, where the caller can say: a checkpoint of other data is refused.
    let dataDigest: String?
    private var plan: TrainingPlan?
    private var random: Philox { Philox(seed: settings.seed) }

    /// - Throws: `NetworkError` where settings contradict each other or the weights are those of another network.
    package init(
        _ network: Network, settings: TrainingSettings, weights: Weights, dataDigest: String? = nil, threads: Int
    ) throws {
        self.dataDigest = dataDigest
        try settings.check()
        guard weights.parameters == network.parameters else {
            throw NetworkError.weights("the weights are those of another network")
        }
        (self.network, self.settings, self.threads) = (network, settings, threads)
        parameters = ParameterStorage(weights)
        optimiser = OptimiserState(settings.optimiser, parameters)
    }

    /// Where to save what is needed to go on later, and how often besides at the end of every epoch.
    package struct Checkpoints: Sendable {
        package var path: String
        package var everyBatches: Int?

        package init(path: String, everyBatches: Int? = nil) { (self.path, self.everyBatches) = (path, everyBatches) }
    }

    /// Trains to the end, from wherever the training is.
    ///
    /// - Parameters:
    ///   - validation: looked at after every epoch; its batches are those of epoch 0.
    ///   - metric: decides which epoch is the best, and when to stop early.
    ///   - progress: what it throws ends the training; it can go on from the last checkpoint.
    package func run(
        _ data: any TrainingData, validation: (any TrainingData)? = nil, metric: ValidationMetric = .loss,
        checkpoints: Checkpoints? = nil, progress: (TrainingEvent) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        let batches = data.batchesPerEpoch
        guard batches > 0 else { throw NetworkError.training("the training data has no batches") }
        guard state.batchesPerEpoch == nil || state.batchesPerEpoch == batches else {
            throw NetworkError.training(
                "the checkpoint is of a training with \(state.batchesPerEpoch ?? 0) batches an epoch, and there are "
                    + "\(batches); begin anew or give the same data")
        }
        guard state.metric == nil || state.metric == metric.name else {
            throw NetworkError.training(
                "the checkpoint is of a training judged by \(state.metric ?? ""), not by \(metric.name); begin anew or "
                    + "judge by the same")
        }
        (state.batchesPerEpoch, state.metric) = (batches, metric.name)
        if let validation, validation.batchesPerEpoch < 1 {
            throw NetworkError.training("the validation data has no batches; leave it out or give some")
        }
        if let every = checkpoints?.everyBatches, every < 1 {
            throw NetworkError.training("a checkpoint every \(every) batches; give at least 1")
        }
        guard settings.earlyStopping == nil || validation != nil else {
            throw NetworkError.training("early stopping needs validation data")
        }
        let start = ContinuousClock.now
        let first = state.epoch * batches + state.batch
        func remaining() -> Double {
            let done = state.epoch * batches + state.batch
            let elapsed = ContinuousClock.now - start
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
            return done > first ? seconds / Double(done - first) * Double(settings.epochs * batches - done) : 0
        }

        var source = BatchSource(data)
        while state.epoch < settings.epochs, !state.hasStoppedEarly {
            let epoch = state.epoch
            while state.batch < batches {
                let index = state.batch
                let batch = try source.batch(
                    epoch: epoch, index: index, next: index + 1 < batches ? (epoch, index + 1) : (epoch + 1, 0),
                    prefetches: index + 1 < batches || epoch + 1 < settings.epochs)
                let (loss, rate) = try step(batch, index: index, batches: batches)
                state.batch += 1
                try progress(
                    .batch(
                        epoch: epoch, index: index, of: batches, loss: loss, learningRate: rate,
                        remainingSeconds: remaining()))
                if let checkpoints, let every = checkpoints.everyBatches, state.batch % every == 0,
                    state.batch < batches
                {
                    try save(checkpoints, progress)
                }
            }
            let (record, isBest) = try endEpoch(batches: batches, validation, metric)
            if let checkpoints { try save(checkpoints, progress) }
            try progress(.epoch(record, of: settings.epochs, isBest: isBest, remainingSeconds: remaining()))
            if state.hasStoppedEarly {
                try progress(.stoppedEarly(epoch: epoch, bestEpoch: state.best?.epoch ?? epoch))
            }
        }
        return try result(data, validation, metric, progress)
    }

    /// One update.
    private func step(_ batch: Batch, index: Int, batches: Int) throws -> (loss: LossValue, rate: Double) {
        let rate = settings.learningRate(epoch: state.epoch, batch: index, batchesPerEpoch: batches)
        let loss = try plan(for: batch).gradient(batch, random: random, epoch: state.epoch, index: index)
        func place(_ what: String) -> String { "the \(what) batch \(index + 1) of epoch \(state.epoch + 1)" }
        let norm = optimiser.gradientNorm(threads: threads)
        guard norm.isFinite else {
            throw NetworkError.training(place("gradient is not finite in") + ": lower the learning rate")
        }
        // PyTorch's formula, which keeps clear of a division by zero.
        let scale = settings.largestGradientNorm.map { Float(min(1, $0 / (norm + 1e-6))) } ?? 1
        optimiser.update(learningRate: rate, scale: scale, threads: threads)
        // Before anything is saved: a checkpoint with such weights would end every later attempt too.
        guard parameters.isFinite(threads: threads) else {
            throw NetworkError.training(
                place("weights are no longer finite after") + ": lower the learning rate, or clip the gradient")
        }
        state.step = optimiser.step
        let images = plan!.inputShapes[0].batch
        state.lossSum += loss.total * Double(images)
        state.images += images
        return (loss, rate)
    }

    /// The plan for batches of this shape; one at a time, as each takes its own memory.
    private func plan(for batch: Batch, learns: Bool = true) throws -> TrainingPlan {
        let shapes = try network.inputShapes(of: batch.inputs)
        if let plan, plan.inputShapes == shapes, plan.learns || !learns { return plan }
        plan = nil
        let fresh = try TrainingPlan(
            network, loss: settings.loss, inputs: shapes, parameters: parameters,
            moments: settings.optimiser.momentCount, learns: learns, threads: threads)
        plan = fresh
        return fresh
    }

    private func endEpoch(
        batches: Int, _ validation: (any TrainingData)?, _ metric: ValidationMetric
    ) throws -> (record: EpochRecord, isBest: Bool) {
        let epoch = state.epoch
        var record = EpochRecord(
            epoch: epoch,
            learningRate: settings.learningRate(epoch: epoch, batch: batches - 1, batchesPerEpoch: batches),
            trainingLoss: state.lossSum / Double(max(1, state.images)))
        if let averaging = settings.averaging, epoch >= averaging.firstEpoch { addToAverage() }
        var isBest = false
        if let validation {
            let (loss, value) = try evaluate(validation, metric)
            (record.validationLoss, record.metric) = (loss, value)
            isBest = judge(value, epoch, higherIsBetter: metric.higherIsBetter)
        }
        state.history.append(record)
        (state.epoch, state.batch) = (epoch + 1, 0)
        (state.lossSum, state.images) = (0, 0)
        return (record, isBest)
    }

    /// Keeps the best weights and decides on stopping early.
    private func judge(_ value: Double, _ epoch: Int, higherIsBetter: Bool) -> Bool {
        func isBetter(than other: Double?, by margin: Double) -> Bool {
            guard let other else { return true }
            return higherIsBetter ? value > other + margin : value < other - margin
        }
        let isBest = isBetter(than: state.best?.metric, by: 0)
        if isBest {
            state.best = TrainingState.Best(epoch: epoch, metric: value)
            best = copy(of: parameters.values, into: best)
        }
        if let stopping = settings.earlyStopping {
            if isBetter(than: state.lastImprovement?.metric, by: stopping.leastImprovement) {
                state.lastImprovement = TrainingState.Best(epoch: epoch, metric: value)
            }
            let waited = epoch - (state.lastImprovement?.epoch ?? epoch)
            // After the last epoch there is nothing left to stop.
            state.hasStoppedEarly = waited >= stopping.patience && epoch + 1 < settings.epochs
        }
        return isBest
    }

    /// Loss and metric on data that nothing is learned from.
    package func evaluate(
        _ data: any TrainingData, _ metric: ValidationMetric
    ) throws -> (loss: Double, metric: Double) {
        var shares: [ValidationMetric.Share] = []
        var (lossSum, images) = (0.0, 0)
        guard data.batchesPerEpoch > 0 else { throw NetworkError.training("the validation data has no batches") }
        func refuse(_ what: String) -> NetworkError {
            .training(
                "after epoch \(max(1, state.epoch + (state.batch > 0 ? 1 : 0))) \(what): lower the learning rate, and look for "
                    + "values far from the others in the validation images")
        }
        for index in 0..<data.batchesPerEpoch {
            let batch = try data.batch(epoch: 0, index: index)
            let plan = try plan(for: batch, learns: false)
            let loss = try plan.evaluate(batch)
            guard loss.total.isFinite else {
                throw refuse("the loss of validation batch \(index + 1) is \(loss.total)")
            }
            let count = plan.inputShapes[0].batch
            lossSum += loss.total * Double(count)
            images += count
            let found = try metric.measure(network.outputs.indices.map { plan.output($0) }, batch, loss)
            if shares.isEmpty { shares = found.map { _ in .init(0, of: 0) } }
            for n in shares.indices {
                shares[n].part += found[n].part
                shares[n].whole += found[n].whole
            }
        }
        let value = ValidationMetric.value(shares)
        guard value.isFinite else { throw refuse("the \(metric.name) on the validation data is \(value)") }
        return (lossSum / Double(max(1, images)), value)
    }

    // MARK: - Averaged weights

    private var storedCount: Int { ParameterStorage.counts(parameters.parameters).all }

    private func copy(of values: UnsafePointer<Float>, into storage: FeatureStorage?) -> FeatureStorage {
        let storage = storage ?? FeatureStorage(count: storedCount)
        storage.base.update(from: values, count: storedCount)
        return storage
    }

    private func addToAverage() {
        guard let average, state.averaged > 0 else {
            average = copy(of: parameters.values, into: average)
            state.averaged = 1
            return
        }
        let (mean, values, share) = (average.base, parameters.values, 1 / Float(state.averaged + 1))
        Parallel.forRanges(parameters.trainableCount, piece: 1 << 16, threads: threads) { range in
            for n in range { mean[n] += (values[n] - mean[n]) * share }
        }
        state.averaged += 1
    }

    /// The weights to be used, after the last epoch.
    private func result(
        _ data: any TrainingData, _ validation: (any TrainingData)?, _ metric: ValidationMetric,
        _ progress: (TrainingEvent) throws -> Void
    ) throws -> TrainingResult {
        var averaged: (loss: Double, metric: Double)?
        let weights: Weights
        if let average, state.averaged > 0 {
            // The last weights come back afterwards, so that a second call does the same.
            let last = copy(of: parameters.values, into: nil)
            defer {
                parameters.values.update(from: last.base, count: storedCount)
                parameters.didChange()
            }
            parameters.values.update(from: average.base, count: storedCount)
            parameters.didChange()
            if parameters.parameters.contains(where: { $0.role == .runningMean }) {
                // Statistics as PyTorch's update_bn computes them: the mean over all batches.
                for index in 0..<data.batchesPerEpoch {
                    let batch = try data.batch(epoch: settings.epochs, index: index)
                    try plan(for: batch).updateStatistics(
                        batch, momentum: 1 / Float(index + 1), random: random, epoch: settings.epochs, index: index)
                    try progress(.statistics(index: index, of: data.batchesPerEpoch))
                }
                parameters.didChange()
                guard parameters.isFinite(threads: threads) else {
                    throw NetworkError.training(
                        "the running statistics of the averaged weights are not finite: lower the learning rate")
                }
            }
            if let validation { averaged = try evaluate(validation, metric) }
            weights = parameters.weights
        } else if let best {
            weights = try Weights(parameters: parameters.parameters, tensors: parameters.tensors(in: best.base))
        } else {
            weights = parameters.weights
        }
        return TrainingResult(
            weights: weights, history: state.history, bestEpoch: state.best?.epoch,
            hasStoppedEarly: state.hasStoppedEarly, averagedLoss: averaged?.loss,
            averagedMetric: averaged?.metric)
    }

    /// A disk that is full for an hour must not cost a training of a week.
    private func save(_ checkpoints: Checkpoints, _ progress: (TrainingEvent) throws -> Void) throws {
        // Whoever else does the same work may have ended and taken the folder along. What keeps it from being made keeps
        // the file from being written, and is said there.
        try? FileManager.default.createDirectory(
            atPath: (checkpoints.path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        do {
            try saveCheckpoint(to: checkpoints.path)
        } catch let error as NetworkError {
            return try progress(.checkpointFailed(error))
        }
        try progress(.checkpoint(path: checkpoints.path))
    }
}
