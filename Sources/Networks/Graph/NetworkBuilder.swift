import Kernels

/// Puts a network together layer by layer; whatever does not fit is refused at once, naming the layer.
package struct NetworkBuilder {
    /// The result of a layer, to be given to later ones.
    package struct Value: Hashable, Sendable {
        package let name: String
        package let kind: ValueKind

        package var channels: Int { kind.channels }
        package var rank: Int { kind.rank }
    }

    private var inputs: [Network.Input] = []
    private var nodes: [Network.Node] = []
    private var values: [String: Value] = [:]

    package init() {}

    package mutating func input(_ name: String, channels: Int, rank: Int) throws -> Value {
        guard (1...LayerBounds.channels).contains(channels) else {
            throw NetworkError.shape(
                layer: name, problem: "an input has 1 to \(LayerBounds.channels) channels, not \(channels)")
        }
        guard [0, 2, 3].contains(rank) else {
            throw NetworkError.shape(
                layer: name, problem: "an input is a vector (rank 0), slices (2) or volumes (3), not of rank \(rank)")
        }
        inputs.append(Network.Input(name: name, channels: channels, rank: rank))
        return try register(name, ValueKind(channels: channels, rank: rank))
    }

    package mutating func add(_ name: String, _ layer: Layer, _ inputs: Value...) throws -> Value {
        try add(name, layer, inputs)
    }

    package mutating func add(_ name: String, _ layer: Layer, _ inputs: [Value]) throws -> Value {
        let kind: ValueKind
        do {
            kind = try layer.kind(of: inputs.map(\.kind))
        } catch {
            throw NetworkError.shape(layer: name, problem: error.problem)
        }
        nodes.append(Network.Node(name: name, layer: layer, inputs: inputs.map(\.name)))
        return try register(name, kind)
    }

    package func network(outputs: [Value]) throws -> Network {
        guard !inputs.isEmpty, !outputs.isEmpty else {
            throw NetworkError.architecture("a network needs at least one input and one output")
        }
        // A layer added within the call itself goes to another copy of the builder.
        for output in outputs where values[output.name] == nil {
            throw NetworkError.architecture(
                "the output \(output.name) is no layer of this network; add it before the network is made")
        }
        return Network(inputs: inputs, nodes: nodes, outputs: outputs.map(\.name))
    }

    /// A value made before, for node `reader`.
    func value(named name: String, for reader: String) throws -> Value {
        guard let value = values[name] else {
            throw NetworkError.shape(
                layer: reader, problem: "reads \"\(name)\", which is neither an input nor a layer before it")
        }
        return value
    }

    private mutating func register(_ name: String, _ kind: ValueKind) throws -> Value {
        guard !name.isEmpty, values[name] == nil else {
            throw NetworkError.shape(layer: name, problem: "the name is empty or taken by an earlier layer")
        }
        let value = Value(name: name, kind: kind)
        values[name] = value
        return value
    }
}

/// Layers under the settings most networks use. Sizes along the depth are 1 for slices.
extension NetworkBuilder {
    /// Same-size convolution of an odd kernel, strided if asked.
    ///
    /// - Throws: `NetworkError.shape` for an even kernel too, which has no middle.
    package mutating func convolution(
        _ name: String, _ x: Value, channels: Int, kernel: Int, stride: Int = 1, bias: Bool = true
    ) throws -> Value {
        guard kernel % 2 == 1 else {
            throw NetworkError.shape(
                layer: name, problem: "a kernel of \(kernel) has no middle, so that sizes would change; give an odd one"
            )
        }
        let geometry = ConvolutionGeometry(
            inputChannels: x.channels, outputChannels: channels, kernel: .axes(of: x.rank, kernel),
            stride: .axes(of: x.rank, stride), padding: .axes(of: x.rank, kernel / 2, else: 0))
        return try add(name, .convolution(geometry: geometry, bias: bias), x)
    }

    /// Twice the size (or `scale` times) by a kernel that is as large as its stride.
    package mutating func transposedConvolution(
        _ name: String, _ x: Value, channels: Int, scale: Int = 2, bias: Bool = true
    ) throws -> Value {
        let geometry = TransposedConvolutionGeometry(
            inputChannels: x.channels, outputChannels: channels, kernel: .axes(of: x.rank, scale),
            stride: .axes(of: x.rank, scale))
        return try add(name, .transposedConvolution(geometry: geometry, bias: bias), x)
    }

    package mutating func linear(_ name: String, _ x: Value, outputs: Int, bias: Bool = true) throws -> Value {
        try add(name, .linear(inputs: x.channels, outputs: outputs, bias: bias), x)
    }

    package mutating func batchNormalisation(
        _ name: String, _ x: Value, epsilon: Float = 1e-5, momentum: Float = 0.1
    ) throws -> Value {
        let settings = NormalisationSettings(.batch, channels: x.channels, epsilon: epsilon, momentum: momentum)
        return try add(name, .normalisation(settings: settings), x)
    }

    package mutating func relu(_ name: String, _ x: Value) throws -> Value {
        try add(name, .activation(function: .relu), x)
    }
}

extension Extent3 {
    /// `value` along every axis that slices (rank 2) or volumes (rank 3) have, `rest` along the depth of slices.
    package static func axes(of rank: Int, _ value: Int, else rest: Int = 1) -> Extent3 {
        Extent3(rank == 3 ? value : rest, value, value)
    }
}
