import TestSupport
import Testing

@testable import Kernels

/// Convolutions and their gradients against nested loops in double precision.
struct ConvolutionTests {
    init() { poisonScratch() }

    struct Case: CustomStringConvertible {
        var geometry: ConvolutionGeometry
        var batch: Int
        var size: Extent3
        var hasBias: Bool
        var epilogue: Epilogue
        var surrounded: Bool
        var description: String {
            let g = geometry
            return
                "\(batch)×\(g.inputChannels)→\(g.outputChannels) of \(size), kernel \(g.kernel), stride \(g.stride), "
                + "padding \(g.padding), dilation \(g.dilation), groups \(g.groups), \(epilogue)"
        }
    }

    /// Any kind of convolution, small enough for the nested loops.
    static func randomCase(_ random: inout SeededGenerator) -> Case {
        while true {
            let flat = random.pick([false, false, true])
            let groups = random.pick([1, 1, 1, 1, 2, 3, 16, 32, 0])
            var (inputs, outputs) = (random.pick([1, 2, 3, 5, 16, 17, 31, 32, 48, 70]), 0)
            outputs = random.pick([1, 3, 8, 16, 19, 32, 33, 48, 70])
            var actual = max(1, groups)
            if groups == 0 {  // depthwise
                actual = inputs
                outputs = inputs
            } else if groups > 1 {
                let perGroup = random.pick([1, 2, 5, 16])
                inputs = min(96, groups * perGroup) / groups * groups
                outputs = groups * random.pick([1, 2, 3])
                if groups == 2 { outputs = random.pick([2, 32, 64]) }
            }
            func extent(_ values: [Int], _ depth: Int) -> Extent3 {
                let (height, width) = (random.pick(values), random.pick(values))
                return Extent3(flat ? depth : random.pick(values), height, width)
            }
            let regular = random.pick([true, true, false])
            let k = random.pick([1, 3, 3, 3, 5, 7])
            let kernel = regular ? Extent3(flat ? 1 : k, k, k) : extent([1, 2, 3, 5], 1)
            let stride = regular ? Extent3(flat ? 1 : 1, 1, 1) : extent([1, 2, 3], 1)
            let dilation = random.pick([true, true, false]) ? .one : extent([1, 2], 1)
            let padding =
                regular ? Extent3(flat ? 0 : k / 2, k / 2, k / 2) : extent([0, 1, 2, 3], 0)
            let geometry = ConvolutionGeometry(
                inputChannels: inputs, outputChannels: outputs, kernel: kernel, stride: stride, padding: padding,
                dilation: dilation, groups: actual)
            let size = extent(flat ? [1, 2, 7, 13, 20, 37] : [1, 2, 4, 5, 7, 9, 11, 13], 1)
            guard let output = geometry.outputSize(size) else { continue }
            let batch = random.pick([1, 1, 2, 3])
            let products = batch * output.product * kernel.product * inputs / actual * outputs
            guard products < 12_000_000 else { continue }
            return Case(
                geometry: geometry, batch: batch, size: size, hasBias: random.pick([true, false]),
                epilogue: random.pick([.none, .relu, .leakyRelu(slope: 0.1)]), surrounded: random.pick([true, false]))
        }
    }

    @Test(arguments: 0..<90)
    func agreesWithItsDefinition(number: Int) {
        var random = SeededGenerator(seed: UInt64(1000 + number))
        check(Self.randomCase(&random), &random)
    }

    /// Shapes that are large enough for several pieces, tiles and chunks.
    @Test(arguments: [
        (16, 16, Extent3(18, 21, 35), 1), (32, 16, Extent3(9, 17, 19), 2), (20, 40, Extent3(4, 4, 4), 3),
        (1, 32, Extent3(20, 30, 31), 1), (3, 16, Extent3(1, 65, 130), 1), (24, 70, Extent3(1, 45, 50), 2),
        (130, 66, Extent3(5, 6, 7), 1), (33, 1, Extent3(11, 12, 13), 2),
        (20, 40, Extent3(4, 4, 4), 9), (17, 30, .one, 300), (40, 70, Extent3(2, 2, 2), 70),
        (5, 9, Extent3(3, 4, 5), 11),
    ])
    func agreesWithItsDefinitionWhenCutIntoPieces(inputs: Int, outputs: Int, size: Extent3, batch: Int) {
        var random = SeededGenerator(seed: UInt64(inputs * 100 + outputs))
        let flat = size.depth == 1
        let geometry = ConvolutionGeometry(
            inputChannels: inputs, outputChannels: outputs, kernel: Extent3(flat ? 1 : 3, 3, 3),
            padding: Extent3(flat ? 0 : 1, 1, 1))
        check(
            Case(
                geometry: geometry, batch: batch, size: size, hasBias: true, epilogue: .leakyRelu(slope: 0.01),
                surrounded: true), &random)
    }

