import TestSupport
import Testing

@testable import Kernels

/// What surrounds the sums of a convolution: activations while storing, new weights, memory, empty batches.
struct PreparedConvolutionTests {
    init() { poisonScratch() }

    /// One for each loop that finishes its values while storing them.
    static let geometries = [
        ConvolutionGeometry(inputChannels: 16, outputChannels: 40, kernel: .one),
        ConvolutionGeometry(inputChannels: 20, outputChannels: 20, kernel: Extent3(1, 3, 3), padding: .one, groups: 20),
        ConvolutionGeometry(inputChannels: 32, outputChannels: 32, kernel: Extent3(repeating: 3), padding: .one),
        ConvolutionGeometry(inputChannels: 32, outputChannels: 32, kernel: Extent3(1, 3, 3), padding: Extent3(0, 1, 1)),
    ]

    private func apply(_ convolution: Convolution, _ x: [Float]) -> [Float] {
        let source = SurroundedMap(convolution.input, planar: x, surrounded: false)
        let target = SurroundedMap(convolution.output, surrounded: false)
        withExtendedLifetime(source) { convolution.apply(source.map, to: target.map, threads: 2) }
        return target.planar
    }

    /// The layer of its own gives 0 for −∞ too.
    @Test(arguments: geometries) func reluOfMinusInfinityIsZero(geometry: ConvolutionGeometry) {
        var random = SeededGenerator(seed: 21)
        let input = FeatureShape(batch: 1, channels: geometry.inputChannels, size: Extent3(4, 12, 12))
        let weight = random.values(geometry.weightShape.reduce(1, *))
        let bias = [Float](repeating: -.infinity, count: geometry.outputChannels)
        let convolution = Convolution(
            geometry, input: input, weight: weight, bias: bias, epilogue: .relu, threads: 1)
        #expect(apply(convolution, random.values(input.count)).allSatisfy { $0 == 0 && $0.sign == .plus })
    }

    @Test(arguments: geometries) func leakyReluAndNotANumber(geometry: ConvolutionGeometry) {
        let input = FeatureShape(batch: 1, channels: geometry.inputChannels, size: Extent3(2, 6, 6))
        let weight = [Float](repeating: 0, count: geometry.weightShape.reduce(1, *))
        var bias = [Float](repeating: -2, count: geometry.outputChannels)
        bias[1] = -.infinity
        bias[2] = .nan
        let convolution = Convolution(
            geometry, input: input, weight: weight, bias: bias, epilogue: .leakyRelu(slope: 0.25), threads: 1)
        let y = apply(convolution, [Float](repeating: 1, count: input.count))
        let positions = convolution.output.positions
        #expect(y[0] == -0.5 && y[positions] == -.infinity && y[2 * positions].isNaN)
    }

    /// No image, no work: outputs are empty and gradients of parameters zero.
    @Test(arguments: [Extent3(2, 2, 2), Extent3(6, 10, 10)], geometries) func batchesOfNothing(
        size: Extent3, geometry: ConvolutionGeometry
    ) {
        var geometry = geometry
        if geometry.groups == 1 { geometry.outputChannels = 100 }
        let input = FeatureShape(batch: 0, channels: geometry.inputChannels, size: size)
        let weight = [Float](repeating: 1, count: geometry.weightShape.reduce(1, *))
        let convolution = Convolution(geometry, input: input, weight: weight, bias: nil, epilogue: .none, threads: 2)
        #expect(convolution.output.batch == 0)
        #expect(apply(convolution, []).isEmpty)
        let (source, gradient) = (
            SurroundedMap(input, surrounded: false), SurroundedMap(convolution.output, surrounded: false)
        )
        withExtendedLifetime((source, gradient)) {
            ConvolutionGradient.input(
                geometry, weight: weight, outputGradient: gradient.map, to: source.map, threads: 2)
            var ofWeight = weight
            var ofBias = [Float](repeating: 1, count: geometry.outputChannels)
            ConvolutionGradient.weight(
                geometry, input: source.map, outputGradient: gradient.map, to: &ofWeight, bias: &ofBias, threads: 2)
            #expect(ofWeight.allSatisfy { $0 == 0 } && ofBias.allSatisfy { $0 == 0 })
        }
    }

