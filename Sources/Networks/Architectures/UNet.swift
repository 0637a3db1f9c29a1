import Kernels

/// U-Nets of slices or volumes, plain or residual, of any depth and width.
///
/// Parameters are named `encoder0.convolution1.weight`, `encoder0.normalisation1.weight`, …, `decoder0.up.weight`, …,
/// `head.weight`; level 0 is the finest, the last encoder level the bottom.
package struct UNet: Hashable, Sendable, Codable {
    package enum Block: String, Hashable, Sendable, Codable {
        /// Twice convolution, normalisation, activation (Ronneberger et al. 2015).
        case plain
        /// Twice normalisation, activation, convolution, plus a shortcut, projected where the channels change (Zhang et
        /// al. 2018, deep residual U-Net). The network's first block begins with its convolution.
        case residual
    }

    package enum Normalisation: Hashable, Sendable, Codable {
        case none
        case batch
        case instance
        case group(groups: Int)
    }

    package enum Upsampling: String, Hashable, Sendable, Codable {
        /// Transposed convolution of kernel and stride 2.
        case transposed
        /// Repetition, respectively linear interpolation, and a convolution of kernel 3 to the level's width.
        case nearest
        case linear
    }

    /// 2 for slices, 3 for volumes.
    package var rank: Int
    package var inputChannels: Int
    package var outputChannels: Int
    /// Channels per level, finest first; as many levels as there are entries.
    package var widths: [Int]
    package var block = Block.plain
    package var normalisation = Normalisation.batch
    package var normalisationEpsilon: Float = 1e-5
    package var normalisationMomentum: Float = 0.1
    package var activation = Activation.relu
    /// Probability of dropping a value between the two convolutions, per level; empty for none.
    package var dropout: [Float] = []
    package var upsampling = Upsampling.transposed
    /// Whether the joined maps are normalised and activated before the decoder's block (DEEPMIR).
    package var normalisesJoined = false
    /// After the last convolution; nil gives logits.
    package var headActivation: Activation?

    package init(rank: Int, inputChannels: Int, outputChannels: Int, widths: [Int]) {
        (self.rank, self.inputChannels) = (rank, inputChannels)
        (self.outputChannels, self.widths) = (outputChannels, widths)
    }

    /// The network: one input "image", the logits as its output.
    package func network() throws -> Network {
        try check()
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: inputChannels, rank: rank)
        let features = try decoded(image, in: &builder)
        let logits = try head(features, in: &builder)
        return try builder.network(outputs: [logits])
    }

    /// The decoder's features at full resolution, `widths[0]` channels. `prefix` begins the names of all layers.
    func decoded(
        _ image: NetworkBuilder.Value, prefix: String = "", in builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        var skips: [NetworkBuilder.Value] = []
        var x = image
        for level in widths.indices {
            if level > 0 {
                let two = Extent3.axes(of: rank, 2)
                let pooling = Pooling(.max, kernel: two, stride: two)
                x = try builder.add("\(prefix)encoder\(level).pool", .pooling(settings: pooling), x)
            }
            x = try block("\(prefix)encoder\(level)", x, level: level, isFirst: level == 0, in: &builder)
            skips.append(x)
        }
        for level in widths.indices.dropLast().reversed() {
            let name = "\(prefix)decoder\(level)"
            let up = try upsampled(name, x, level: level, in: &builder)
            x = try builder.add("\(name).join", .concatenation, skips[level], up)
            if normalisesJoined {
                x = try normalised("\(name).joinNormalisation", x, in: &builder)
                x = try builder.add("\(name).joinActivation", .activation(function: activation), x)
            }
            x = try block(name, x, level: level, isFirst: false, in: &builder)
        }
        return x
    }

    func check() throws {
        guard rank == 2 || rank == 3 else {
            throw NetworkError.architecture("a U-Net takes slices (rank 2) or volumes (rank 3), not rank \(rank)")
        }
        guard !widths.isEmpty, widths.allSatisfy({ $0 > 0 }) else {
            throw NetworkError.architecture("a U-Net needs a positive width for every level, not \(widths)")
        }
        guard dropout.isEmpty || dropout.count == widths.count else {
            throw NetworkError.architecture(
                "\(dropout.count) dropout rates for \(widths.count) levels; give one per level")
        }
    }

    func head(_ features: NetworkBuilder.Value, in builder: inout NetworkBuilder) throws -> NetworkBuilder.Value {
        let logits = try builder.convolution("head", features, channels: outputChannels, kernel: 1)
        guard let headActivation else { return logits }
        return try builder.add("headActivation", .activation(function: headActivation), logits)
    }

    private func block(
        _ name: String, _ input: NetworkBuilder.Value, level: Int, isFirst: Bool, in builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        let width = widths[level]
        var x = input
        for half in 1...2 {
            switch block {
            case .plain:
                x = try builder.convolution("\(name).convolution\(half)", x, channels: width, kernel: 3)
                x = try normalised("\(name).normalisation\(half)", x, in: &builder)
                x = try builder.add("\(name).activation\(half)", .activation(function: activation), x)
            case .residual:
                if half == 2 || !isFirst {
                    x = try normalised("\(name).normalisation\(half)", x, in: &builder)
                    x = try builder.add("\(name).activation\(half)", .activation(function: activation), x)
                }
                x = try builder.convolution("\(name).convolution\(half)", x, channels: width, kernel: 3)
            }
            if half == 1, !dropout.isEmpty, dropout[level] > 0 {
                let layer = Layer.dropout(probability: dropout[level], wholeChannels: false)
                x = try builder.add("\(name).dropout", layer, x)
            }
        }
        guard block == .residual else { return x }
        var shortcut = input
        if input.channels != width {
            shortcut = try builder.convolution("\(name).shortcut", input, channels: width, kernel: 1)
        }
        return try builder.add("\(name).sum", .addition, x, shortcut)
    }

    private func upsampled(
        _ name: String, _ x: NetworkBuilder.Value, level: Int, in builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        let kind: Kernels.Upsampling.Kind
        switch upsampling {
        case .transposed: return try builder.transposedConvolution("\(name).up", x, channels: widths[level])
        case .nearest: kind = .nearest
        case .linear: kind = .linear
        }
        let layer = Layer.upsampling(settings: Kernels.Upsampling(kind, scale: .axes(of: rank, 2)))
        let larger = try builder.add("\(name).upsampling", layer, x)
        return try builder.convolution("\(name).up", larger, channels: widths[level], kernel: 3)
    }

    func normalised(
        _ name: String, _ x: NetworkBuilder.Value, in builder: inout NetworkBuilder
    ) throws -> NetworkBuilder.Value {
        let kind: NormalisationSettings.Kind
        switch normalisation {
        case .none: return x
        case .batch: kind = .batch
        case .instance: kind = .instance
        case .group(let groups): kind = .group(groups: groups)
        }
        let settings = NormalisationSettings(
            kind, channels: x.channels, epsilon: normalisationEpsilon, momentum: normalisationMomentum)
        return try builder.add(name, .normalisation(settings: settings), x)
    }
}