    /// Few channels that see themselves only: the lanes that are no channel must come out as zeros, whatever the scratch
    /// memory held before.
    @Test(arguments: [2, 3, 5, 15, 17])
    func channelsApart(channels: Int) {
        var random = SeededGenerator(seed: UInt64(channels))
        for (size, kernel) in [(Extent3(5, 6, 7), Extent3(3, 3, 3)), (Extent3(1, 9, 40), Extent3(1, 3, 5))] {
            let geometry = ConvolutionGeometry(
                inputChannels: channels, outputChannels: channels, kernel: kernel,
                padding: Extent3(kernel.depth / 2, 1, kernel.width / 2), groups: channels)
            check(
                Case(
                    geometry: geometry, batch: 2, size: size, hasBias: true, epilogue: .none, surrounded: true), &random
            )
        }
    }

    /// Flat kernels that are padded along depth: the outermost planes are nothing but bias.
    @Test func flatKernelsPaddedAlongDepth() {
        var random = SeededGenerator(seed: 12)
        for (inputs, outputs, size, padding) in [
            (32, 32, Extent3(4, 20, 21), 1), (20, 40, Extent3(2, 16, 16), 2), (16, 33, Extent3(5, 12, 30), 0),
        ] {
            let geometry = ConvolutionGeometry(
                inputChannels: inputs, outputChannels: outputs, kernel: Extent3(1, 3, 3),
                padding: Extent3(padding, 1, 1))
            check(
                Case(
                    geometry: geometry, batch: 2, size: size, hasBias: true, epilogue: .none, surrounded: true), &random
            )
        }
    }

    /// Maps so small that some elements of the kernel only ever meet zeros.
    @Test(arguments: [
        (Extent3.one, 1, 40, 33, 5), (Extent3.one, 2, 16, 20, 40), (Extent3(2, 2, 2), 2, 20, 33, 3),
        (Extent3(1, 6, 9), 1, 33, 20, 2), (Extent3(9, 1, 5), 1, 16, 16, 1), (Extent3(1, 1, 7), 2, 3, 17, 2),
    ])
    func deepestMaps(size: Extent3, stride: Int, inputs: Int, outputs: Int, batch: Int) {
        var random = SeededGenerator(seed: UInt64(inputs * 100 + outputs))
        let geometry = ConvolutionGeometry(
            inputChannels: inputs, outputChannels: outputs, kernel: Extent3(repeating: 3),
            stride: Extent3(repeating: stride), padding: Extent3(repeating: 1))
        check(
            Case(
                geometry: geometry, batch: batch, size: size, hasBias: true, epilogue: .none, surrounded: true),
            &random)
    }

    /// Deep layers keep no transformed weights: their packed weights take what the weights take, in whole blocks.
    @Test func packedWeightsOfDeepLayersAreNoLargerThanTheWeights() {
        for (size, flat) in [(Extent3(1, 16, 16), true), (Extent3(4, 4, 4), false), (Extent3(8, 8, 8), false)] {
            let geometry = ConvolutionGeometry(
                inputChannels: 512, outputChannels: 512, kernel: Extent3(flat ? 1 : 3, 3, 3),
                padding: Extent3(flat ? 0 : 1, 1, 1))
            let weightBytes = 4 * geometry.weightShape.reduce(1, *)
            for isTrained in [false, true] {
                let input = FeatureShape(batch: 1, channels: 512, size: size)
                let bytes = Convolution.workspaceBytes(geometry, input: input, isTrained: isTrained, threads: 0)
                #expect(bytes == weightBytes, "\(size)")
            }
        }
    }

    @Test func firstLayerOfResidualNetworks() {
        var random = SeededGenerator(seed: 7)
        let geometry = ConvolutionGeometry(
            inputChannels: 1, outputChannels: 64, kernel: Extent3(repeating: 7), stride: Extent3(repeating: 2),
            padding: Extent3(repeating: 3))
        check(
            Case(
                geometry: geometry, batch: 2, size: Extent3(16, 15, 17), hasBias: false, epilogue: .relu,
                surrounded: false), &random)
    }

