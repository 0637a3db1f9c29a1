import Kernels
import Testing

@testable import Networks

/// Cards are files: their numbers may be any.
@Suite("Bounds of networks")
struct NetworkBoundsTests {
    @Test("settings that no memory holds are refused and not multiplied")
    func layers() throws {
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

    @Test("sizes that grow beyond what can be counted are refused with the layer")
    func sizes() throws {
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
