import Kernels
import TestSupport
import Testing

@testable import Networks

/// A value that is added to itself, and one that several losses look at.
struct EqualSummandsTests {
    /// 1×1 convolutions with a weight of 1 in between, so that everything can be said by hand.
    @Test(arguments: 2...5) func aValueAddedToItselfSeveralTimes(times: Int) throws {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 2)
        let x = try builder.convolution("first", image, channels: 1, kernel: 1, bias: false)
        let sum = try builder.add("sum", .addition, Array(repeating: x, count: times))
        let last = try builder.convolution("last", sum, channels: 1, kernel: 1, bias: false)
        let network = try builder.network(outputs: [last])
        let ones = try Weights(
            parameters: network.parameters, tensors: network.parameters.map { Tensor(shape: $0.shape, values: [1]) })
        let plan = try InferencePlan(
            network, weights: ones, inputs: [FeatureShape(batch: 1, channels: 1, size: Extent3(1, 2, 2))], threads: 1)
        let found = try plan.run([Tensor(shape: [1, 1, 2, 2], values: [1, -2, 3, 4])])[0].values
        #expect(found == [1, -2, 3, 4].map { $0 * Float(times) })
    }

    /// Random sums of up to four values, some of them equal, against sums in double precision.
    @Test(arguments: 0..<40) func randomSums(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        var builder = NetworkBuilder()
        var values = [try builder.input("image", channels: 1, rank: 2)]
        var factors = [1.0]
        for n in 0..<6 {
            if pick(3) == 0 {
                let from = pick(values.count)
                values.append(try builder.convolution("layer\(n)", values[from], channels: 1, kernel: 1, bias: false))
                factors.append(factors[from])
            } else {
                let repeated = pick(values.count)
                let parts = [repeated, repeated, repeated, pick(values.count)].prefix(2 + pick(3)).shuffled(
                    using: &random)
                values.append(try builder.add("layer\(n)", .addition, parts.map { values[$0] }))
                factors.append(parts.reduce(0) { $0 + factors[$1] })
            }
        }
        values.append(try builder.convolution("last", values[values.count - 1], channels: 1, kernel: 1, bias: false))
        factors.append(factors[factors.count - 1])
        let network = try builder.network(outputs: [values[values.count - 1]])
        let ones = try Weights(
            parameters: network.parameters, tensors: network.parameters.map { Tensor(shape: $0.shape, values: [1]) })
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(1, 2, 2))
        let plan = try InferencePlan(network, weights: ones, inputs: [shape], threads: 1)
        let found = try plan.run([Tensor(shape: [1, 1, 2, 2], values: [1, -2, 3, 4])])[0].values
        #expect(found == [1, -2, 3, 4].map { Float(factors[factors.count - 1] * $0) }, "seed \(seed)")
    }

    /// The same value as three outputs with a loss each has three times the gradient.
    @Test func lossesOnOutputsThatAreOneValue() throws {
        func gradients(_ outputs: Int) throws -> [Float] {
            var builder = NetworkBuilder()
            let image = try builder.input("image", channels: 2, rank: 2)
            let x = try builder.convolution("head", image, channels: 3, kernel: 3)
            let network = try builder.network(outputs: Array(repeating: x, count: outputs))
            let storage = ParameterStorage(network.initialWeights(.heNormal, seed: 5))
            let shape = FeatureShape(batch: 2, channels: 2, size: Extent3(1, 4, 4))
            let loss = Loss((0..<outputs).flatMap { Loss.crossEntropy().on(output: $0).terms })
            let plan = try TrainingPlan(network, loss: loss, inputs: [shape], parameters: storage, threads: 1)
            var random = SeededGenerator(seed: 9)
            let image2 = NetworkFixtures.tensor([2, 2, 4, 4], &random)
            let targets = (0..<outputs).map { _ in NetworkFixtures.classes(32, of: 3, &random) }
            let same = Array(repeating: targets[0], count: outputs)
            try plan.gradient(Batch(inputs: [image2], targets: same), random: Philox(seed: 1), epoch: 0, index: 0)
            return storage.gradients.compactMap { $0 }.flatMap(\.values)
        }
        let one = try gradients(1)
        for outputs in 2...4 {
            for (a, b) in zip(try gradients(outputs), one) {
                #expect(abs(a - Float(outputs) * b) < 1e-5, "\(outputs) outputs")
            }
        }
    }
}