    private func check(_ c: Case, _ random: inout SeededGenerator) {
        let g = c.geometry
        let input = FeatureShape(batch: c.batch, channels: g.inputChannels, size: c.size)
        let output = FeatureShape(batch: c.batch, channels: g.outputChannels, size: g.outputSize(c.size)!)
        let x = random.values(input.count)
        let weight = random.values(g.weightShape.reduce(1, *))
        let bias = random.values(g.outputChannels)
        let dy = random.values(output.count)

        var y = [Double](repeating: 0, count: output.count)
        var dx = [Double](repeating: 0, count: input.count)
        var dw = [Double](repeating: 0, count: weight.count)
        ConvolutionReference.forEachProduct(g, batch: c.batch, input: c.size, output: output.size) { i, o, w in
            y[o] += Double(x[i]) * Double(weight[w])
            dx[i] += Double(dy[o]) * Double(weight[w])
            dw[w] += Double(dy[o]) * Double(x[i])
        }
        if c.hasBias {
            ConvolutionReference.add(bias, to: &y, batch: c.batch, positions: output.positions)
        }
        y = y.map { $0 < 0 ? $0 * Double(c.epilogue.slope) : $0 }
        let db = ConvolutionReference.channelSums(
            dy, batch: c.batch, channels: g.outputChannels, positions: output.positions)

        var results: [[Float]] = []
        for threads in 1...3 {
            let source = SurroundedMap(input, planar: x, surrounded: c.surrounded)
            let target = SurroundedMap(output, surrounded: c.surrounded)
            let convolution = Convolution(
                g, input: input, weight: weight, bias: c.hasBias ? bias : nil, epilogue: c.epilogue, threads: threads)
            #expect(convolution.output == output)
            convolution.apply(source.map, to: target.map, threads: threads)
            #expect(target.isClean, "\(c)")

            let gradient = SurroundedMap(output, planar: dy, surrounded: c.surrounded)
            let inputGradient = SurroundedMap(input, surrounded: c.surrounded)
            ConvolutionGradient.input(
                g, weight: weight, outputGradient: gradient.map, to: inputGradient.map, threads: threads)
            #expect(inputGradient.isClean, "\(c)")

            var weightGradient = [Float](repeating: .nan, count: weight.count)
            var biasGradient = [Float](repeating: .nan, count: g.outputChannels)
            ConvolutionGradient.weight(
                g, input: source.map, outputGradient: gradient.map, to: &weightGradient, bias: &biasGradient,
                threads: threads)
            // Also keeps the memory of both alive until here.
            #expect(source.isClean && gradient.isClean, "\(c)")
            if g.inputChannels < FeatureShape.lanes {
                checkPlanar(c, x, weight, c.hasBias ? bias : nil, threads, target, gradient, weightGradient)
            }
            let these = [target.planar, inputGradient.planar, weightGradient, biasGradient]
            if threads == 1 {
                results = these
            } else {
                #expect(these == results, "\(c): other bits with \(threads) threads")
            }
        }
        let forward = LoweredConvolution.convolution(g, input: input)!
        let backward = LoweredConvolution.inputGradient(g, outputGradient: output, input: c.size)
        for (name, values, expected, isFast) in [
            ("output", results[0], y, forward.method() is WinogradConvolution),
            ("input gradient", results[1], dx, backward.method(packingCounts: true) is WinogradConvolution),
            ("weight gradient", results[2], dw, forward.weightGradientMethod() is WinogradWeightGradient),
            ("bias gradient", results[3], db, false),
        ] {
            let error = ConvolutionReference.error(values, expected)
            #expect(error <= (isFast ? 5e-6 : 2e-6), "\(c): \(name) off by \(error)")
        }
    }

    /// The same from an input in planar order.
    private func checkPlanar(
        _ c: Case, _ x: [Float], _ weight: [Float], _ bias: [Float]?, _ threads: Int, _ output: SurroundedMap,
        _ gradient: SurroundedMap, _ weightGradient: [Float]
    ) {
        let input = FeatureShape(batch: c.batch, channels: c.geometry.inputChannels, size: c.size)
        let target = SurroundedMap(output.map.shape, surrounded: c.surrounded)
        Convolution(
            c.geometry, input: input, weight: weight, bias: bias, epilogue: c.epilogue, planarInput: true,
            threads: threads
        ).apply(planar: x, to: target.map, threads: threads)
        #expect(target.isClean && output.isClean, "\(c)")
        #expect(ConvolutionReference.error(target.planar, output.planar.map(Double.init)) < 1e-5, "\(c)")
        var result = [Float](repeating: .nan, count: weight.count)
        ConvolutionGradient.weight(
            c.geometry, planar: x, shape: input, outputGradient: gradient.map, to: &result, bias: nil,
            threads: threads)
        #expect(gradient.isClean)
        #expect(ConvolutionReference.error(result, weightGradient.map(Double.init)) < 1e-5, "\(c)")
    }

