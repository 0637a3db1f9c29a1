import TestSupport
import Testing

@testable import Kernels

/// The way for small maps against the direct one.
struct TapwiseConvolutionTests {
    init() { poisonScratch() }

    struct Case: Sendable {
        var size: Extent3
        var outputs = 40
        var kernel = Extent3(repeating: 3)
        var stride = Extent3.one
        var padding = Extent3.one
        var dilation = Extent3.one
    }

    static let cases = [
        Case(size: Extent3(repeating: 2)), Case(size: .one, outputs: 16), Case(size: Extent3(1, 2, 2), outputs: 3),
        Case(size: Extent3(repeating: 2), outputs: 48), Case(size: Extent3(2, 3, 1), outputs: 33),
        Case(size: Extent3(3, 4, 5)),
        Case(size: Extent3(repeating: 4), stride: Extent3(repeating: 2)),
        Case(size: Extent3(3, 2, 5), stride: Extent3(1, 2, 2), padding: Extent3(0, 1, 2)),
        Case(size: Extent3(3, 4, 3), padding: Extent3(repeating: 2), dilation: Extent3(repeating: 2)),
        Case(size: Extent3(2, 4, 2), kernel: Extent3(5, 3, 1), padding: Extent3(2, 1, 0)),
    ]

    @Test(arguments: cases.indices)
    func agreesWithTheDirectWay(index: Int) throws {
        let c = Self.cases[index]
        let geometry = ConvolutionGeometry(
            inputChannels: 32, outputChannels: c.outputs, kernel: c.kernel, stride: c.stride, padding: c.padding,
            dilation: c.dilation)
        let input = FeatureShape(batch: 5, channels: 32, size: c.size)
        try check(try #require(LoweredConvolution.convolution(geometry, input: input)), "case \(index)")
        // Backwards, where the channels of the output fill blocks and there is one phase.
        guard c.outputs % 16 == 0, c.stride == .one else { return }
        let output = FeatureShape(batch: 5, channels: c.outputs, size: try #require(geometry.outputSize(c.size)))
        try check(
            LoweredConvolution.inputGradient(geometry, outputGradient: output, input: c.size),
            "case \(index), backwards")
    }

    private func check(_ lowered: LoweredConvolution, _ name: String) throws {
        var random = SeededGenerator(seed: 5)
        let weight = random.values(lowered.outputChannels * lowered.inputChannels * lowered.kernel.product)
        let source = SurroundedMap(lowered.source, planar: random.values(lowered.source.count), surrounded: true)
        let bias = FeatureStorage(count: lowered.target.blocks * FeatureShape.lanes)
        for channel in 0..<lowered.outputChannels { bias.base[channel] = Float(channel % 5) - 2 }
        let tapwise = TapwiseConvolution(lowered)
        for slope: Float in [1, 0.2, 0] {
            var results: [[Float]] = []
            for (method, threads) in [(tapwise, 1), (tapwise, 2), (DirectConvolution(lowered), 2)]
                as [(any ConvolutionMethod, Int)]
            {
                let packed = FeatureStorage(count: method.packedCount)
                method.pack(weight, to: packed.base, threads: threads)
                let target = SurroundedMap(lowered.target, surrounded: true)
                method.apply(
                    source.map, to: target.map, packed: packed.base, bias: bias.base, slope: slope, threads: threads)
                #expect(target.isClean && source.isClean, "\(name)")
                results.append(target.planar)
            }
            #expect(results[0] == results[1], "\(name): threads")
            let error = ConvolutionReference.error(results[0], results[2].map(Double.init))
            #expect(error < 5e-6, "\(name), slope \(slope): off by \(error)")
        }
    }

    /// Groups and channels that fill no block are others' work, and so are large maps.
    @Test func takesWholeBlocksOnly() throws {
        for (inputs, groups, edge) in [(24, 1, 2), (32, 2, 2), (32, 1, 9)] {
            let geometry = ConvolutionGeometry(
                inputChannels: inputs, outputChannels: 32, kernel: Extent3(repeating: 3), padding: .one, groups: groups)
            let input = FeatureShape(batch: 1, channels: inputs, size: Extent3(repeating: edge))
            let lowered = try #require(LoweredConvolution.convolution(geometry, input: input))
            #expect(!TapwiseConvolution.takes(lowered))
        }
    }

    /// The last stages of ResNet-18 on 32 patches of 32³ voxels are computed so; large maps never are.
    @Test func isChosenForSmallMapsOfManyImages() throws {
        func method(_ channels: Int, _ edge: Int, batch: Int) throws -> any ConvolutionMethod {
            let geometry = ConvolutionGeometry(
                inputChannels: channels, outputChannels: channels, kernel: Extent3(repeating: 3), padding: .one)
            let input = FeatureShape(batch: batch, channels: channels, size: Extent3(repeating: edge))
            return try #require(LoweredConvolution.convolution(geometry, input: input)).method()
        }
        #expect(try method(512, 2, batch: 32) is TapwiseConvolution)
        #expect(try method(256, 2, batch: 32) is TapwiseConvolution)
        #expect(try method(128, 4, batch: 32) is WinogradConvolution)
        #expect(try method(64, 32, batch: 1) is WinogradConvolution)
    }
}
