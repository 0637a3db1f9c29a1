import Kernels

/// What is wrong with a layer where it stands; whoever knows its name makes it a `NetworkError`.
struct LayerProblem: Error {
    let problem: String

    init(_ problem: String) { self.problem = problem }
}

/// Channels and axes: what can be checked before any size is known.
extension Layer {
    /// What the layer makes of these inputs.
    func kind(of inputs: [ValueKind]) throws(LayerProblem) -> ValueKind {
        let x = try first(of: inputs)
        switch self {
        case .convolution(let g, _):
            try Self.check(g.inputChannels, g.outputChannels, groups: g.groups, given: x)
            try Self.checkAxes(x, [("kernel", g.kernel, 1), ("stride", g.stride, 1), ("dilation", g.dilation, 1)])
            try Self.checkAxes(x, [("padding", g.padding, 0)])
            try LayerBounds.checkWeight(g.weightShape)
            return ValueKind(channels: g.outputChannels, rank: x.rank)
        case .transposedConvolution(let g, _):
            try Self.check(g.inputChannels, g.outputChannels, groups: g.groups, given: x)
            try Self.checkAxes(x, [("kernel", g.kernel, 1), ("stride", g.stride, 1), ("dilation", g.dilation, 1)])
            try Self.checkAxes(x, [("padding", g.padding, 0), ("output padding", g.outputPadding, 0)])
            try LayerBounds.checkWeight(g.weightShape)
            return ValueKind(channels: g.outputChannels, rank: x.rank)
        case .linear(let inputs, let outputs, _):
            try Self.check(inputs, outputs, groups: 1, given: x)
            try Self.check(x, ranks: [0])
            try LayerBounds.checkWeight([inputs, outputs])
            return ValueKind(channels: outputs, rank: 0)
        case .normalisation(let settings):
            try settings.check(x)
            return x
        case .prelu(let slopes):
            guard slopes == 1 || slopes == x.channels else {
                throw LayerProblem("has \(slopes) slopes for \(x.channels) channels; give 1 or \(x.channels)")
            }
            return x
        case .dropout(let probability, _):
            guard probability >= 0, probability < 1 else {
                throw LayerProblem("drops with probability \(probability); give at least 0 and less than 1")
            }
            return x
        case .activation(.leakyRelu(let slope)):
            // Its backward pass reads the sign of what came in off what came out.
            guard slope.isFinite else {
                throw LayerProblem("multiplies negative values by \(slope); give a finite number")
            }
            return x
        case .activation, .softmax: return x
        case .pooling(let settings):
            try Self.check(x, ranks: [2, 3])
            try Self.checkAxes(x, [("kernel", settings.kernel, 1), ("stride", settings.stride, 1)])
            try Self.checkAxes(x, [("padding", settings.padding, 0)])
            return x
        case .upsampling(let settings):
            try Self.check(x, ranks: [2, 3])
            try Self.checkAxes(x, [("scale", settings.scale, 1)])
            return x
        case .globalAveragePooling, .globalMaxPooling:
            try Self.check(x, ranks: [1, 2, 3])
            return ValueKind(channels: x.channels, rank: 0)
        case .concatenation, .addition, .multiplication: return try joined(inputs)
        case .slicesToBatch:
            try Self.check(x, ranks: [3])
            return ValueKind(channels: x.channels, rank: 2)
        case .batchToSequence:
            try Self.check(x, ranks: [0])
            return ValueKind(channels: x.channels, rank: 1)
        case .bidirectionalLSTM(let inputs, let hidden):
            try LayerBounds.checkCounts([("hidden units", hidden)])
            try Self.check(inputs, 2 * hidden, groups: 1, given: x)
            try Self.check(x, ranks: [1])
            try LayerBounds.checkWeight([4, hidden, max(inputs, hidden)])
            return ValueKind(channels: 2 * hidden, rank: 1)
        case .deepSMOTE(let neighbours, let includesSelf):
            try Self.check(x, ranks: [0])
            guard neighbours <= LayerBounds.axis else {
                throw LayerProblem("counts \(neighbours) neighbours; at most \(LayerBounds.axis) are possible")
            }
            guard neighbours >= (includesSelf ? 1 : 2) else {
                throw LayerProblem("counts \(neighbours) neighbours, the sample itself among them; give 2 or more")
            }
            return x
        case .centreCrop(let divisor):
            try Self.check(x, ranks: [2, 3])
            try Self.checkAxes(x, [("divisor", divisor, 1)])
            return x
        }
    }

