import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// Numbers that are none never become weights, a best epoch or a checkpoint.
struct NonFiniteTests {
    private struct Noise: TrainingData {
        var batchesPerEpoch = 2
        /// From this epoch's batches on an input is not a number.
        var broken = false

        func batch(epoch: Int, index: Int) throws -> Batch {
            var random = SeededGenerator(seed: UInt64(7 + 10 * epoch + index))
            var image = NetworkFixtures.tensor([1, 1, 4, 4], &random)
            if broken { image.values[3] = .nan }
            return Batch(inputs: [image], targets: [NetworkFixtures.classes(16, of: 2, &random)])
        }
    }

    private static func trainer(_ change: (inout TrainingSettings) -> Void = { _ in }) throws -> Trainer {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4]).network()
        var settings = TrainingSettings(
            epochs: 2, loss: .crossEntropy(), optimiser: .sgd(), schedule: Schedule(0.01), seed: 3)
        change(&settings)
        return try Trainer(network, settings: settings, weights: network.initialWeights(.heNormal, seed: 1), threads: 1)
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing was thrown"
        } catch {
            return "\(error)"
        }
    }

    @Test func anInfiniteGradientEndsTheTraining() throws {
        let trainer = try Self.trainer { $0.loss = 1e60 * .crossEntropy() }
        #expect(
            message { _ = try trainer.run(Noise()) }
                == "the gradient is not finite in batch 1 of epoch 1: lower the learning rate")
    }

    @Test func weightsThatOverflowEndTheTrainingBeforeTheyAreSaved() throws {
        let path = NSTemporaryDirectory() + "/overflow-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        let trainer = try Self.trainer {
            $0.schedule = Schedule(1e60)
            $0.epochs = 1
        }
        #expect(
            message { _ = try trainer.run(Noise(batchesPerEpoch: 1), checkpoints: .init(path: path)) }
                == "the weights are no longer finite after batch 1 of epoch 1: lower the learning rate, or clip the gradient"
        )
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func validationThatIsNoNumberEndsTheTrainingBeforeItIsSaved() throws {
        let path = NSTemporaryDirectory() + "/validation-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        let text = message {
            _ = try Self.trainer().run(Noise(), validation: Noise(broken: true), checkpoints: .init(path: path))
        }
        #expect(
            text.hasPrefix("after epoch 1 the loss of validation batch 1 is nan: lower the learning rate"), "\(text)")
        let metric = ValidationMetric(name: "odd", higherIsBetter: true) { _, _, _ in [.init(.nan, of: 1)] }
        let other = message {
            _ = try Self.trainer().run(Noise(), validation: Noise(), metric: metric, checkpoints: .init(path: path))
        }
        #expect(other.hasPrefix("after epoch 1 the odd on the validation data is nan"), "\(other)")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func weightsOfAFileAreFinite() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4]).network()
        var weights = network.initialWeights(.heNormal, seed: 1)
        let name = network.parameters[0].name
        var tensor = try #require(weights[name])
        tensor.values[2] = .infinity
        try weights.set(name, to: tensor)
        let path = NSTemporaryDirectory() + "/weights-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        try weights.write(to: path)
        #expect(
            message { _ = try Weights(network, from: path) }
                == "\(path): has 1 values in \(name) that are no finite numbers; train or export the model anew")
    }

    @Test func nothingToValidateByAndCheckpointsNeverAreRefused() throws {
        #expect(
            message { _ = try Self.trainer().run(Noise(), validation: Noise(batchesPerEpoch: 0)) }
                == "the validation data has no batches; leave it out or give some")
        #expect(
            message { _ = try Self.trainer().run(Noise(), checkpoints: .init(path: "/nowhere", everyBatches: 0)) }
                == "a checkpoint every 0 batches; give at least 1")
        #expect(
            message { _ = try Self.trainer { $0.earlyStopping = .init(patience: 1, leastImprovement: -1) } }
                == "early stopping asks for an improvement by -1.0; give 0 or more")
        #expect(
            message { _ = try Self.trainer { $0.averaging = .init(firstEpoch: 1, learningRate: -1) } }
                == "weights are averaged at the learning rate -1.0; give a positive number")
        #expect(
            message { _ = try Self.trainer { $0.schedule = Schedule(1, .step(everyEpochs: 1, factor: .nan)) } }
                == "a schedule in steps needs 1 epoch or more per step and a positive factor")
    }

    @Test func aTrainingThatEndsAnywayHasNotStoppedEarly() throws {
        let metric = ValidationMetric(name: "flat", higherIsBetter: true) { _, _, _ in [.init(1, of: 1)] }
        let result = try Self.trainer { $0.earlyStopping = .init(patience: 1) }
            .run(Noise(), validation: Noise(), metric: metric)
        #expect(result.history.count == 2)
        #expect(!result.hasStoppedEarly)
    }

    @Test func aCheckpointOfOtherDataIsNotGoneOnWith() throws {
        struct Killed: Error {}
        let path = NSTemporaryDirectory() + "/other-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }  // A test's own file.
        let first = try Self.trainer()
        let known = try Trainer(
            first.network, settings: first.settings, weights: first.network.initialWeights(.heNormal, seed: 1),
            dataDigest: "a", threads: 1)
        #expect(throws: Killed.self) {
            try known.run(Noise(), checkpoints: .init(path: path)) { event in
                if case .epoch(let record, _, _, _) = event, record.epoch == 0 { throw Killed() }
            }
        }
        func resumed(_ digest: String?) throws -> Trainer {
            try Trainer(resuming: path, first.network, settings: first.settings, dataDigest: digest, threads: 1)
        }
        #expect(
            message { _ = try resumed("b") }.hasSuffix(
                "is the checkpoint of a training on other data; begin anew or give the same data"))
        #expect(
            message { _ = try resumed("a").run(Noise(batchesPerEpoch: 3)) }
                == "the checkpoint is of a training with 2 batches an epoch, and there are 3; begin anew or give the same data"
        )
        #expect(
            message { _ = try resumed("a").run(Noise(), validation: Noise(), metric: .accuracy()) }
                == "the checkpoint is of a training judged by loss, not by accuracy; begin anew or judge by the same")
        #expect(try resumed("a").run(Noise()).history.count == 2)
    }
}
