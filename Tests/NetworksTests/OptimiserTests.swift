import Foundation
import Kernels
import Networks
import TestSupport
import Testing

/// Optimisers and schedules against plain double-precision formulas, written as PyTorch documents them.
struct OptimiserTests {
    private static let network: Network = {
        var builder = NetworkBuilder()
        let x = try! builder.input("x", channels: 5, rank: 0)
        let y = try! builder.linear("fc", x, outputs: 7)
        return try! builder.network(outputs: [y])
    }()

    /// Runs an optimiser on random gradients and compares with `update`, one value at a time.
    private func compare(
        _ optimiser: Optimiser, scale: Float = 1,
        _ update: (_ w: inout Double, _ g: Double, _ moments: inout [Double], _ step: Int, _ rate: Double) -> Void
    ) {
        var random = SeededGenerator(seed: 6)
        let storage = ParameterStorage(Self.network.initialWeights(.pytorch, seed: 2))
        let state = OptimiserState(optimiser, storage)
        var values = storage.weights.tensors.flatMap(\.values).map(Double.init)
        var moments = values.map { _ in [0.0, 0.0] }
        for step in 1...6 {
            let gradients = storage.parameters.map { NetworkFixtures.tensor($0.shape, &random) }
            for (n, gradient) in gradients.enumerated() {
                for (k, value) in gradient.values.enumerated() { storage.gradient[storage.offset(n) + k] = value }
            }
            let rate = 0.1 / Double(step)
            state.update(learningRate: rate, scale: scale, threads: step % 2 + 1)
            for (n, gradient) in gradients.flatMap(\.values).enumerated() {
                update(&values[n], Double(gradient) * Double(scale), &moments[n], step, rate)
            }
            let found = storage.weights.tensors.flatMap(\.values)
            for (a, b) in zip(found, values) { #expect(abs(Double(a) - b) < 2e-6, "\(optimiser), step \(step)") }
        }
    }

    @Test func plainDescent() {
        compare(.sgd(weightDecay: 0.3)) { w, g, _, _, rate in w -= rate * (g + Double(Float(0.3)) * w) }
    }

    @Test(arguments: [false, true]) func momentum(nesterov: Bool) {
        compare(.sgd(momentum: 0.9, nesterov: nesterov, weightDecay: 0.01), scale: 0.25) { w, g, moments, step, rate in
            let gradient = g + Double(Float(0.01)) * w
            moments[0] = step == 1 ? gradient : Double(Float(0.9)) * moments[0] + gradient
            w -= rate * (nesterov ? gradient + Double(Float(0.9)) * moments[0] : moments[0])
        }
    }

    @Test(arguments: [false, true]) func adam(decoupled: Bool) {
        let (b1, b2, decay) = (Double(Float(0.9)), Double(Float(0.99)), Double(Float(0.05)))
        let optimiser: Optimiser =
            decoupled
            ? .adamW(beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05)
            : .adam(beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05)
        compare(optimiser) { w, g, moments, step, rate in
            var gradient = g
            if decoupled { w -= rate * decay * w } else { gradient += decay * w }
            moments[0] = b1 * moments[0] + (1 - b1) * gradient
            moments[1] = b2 * moments[1] + (1 - b2) * gradient * gradient
            let first = moments[0] / (1 - pow(b1, Double(step)))
            let second = moments[1] / (1 - pow(b2, Double(step)))
            w -= rate * first / (second.squareRoot() + 1e-6)
        }
    }

    @Test func theGradientNormIsThatOfAllValues() {
        let storage = ParameterStorage(Self.network.initialWeights(.pytorch, seed: 2))
        var sum = 0.0
        for (n, parameter) in storage.parameters.enumerated() {
            for k in 0..<parameter.count {
                let value = Float(n + 1) * Float(k - 3)
                storage.gradient[storage.offset(n) + k] = value
                sum += Double(value) * Double(value)
            }
        }
        let state = OptimiserState(.adam(), storage)
        #expect(abs(state.gradientNorm(threads: 2) - sum.squareRoot()) < 1e-9 * sum)
        #expect(state.gradientNorm(threads: 1) == state.gradientNorm(threads: 2))
    }

    @Test func schedules() {
        func rates(_ schedule: Schedule, epochs: Int = 10, batches: Int = 4) -> [Double] {
            (0..<epochs).map { schedule.learningRate(epoch: $0, batch: 2, epochs: epochs, batchesPerEpoch: batches) }
        }
        #expect(rates(Schedule(0.5)) == [Double](repeating: 0.5, count: 10))
        #expect(
            rates(Schedule(1, .step(everyEpochs: 4, factor: 0.5))) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
        for (epoch, rate) in rates(Schedule(2, .polynomial(power: 0.9))).enumerated() {
            #expect(abs(rate - 2 * pow(1 - Double(epoch) / 10, 0.9)) < 1e-15)
        }
        for (epoch, rate) in rates(Schedule(2, .polynomial(power: 0.9), pace: .batch)).enumerated() {
            #expect(abs(rate - 2 * pow(1 - (Double(epoch) + 0.5) / 10, 0.9)) < 1e-15)
        }
        for (epoch, rate) in rates(Schedule(1, .cosine(minimum: 0.1))).enumerated() {
            #expect(abs(rate - (0.1 + 0.45 * (1 + cos(.pi * Double(epoch) / 10)))) < 1e-15)
        }
        let warm = Schedule(1, .constant, warmUpBatches: 6)
        let first = (0..<8).map { warm.learningRate(epoch: $0 / 4, batch: $0 % 4, epochs: 2, batchesPerEpoch: 4) }
        let expected: [Double] = [1, 2, 3, 4, 5, 6, 6, 6].map { $0 / 6 }
        #expect(first == expected)
    }
}
