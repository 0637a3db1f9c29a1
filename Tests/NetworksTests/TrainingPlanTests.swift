import Kernels
import Networks
import TestSupport
import Testing

/// Whole networks: gradients against finite differences, the same bits for any number of threads.
struct TrainingPlanTests {
    private struct Problem {
        let network: Network
        let loss: Loss
        let batch: Batch
        let weights: Weights

        /// Loss and gradients with these weights; everything random is the same each time.
        func run(_ weights: Weights, threads: Int = 1) throws -> (value: LossValue, gradients: [Tensor?]) {
            let storage = ParameterStorage(weights)
            let plan = try TrainingPlan(
                network, loss: loss, inputs: network.inputShapes(of: batch.inputs), parameters: storage,
                threads: threads)
            let value = try plan.gradient(batch, random: Philox(seed: 5), epoch: 2, index: 3)
            return (value, storage.gradients)
        }

        /// Along a random direction in every parameter the loss changes as its gradient says.
        func check(step: Double, tolerance: Double, seed: UInt64) throws {
            var random = SeededGenerator(seed: seed)
            let storage = ParameterStorage(weights)
            let plan = try TrainingPlan(
                network, loss: loss, inputs: network.inputShapes(of: batch.inputs), parameters: storage, threads: 1)
            func value(_ weights: Weights) throws -> Double {
                storage.set(weights.tensors)
                return try plan.gradient(batch, random: Philox(seed: 5), epoch: 2, index: 3).total
            }
            _ = try value(weights)
            let gradients = storage.gradients
            var largest = 0.0
            for (parameter, gradient) in zip(weights.parameters, gradients) {
                guard let gradient else { continue }
                var direction = NetworkFixtures.tensor(parameter.shape, &random)
                // Partly along the gradient, so that the change is not lost in rounding.
                let norm = gradient.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                largest = max(largest, norm)
                let length = direction.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                for n in direction.values.indices {
                    direction.values[n] =
                        direction.values[n] / Float(length) + (norm > 0 ? gradient.values[n] / Float(norm) : 0)
                }
                let expected = zip(gradient.values, direction.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                func moved(_ factor: Double) throws -> Double {
                    var tensor = weights[parameter.name]!
                    for n in tensor.values.indices { tensor.values[n] += Float(factor) * direction.values[n] }
                    var moved = weights
                    try moved.set(parameter.name, to: tensor)
                    return try value(moved)
                }
                func slope(_ step: Double) throws -> Double { (try moved(step) - moved(-step)) / (2 * step) }
                // Richardson's extrapolation: what the third derivative adds cancels out.
                let found = (4 * (try slope(step)) - (try slope(2 * step))) / 3
                let allowed = tolerance * max(abs(expected), 0.02 * largest)
                #expect(
                    abs(found - expected) < allowed,
                    "\(parameter.name): differences \(found), gradient \(expected), seed \(seed)")
            }
            #expect(largest > 0)
        }
    }

    private static func problem(_ network: Network, _ loss: Loss, _ sizes: [[Int]], seed: UInt64) throws -> Problem {
        var random = SeededGenerator(seed: seed)
        let inputs = sizes.map { NetworkFixtures.tensor($0, &random) }
        let shapes = try network.shapes(for: network.inputShapes(of: inputs))
        let names = network.inputs.map(\.name) + network.nodes.map(\.name)
        let targets = network.outputs.map { name -> Target in
            let shape = shapes[names.firstIndex(of: name)!]
            if shape.channels > 1 {
                return NetworkFixtures.classes(shape.batch * shape.positions, of: shape.channels, &random)
            }
            let labels = (0..<shape.count).map { _ in Float(random.next() % 2) }
            return .values(
                Tensor(shape: [shape.batch, 1, shape.size.depth, shape.size.height, shape.size.width], values: labels))
        }
        return Problem(
            network: network, loss: loss, batch: Batch(inputs: inputs, targets: targets),
            weights: NetworkFixtures.weights(network, seed: seed))
    }

