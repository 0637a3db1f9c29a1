import Foundation
import Kernels
import Networks
import Testing

/// Parameter counts of the papers' networks, which only the exact architecture has.
struct ArchitectureTests {
    @Test(arguments: [(1, 31_109_987), (2, 31_110_275), (3, 31_110_563)])
    func deepMIRHasThePapersParameters(channels: Int, expected: Int) throws {
        let network = try UNet.deepMIR(inputChannels: channels).network()
        #expect(network.trainableCount == expected)
        #expect(network.runningStatisticsCount == 16_000)
    }

    @Test(arguments: [(1, 2, 5_644_930), (3, 4, 5_645_828)])
    func theTutorialsUNetHasItsParameters(channels: Int, classes: Int, expected: Int) throws {
        let network = try UNet.tutorial(inputChannels: channels, classes: classes).network()
        #expect(network.trainableCount == expected)
        #expect(network.runningStatisticsCount == 0)
    }

    @Test func qsmRimNetHasThePapersParametersInEveryBranch() throws {
        let network = try QSMRimNet().network()
        let counts = Dictionary(uniqueKeysWithValues: network.trainableCountByBranch.map { ($0.branch, $0.count) })
        #expect(
            counts == ["resnet": 33_181_952, "radiomicsNet": 1_068_544, "smote": 527_360, "classifier": 65_793])
        #expect(network.trainableCount == 34_843_649)
    }

    @Test func fusionByConcatenationAddsOneLinearLayer() throws {
        var net = QSMRimNet()
        net.fusion = .concatenation
        #expect(try net.network().trainableCount == 34_843_649 + 1024 * 512 + 512)
    }

    @Test func theResNetMakesASixteenthOfTheSize() throws {
        let network = try ResidualNetwork.resNet18(inputChannels: 2).network()
        let shape = FeatureShape(batch: 3, channels: 2, size: Extent3(32, 48, 64))
        let shapes = try network.shapes(for: [shape])
        let named = Dictionary(
            uniqueKeysWithValues: zip(network.inputs.map(\.name) + network.nodes.map(\.name), shapes))
        #expect(named["layer4.1.relu2"]?.size == Extent3(2, 3, 4))
        #expect(network.sizeDivisor == Extent3(repeating: 16))
        #expect(shapes.last == FeatureShape(batch: 3, channels: 512, size: .one))
        #expect(
            network.parameters.contains {
                $0.name == "layer4.0.downsample.0.weight" && $0.shape == [512, 256, 1, 1, 1]
            })
    }

    @Test func theResNetsPyTorchNamesAreTorchvisions() throws {
        let names = try ResidualNetwork.resNet18(inputChannels: 2).network().parameters.map(\.name)
        for name in ["conv1.weight", "bn1.running_var", "layer1.1.conv2.weight", "layer2.0.downsample.1.bias"] {
            #expect(names.contains(name))
        }
        #expect(Set(names).count == names.count)
    }

    @Test func slicesAndScansOfTheSliceNetwork() throws {
        let network = try SliceSequenceNetwork(inputChannels: 2).network()
        let shapes = try network.shapes(for: [FeatureShape(batch: 2, channels: 2, size: Extent3(7, 32, 24))])
        let named = Dictionary(
            uniqueKeysWithValues: zip(network.inputs.map(\.name) + network.nodes.map(\.name), shapes))
        #expect(network.outputs == ["imageHead", "scanHead"])
        #expect(named["imageHead"] == FeatureShape(batch: 14, channels: 1, size: .one))
        #expect(named["sequence"] == FeatureShape(batch: 2, channels: 128, size: Extent3(1, 1, 7)))
        #expect(named["scanHead"] == FeatureShape(batch: 2, channels: 1, size: .one))
        // PyTorch: nn.LSTM(128, 64, bidirectional=True) has 2·(256·128 + 256·64 + 512) values.
        let lstm = network.parameters.filter { $0.name.hasPrefix("lstm.") }.reduce(0) { $0 + $1.count }
        #expect(lstm == 2 * (256 * 128 + 256 * 64 + 512))
        #expect(network.parameters.contains { $0.name == "sliceNet.conv1.weight" && $0.shape == [16, 2, 3, 3] })
    }

    @Test func theDoubleBranchNetworkJoinsBothFieldsOfView() throws {
        let network = try DoubleBranchUNet(inputChannels: 1, outputChannels: 8).network()
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 32))
        let shapes = try network.shapes(for: [shape, shape])
        let named = Dictionary(
            uniqueKeysWithValues: zip(network.inputs.map(\.name) + network.nodes.map(\.name), shapes))
        #expect(named["global.centre"]?.size == Extent3(repeating: 16))
        #expect(named["join"] == FeatureShape(batch: 1, channels: 32, size: Extent3(repeating: 32)))
        #expect(shapes.last?.channels == 8)
    }

    /// The residual network against a count by hand: 27·in·out + out per convolution, in·out + out per shortcut,
    /// 8·in·out + out per transposed convolution, 2 per normalised channel.
    @Test func theResidualUNetHasTheParametersOfItsDefinition() throws {
        var net = UNet.residual(inputChannels: 1, classes: 2)
        net.widths = [16, 32]
        func convolution(_ a: Int, _ b: Int) -> Int { 27 * a * b + b }
        func shortcut(_ a: Int, _ b: Int) -> Int { a * b + b }
        let encoder0 = convolution(1, 16) + 2 * 16 + convolution(16, 16) + shortcut(1, 16)
        let encoder1 = 2 * 16 + convolution(16, 32) + 2 * 32 + convolution(32, 32) + shortcut(16, 32)
        let decoder0 =
            8 * 32 * 16 + 16 + 2 * 32 + convolution(32, 16) + 2 * 16 + convolution(16, 16) + shortcut(32, 16)
        #expect(try net.network().trainableCount == encoder0 + encoder1 + decoder0 + 16 * 2 + 2)
    }

    @Test(arguments: [UNet.Block.plain, .residual], [UNet.Upsampling.transposed, .nearest, .linear])
    func unetsOfAnyDepthGiveBackTheirSize(block: UNet.Block, upsampling: UNet.Upsampling) throws {
        for rank in [2, 3] {
            for depth in 1...6 {
                var net = UNet(
                    rank: rank, inputChannels: 3, outputChannels: 5, widths: (0..<depth).map { 4 + 3 * $0 })
                (net.block, net.upsampling) = (block, upsampling)
                let network = try net.network()
                let side = 1 << (depth - 1)
                let size = Extent3(rank == 3 ? side : 1, 3 * side, 2 * side)
                let shapes = try network.shapes(for: [FeatureShape(batch: 2, channels: 3, size: size)])
                #expect(shapes.last == FeatureShape(batch: 2, channels: 5, size: size))
                #expect(network.sizeDivisor == Extent3.axes(of: rank, side))
            }
        }
    }

    @Test func aNetworkSurvivesJSON() throws {
        let networks = [
            try UNet.deepMIR(inputChannels: 2).network(), try QSMRimNet().network(),
            try SliceSequenceNetwork().network(), try DoubleBranchUNet(inputChannels: 2, outputChannels: 3).network(),
        ]
        for network in networks {
            let data = try JSONEncoder().encode(network)
            #expect(try JSONDecoder().decode(Network.self, from: data) == network)
        }
    }

    @Test func multiplyAddsOfAUNetByHand() throws {
        var net = UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 8])
        net.normalisation = .none
        let network = try net.network()
        let fine = 9 * (1 * 4 + 4 * 4) + 9 * (8 * 4 + 4 * 4) + 4 * 2
        let coarse = 9 * (4 * 8 + 8 * 8) + 4 * 8 * 4
        let count = try network.multiplyAdds(for: [FeatureShape(batch: 1, channels: 1, size: Extent3(1, 8, 8))])
        #expect(count == 64 * fine + 16 * coarse)
    }
}
