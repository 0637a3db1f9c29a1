import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// Trainings whose weights are more than one piece of the optimiser's work: for any number of threads, and gone on with.
struct ResumedTrainingTests {
    private struct Noise: TrainingData {
        var batchesPerEpoch = 2
        var seed: UInt64 = 1

        func batch(epoch: Int, index: Int) throws -> Batch {
            var random = SeededGenerator(seed: seed &+ UInt64(100 * epoch + index))
            let image = NetworkFixtures.tensor([2, 1, 8, 8], &random)
            return Batch(inputs: [image], targets: [.classes(image.values.map { $0 > 0.3 ? 1 : 0 })])
        }
    }

    private struct Killed: Error {}

    private static func settings(_ optimiser: Optimiser) throws -> (network: Network, settings: TrainingSettings) {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [32, 64]).network()
        try #require(network.trainableCount > 1 << 16)
        var settings = TrainingSettings(
            epochs: 6, loss: .crossEntropy(), optimiser: optimiser, schedule: Schedule(2e-3), seed: 5)
        settings.largestGradientNorm = 1
        settings.earlyStopping = .init(patience: 2)
        return (network, settings)
    }

    /// Never better than after the first epoch: its weights are kept, and the training ends by itself after the third.
    private static let level = ValidationMetric(name: "level", higherIsBetter: true) { _, _, _ in [.init(1, of: 2)] }

    @Test(arguments: [
        Optimiser.sgd(momentum: 0.9, nesterov: true, weightDecay: 1e-4), .sgd(), .adam(weightDecay: 1e-4), .adamW(),
    ])
    func theSameBitsWhenGoneOnWithAndForAnyNumberOfThreads(optimiser: Optimiser) throws {
        let (network, settings) = try Self.settings(optimiser)
        let initial = network.initialWeights(.heNormal, seed: 2)
        func trainer(_ threads: Int) throws -> Trainer {
            try Trainer(network, settings: settings, weights: initial, threads: threads)
        }
        let validation = Noise(seed: 900)
        let whole = try trainer(1).run(Noise(), validation: validation, metric: Self.level)
        #expect(whole.hasStoppedEarly && whole.history.count == 3 && whole.bestEpoch == 0)
        #expect(try trainer(3).run(Noise(), validation: validation, metric: Self.level).weights == whole.weights)

        let path = NSTemporaryDirectory() + "/resumed-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        #expect(throws: Killed.self) {
            try trainer(2).run(
                Noise(), validation: validation, metric: Self.level, checkpoints: .init(path: path, everyBatches: 1)
            ) { event in
                if case .batch(1, 1, _, _, _, _) = event { throw Killed() }
            }
        }
        let resumed = try Trainer(resuming: path, network, settings: settings, threads: 2)
            .run(Noise(), validation: validation, metric: Self.level)
        #expect(resumed.history == whole.history)
        #expect(resumed.bestEpoch == 0 && resumed.hasStoppedEarly)
        #expect(resumed.weights == whole.weights)
    }
}
