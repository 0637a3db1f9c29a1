import Foundation
import Kernels
import Networks
import TestSupport
import Testing

struct InferencePlanTests {
    private func run(
        _ network: Network, _ weights: Weights, _ inputs: [Tensor], threads: Int = 1, folding: Bool = true
    ) throws -> [Tensor] {
        let shapes = try network.inputShapes(of: inputs)
        let plan = try InferencePlan(network, weights: weights, inputs: shapes, threads: threads, folding: folding)
        #expect(
            plan.memory
                == (try InferencePlan.memory(for: network, inputs: shapes, threads: threads, folding: folding)))
        let first = try plan.run(inputs)
        // A plan leaves nothing behind that the next input would see.
        var random = SeededGenerator(seed: 99)
        _ = try plan.run(inputs.map { NetworkFixtures.tensor($0.shape, &random) })
        #expect(try plan.run(inputs) == first)
        let planar = try InferencePlan(
            network, weights: weights, inputs: shapes, threads: threads, folding: folding, planarInputs: true)
        #expect(difference(try planar.run(inputs), first) < 1e-5)
        #expect(planar.memory.activations <= plan.memory.activations)
        return first
    }

    private func difference(_ a: [Tensor], _ b: [Tensor]) -> Float {
        var scale: Float = 1e-6
        var largest: Float = 0
        for (x, y) in zip(a, b) {
            for (u, v) in zip(x.values, y.values) {
                scale = max(scale, abs(v))
                largest = max(largest, abs(u - v))
            }
        }
        return largest / scale
    }

    private static func networks() throws -> [(Network, [[Int]])] {
        var deepMIR = UNet.deepMIR(inputChannels: 2)
        deepMIR.widths = [16, 32, 48]
        var small = UNet.deepMIR(inputChannels: 1)
        small.widths = [5, 9, 17]
        var residual = UNet.residual(inputChannels: 1, classes: 3)
        residual.widths = [8, 16, 32]
        residual.upsampling = .linear
        var resNet = ResidualNetwork.resNet18(inputChannels: 2)
        (resNet.stemChannels, resNet.widths, resNet.blocks) = (16, [16, 32, 48, 64], [1, 1, 1, 1])
        var slices = SliceSequenceNetwork()
        slices.widths = [8, 16]
        var double = DoubleBranchUNet(inputChannels: 1, outputChannels: 3)
        double.widths = [8, 16]
        return [
            (try deepMIR.network(), [[3, 2, 16, 24]]), (try small.network(), [[2, 1, 12, 8]]),
            (try residual.network(), [[1, 1, 8, 12, 8]]), (try resNet.network(), [[2, 2, 32, 16, 16]]),
            (try slices.network(), [[2, 1, 3, 16, 12]]), (try double.network(), [[1, 1, 8, 8, 8], [1, 1, 8, 8, 8]]),
            (try NetworkFixtures.everything(rank: 3), [[2, 3, 6, 8, 6]]),
        ]
    }

    @Test(arguments: 0..<7)
    func foldingChangesNothingButRounding(which: Int) throws {
        let (network, sizes) = try Self.networks()[which]
        var random = SeededGenerator(seed: UInt64(which))
        let inputs = sizes.map { NetworkFixtures.tensor($0, &random) }
        let weights = NetworkFixtures.weights(network, seed: 7)
        let folded = try run(network, weights, inputs)
        let plain = try run(network, weights, inputs, folding: false)
        #expect(difference(folded, plain) < 1e-5)
        #expect(try run(network, weights, inputs, threads: 2) == folded)

        // Read from a file as they are packed, weights give the same bits.
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // best effort
        try weights.write(to: path)
        let file = try WeightFile(network, SafetensorsFile(path: path))
        #expect(file.heldBytes == 0 && weights.heldBytes == 4 * network.parameters.reduce(0) { $0 + $1.count })
        let plan = try InferencePlan(network, weights: file, inputs: network.inputShapes(of: inputs), threads: 1)
        #expect(try plan.run(inputs) == folded)
    }

    @Test("a file that holds no finite numbers, or becomes shorter, is named when its weights are packed")
    func unreadableWeights() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 8]).network()
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(1, 4, 4))
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // best effort
        var weights = network.initialWeights(.heNormal, seed: 1)
        let name = network.parameters[0].name
        var tensor = try weights.tensor(name)
        tensor.values[3] = .nan
        try weights.set(name, to: tensor)
        try weights.write(to: path)
        let file = try WeightFile(network, SafetensorsFile(path: path))
        #expect { try InferencePlan(network, weights: file, inputs: [shape], threads: 1) } throws: {
            "\($0)".hasPrefix("\(path): has 1 values in \(name) that are no finite numbers")
        }
        try network.initialWeights(.heNormal, seed: 1).write(to: path)
        let shortened = try WeightFile(network, SafetensorsFile(path: path))
        #expect(truncate(path, 2000) == 0)
        #expect { try InferencePlan(network, weights: shortened, inputs: [shape], threads: 1) } throws: {
            "\($0)" == "\(path): became shorter while it was read"
        }
    }

    /// The forward pass of training as at inference computes the same with other steps in other memory.
    @Test(arguments: 0..<7)
    func trainingAndInferencePlansAgree(which: Int) throws {
        let (network, sizes) = try Self.networks()[which]
        var random = SeededGenerator(seed: UInt64(which) + 10)
        let inputs = sizes.map { NetworkFixtures.tensor($0, &random) }
        let weights = NetworkFixtures.weights(network, seed: 8)
        let shapes = try network.inputShapes(of: inputs)
        let plan = try TrainingPlan(
            network, loss: .meanSquaredError, inputs: shapes, parameters: ParameterStorage(weights), threads: 1)
        let expected = try run(network, weights, inputs, folding: false)
        let batch = Batch(inputs: inputs, targets: [.values(expected[0])])
        let value = try plan.evaluate(batch)
        #expect(value.total < 1e-9)
        for (n, tensor) in expected.enumerated() {
            #expect(difference([plan.output(n).tensor()], [tensor]) < 1e-5)
        }
    }

    /// An input that is a result as well stays a map, even where only convolutions read it; also where nothing is left of
    /// the layer that made the result.
    @Test(arguments: [true, false])
    func anInputMayBeAResult(hasLayers: Bool) throws {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 3, rank: 2)
        let outputs =
            hasLayers
            ? [image, try builder.convolution("conv", image, channels: 4, kernel: 3)]
            : [try builder.add("drop", .dropout(probability: 0.5, wholeChannels: false), image)]
        let network = try builder.network(outputs: outputs)
        var random = SeededGenerator(seed: 3)
        let input = NetworkFixtures.tensor([2, 3, 5, 7], &random)
        let weights = NetworkFixtures.weights(network, seed: 4)
        for planar in [false, true] {
            let plan = try InferencePlan(
                network, weights: weights, inputs: network.inputShapes(of: [input]), threads: 1, planarInputs: planar)
            #expect(try plan.run([input])[0].values == input.values)
        }
    }

    @Test func memoryIsStatedBeforeItIsTaken() throws {
        let network = try UNet.tutorial(inputChannels: 1, classes: 2).network()
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 128))
        let memory = try InferencePlan.memory(for: network, inputs: [shape], threads: 2, planarInputs: true)
        let level = 16 * 128 * 128 * 128 * 4
        // Skip and upsampled map of the finest level, and one map more of the block on them.
        #expect(memory.activations >= 3 * level)
        #expect(memory.activations <= 4 * level)
        #expect(memory.total == memory.activations + memory.packedWeights + memory.scratch + memory.parameters)
        // One tensor at a time is in memory to be packed.
        let tiny = FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 16))
        let largest = network.parameters.map(\.count).max()!
        #expect(try InferencePlan.memory(for: network, inputs: [tiny], threads: 1).scratch >= 4 * largest)
    }

    @Test func wrongInputsAndWeightsAreRefused() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 8]).network()
        let other = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 9]).network()
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(1, 4, 4))
        #expect(throws: NetworkError.weights("the weights are those of another network")) {
            _ = try InferencePlan(
                network, weights: other.initialWeights(.heNormal, seed: 1), inputs: [shape], threads: 1)
        }
        let plan = try InferencePlan(
            network, weights: network.initialWeights(.heNormal, seed: 1), inputs: [shape], threads: 1)
        #expect(throws: NetworkError.input("input 0 is prepared for [1, 1, 1, 4, 4] and is given [1, 1, 4, 5]")) {
            _ = try plan.run([Tensor(shape: [1, 1, 4, 5])])
        }
    }
}
