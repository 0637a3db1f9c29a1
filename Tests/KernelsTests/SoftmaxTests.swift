import Glibc
import Kernels
import Testing

@Suite struct SoftmaxTests {
    static let shapes =
        FeatureShape.small + FeatureShape.large + [FeatureShape(1, 16, 1, 1, 37), FeatureShape(2, 2, 3, 19, 23)]

    /// Softmax of the channels of each position, or its logarithm.
    private func plain(_ x: PlainMap, _ kind: Softmax) -> PlainMap {
        var y = PlainMap(x.shape)
        forEachPosition(x.shape) { indices in
            let top = indices.map { x.values[$0] }.max()!
            let sum = indices.reduce(0) { $0 + exp(x.values[$1] - top) }
            for i in indices {
                let logarithm = x.values[i] - top - log(sum)
                y.values[i] = kind == .logarithms ? logarithm : exp(logarithm)
            }
        }
        return y
    }

    private func forEachPosition(_ shape: FeatureShape, _ body: ([Int]) -> Void) {
        for n in 0..<shape.batch {
            for p in 0..<shape.positions {
                body((0..<shape.channels).map { (n * shape.channels + $0) * shape.positions + p })
            }
        }
    }

    @Test(arguments: [Softmax.probabilities, .logarithms], shapes)
    func forwardAndBackward(kind: Softmax, shape: FeatureShape) {
        let x = PlainMap.random(shape, scale: 6)
        let weights = PlainMap.random(shape, salt: 1)
        let expected = plain(x, kind)
        var gradient = PlainMap(shape)
        forEachPosition(shape) { indices in
            switch kind {
            case .probabilities:
                let sum = indices.reduce(0) { $0 + expected.values[$1] * weights.values[$1] }
                for i in indices { gradient.values[i] = expected.values[i] * (weights.values[i] - sum) }
            case .logarithms:
                let sum = indices.reduce(0) { $0 + weights.values[$1] }
                for i in indices { gradient.values[i] = weights.values[i] - exp(expected.values[i]) * sum }
            }
        }
        if shape.count < 120 {
            let numerical = numericalGradient(x, weights: weights) { plain($0, kind) }
            #expect(relativeDifference(gradient.values, numerical.values) < 1e-6)
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(shape))
            kind.forward(input.map, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            kind.backward(y: output.map, gradient: behind.map, to: before.map, threads: threads)
            expectEqual(before, gradient)
            kind.backward(y: output.map, gradient: behind.map, to: behind.map, threads: threads)
            #expect(behind.plain.values == before.plain.values)
            kind.forward(input.map, to: input.map, threads: threads)
            #expect(input.plain.values == output.plain.values)
            return [output, before, behind, input]
        }
    }

    @Test func largeLogitsDoNotOverflow() {
        let x = PlainMap(FeatureShape(1, 3, 1, 1, 2), [1000, -1000, 999, -1e30, -1000, 0])
        for kind in [Softmax.probabilities, .logarithms] {
            let (input, output) = (TestMap(x), TestMap(x.shape))
            kind.forward(input.map, to: output.map, threads: 1)
            expectEqual(output, plain(x, kind))
        }
    }
}
