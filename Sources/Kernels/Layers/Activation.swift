/// A function of every single value.
package enum Activation: Hashable, Sendable, Codable {
    case relu
    /// Negative values times `slope`.
    case leakyRelu(slope: Float)
    case sigmoid
    case tanh
    /// x·sigmoid(x), also called SiLU.
    case swish

    private var code: Int {
        switch self {
        case .relu: 1
        case .leakyRelu: 2
        case .sigmoid: 3
        case .tanh: 4
        case .swish: 5
        }
    }

    private var slope: Float {
        if case .leakyRelu(let slope) = self { slope } else { 0 }
    }

    /// Whether `backward` needs what went in; if not, `forward` may work in place in training too. With a negative slope
    /// a leaky ReLU gives positive values only, which do not tell what went in.
    package var needsInput: Bool { self == .swish || slope < 0 }

    /// - Parameter y: shape of x; may be x.
    package func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, x.shape, "The output of an activation")
        let pieces = Pieces(x.shape)
        pieces.forEach(threads: threads) { run in
            Kernels.activate(code, slope, pieces.mask(run.block), x.start(run), y.start(run), run.count)
        }
    }

    /// - Parameters:
    ///   - x: what went in; any map of that shape, such as y, unless `needsInput`.
    ///   - y: what came out.
    ///   - dx: gradient with respect to x; may be dy.
    package func backward(
        x: FeatureMap, y: FeatureMap, gradient dy: FeatureMap, to dx: FeatureMap, threads: Int
    ) {
        for map in [y, dy, dx] { check(map, x.shape, "A map of an activation's gradient") }
        let signs = slope < 0 ? x : y
        Pieces(x.shape).forEach(threads: threads) { run in
            activateBackward(code, slope, x.start(run), signs.start(run), dy.start(run), dx.start(run), run.count)
        }
    }
}

/// Leaky ReLU whose slope is a parameter, one for all channels or one for each.
package enum PReLU {
    /// - Parameters:
    ///   - slopes: 1 or the number of channels.
    ///   - y: may be x.
    package static func forward(
        _ x: FeatureMap, slope: UnsafePointer<Float>, slopes: Int, to y: FeatureMap, threads: Int
    ) {
        check(y, x.shape, "The output of PReLU")
        withSlopes(slope, slopes, x.shape) { lanes in
            Pieces(x.shape).forEach(threads: threads) { run in
                activateWithSlopes(lanes + run.block * 16, x.start(run), y.start(run), run.count)
            }
        }
    }

    /// - Parameters:
    ///   - slopeGradient: `slopes` values, overwritten.
    ///   - dx: may be dy.
    package static func backward(
        x: FeatureMap, slope: UnsafePointer<Float>, slopes: Int, gradient dy: FeatureMap, to dx: FeatureMap,
        slopeGradient: UnsafeMutablePointer<Float>, threads: Int
    ) {
        check(dy, x.shape, "The gradient of PReLU")
        check(dx, x.shape, "The gradient of PReLU")
        let pieces = Pieces(x.shape)
        let sums = ChannelSums(pieces, kinds: 1)
        withSlopes(slope, slopes, x.shape) { lanes in
            pieces.forEach(threads: threads) { run in
                activateWithSlopesBackward(
                    lanes + run.block * 16, x.start(run), dy.start(run), dx.start(run), sums.part(run.index, 0),
                    run.count)
            }
        }
        var perChannel = [Double](repeating: 0, count: x.shape.channels)
        for image in 0..<x.shape.batch {
            for channel in perChannel.indices { perChannel[channel] += sums.total(0, image: image, channel: channel) }
        }
        if slopes == 1 {
            slopeGradient[0] = Float(perChannel.reduce(0, +))
        } else {
            for (channel, sum) in perChannel.enumerated() { slopeGradient[channel] = Float(sum) }
        }
    }

    /// Slopes by channel, padded to whole blocks.
    private static func withSlopes(
        _ slope: UnsafePointer<Float>, _ slopes: Int, _ shape: FeatureShape, _ body: (UnsafePointer<Float>) -> Void
    ) {
        precondition(slopes == 1 || slopes == shape.channels, "\(slopes) slopes for \(shape.channels) channels")
        var lanes = [Float](repeating: 0, count: shape.blocks * 16)
        for channel in 0..<shape.channels { lanes[channel] = slope[slopes == 1 ? 0 : channel] }
        lanes.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