/// The U-Nets of the papers.
extension UNet {
    /// DEEPMIR (Rashid et al., Sci Rep 11 (2021) 14124): six levels on slices of 256×256, Keras' batch normalisation.
    ///
    /// - Parameter clipsLogits: the released code's ReLU before the softmax, which takes negative logits away.
    package static func deepMIR(inputChannels: Int, classes: Int = 3, clipsLogits: Bool = false) -> UNet {
        var net = UNet(
            rank: 2, inputChannels: inputChannels, outputChannels: classes, widths: [32, 64, 128, 256, 512, 1024])
        net.normalisationEpsilon = 1e-3
        net.normalisationMomentum = 0.01
        net.normalisesJoined = true
        net.headActivation = clipsLogits ? .relu : nil
        return net
    }

    /// The tutorial's three-dimensional U-Net (python_for_microscopists), without normalisation.
    package static func tutorial(inputChannels: Int, classes: Int) -> UNet {
        var net = UNet(
            rank: 3, inputChannels: inputChannels, outputChannels: classes, widths: [16, 32, 64, 128, 256])
        net.normalisation = .none
        net.dropout = [0.1, 0.1, 0.2, 0.2, 0.3]
        return net
    }

    /// The same widths with residual blocks and batch normalisation.
    package static func residual(rank: Int = 3, inputChannels: Int, classes: Int) -> UNet {
        var net = UNet(
            rank: rank, inputChannels: inputChannels, outputChannels: classes, widths: [16, 32, 64, 128, 256])
        net.block = .residual
        return net
    }
}
