import Kernels

extension Network {
    /// Multiplications with an addition that the forward pass takes, by the plain definition of every layer (padding
    /// counts, faster algorithms do not): convolutions, transposed convolutions, linear layers and LSTMs.
    package func multiplyAdds(for inputShapes: [FeatureShape]) throws -> Int {
        let shapes = try shapes(for: inputShapes)
        var index: [String: Int] = [:]
        for (n, name) in (inputs.map(\.name) + nodes.map(\.name)).enumerated() { index[name] = n }
        return nodes.enumerated().reduce(0) { sum, entry in
            let (n, node) = entry
            let input = shapes[index[node.inputs[0]]!]
            let output = shapes[inputs.count + n]
            return sum + node.layer.multiplyAdds(input: input, output: output)
        }
    }
}

extension Layer {
    fileprivate func multiplyAdds(input: FeatureShape, output: FeatureShape) -> Int {
        switch self {
        case .convolution(let geometry, _):
            output.count * (geometry.inputChannels / geometry.groups) * geometry.kernel.product
        case .transposedConvolution(let geometry, _):
            input.count * (geometry.outputChannels / geometry.groups) * geometry.kernel.product
        case .linear(let inputs, let outputs, _): input.batch * inputs * outputs
        case .bidirectionalLSTM(let inputs, let hidden):
            2 * input.batch * input.positions * 4 * hidden * (inputs + hidden)
        default: 0
        }
    }
}
