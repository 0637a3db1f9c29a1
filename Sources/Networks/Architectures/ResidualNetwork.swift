import Kernels

/// ResNets of basic blocks (He et al. 2016) on slices or volumes, up to the pooled vector. Names as in torchvision:
/// `conv1`, `bn1`, `layer1.0.conv1`, `layer2.0.downsample.0`, …
package struct ResidualNetwork: Hashable, Sendable, Codable {
    package var rank = 3
    package var inputChannels: Int
    /// Kernel of the first convolution, and its stride.
    package var stemKernel = 7
    package var stemStride = 2
    package var stemChannels = 64
    /// Whether a max pooling of kernel 3 and stride 2 follows.
    package var poolsStem = true
    package var widths = [64, 128, 256, 512]
    package var blocks = [2, 2, 2, 2]
    /// Of the first block of every stage.
    package var strides = [1, 2, 2, 2]

    package init(inputChannels: Int) { self.inputChannels = inputChannels }

    /// ResNet-18 on volumes whose last stage keeps the size, as in QSMRim-Net: 16 times smaller in all.
    ///
    /// - Parameter widths: channels of the four stages; the stem has those of the first.
    package static func resNet18(inputChannels: Int, widths: [Int] = [64, 128, 256, 512]) -> ResidualNetwork {
        var net = ResidualNetwork(inputChannels: inputChannels)
        net.strides = [1, 2, 2, 1]
        net.widths = widths
        if let first = widths.first { net.stemChannels = first }
        return net
    }

    /// One input "image"; the output is a vector per image of `widths.last` features.
    package func network() throws -> Network {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: inputChannels, rank: rank)
        let features = try addFeatures(image, to: &builder)
        return try builder.network(outputs: [features])
    }

    /// The layers from an image to its features, as a part of a larger network.
    ///
    /// - Parameter prefix: begins the names of all layers.
    package func addFeatures(
        _ image: NetworkBuilder.Value, prefix: String = "", to builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        guard widths.count == blocks.count, widths.count == strides.count, blocks.allSatisfy({ $0 > 0 }) else {
            throw NetworkError.architecture(
                "a ResNet needs a width, a stride and one block or more for every stage, and is given "
                    + "\(widths.count) widths, \(strides.count) strides and the blocks \(blocks)")
        }
        var x = try builder.convolution(
            "\(prefix)conv1", image, channels: stemChannels, kernel: stemKernel, stride: stemStride, bias: false)
        x = try builder.batchNormalisation("\(prefix)bn1", x)
        x = try builder.relu("\(prefix)relu", x)
        if poolsStem {
            let pooling = Pooling(
                .max, kernel: .axes(of: rank, 3), stride: .axes(of: rank, 2), padding: .axes(of: rank, 1, else: 0))
            x = try builder.add("\(prefix)maxpool", .pooling(settings: pooling), x)
        }
        for stage in widths.indices {
            for block in 0..<blocks[stage] {
                x = try basicBlock(
                    "\(prefix)layer\(stage + 1).\(block)", x, channels: widths[stage],
                    stride: block == 0 ? strides[stage] : 1, in: &builder)
            }
        }
        return try builder.add("\(prefix)avgpool", .globalAveragePooling, x)
    }

    private func basicBlock(
        _ name: String, _ input: NetworkBuilder.Value, channels: Int, stride: Int, in builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        var x = try builder.convolution(
            "\(name).conv1", input, channels: channels, kernel: 3, stride: stride, bias: false)
        x = try builder.batchNormalisation("\(name).bn1", x)
        x = try builder.relu("\(name).relu1", x)
        x = try builder.convolution("\(name).conv2", x, channels: channels, kernel: 3, bias: false)
        x = try builder.batchNormalisation("\(name).bn2", x)
        var shortcut = input
        if stride != 1 || input.channels != channels {
            shortcut = try builder.convolution(
                "\(name).downsample.0", input, channels: channels, kernel: 1, stride: stride, bias: false)
            shortcut = try builder.batchNormalisation("\(name).downsample.1", shortcut)
        }
        x = try builder.add("\(name).sum", .addition, x, shortcut)
        return try builder.relu("\(name).relu2", x)
    }
}

extension ResidualNetwork {
    /// With a linear layer `fc` on the pooled vector; the output are logits.
    package func classifier(outputs: Int) throws -> Network {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: inputChannels, rank: rank)
        let pooled = try addFeatures(image, to: &builder)
        let logits = try builder.linear("fc", pooled, outputs: outputs)
        return try builder.network(outputs: [logits])
    }
}
