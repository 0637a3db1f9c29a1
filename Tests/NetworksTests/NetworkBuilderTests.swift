import Foundation
import Kernels
import Networks
import Testing

/// What does not fit is refused, naming the layer and both numbers.
struct NetworkBuilderTests {
    private func error(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func aConvolutionOfOtherChannelsNamesTheLayer() {
        let message = error {
            var builder = NetworkBuilder()
            let x = try builder.input("image", channels: 15, rank: 3)
            let geometry = ConvolutionGeometry(inputChannels: 16, outputChannels: 8, kernel: Extent3(repeating: 3))
            _ = try builder.add("encoder1.conv", .convolution(geometry: geometry, bias: true), x)
        }
        #expect(message == "layer encoder1.conv: expects 16 channels and is given 15")
    }

    @Test func layersOfOtherAxesAreRefused() {
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 4, rank: 3)
                _ = try builder.linear("head", x, outputs: 2)
            } == "layer head: expects a vector and is given a volume")
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 4, rank: 2)
                let pooling = Pooling(.max, kernel: Extent3(2, 2, 2), stride: Extent3(1, 2, 2))
                _ = try builder.add("pool", .pooling(settings: pooling), x)
            } == "layer pool: has the kernel 2×2×2 on slices, whose depth takes 1")
    }

    @Test func sumsOfDifferentChannelsGroupsThatDoNotDivideAndUsedNames() {
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 4, rank: 2)
                let y = try builder.convolution("conv", x, channels: 5, kernel: 3)
                _ = try builder.add("sum", .addition, x, y)
            } == "layer sum: expects 4 channels and is given 5")
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 6, rank: 2)
                let settings = NormalisationSettings(.group(groups: 4), channels: 6)
                _ = try builder.add("norm", .normalisation(settings: settings), x)
            } == "layer norm: 4 groups do not divide 6 channels")
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 6, rank: 2)
                _ = try builder.relu("image", x)
            } == "layer image: the name is empty or taken by an earlier layer")
        #expect(
            error {
                var builder = NetworkBuilder()
                let x = try builder.input("image", channels: 6, rank: 2)
                _ = try builder.add("sum", .addition, x)
            } == "layer sum: joins two inputs or more, and is given 1")
    }

    @Test func aSizeThatDoesNotDivideNamesTheLayerAndASizeThatFits() throws {
        let network = try UNet.tutorial(inputChannels: 1, classes: 2).network()
        let message = error {
            _ = try network.shapes(for: [FeatureShape(batch: 1, channels: 1, size: Extent3(40, 64, 64))])
        }
        #expect(
            message
                == "layer decoder3.join: joins maps of 5×8×8 and 4×8×8; inputs of 48×64×64 would fit")
    }

    @Test func aSizeThatIsTooSmallNamesTheLayerAndASizeThatFits() throws {
        let network = try UNet.deepMIR(inputChannels: 1).network()
        let message = error {
            _ = try network.shapes(for: [FeatureShape(batch: 1, channels: 1, size: Extent3(1, 16, 32))])
        }
        #expect(
            message
                == "layer encoder5.pool: the window 1×2×2 does not fit into the size 1×1×2; inputs of 1×32×32 would fit"
        )
    }

    @Test func inputsOfOtherChannelsOrAxesAreRefused() throws {
        let network = try UNet.deepMIR(inputChannels: 2).network()
        #expect(
            error { _ = try network.shapes(for: [FeatureShape(batch: 1, channels: 3, size: Extent3(1, 64, 64))]) }
                == "layer image: expects 2 channels and is given 3")
        #expect(
            error { _ = try network.shapes(for: [FeatureShape(batch: 1, channels: 2, size: Extent3(4, 64, 64))]) }
                == "layer image: expects a slice and is given the size 4×64×64")
        #expect(error { _ = try network.shapes(for: []) } == "the network has 1 inputs and is given 0")
    }

    @Test func anEditedFileIsCheckedAsCodeWouldBe() throws {
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4, 8]).network()
        let text = String(decoding: try JSONEncoder().encode(network), as: UTF8.self)
        let other = text.replacingOccurrences(of: "\"inputChannels\":4", with: "\"inputChannels\":5")
        #expect(other != text)
        #expect(throws: NetworkError.self) { try JSONDecoder().decode(Network.self, from: Data(other.utf8)) }
    }

    @Test func architecturesThatCannotBeAreRefused() {
        #expect(
            error { _ = try UNet(rank: 4, inputChannels: 1, outputChannels: 1, widths: [8]).network() }
                == "a U-Net takes slices (rank 2) or volumes (rank 3), not rank 4")
        #expect(
            error {
                var net = UNet(rank: 2, inputChannels: 1, outputChannels: 1, widths: [8, 16])
                net.dropout = [0.5]
                _ = try net.network()
            } == "1 dropout rates for 2 levels; give one per level")
    }
}
