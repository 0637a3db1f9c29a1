import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// One voxel in a window of 27, summed by a kernel of ones: what lies around it and what the output becomes.
struct SegmentationOutputTests {
    private static func probability(
        _ output: SegmentationNetwork.Output, _ padding: SlidingWindowOptions.Padding, background: [Float]
    ) throws -> Float {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 3)
        let sum = try builder.convolution("sum", image, channels: 1, kernel: 3, bias: false)
        let network = try builder.network(outputs: [sum])
        let weights = try Weights(
            parameters: network.parameters,
            tensors: [Tensor(shape: [1, 1, 3, 3, 3], values: [Float](repeating: 1, count: 27))])
        let member = try SegmentationNetwork(network, weights: weights, output: output)
        let found = try VolumeSegmentation(
            volume: .one, channels: [[0.5]], background: background, members: [member],
            options: SlidingWindowOptions(window: Extent3(3, 3, 3), padding: padding), rule: .threshold(0.5),
            keeping: [0])
        return try #require(found.probabilities[0])[0]
    }

    @Test func whatLiesBeyondTheVolume() throws {
        #expect(abs(try Self.probability(.probabilities, .background, background: [0.01]) - 0.76) < 1e-6)
        #expect(abs(try Self.probability(.probabilities, .zero, background: [0.01]) - 0.5) < 1e-6)
    }

    @Test func whatMakesProbabilitiesOfTheOutput() throws {
        let sigmoid = try Self.probability(.sigmoid, .background, background: [0.01])
        #expect(abs(sigmoid - 1 / (1 + exp(-0.76))) < 1e-6)
        #expect(try Self.probability(.softmax, .background, background: [0.01]) == 1)
    }
}
