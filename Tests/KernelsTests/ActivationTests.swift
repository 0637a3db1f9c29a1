import Glibc
import Kernels
import Testing

@Suite struct ActivationTests {
    static let activations: [Activation] = [
        .relu, .leakyRelu(slope: 0.1), .leakyRelu(slope: -0.3), .sigmoid, .tanh, .swish,
    ]

    private func plain(_ activation: Activation, _ x: Double) -> Double {
        switch activation {
        case .relu: max(x, 0)
        case .leakyRelu(let slope): x < 0 ? x * Double(slope) : x
        case .sigmoid: 1 / (1 + exp(-x))
        case .tanh: Glibc.tanh(x)
        case .swish: x / (1 + exp(-x))
        }
    }

    @Test(arguments: activations, FeatureShape.small + FeatureShape.large)
    func forwardAndBackward(activation: Activation, shape: FeatureShape) {
        let x = PlainMap.random(shape, scale: 2.5)
        let weights = PlainMap.random(shape, salt: 1)
        let expected = x.map { plain(activation, $0) }
        // Each value depends on its own input alone.
        let step = 1e-5
        let slopes = x.map { (plain(activation, $0 + step) - plain(activation, $0 - step)) / (2 * step) }
        let gradient = PlainMap(shape, zip(slopes.values, weights.values).map { $0 * $1 })

        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(shape))
            activation.forward(input.map, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            activation.backward(
                x: input.map, y: output.map, gradient: behind.map, to: before.map, threads: threads)
            expectEqual(before, gradient, tolerance: 5e-6)
            // In place.
            activation.backward(
                x: input.map, y: output.map, gradient: behind.map, to: behind.map, threads: threads)
            #expect(behind.plain.values == before.plain.values)
            activation.forward(input.map, to: input.map, threads: threads)
            #expect(input.plain.values == output.plain.values)
            return [input, output, before, behind]
        }
    }

    @Test(arguments: FeatureShape.small + FeatureShape.large, [false, true])
    func slopesAsParameters(shape: FeatureShape, perChannel: Bool) {
        let x = PlainMap.random(shape, scale: 2)
        let weights = PlainMap.random(shape, salt: 1)
        let slopes = randomParameters(perChannel ? shape.channels : 1, salt: 2)
        var (expected, gradient) = (PlainMap(shape), PlainMap(shape))
        var slopeGradients = [Double](repeating: 0, count: slopes.count)
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                let slope = Double(slopes[perChannel ? c : 0])
                for i in x.channel(n, c) {
                    let v = x.values[i]
                    expected.values[i] = v > 0 ? v : v * slope
                    gradient.values[i] = weights.values[i] * (v > 0 ? 1 : slope)
                    if v < 0 { slopeGradients[perChannel ? c : 0] += v * weights.values[i] }
                }
            }
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(shape))
            PReLU.forward(input.map, slope: slopes, slopes: slopes.count, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            var found = [Float](repeating: 0, count: slopes.count)
            PReLU.backward(
                x: input.map, slope: slopes, slopes: slopes.count, gradient: behind.map, to: before.map,
                slopeGradient: &found, threads: threads)
            expectEqual(before, gradient)
            #expect(relativeDifference(found.map { Double($0) }, slopeGradients) < 2e-6)
            return [output, before]
        }
    }
}