    /// A trained layer packs its weights for every step and may choose another way; the result is the same to rounding.
    @Test(arguments: geometries) func trainedLayers(geometry: ConvolutionGeometry) {
        var random = SeededGenerator(seed: 22)
        let input = FeatureShape(batch: 2, channels: geometry.inputChannels, size: Extent3(4, 9, 10))
        let (weight, bias) = (
            random.values(geometry.weightShape.reduce(1, *)), random.values(geometry.outputChannels)
        )
        let x = random.values(input.count)
        let results = [false, true].map { isTrained in
            apply(
                Convolution(
                    geometry, input: input, weight: weight, bias: bias, epilogue: .relu, isTrained: isTrained,
                    threads: 2), x)
        }
        #expect(ConvolutionReference.error(results[1], results[0].map(Double.init)) < 5e-6)
    }

    @Test(arguments: geometries) func memoryIsCounted(geometry: ConvolutionGeometry) throws {
        let input = FeatureShape(batch: 1, channels: geometry.inputChannels, size: Extent3(4, 12, 12))
        let lowered = try #require(LoweredConvolution.convolution(geometry, input: input))
        for isTrained in [false, true] {
            let method = lowered.method(packingCounts: isTrained)
            for threads in [1, 3] {
                #expect(
                    Convolution.workspaceBytes(geometry, input: input, isTrained: isTrained, threads: threads)
                        == 4 * (method.packedCount + threads * method.scratchCount))
            }
            #expect(4 * method.packedCount >= 4 * geometry.weightShape.reduce(1, *))
        }
        var unpadded = geometry
        unpadded.padding = .zero
        unpadded.kernel.width = 13
        #expect(Convolution.workspaceBytes(unpadded, input: input, threads: 1) == 0)
    }

    @Test(arguments: [1, 3]) func newWeightsForPlanarInput(channels: Int) {
        var random = SeededGenerator(seed: 23)
        let geometry = ConvolutionGeometry(
            inputChannels: channels, outputChannels: 20, kernel: Extent3(repeating: 3), padding: .one)
        let input = FeatureShape(batch: 2, channels: channels, size: Extent3(5, 6, 7))
        let (first, second) = (random.values(20 * channels * 27), random.values(20 * channels * 27))
        let (bias, x) = (random.values(20), random.values(input.count))
        func made(_ weight: [Float], _ bias: [Float]?) -> Convolution {
            Convolution(
                geometry, input: input, weight: weight, bias: bias, epilogue: .leakyRelu(slope: 0.1),
                planarInput: true, threads: 1)
        }
        func applied(_ convolution: Convolution) -> [Float] {
            let target = SurroundedMap(convolution.output, surrounded: false)
            convolution.apply(planar: x, to: target.map, threads: 2)
            return target.planar
        }
        let changed = made(first, nil)
        let before = applied(changed)
        changed.repack(weight: second, bias: bias, threads: 2)
        #expect(applied(changed) == applied(made(second, bias)))
        #expect(applied(changed) != before)
    }

    @Test func transposedWithActivationAndNewWeights() {
        var random = SeededGenerator(seed: 24)
        let geometry = TransposedConvolutionGeometry(
            inputChannels: 20, outputChannels: 18, kernel: Extent3(repeating: 2), stride: Extent3(repeating: 2))
        let input = FeatureShape(batch: 2, channels: 20, size: Extent3(3, 4, 5))
        let count = geometry.weightShape.reduce(1, *)
        let (first, second, bias) = (random.values(count), random.values(count), random.values(18))
        let source = SurroundedMap(input, planar: random.values(input.count), surrounded: false)
        func made(_ weight: [Float], _ bias: [Float]?, _ epilogue: Epilogue) -> TransposedConvolution {
            TransposedConvolution(geometry, input: input, weight: weight, bias: bias, epilogue: epilogue, threads: 2)
        }
        func applied(_ convolution: TransposedConvolution) -> [Float] {
            let target = SurroundedMap(convolution.output, surrounded: false)
            convolution.apply(source.map, to: target.map, threads: 2)
            return target.planar
        }
        let plain = applied(made(second, bias, .none))
        let zeros = [Float](repeating: 0, count: 18)
        #expect(applied(made(second, nil, .none)) == applied(made(second, zeros, .none)))
        #expect(applied(made(second, nil, .none)) != plain)
        #expect(applied(made(second, bias, .relu)) == plain.map { $0 < 0 ? 0 : $0 })
        #expect(applied(made(second, bias, .leakyRelu(slope: 0.5))) == plain.map { $0 < 0 ? $0 / 2 : $0 })
        let changed = made(first, nil, .none)
        changed.repack(weight: second, bias: bias, threads: 2)
        #expect(applied(changed) == plain)
        changed.repack(weight: second, bias: nil, threads: 1)
        #expect(applied(changed) == applied(made(second, nil, .none)))
        #expect(source.isClean)
    }
}