    private func first(of inputs: [ValueKind]) throws(LayerProblem) -> ValueKind {
        switch self {
        case .concatenation, .addition:
            guard inputs.count >= 2 else {
                throw LayerProblem("joins two inputs or more, and is given \(inputs.count)")
            }
        case .multiplication:
            guard inputs.count == 2 else { throw LayerProblem("multiplies two inputs, and is given \(inputs.count)") }
        default:
            guard inputs.count == 1 else { throw LayerProblem("takes one input, and is given \(inputs.count)") }
        }
        return inputs[0]
    }

    private func joined(_ inputs: [ValueKind]) throws(LayerProblem) -> ValueKind {
        let x = inputs[0]
        // A value per channel, as in attention over channels.
        if self == .multiplication, inputs[1] == ValueKind(channels: x.channels, rank: 0) { return x }
        for other in inputs where other.rank != x.rank {
            throw LayerProblem("joins a \(ValueKind.name(rank: x.rank)) and a \(ValueKind.name(rank: other.rank))")
        }
        switch self {
        case .concatenation:
            let channels = inputs.reduce(0) { $0 + $1.channels }
            try LayerBounds.checkCounts([("channels", channels)])
            return ValueKind(channels: channels, rank: x.rank)
        case .multiplication where inputs[1].channels == 1: return x
        default:
            for other in inputs where other.channels != x.channels {
                throw LayerProblem("expects \(x.channels) channels and is given \(other.channels)")
            }
            return x
        }
    }

    private static func check(
        _ inputs: Int, _ outputs: Int, groups: Int, given x: ValueKind
    ) throws(LayerProblem) {
        guard inputs == x.channels else {
            throw LayerProblem("expects \(inputs) channels and is given \(x.channels)")
        }
        try LayerBounds.checkCounts([("channels", inputs), ("channels", outputs)])
        guard outputs > 0 else { throw LayerProblem("makes \(outputs) channels; give at least 1") }
        guard groups > 0, inputs % groups == 0, outputs % groups == 0 else {
            throw LayerProblem("\(groups) groups do not divide \(inputs) and \(outputs) channels")
        }
    }

    private static func check(_ x: ValueKind, ranks: [Int]) throws(LayerProblem) {
        guard ranks.contains(x.rank) else {
            let wanted = ranks.map { ValueKind.name(rank: $0) }.joined(separator: " or ")
            throw LayerProblem("expects a \(wanted) and is given a \(ValueKind.name(rank: x.rank))")
        }
    }

    /// Settings per axis are at least `least`, and exactly that along the depth of slices.
    private static func checkAxes(
        _ x: ValueKind, _ settings: [(name: String, extent: Extent3, least: Int)]
    ) throws(LayerProblem) {
        try check(x, ranks: [2, 3])
        for (name, extent, least) in settings {
            guard min(extent.depth, extent.height, extent.width) >= least else {
                throw LayerProblem("has the \(name) \(extent); every axis needs at least \(least)")
            }
            guard max(extent.depth, extent.height, extent.width) <= LayerBounds.axis else {
                throw LayerProblem("has the \(name) \(extent); at most \(LayerBounds.axis) is possible along an axis")
            }
            guard x.rank == 3 || extent.depth == least else {
                throw LayerProblem("has the \(name) \(extent) on slices, whose depth takes \(least)")
            }
        }
    }
}

extension NormalisationSettings {
    fileprivate func check(_ x: ValueKind) throws(LayerProblem) {
        guard channels == x.channels else {
            throw LayerProblem("expects \(channels) channels and is given \(x.channels)")
        }
        if case .group(let groups) = kind, groups < 1 || channels % groups != 0 {
            throw LayerProblem("\(groups) groups do not divide \(channels) channels")
        }
        guard epsilon > 0 else { throw LayerProblem("has epsilon \(epsilon); give a small positive number") }
        if case .instance = kind, x.rank == 0 {
            throw LayerProblem("normalises each vector's single position, which leaves nothing; use batch or group")
        }
    }
}
