import TestSupport
import Testing

@testable import Kernels

/// Every tile of the fast convolution, whatever the choice by shape is, against the direct way.
struct FastConvolutionTests {
    init() { poisonScratch() }

    static let tiles = [1, 2, 4].flatMap { depth in
        [2, 4].flatMap { height in [2, 4].map { Extent3(depth, height, $0) } }
    }

    /// Sizes, paddings (different along the axes too) and channels.
    static let cases: [(size: Extent3, padding: Extent3, inputs: Int, outputs: Int)] = [
        (Extent3(7, 9, 11), .one, 33, 40), (Extent3(4, 4, 4), .one, 16, 16), (Extent3(5, 3, 6), .zero, 20, 50),
        (Extent3(3, 3, 2), Extent3(repeating: 2), 17, 3), (Extent3(8, 8, 40), .one, 64, 100),
        (Extent3(4, 5, 4), .one, 20, 130), (Extent3(6, 7, 9), Extent3(0, 1, 2), 18, 20),
        (Extent3(5, 6, 7), Extent3(2, 0, 1), 16, 33), (Extent3(4, 8, 5), Extent3(1, 2, 0), 32, 17),
    ]

    @Test(arguments: tiles)
    func tilesAgreeWithTheDirectWay(tile: Extent3) throws {
        for c in Self.cases {
            let geometry = ConvolutionGeometry(
                inputChannels: c.inputs, outputChannels: c.outputs, kernel: Extent3(tile.depth == 1 ? 1 : 3, 3, 3),
                padding: c.padding)
            let input = FeatureShape(batch: 2, channels: c.inputs, size: c.size)
            let lowered = try #require(LoweredConvolution.convolution(geometry, input: input))
            try check(lowered, tile, "tile \(tile), size \(c.size), padding \(c.padding)")
        }
    }

    /// The input gradient is a convolution whose source begins elsewhere.
    @Test(arguments: tiles)
    func tilesAgreeWithTheDirectWayBackwards(tile: Extent3) throws {
        for c in Self.cases {
            let geometry = ConvolutionGeometry(
                inputChannels: c.inputs, outputChannels: c.outputs, kernel: Extent3(tile.depth == 1 ? 1 : 3, 3, 3),
                padding: c.padding)
            let output = FeatureShape(
                batch: 2, channels: c.outputs, size: try #require(geometry.outputSize(c.size)))
            let lowered = LoweredConvolution.inputGradient(geometry, outputGradient: output, input: c.size)
            try check(lowered, tile, "tile \(tile), size \(c.size), padding \(c.padding), backwards")
        }
    }

    private func check(_ lowered: LoweredConvolution, _ tile: Extent3, _ name: String) throws {
        var random = SeededGenerator(seed: 11)
        let weight = random.values(lowered.outputChannels * lowered.inputChannels * lowered.kernel.product)
        let source = SurroundedMap(lowered.source, planar: random.values(lowered.source.count), surrounded: true)
        let bias = FeatureStorage(count: lowered.target.blocks * FeatureShape.lanes)
        for channel in 0..<lowered.outputChannels { bias.base[channel] = Float(channel % 5) }
        let fast = try #require(WinogradConvolution(lowered, outputs: tile))
        let late = try #require(WinogradConvolution(lowered, outputs: tile, transformsLate: true))
        #expect(late.packedCount < fast.packedCount)
        var results: [[Float]] = []
        for method in [fast, DirectConvolution(lowered), late] as [any ConvolutionMethod] {
            let packed = FeatureStorage(count: method.packedCount)
            method.pack(weight, to: packed.base, threads: 2)
            let target = SurroundedMap(lowered.target, surrounded: true)
            method.apply(source.map, to: target.map, packed: packed.base, bias: bias.base, slope: 0.2, threads: 2)
            #expect(target.isClean && source.isClean, "\(name)")
            results.append(target.planar)
        }
        let error = ConvolutionReference.error(results[0], results[1].map(Double.init))
        #expect(error < 5e-6, "\(name): off by \(error)")
        let lateError = ConvolutionReference.error(results[2], results[1].map(Double.init))
        #expect(lateError < 5e-6, "\(name), weights transformed late: off by \(lateError)")

        let dy = SurroundedMap(lowered.target, planar: random.values(lowered.target.count), surrounded: true)
        let ways: [any WeightGradientMethod] = [
            try #require(WinogradWeightGradient(lowered, outputs: tile)), DirectWeightGradient(lowered),
        ]
        let gradients = ways.map { way in
            var gradient = [Float](repeating: .nan, count: weight.count)
            way.compute(source: source.map, gradient: dy.map, to: &gradient, threads: 2)
            return gradient
        }
        #expect(source.isClean && dy.isClean)
        let gradientError = ConvolutionReference.error(gradients[0], gradients[1].map(Double.init))
        #expect(gradientError < 5e-6, "\(name): weight gradient off by \(gradientError)")
    }
}
