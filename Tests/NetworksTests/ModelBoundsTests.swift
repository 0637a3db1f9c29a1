import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// What a model file can say that must be refused in a sentence, never by a trap.
struct ModelBoundsTests {
    private func problem(_ rank: Int, _ layer: Layer, channels: Int = 4) -> String {
        var builder = NetworkBuilder()
        do {
            let x = try builder.input("x", channels: channels, rank: rank)
            _ = try builder.add("layer", layer, x)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func layersOfImpossibleSizesAreRefused() {
        let huge = 1 << 40
        #expect(
            problem(
                3,
                .convolution(
                    geometry: .init(inputChannels: 4, outputChannels: 4, kernel: Extent3(repeating: huge)), bias: true))
                == "layer layer: has the kernel \(huge)×\(huge)×\(huge); at most 65536 is possible along an axis")
        #expect(
            problem(
                3,
                .convolution(
                    geometry: .init(inputChannels: 4, outputChannels: 1 << 20, kernel: Extent3(repeating: 1 << 15)),
                    bias: true)
            )
            .contains("more values than the \(1 << 36) that are possible"))
        #expect(problem(0, .linear(inputs: 4, outputs: 1 << 62, bias: true)).contains("at most 16777216 are possible"))
        #expect(problem(0, .deepSMOTE(neighbours: 1 << 62, includesSelf: true)).contains("at most 65536 are possible"))
        #expect(
            problem(2, .upsampling(settings: Upsampling(.linear, scale: Extent3(1, huge, huge)))).contains(
                "at most 65536"))
        #expect(
            problem(3, .activation(function: .leakyRelu(slope: .infinity)))
                == "layer layer: multiplies negative values by inf; give a finite number")
        #expect(
            problem(3, .activation(function: .relu), channels: 1 << 62).hasPrefix("layer x: an input has 1 to 16777216")
        )
        var builder = NetworkBuilder()
        #expect(throws: NetworkError.self) {
            let x = try builder.input("x", channels: 4, rank: 3)
            let y = try builder.add("slices", .slicesToBatch, x)
            let z = try builder.add("pool", .globalAveragePooling, y)
            let s = try builder.add("sequence", .batchToSequence, z)
            _ = try builder.add("lstm", .bidirectionalLSTM(inputs: 4, hidden: 1 << 62), s)
        }
        var even = NetworkBuilder()
        #expect(
            throws: NetworkError.shape(
                layer: "even", problem: "a kernel of 2 has no middle, so that sizes would change; give an odd one")
        ) {
            _ = try even.convolution("even", try even.input("x", channels: 1, rank: 3), channels: 4, kernel: 2)
        }
    }

    @Test func mapsThatNoComputerHoldsAreRefused() throws {
        var builder = NetworkBuilder()
        var x = try builder.input("x", channels: 4, rank: 3)
        for n in 0..<6 {
            x = try builder.add(
                "up\(n)", .upsampling(settings: Upsampling(.linear, scale: Extent3(repeating: 1 << 15))), x)
        }
        for n in 0..<6 {
            x = try builder.add(
                "down\(n)",
                .pooling(
                    settings: Pooling(.max, kernel: Extent3(repeating: 1 << 15), stride: Extent3(repeating: 1 << 15))),
                x)
        }
        let network = try builder.network(outputs: [x])
        #expect(throws: NetworkError.self) {
            try network.shapes(for: [FeatureShape(batch: 1, channels: 4, size: Extent3(repeating: 8))])
        }
        #expect(throws: NetworkError.self) {
            try network.shapes(for: [FeatureShape(batch: 1 << 40, channels: 4, size: Extent3(repeating: 1 << 40))])
        }
    }

    /// As PyTorch's `_calculate_fan_in_and_fan_out`: the axes of the weight, whatever the groups.
    @Test func fansOfGroupedConvolutions() throws {
        var builder = NetworkBuilder()
        let x = try builder.input("x", channels: 8, rank: 2)
        let y = try builder.add(
            "grouped",
            .convolution(
                geometry: .init(
                    inputChannels: 8, outputChannels: 16, kernel: Extent3(1, 3, 3), padding: Extent3(0, 1, 1), groups: 4
                ), bias: false), x)
        let z = try builder.add(
            "up",
            .transposedConvolution(
                geometry: .init(
                    inputChannels: 16, outputChannels: 4, kernel: Extent3(1, 2, 2), stride: Extent3(1, 2, 2), groups: 2),
                bias: false), y)
        let roles = try builder.network(outputs: [z]).parameters.map(\.role)
        #expect(roles == [.weight(fanIn: 2 * 9, fanOut: 16 * 9), .weight(fanIn: 2 * 4, fanOut: 16 * 4)])
    }

    private static func card(_ change: (inout ModelCard) -> Void) throws -> String {
        let network = try UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [4]).network()
        var card = ModelCard(
            name: "m", task: .segmentation, architecture: "U-Net", network: network,
            channels: [.init(modality: "T1w", units: "arbitrary", normalisation: .none)],
            geometry: .init(spacingMillimetres: SIMD3(1, 1, 1), orientation: "RAS", otherGrids: .resample),
            classes: ["background", "L", "R"], output: .softmax,
            inference: SlidingWindowOptions(window: Extent3(8, 8, 8), lateralPairs: [LateralPair(1, 2)]),
            source: .trained, softwareVersion: "1.0")
        change(&card)
        do {
            try card.check()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func cardsThatCannotBeUsedAreRefused() throws {
        #expect(try Self.card { _ in } == "")
        #expect(try Self.card { $0.geometry.orientation = "LPI" } == "")
        #expect(
            try Self.card { $0.geometry.orientation = "ARS" }.hasSuffix(
                "state an orientation whose first letter is L or R"))
        #expect(try Self.card { $0.geometry.orientation = nil }.contains("on images of any orientation"))
        for pairs in [
            [LateralPair(-1, 2)], [LateralPair(1, 3)], [LateralPair(1, 2), LateralPair(2, 0)], [LateralPair(1, 1)],
        ] {
            #expect(try Self.card { $0.inference?.lateralPairs = pairs }.contains("of mirrored classes names"))
        }
        #expect(try Self.card { $0.inference?.window.width = 1 << 40 }.contains("every edge has 1 to 16384"))
        #expect(try Self.card { $0.inference?.window.width = 0 }.contains("every edge has 1 to 16384"))
        #expect(try Self.card { $0.inference?.batch = 1 << 40 }.contains("give 1 to 65536"))
        #expect(try Self.card { $0.geometry.spacingMillimetres = SIMD3(1, 0, 1) }.contains("each is 0.001 to 1000"))
        #expect(
            try Self.card {
                $0.channels[0].normalisation = .percentiles(lower: 50, upper: 101, low: 0, high: 1, over: .volume)
            }
            .contains("percentiles 50.0 and 101.0"))
    }

    @Test func pairsThatAreNoExchangeAreRefusedEverywhere() {
        var spatial = SpatialAugmentation()
        for pairs in [[LateralPair(-1, 2)], [LateralPair(1, 256)], [LateralPair(1, 2), LateralPair(2, 3)]] {
            spatial.lateralPairs = pairs
            #expect(throws: TrainingDataError.self) { try spatial.check() }
        }
        spatial.lateralPairs = [LateralPair(1, 2), LateralPair(3, 4)]
        #expect(throws: Never.self) { try spatial.check() }
    }

    /// A network of slices sees a volume slice by slice, each as a whole.
    @Test func aWholeVolumeWithANetworkOfSlices() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 8]).network()
        let weights = network.initialWeights(.heNormal, seed: 2)
        let member = try SegmentationNetwork(network, weights: weights, output: .softmax)
        var random = SeededGenerator(seed: 4)
        let volume = Extent3(3, 10, 12)
        let channel = NetworkFixtures.tensor([volume.product], &random).values
        var options = SlidingWindowOptions(window: Extent3(1, 4, 4), overlap: 0)
        options.wholeVolumeBytes = .max
        let window = try SlidingWindow(volume: volume, members: [member], options: options)
        #expect(window.plan.window == Extent3(1, 10, 12))
        let found = try VolumeSegmentation(volume: volume, channels: [channel], members: [member], options: options)
        let slice = try InferencePlan(
            network, weights: weights, inputs: [FeatureShape(batch: 1, channels: 1, size: Extent3(1, 10, 12))],
            threads: 1)
        let logits = try slice.run([Tensor(shape: [1, 1, 10, 12], values: Array(channel[120..<240]))])[0].values
        #expect(found.labels[120..<240].map { Int($0) } == (0..<120).map { logits[120 + $0] > logits[$0] ? 1 : 0 })
        options.lateralPairs = [LateralPair(0, 2)]
        #expect(throws: InferenceError.self) {
            try SlidingWindow(volume: volume, members: [member], options: options)
        }
    }

    @Test func settingsThatNoMemoryHoldsAreRefusedAndNotMultiplied() throws {
        var builder = NetworkBuilder()
        #expect(throws: NetworkError.self) { try builder.input("wide", channels: 1 << 40, rank: 3) }
        let image = try builder.input("image", channels: 4, rank: 3)
        let huge = Extent3(repeating: 1 << 62)
        let large = Extent3(repeating: 1 << 16)
        for (name, geometry) in [
            ("kernel", ConvolutionGeometry(inputChannels: 4, outputChannels: 4, kernel: huge)),
            ("stride", ConvolutionGeometry(inputChannels: 4, outputChannels: 4, kernel: .one, stride: huge)),
            ("padding", ConvolutionGeometry(inputChannels: 4, outputChannels: 4, kernel: .one, padding: huge)),
            ("weight", ConvolutionGeometry(inputChannels: 4, outputChannels: 4, kernel: large)),
            ("channels", ConvolutionGeometry(inputChannels: 4, outputChannels: 1 << 62, kernel: .one)),
        ] {
            #expect {
                try builder.add("layer", .convolution(geometry: geometry, bias: false), image)
            } throws: {
                "\($0)".hasPrefix("layer layer: ") && "\($0)".contains(name)
            }
        }
        var wide = image
        #expect {
            for n in 0..<30 { wide = try builder.add("wide\(n)", .concatenation, wide, wide) }
        } throws: {
            "\($0)" == "layer wide22: has 33554432 channels; at most 16777216 are possible"
        }
    }

    @Test func sizesThatGrowBeyondWhatCanBeCountedAreRefusedWithTheLayer() throws {
        var builder = NetworkBuilder()
        var x = try builder.input("image", channels: 1, rank: 3)
        let wide = Extent3(repeating: 1 << 10)
        for n in 0..<8 {
            x = try builder.add("up\(n)", .upsampling(settings: Upsampling(.nearest, scale: wide)), x)
        }
        let growing = try builder.network(outputs: [x])
        #expect {
            try growing.shapes(for: [FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 8))])
        } throws: {
            "\($0)".hasPrefix("layer up0: makes maps of 1 × 1 × 8192×8192×8192, more than")
        }
        #expect(throws: NetworkError.self) {
            try growing.shapes(for: [FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 1 << 40))])
        }
        var shrinking = NetworkBuilder()
        var y = try shrinking.input("image", channels: 1, rank: 3)
        for n in 0..<9 {
            let geometry = ConvolutionGeometry(inputChannels: 1, outputChannels: 1, kernel: .one, stride: wide)
            y = try shrinking.add("down\(n)", .convolution(geometry: geometry, bias: false), y)
        }
        #expect(try shrinking.network(outputs: [y]).sizeDivisor == Extent3(repeating: 1 << 20))
    }
}