    @Test(arguments: [2, 3])
    func gradientsOfEveryLayerTogetherAgreeWithFiniteDifferences(rank: Int) throws {
        let network = try NetworkFixtures.everything(rank: rank)
        let size = rank == 2 ? [2, 3, 6, 8] : [2, 3, 4, 6, 4]
        try Self.problem(network, .crossEntropy(), [size], seed: 11).check(step: 2e-3, tolerance: 0.02, seed: 12)
    }

    @Test func gradientsOfTheSequenceNetworkAgreeWithFiniteDifferences() throws {
        var net = SliceSequenceNetwork(inputChannels: 2)
        (net.widths, net.blocksPerStage, net.hidden) = ([8, 16], 1, 5)
        let loss = Loss.binaryCrossEntropy() + 0.5 * Loss.binaryCrossEntropy().on(output: 1)
        try Self.problem(try net.network(), loss, [[3, 2, 5, 8, 8]], seed: 21)
            .check(step: 3e-3, tolerance: 0.03, seed: 22)
    }

    /// Dropout, DeepSMOTE, Swish, sums of branches and linear layers.
    @Test func gradientsThroughSyntheticSamplesAgreeWithFiniteDifferences() throws {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 3)
        let features = try builder.input("features", channels: 6, rank: 0)
        var x = try builder.convolution("conv", image, channels: 20, kernel: 3)
        x = try builder.add("swish", .activation(function: .swish), x)
        x = try builder.add("drop", .dropout(probability: 0.3, wholeChannels: true), x)
        x = try builder.add("pool", .globalAveragePooling, x)
        var r = try builder.linear("fc", features, outputs: 20)
        r = try builder.add("relu", .activation(function: .tanh), r)
        r = try builder.add("rdrop", .dropout(probability: 0.25, wholeChannels: false), r)
        x = try builder.add("sum", .addition, x, r)
        x = try builder.add("smote", .deepSMOTE(neighbours: 3, includesSelf: false), x)
        x = try builder.linear("fc1", x, outputs: 8)
        x = try builder.add("act", .activation(function: .swish), x)
        x = try builder.linear("fc2", x, outputs: 1)
        let network = try builder.network(outputs: [x])
        var random = SeededGenerator(seed: 31)
        let labels: [Float] = [1, 0, 1, 1, 0, 1, 0]
        let batch = Batch(
            inputs: [NetworkFixtures.tensor([7, 1, 3, 4, 5], &random), NetworkFixtures.tensor([7, 6], &random)],
            targets: [.values(Tensor(shape: [7, 1], values: labels))])
        let problem = Problem(
            network: network, loss: .binaryCrossEntropy(), batch: batch,
            weights: NetworkFixtures.weights(network, seed: 32))
        try problem.check(step: 1e-2, tolerance: 0.02, seed: 33)
    }

    /// With a negative slope the result does not tell the sign of what went in.
    @Test(arguments: [UNet.Block.plain, .residual], [Float(0.2), -0.2])
    func gradientsOfUNetsAgreeWithFiniteDifferences(block: UNet.Block, slope: Float) throws {
        var net = UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [16, 32])
        net.block = block
        net.activation = .leakyRelu(slope: slope)
        net.dropout = [0.2, 0.3]
        net.normalisesJoined = block == .plain
        let loss = Loss.crossEntropy() + Loss.dice() + 0.5 * Loss.focal()
        try Self.problem(try net.network(), loss, [[2, 1, 4, 8, 6]], seed: 41)
            .check(step: slope < 0 ? 7e-4 : 3e-3, tolerance: 0.04, seed: 42)
    }

    /// Along a random direction in the input the loss changes as its gradient says; that of the parameters stays.
    @Test(arguments: [2, 3])
    func gradientsOfInputsAgreeWithFiniteDifferences(rank: Int) throws {
        let size = rank == 2 ? [2, 3, 6, 8] : [2, 3, 4, 6, 4]
        let problem = try Self.problem(
            try NetworkFixtures.everything(rank: rank), .crossEntropy(), [size], seed: UInt64(60 + rank))
        let storage = ParameterStorage(problem.weights)
        let plan = try TrainingPlan(
            problem.network, loss: problem.loss, inputs: problem.network.inputShapes(of: problem.batch.inputs),
            parameters: storage, inputGradients: true, threads: 1)
        func value(_ input: Tensor) throws -> Double {
            let batch = Batch(inputs: [input], targets: problem.batch.targets)
            return try plan.gradient(batch, random: Philox(seed: 5), epoch: 2, index: 3).total
        }
        let input = problem.batch.inputs[0]
        _ = try value(input)
        #expect(try storage.gradients == problem.run(problem.weights).gradients)
        let gradient = try #require(plan.inputGradient()).tensor().values
        var random = SeededGenerator(seed: 70)
        let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        // Partly along the gradient, so that the change is not lost in rounding.
        let direction = NetworkFixtures.tensor(size, &random).values.enumerated().map {
            Double($1) / Double(gradient.count).squareRoot() + Double(gradient[$0]) / norm
        }
        let expected = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * $1.1 }
        func slope(_ step: Double) throws -> Double {
            func moved(_ factor: Double) throws -> Double {
                try value(
                    Tensor(shape: size, values: zip(input.values, direction).map { $0 + Float(factor * $1) }))
            }
            return (try moved(step) - moved(-step)) / (2 * step)
        }
        let found = (4 * (try slope(2e-3)) - (try slope(4e-3))) / 3
        #expect(abs(found - expected) < 0.02 * abs(expected), "differences \(found), gradient \(expected)")
        let plain = try TrainingPlan(
            problem.network, loss: problem.loss, inputs: problem.network.inputShapes(of: problem.batch.inputs),
            parameters: storage, threads: 1)
        #expect(plain.inputGradient() == nil)
    }

    @Test func lossAndGradientsAreTheSameBitsForAnyNumberOfThreads() throws {
        let problem = try Self.problem(
            try NetworkFixtures.everything(rank: 3), .crossEntropy() + .dice(), [[2, 3, 8, 10, 12]], seed: 51)
        let one = try problem.run(problem.weights, threads: 1)
        for threads in [2, 3] {
            let more = try problem.run(problem.weights, threads: threads)
            #expect(more.value == one.value)
            #expect(more.gradients == one.gradients)
        }
    }

    @Test func whatDoesNotFitIsSaidInOneSentence() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4]).network()
        let storage = ParameterStorage(network.initialWeights(.heNormal, seed: 1))
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(1, 4, 4))
        func message(_ targets: [Target], _ input: [Float]? = nil) throws -> String {
            let plan = try TrainingPlan(
                network, loss: .crossEntropy(), inputs: [shape], parameters: storage, threads: 1)
            let batch = Batch(
                inputs: [Tensor(shape: [1, 1, 4, 4], values: input ?? [Float](repeating: 1, count: 16))],
                targets: targets)
            do {
                try plan.gradient(batch, random: Philox(seed: 1), epoch: 4, index: 7)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(
            try message([.classes([UInt8](repeating: 0, count: 15))])
                == "the output has 16 positions and the targets 15")
        #expect(
            try message([.classes([UInt8](repeating: 2, count: 16))])
                == "the targets have the class 2, the network knows 2")
        #expect(
            try message([.values(Tensor(shape: [1, 2, 4, 4]))])
                == "the loss compares classes and is given values as targets")
        #expect(try message([]) == "the loss looks at output 0, and the batch has targets for 0")
        var values = [Float](repeating: 1, count: 16)
        values[3] = .nan
        #expect(
            try message([.classes([UInt8](repeating: 1, count: 16))], values)
                == "input 0 of batch 8 of epoch 5 has values that are no finite numbers")
        #expect(throws: NetworkError.training("the loss looks at output 1 of a network that has 1")) {
            _ = try TrainingPlan(
                network, loss: Loss.crossEntropy().on(output: 1), inputs: [shape], parameters: storage, threads: 1)
        }
    }
}