    /// Gradients are slopes: the change of a weighted sum of outputs when one value changes a little.
    @Test func gradientsAreFiniteDifferences() {
        var random = SeededGenerator(seed: 3)
        let geometry = ConvolutionGeometry(
            inputChannels: 3, outputChannels: 2, kernel: Extent3(2, 3, 3), stride: Extent3(1, 2, 1),
            padding: Extent3(1, 1, 0))
        let size = Extent3(3, 5, 4)
        let input = FeatureShape(batch: 1, channels: 3, size: size)
        let output = FeatureShape(batch: 1, channels: 2, size: geometry.outputSize(size)!)
        let x = random.values(input.count)
        let weight = random.values(geometry.weightShape.reduce(1, *))
        let dy = random.values(output.count)
        func value(_ x: [Float], _ weight: [Float]) -> Double {
            let source = SurroundedMap(input, planar: x, surrounded: false)
            let target = SurroundedMap(output, surrounded: false)
            withExtendedLifetime(source) {
                Convolution(geometry, input: input, weight: weight, bias: nil, epilogue: .none, threads: 1)
                    .apply(source.map, to: target.map, threads: 1)
            }
            return zip(target.planar, dy).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let gradient = SurroundedMap(output, planar: dy, surrounded: false)
        let inputGradient = SurroundedMap(input, surrounded: false)
        let source = SurroundedMap(input, planar: x, surrounded: false)
        var weightGradient = weight
        withExtendedLifetime((source, gradient)) {
            ConvolutionGradient.input(
                geometry, weight: weight, outputGradient: gradient.map, to: inputGradient.map, threads: 1)
            ConvolutionGradient.weight(
                geometry, input: source.map, outputGradient: gradient.map, to: &weightGradient, bias: nil, threads: 1)
        }
        // The function is linear in each, so a large step costs nothing but rounding.
        for n in stride(from: 0, to: x.count, by: 7) {
            var (up, down) = (x, x)
            up[n] += 0.5
            down[n] -= 0.5
            #expect(abs(value(up, weight) - value(down, weight) - Double(inputGradient.planar[n])) < 1e-4)
        }
        for n in stride(from: 0, to: weight.count, by: 5) {
            var (up, down) = (weight, weight)
            up[n] += 0.5
            down[n] -= 0.5
            #expect(abs(value(x, up) - value(x, down) - Double(weightGradient[n])) < 1e-4)
        }
    }

    @Test func newWeightsInTheSameMemory() {
        var random = SeededGenerator(seed: 5)
        let geometry = ConvolutionGeometry(
            inputChannels: 16, outputChannels: 20, kernel: Extent3(repeating: 3), padding: .one)
        let input = FeatureShape(batch: 1, channels: 16, size: Extent3(6, 7, 8))
        let source = SurroundedMap(input, planar: random.values(input.count), surrounded: false)
        let (first, second) = (random.values(16 * 20 * 27), random.values(16 * 20 * 27))
        let bias = random.values(20)
        let changed = Convolution(
            geometry, input: input, weight: first, bias: bias, epilogue: .relu, threads: 1)
        changed.repack(weight: second, bias: nil, threads: 2)
        let fresh = Convolution(geometry, input: input, weight: second, bias: nil, epilogue: .relu, threads: 1)
        let (a, b) = (
            SurroundedMap(changed.output, surrounded: false), SurroundedMap(fresh.output, surrounded: false)
        )
        withExtendedLifetime(source) {
            changed.apply(source.map, to: a.map, threads: 1)
            fresh.apply(source.map, to: b.map, threads: 1)
        }
        #expect(a.planar == b.planar)
        #expect(a.planar.contains { $0 > 0 })
    }

    @Test func kernelsThatDoNotFitHaveNoOutput() {
        let geometry = ConvolutionGeometry(inputChannels: 1, outputChannels: 1, kernel: Extent3(1, 5, 5))
        #expect(geometry.outputSize(Extent3(1, 4, 9)) == nil)
        #expect(geometry.outputSize(Extent3(1, 5, 9)) == Extent3(1, 1, 5))
    }
}
