import Kernels

extension Program {
    /// The forward pass of a network for inputs of one shape, activations fused into the layers before them.
    ///
    /// - Returns: the program, and the values of the network's own names (fused ones are missing).
    static func forward(
        _ network: Network, inputShapes: [FeatureShape], training: Bool, learns: Bool = true
    ) throws -> (program: Program, values: [String: Int]) {
        let shapes = try network.shapes(for: inputShapes, training: training, learns: learns)
        var program = Program()
        var values: [String: Int] = [:]
        for (input, shape) in zip(network.inputs, shapes) {
            let value = program.value(shape)
            values[input.name] = value
            program.inputs.append(value)
        }
        let fusion = Fusion(network)
        var firstParameter = 0
        for (n, node) in network.nodes.enumerated() {
            // Counted, not looked up by name, which would be quadratic.
            let first = firstParameter
            firstParameter += node.layer.parameterCount
            if let before = fusion.fusedInto[node.name] {
                values[node.name] = values[before]
                continue
            }
            let operation = node.layer.operation(
                firstParameter: first, epilogue: fusion.epilogues[node.name] ?? .none, node: n)
            values[node.name] = program.add(
                node.name, operation, node.inputs.map { values[$0]! }, shapes[network.inputs.count + n])
        }
        program.outputs = network.outputs.map { values[$0]! }
        program.forwardCount = program.steps.count
        return (program, values)
    }

    /// Which activations are applied by the layer before them, while it stores its result.
    private struct Fusion {
        /// By the name of the layer that applies them.
        var epilogues: [String: Epilogue] = [:]
        /// From an activation to the layer that applies it.
        var fusedInto: [String: String] = [:]

        init(_ network: Network) {
            var readers: [String: Int] = [:]
            for node in network.nodes { for input in node.inputs { readers[input, default: 0] += 1 } }
            for output in network.outputs { readers[output, default: 0] += 1 }
            var takesEpilogue: Set<String> = []
            for node in network.nodes {
                switch node.layer {
                case .convolution, .transposedConvolution, .linear, .normalisation, .addition:
                    takesEpilogue.insert(node.name)
                case .activation(let function):
                    let before = node.inputs[0]
                    guard let epilogue = function.epilogue, takesEpilogue.contains(before), readers[before] == 1 else {
                        continue
                    }
                    epilogues[before] = epilogue
                    fusedInto[node.name] = before
                default: continue
                }
            }
        }
    }
}

extension Activation {
    /// The same function as what a layer can apply while it stores; nil where a gradient needs what went in, which then
    /// does not exist.
    fileprivate var epilogue: Epilogue? {
        switch self {
        case .relu: .relu
        case .leakyRelu(let slope): needsInput ? nil : .leakyRelu(slope: slope)
        default: nil
        }
    }
}

extension ConvolutionGeometry {
    /// A linear layer on maps of one position.
    init(linear inputs: Int, _ outputs: Int) {
        self.init(inputChannels: inputs, outputChannels: outputs, kernel: .one)
    }
}

extension Layer {
    fileprivate var parameterCount: Int { parameters(of: "", rank: 3).count }

    fileprivate func operation(firstParameter p: Int, epilogue: Epilogue, node: Int) -> Operation {
        switch self {
        case .convolution(let geometry, let bias):
            .convolution(geometry, weight: p, bias: bias ? p + 1 : nil, epilogue: epilogue)
        case .transposedConvolution(let geometry, let bias):
            .transposedConvolution(geometry, weight: p, bias: bias ? p + 1 : nil, epilogue: epilogue)
        case .linear(let inputs, let outputs, let bias):
            .convolution(
                ConvolutionGeometry(linear: inputs, outputs), weight: p, bias: bias ? p + 1 : nil, epilogue: epilogue)
        case .normalisation(let settings):
            .normalisation(
                NormalisationStep(settings, firstParameter: p, epilogue: epilogue, site: node))
        case .activation(let function): .activation(function)
        case .prelu(let slopes): .prelu(slope: p, slopes: slopes)
        case .pooling(let settings): .pooling(settings)
        case .globalAveragePooling: .globalAveragePooling
        case .globalMaxPooling: .globalMaxPooling
        case .upsampling(let settings): .upsampling(settings)
        case .concatenation: .concatenation
        case .addition: .addition(epilogue: epilogue)
        case .multiplication: .multiplication
        case .dropout(let probability, let wholeChannels):
            .dropout(probability: probability, wholeChannels: wholeChannels, site: UInt32(node))
        case .softmax: .softmax
        case .slicesToBatch: .slicesToBatch
        case .batchToSequence: .batchToSequence
        case .bidirectionalLSTM(_, let hidden): .lstm(hidden: hidden, parameters: Array(p..<p + 8), site: node)
        case .deepSMOTE(let neighbours, let includesSelf):
            .deepSMOTE(DeepSMOTE(neighbours: neighbours, includesSelf: includesSelf))
        case .centreCrop(let divisor): .centreCrop(divisor)
        }
    }
}

extension NormalisationStep {
    fileprivate init(_ settings: NormalisationSettings, firstParameter p: Int, epilogue: Epilogue, site: Int) {
        let statistics = p + (settings.isAffine ? 2 : 0)
        let isBatch = settings.kind == .batch
        self.init(
            settings: settings, scale: settings.isAffine ? p : nil, shift: settings.isAffine ? p + 1 : nil,
            mean: isBatch ? statistics : nil, variance: isBatch ? statistics + 1 : nil, epilogue: epilogue, site: site)
    }
}
