import Kernels
import Networks
import TestSupport

/// Random inputs, targets and weights for networks under test.
enum NetworkFixtures {
    static func tensor(_ shape: [Int], _ random: inout SeededGenerator) -> Tensor {
        Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float(random.gaussian()) })
    }

    static func shape(_ tensor: Tensor) -> FeatureShape {
        let axes = tensor.shape
        return FeatureShape(batch: axes[0], channels: axes[1], size: Extent3(axes[2], axes[3], axes[4]))
    }

    /// Weights whose running statistics, scales and shifts are not those of a fresh network either.
    static func weights(_ network: Network, seed: UInt64) -> Weights {
        var random = SeededGenerator(seed: seed)
        let fresh = network.initialWeights(.pytorch, seed: seed)
        let tensors = zip(fresh.parameters, fresh.tensors).map { parameter, tensor in
            var tensor = tensor
            switch parameter.role {
            case .scale, .runningVariance:
                for n in tensor.values.indices { tensor.values[n] = Float(0.5 + random.uniform()) }
            case .shift, .runningMean:
                for n in tensor.values.indices { tensor.values[n] = Float(0.3 * random.gaussian()) }
            default: break
            }
            return tensor
        }
        return try! Weights(parameters: fresh.parameters, tensors: tensors)
    }

    static func classes(_ count: Int, of classes: Int, _ random: inout SeededGenerator) -> Target {
        .classes((0..<count).map { _ in UInt8(random.next() % UInt64(classes)) })
    }

    /// A small network with every way in which layers can hang together: residual sums, skips, joined maps of channel
    /// counts that do and do not fill blocks, strides, groups, dilation, all normalisations and activations.
    static func everything(rank: Int) throws -> Network {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 3, rank: rank)
        var x = try builder.convolution("stem", image, channels: 16, kernel: 3)
        x = try builder.add("stemNorm", .normalisation(settings: .init(.instance, channels: 16)), x)
        x = try builder.add("stemAct", .activation(function: .leakyRelu(slope: 0.1)), x)
        let skip = x
        let grouped = ConvolutionGeometry(
            inputChannels: 16, outputChannels: 32, kernel: .axes(of: rank, 3), stride: .axes(of: rank, 2),
            padding: .axes(of: rank, 1, else: 0), groups: 4)
        x = try builder.add("down", .convolution(geometry: grouped, bias: false), x)
        x = try builder.add("downNorm", .normalisation(settings: .init(.group(groups: 4), channels: 32)), x)
        x = try builder.add("downAct", .prelu(slopes: 32), x)
        let dilated = ConvolutionGeometry(
            inputChannels: 32, outputChannels: 32, kernel: .axes(of: rank, 3), padding: .axes(of: rank, 2, else: 0),
            dilation: .axes(of: rank, 2))
        var y = try builder.add("dilated", .convolution(geometry: dilated, bias: true), x)
        y = try builder.add("tanh", .activation(function: .tanh), y)
        x = try builder.add("residual", .addition, x, y)
        var gate = try builder.convolution("gate", x, channels: 1, kernel: 1)
        gate = try builder.add("gateSigmoid", .activation(function: .sigmoid), gate)
        x = try builder.add("gated", .multiplication, x, gate)
        var up = try builder.transposedConvolution("up", x, channels: 16)
        up = try builder.batchNormalisation("upNorm", up)
        let linear = Layer.upsampling(settings: Upsampling(.linear, scale: .axes(of: rank, 2)))
        let smooth = try builder.add("smooth", linear, x)
        let narrow = try builder.convolution("narrow", smooth, channels: 5, kernel: 1)
        x = try builder.add("join", .concatenation, skip, up, narrow)
        x = try builder.batchNormalisation("joinNorm", x)
        x = try builder.add("joinAct", .activation(function: .swish), x)
        let odd = try builder.add("oddJoin", .concatenation, narrow, x)
        x = try builder.convolution("last", odd, channels: 7, kernel: 3)
        x = try builder.add("sum", .addition, x, x)
        x = try builder.convolution("head", x, channels: 4, kernel: 1)
        return try builder.network(outputs: [x])
    }
}
