import Foundation
import Kernels
import Networks
import TestSupport
import Testing

/// Bright squares on a noisy ground, to be found: two images per batch, new ones in every epoch.
private struct Squares: TrainingData {
    var batchesPerEpoch = 3
    var repeatsEpochs = false
    var side = 16

    func batch(epoch: Int, index: Int) throws -> Batch {
        var random = Philox(seed: 9).stream(repeatsEpochs ? 0 : UInt32(epoch), UInt32(index))
        var image = [Float](repeating: 0, count: 2 * side * side)
        var classes = [UInt8](repeating: 0, count: 2 * side * side)
        for n in 0..<2 {
            let (row, column) = (Int(random.next32() % 10), Int(random.next32() % 10))
            for y in 0..<side {
                for x in 0..<side {
                    let inside = (row..<row + 6).contains(y) && (column..<column + 6).contains(x)
                    image[(n * side + y) * side + x] = random.uniform() + (inside ? 0.7 : 0)
                    classes[(n * side + y) * side + x] = inside ? 1 : 0
                }
            }
        }
        return Batch(inputs: [Tensor(shape: [2, 1, side, side], values: image)], targets: [.classes(classes)])
    }
}

struct TrainerTests {
    private static func network() throws -> Network {
        var net = UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [8, 16])
        net.dropout = [0.1, 0.2]
        return try net.network()
    }

    private static func settings(epochs: Int) -> TrainingSettings {
        var settings = TrainingSettings(
            epochs: epochs, loss: .crossEntropy() + .dice(includesBackground: false),
            optimiser: .adamW(weightDecay: 1e-3),
            schedule: Schedule(5e-3, .cosine(minimum: 1e-5), pace: .batch, warmUpBatches: 2), seed: 77)
        settings.largestGradientNorm = 1
        settings.averaging = .init(firstEpoch: epochs / 2)
        return settings
    }

    private func trainer(_ settings: TrainingSettings, threads: Int = 1) throws -> Trainer {
        let network = try Self.network()
        return try Trainer(
            network, settings: settings, weights: network.initialWeights(.heNormal, seed: 3), threads: threads)
    }

    @Test func aTinyProblemIsLearned() throws {
        var settings = Self.settings(epochs: 20)
        settings.averaging = nil
        settings.schedule.base = 2e-2
        let result = try trainer(settings).run(
            Squares(), validation: Squares(batchesPerEpoch: 2, repeatsEpochs: true), metric: .dice(classes: 2))
        let losses = result.history.map(\.trainingLoss)
        #expect(losses[0] > 0.9)
        #expect(losses.last! < 0.25)
        let best = try #require(result.bestEpoch)
        #expect(result.history[best].metric! > 0.9)
        #expect(result.history.allSatisfy { $0.metric! <= result.history[best].metric! })
    }

    @Test func theSameBitsForAnyNumberOfThreads() throws {
        let settings = Self.settings(epochs: 3)
        let one = try trainer(settings).run(Squares(), validation: Squares(repeatsEpochs: true))
        let two = try trainer(settings, threads: 2).run(Squares(), validation: Squares(repeatsEpochs: true))
        #expect(one.weights == two.weights)
        #expect(one.history == two.history)
        #expect(one.averagedMetric == two.averagedMetric)
        var other = settings
        other.seed = 78
        #expect(try trainer(other).run(Squares()).weights != one.weights)
    }

    private struct Killed: Error {}

    /// Killed in the middle of an epoch, at the end of one, and among the averaged ones.
    @Test(arguments: [(0, 1), (1, 2), (2, 0), (3, 1)])
    func aResumedTrainingGivesTheSameBits(epoch: Int, batch: Int) throws {
        let path = NSTemporaryDirectory() + "/checkpoint-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        let settings = Self.settings(epochs: 4)
        let validation = Squares(batchesPerEpoch: 2, repeatsEpochs: true)
        let whole = try trainer(settings).run(Squares(), validation: validation, metric: .dice(classes: 2))
        let checkpoints = Trainer.Checkpoints(path: path, everyBatches: 1)
        #expect(throws: Killed.self) {
            try trainer(settings).run(
                Squares(), validation: validation, metric: .dice(classes: 2), checkpoints: checkpoints
            ) { event in
                if case .batch(epoch, batch, _, _, _, _) = event { throw Killed() }
            }
        }
        let resumed = try Trainer(resuming: path, Self.network(), settings: settings, threads: 2).run(
            Squares(), validation: validation, metric: .dice(classes: 2), checkpoints: checkpoints)
        #expect(resumed.weights == whole.weights)
        #expect(resumed.history == whole.history)
        #expect(resumed.bestEpoch == whole.bestEpoch)
        // A finished training has nothing left to do and gives the same once more.
        let again = try Trainer(resuming: path, Self.network(), settings: settings, threads: 1).run(
            Squares(), validation: validation, metric: .dice(classes: 2))
        #expect(again.weights == whole.weights)
    }

    /// A checkpoint that cannot be written is told, and the training goes on; so does one whose folder is gone.
    @Test func aCheckpointThatCannotBeSavedCostsNoTraining() throws {
        let folder = NSTemporaryDirectory() + "/checkpoints-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        let path = folder + "/checkpoint.safetensors"
        let settings = Self.settings(epochs: 4)
        let whole = try trainer(settings).run(Squares())
        var events: [String] = []
        let result = try trainer(settings).run(Squares(), checkpoints: .init(path: path)) { event in
            switch event {
            case .checkpoint:
                events.append("saved")
                // The folder goes once, and once a file is where it was.
                try FileManager.default.removeItem(atPath: folder)
                if events.count == 2 { try Data().write(to: URL(fileURLWithPath: folder)) }
            case .checkpointFailed(let error):
                events.append("\(error)")
                try FileManager.default.removeItem(atPath: folder)
            default: break
            }
        }
        #expect(events == ["saved", "saved", "\(path): cannot be written: Not a directory", "saved"])
        #expect(result.weights == whole.weights)
    }

    @Test func aCheckpointOfAnotherTrainingIsRefused() throws {
        let path = NSTemporaryDirectory() + "/checkpoint-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        var settings = Self.settings(epochs: 2)
        try trainer(settings).saveCheckpoint(to: path)
        let network = try Self.network()
        settings.schedule.base = 0.5
        #expect(
            throws: NetworkError.file(
                path: path,
                problem: "is the checkpoint of a training with other settings; begin anew or give the same settings")
        ) { _ = try Trainer(resuming: path, network, settings: settings, threads: 1) }
        let other = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [8]).network()
        #expect(throws: NetworkError.file(path: path, problem: "is the checkpoint of another network")) {
            _ = try Trainer(resuming: path, other, settings: settings, threads: 1)
        }
        try network.initialWeights(.heNormal, seed: 1).write(to: path)
        #expect(
            throws: NetworkError.file(path: path, problem: "is no checkpoint of a training: it lacks the network")
        ) { _ = try Trainer(resuming: path, network, settings: settings, threads: 1) }
    }

    /// The average of the weights after the last epochs, and the statistics of the training data under it.
    @Test func averagedWeightsAndTheirStatistics() throws {
        var settings = Self.settings(epochs: 4)
        settings.averaging = .init(firstEpoch: 2, learningRate: 1e-3)
        let network = try Self.network()
        let initial = network.initialWeights(.heNormal, seed: 3)
        let result = try trainer(settings).run(Squares())
        // The weights after each epoch: of trainings that were told to end there.
        var mean = initial.tensors.map { $0.values.map { _ in 0.0 } }
        for end in [3, 4] {
            let trainer = try Trainer(network, settings: settings, weights: initial, threads: 1)
            let path = NSTemporaryDirectory() + "/average-\(UUID().uuidString).safetensors"
            defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
            do {
                _ = try trainer.run(Squares(), checkpoints: .init(path: path)) { event in
                    if case .epoch(let record, _, _, _) = event, record.epoch == end - 1 { throw Killed() }
                }
            } catch is Killed {}
            let weights = try Weights(network, from: path, prefix: "model.")
            for (n, tensor) in weights.tensors.enumerated() {
                for (k, value) in tensor.values.enumerated() { mean[n][k] += Double(value) / 2 }
            }
        }
        for (n, parameter) in network.parameters.enumerated() where parameter.isTrainable {
            for (a, b) in zip(result.weights.tensors[n].values, mean[n]) {
                #expect(abs(Double(a) - b) < 1e-6, "\(parameter.name)")
            }
        }
        // The first normalisation's mean is that of the first convolution over all batches.
        let kernel = result.weights["encoder0.convolution1.weight"]!.values
        let bias = result.weights["encoder0.convolution1.bias"]!.values
        var sum = 0.0
        for index in 0..<3 {
            let image = try Squares().batch(epoch: 4, index: index).inputs[0].values
            for n in 0..<2 {
                for y in 0..<16 {
                    for x in 0..<16 {
                        sum += Double(bias[0])
                        for dy in 0..<3 {
                            for dx in 0..<3 where (0..<16).contains(y + dy - 1) && (0..<16).contains(x + dx - 1) {
                                let value = image[(n * 16 + y + dy - 1) * 16 + x + dx - 1]
                                sum += Double(kernel[3 * dy + dx]) * Double(value)
                            }
                        }
                    }
                }
            }
        }
        let found = Double(result.weights["encoder0.normalisation1.running_mean"]!.values[0])
        #expect(abs(found - sum / (3 * 2 * 256)) < 1e-5)
    }

    @Test func aTrainingThatNoLongerGetsBetterEndsEarlyWithItsBestWeights() throws {
        var settings = Self.settings(epochs: 30)
        settings.averaging = nil
        settings.earlyStopping = .init(patience: 2)
        // A metric of its own: better until epoch 3, then worse.
        let counter = Counter()
        let metric = ValidationMetric(name: "made up", higherIsBetter: true) { _, _, _ in
            [.init(Double([1, 2, 5, 9, 3, 4, 8, 7, 6, 5][counter.next()]), of: 1)]
        }
        var events: [String] = []
        let result = try trainer(settings).run(
            Squares(), validation: Squares(batchesPerEpoch: 1, repeatsEpochs: true), metric: metric
        ) { event in
            if case .stoppedEarly(let epoch, let best) = event { events.append("\(epoch) \(best)") }
        }
        #expect(result.history.count == 6)
        #expect(result.hasStoppedEarly)
        #expect(result.bestEpoch == 3)
        #expect(events == ["5 3"])
        // The best weights are those a training of the same settings has after that epoch.
        let path = NSTemporaryDirectory() + "/best-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        var patient = settings
        patient.earlyStopping = nil
        #expect(throws: Killed.self) {
            _ = try trainer(patient).run(Squares(), checkpoints: .init(path: path)) { event in
                if case .epoch(let record, _, _, _) = event, record.epoch == 3 { throw Killed() }
            }
        }
        #expect(try Weights(Self.network(), from: path, prefix: "model.") == result.weights)
    }

    @Test func settingsThatContradictThemselvesAreRefused() throws {
        func problem(_ change: (inout TrainingSettings) -> Void) -> String {
            var settings = Self.settings(epochs: 4)
            change(&settings)
            do {
                _ = try trainer(settings)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(problem { $0.epochs = 0 } == "a training of 0 epochs; give at least 1")
        #expect(
            problem { $0.averaging = .init(firstEpoch: 4) }
                == "weights are averaged from epoch 5 on, and the training has 4")
        #expect(problem { $0.schedule.base = -1 } == "a learning rate is a positive number, not -1.0")
        #expect(
            problem { $0.largestGradientNorm = 0 } == "a gradient clipped to the norm 0.0; give more than 0")
    }
}

private final class Counter: @unchecked Sendable {
    // Unchecked: only the thread of one training counts.
    private var count = -1

    func next() -> Int {
        count += 1
        return count
    }
}
