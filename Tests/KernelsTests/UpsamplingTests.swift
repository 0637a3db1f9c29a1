import Kernels
import Testing

@Suite struct UpsamplingTests {
    struct Case: Sendable {
        var layer: Upsampling
        var shape: FeatureShape
    }

    static let cases: [Case] = {
        var cases: [Case] = []
        for shape in [
            FeatureShape(1, 1, 1, 1, 1), FeatureShape(2, 3, 1, 5, 7), FeatureShape(1, 17, 2, 3, 4),
            FeatureShape(1, 16, 3, 1, 2), FeatureShape(2, 20, 5, 9, 11),
        ] {
            for scale in [Extent3(1, 2, 2), Extent3(2, 2, 2), Extent3(3, 1, 4), Extent3(1, 1, 1)] {
                for layer in [
                    Upsampling(.nearest, scale: scale), Upsampling(.linear, scale: scale),
                    Upsampling(.linear, scale: scale, alignCorners: true),
                ] {
                    cases.append(Case(layer: layer, shape: shape))
                }
            }
        }
        return cases
    }()

    /// What an output position along one axis takes: input positions and weights.
    private func taken(_ layer: Upsampling, _ o: Int, _ n: Int, _ scale: Int) -> [(Int, Double)] {
        if layer.kind == .nearest { return [(o / scale, 1)] }
        var place = max(0, (Double(o) + 0.5) / Double(scale) - 0.5)
        if layer.alignCorners { place = n * scale > 1 ? Double(o * (n - 1)) / Double(n * scale - 1) : 0 }
        let low = min(Int(place), n - 1)
        let share = place - Double(low)
        return [(low, 1 - share), (min(low + 1, n - 1), share)]
    }

    @Test(arguments: cases) func equalsThePlainFormulaAndItsTranspose(test: Case) {
        let (layer, shape) = (test.layer, test.shape)
        let size = layer.outputSize(shape.size)
        let outputShape = FeatureShape(batch: shape.batch, channels: shape.channels, size: size)
        let x = PlainMap.random(shape)
        let weights = PlainMap.random(outputShape, salt: 1)
        var (expected, gradient) = (PlainMap(outputShape), PlainMap(shape))
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                for d in 0..<size.depth {
                    for h in 0..<size.height {
                        for w in 0..<size.width {
                            for (i, a) in taken(layer, d, shape.size.depth, layer.scale.depth) {
                                for (j, b) in taken(layer, h, shape.size.height, layer.scale.height) {
                                    for (k, e) in taken(layer, w, shape.size.width, layer.scale.width) {
                                        expected[n, c, d, h, w] += a * b * e * x[n, c, i, j, k]
                                        gradient[n, c, i, j, k] += a * b * e * weights[n, c, d, h, w]
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(outputShape))
            layer.forward(input.map, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            layer.backward(gradient: behind.map, to: before.map, threads: threads)
            expectEqual(before, gradient)
            return [output, before]
        }
    }
}
