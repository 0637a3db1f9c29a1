import TestSupport
import Testing

@testable import Kernels

/// Transposed convolutions and their gradients against nested loops in double precision.
struct TransposedConvolutionTests {
    init() { poisonScratch() }

    static func randomGeometry(_ random: inout SeededGenerator) -> (TransposedConvolutionGeometry, Extent3, Int) {
        while true {
            let flat = random.pick([false, true])
            func extent(_ values: [Int], _ depth: Int) -> Extent3 {
                let (height, width) = (random.pick(values), random.pick(values))
                return Extent3(flat ? depth : random.pick(values), height, width)
            }
            let groups = random.pick([1, 1, 1, 2, 4])
            let stride = extent([1, 2, 2, 3], 1)
            let kernel = extent([1, 2, 2, 3, 4, 5], 1)
            let outputPadding = random.pick([true, true, false]) ? .zero : extent([0, 1], 0)
            if outputPadding.depth >= stride.depth || outputPadding.height >= stride.height
                || outputPadding.width >= stride.width
            {
                if outputPadding != .zero { continue }
            }
            let geometry = TransposedConvolutionGeometry(
                inputChannels: groups * random.pick([1, 3, 16, 17]),
                outputChannels: groups * random.pick([1, 2, 16, 20]),
                kernel: kernel, stride: stride, padding: extent([0, 0, 1, 2], 0), outputPadding: outputPadding,
                dilation: random.pick([true, true, false]) ? .one : extent([1, 2], 1), groups: groups)
            let size = extent([1, 2, 4, 5, 7], 1)
            guard geometry.outputSize(size) != nil else { continue }
            return (geometry, size, random.pick([1, 2, 3]))
        }
    }

    @Test(arguments: 0..<50)
    func agreesWithItsDefinition(number: Int) {
        var random = SeededGenerator(seed: UInt64(5000 + number))
        let (g, size, batch) = Self.randomGeometry(&random)
        check(g, size, batch: batch, &random)
    }

    @Test(arguments: [Extent3(6, 9, 11), Extent3(1, 33, 34)])
    func doublesTheSize(size: Extent3) {
        var random = SeededGenerator(seed: 1)
        let step = Extent3(size.depth == 1 ? 1 : 2, 2, 2)
        let geometry = TransposedConvolutionGeometry(
            inputChannels: 40, outputChannels: 20, kernel: step, stride: step)
        check(geometry, size, batch: 2, &random)
    }

    private func check(
        _ g: TransposedConvolutionGeometry, _ size: Extent3, batch: Int, _ random: inout SeededGenerator
    ) {
        let input = FeatureShape(batch: batch, channels: g.inputChannels, size: size)
        let output = FeatureShape(batch: batch, channels: g.outputChannels, size: g.outputSize(size)!)
        let x = random.values(input.count)
        let weight = random.values(g.weightShape.reduce(1, *))
        let bias = random.values(g.outputChannels)
        let dy = random.values(output.count)
        var y = [Double](repeating: 0, count: output.count)
        var dx = [Double](repeating: 0, count: input.count)
        var dw = [Double](repeating: 0, count: weight.count)
        // The products of the convolution from `output` to `input`, with the roles of the two exchanged.
        let convolution = ConvolutionGeometry(
            inputChannels: g.outputChannels, outputChannels: g.inputChannels, kernel: g.kernel, stride: g.stride,
            padding: g.padding, dilation: g.dilation, groups: g.groups)
        ConvolutionReference.forEachProduct(convolution, batch: batch, input: output.size, output: size) { o, i, w in
            y[o] += Double(x[i]) * Double(weight[w])
            dx[i] += Double(dy[o]) * Double(weight[w])
            dw[w] += Double(dy[o]) * Double(x[i])
        }
        ConvolutionReference.add(bias, to: &y, batch: batch, positions: output.positions)
        let db = ConvolutionReference.channelSums(
            dy, batch: batch, channels: g.outputChannels, positions: output.positions)
        var results: [[Float]] = []
        for threads in 1...3 {
            let source = SurroundedMap(input, planar: x, surrounded: true)
            let target = SurroundedMap(output, surrounded: true)
            let prepared = TransposedConvolution(
                g, input: input, weight: weight, bias: bias, epilogue: .none, threads: threads)
            #expect(prepared.output == output)
            prepared.apply(source.map, to: target.map, threads: threads)
            let gradient = SurroundedMap(output, planar: dy, surrounded: true)
            let inputGradient = SurroundedMap(input, surrounded: true)
            TransposedConvolutionGradient.input(
                g, weight: weight, outputGradient: gradient.map, to: inputGradient.map, threads: threads)
            #expect(target.isClean && inputGradient.isClean, "\(g) of \(size)")
            var weightGradient = [Float](repeating: .nan, count: weight.count)
            var biasGradient = [Float](repeating: .nan, count: g.outputChannels)
            TransposedConvolutionGradient.weight(
                g, input: source.map, outputGradient: gradient.map, to: &weightGradient, bias: &biasGradient,
                threads: threads)
            // Also keeps the memory of both alive until here.
            #expect(source.isClean && gradient.isClean, "\(g) of \(size)")
            let these = [target.planar, inputGradient.planar, weightGradient, biasGradient]
            if threads == 1 {
                results = these
            } else {
                #expect(these == results, "\(g) of \(size): other bits with \(threads) threads")
            }
        }
        for (name, values, expected) in [
            ("output", results[0], y), ("input gradient", results[1], dx), ("weight gradient", results[2], dw),
            ("bias gradient", results[3], db),
        ] {
            let error = ConvolutionReference.error(values, expected)
            #expect(error <= 5e-6, "\(g) of \(size): \(name) off by \(error)")
        }
    }
}
