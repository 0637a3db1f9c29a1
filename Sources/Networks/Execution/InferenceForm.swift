import Kernels

/// A network as it is applied: without the layers that act in training only, and with batch normalisation folded into the
/// weights of the layers before it.
struct InferenceForm {
    private(set) var network: Network
    /// nil where only shapes and memory are of interest.
    private let weights: (any WeightSource)?
    /// By name, those that differ from `weights` or are not there; vectors, no weights of convolutions.
    private var changed: [String: Tensor] = [:]
    /// Factors of the rows of weights, by name, a row being what is left when the axes before it are fixed; they are
    /// applied while the weights are packed, so that no second set of weights is ever in memory.
    private(set) var rowFactors: [String: [Double]] = [:]
    /// Of the parameters of `weights`.
    private let names: Set<String>

    /// - Parameter folds: whether batch normalisation is folded; results differ in rounding only.
    /// - Throws: what reading weights throws.
    init(_ network: Network, _ weights: (any WeightSource)?, folds: Bool = true) throws {
        (self.network, self.weights) = (network, weights)
        names = Set(weights?.parameters.map(\.name) ?? [])
        dropTrainingLayers()
        if folds {
            try normaliseBeforeJoining()
            try foldNormalisations()
        }
    }

    /// The values of a parameter of `network`, before its rows are multiplied.
    func tensor(_ name: String) throws -> Tensor {
        if let tensor = changed[name] { return tensor }
        guard let weights else { preconditionFailure("\(name): no values are known where only shapes are of interest") }
        return try weights.tensor(name)
    }

    /// nil where there is no such parameter.
    private func existing(_ name: String) throws -> Tensor? {
        changed[name] != nil || names.contains(name) ? try tensor(name) : nil
    }

    /// The parameters of `network`, by their places, whose rows are multiplied, with the factors.
    var orderedRowFactors: [Int: [Double]] {
        var factors: [Int: [Double]] = [:]
        for (n, parameter) in network.parameters.enumerated() { factors[n] = rowFactors[parameter.name] }
        return factors
    }

    private mutating func dropTrainingLayers() {
        var renamed: [String: String] = [:]
        rebuild { node in
            switch node.layer {
            case .dropout, .deepSMOTE:
                renamed[node.name] = renamed[node.inputs[0]] ?? node.inputs[0]
                return []
            default: return [node]
            }
        } names: {
            renamed[$0] ?? $0
        }
    }

    /// Normalising joined maps is joining normalised maps, and those can be folded where a convolution made them.
    private mutating func normaliseBeforeJoining() throws {
        let nodes = Dictionary(uniqueKeysWithValues: network.nodes.map { ($0.name, $0) })
        let kinds = network.kinds
        let readers = self.readers
        /// From the name of a join to the layers after it that move before it.
        var moved: [String: [Network.Node]] = [:]
        var movedNames: [String: String] = [:]
        for node in network.nodes {
            guard case .normalisation(let settings) = node.layer, settings.kind == .batch,
                let join = nodes[node.inputs[0]], join.layer == .concatenation, readers[join.name]?.count == 1,
                join.inputs.contains(where: { nodes[$0]?.layer.isFoldable == true && readers[$0]?.count == 1 })
            else { continue }
            moved[join.name] = [node]
            movedNames[node.name] = join.name
            if let next = readers[node.name], next.count == 1, let activation = nodes[next[0]],
                case .activation = activation.layer
            {
                moved[join.name]?.append(activation)
                movedNames[activation.name] = join.name
            }
        }
        var copies: [(layer: String, part: String, channels: Range<Int>)] = []
        rebuild { node in
            if movedNames[node.name] != nil { return [] }
            guard let chain = moved[node.name] else { return [node] }
            var parts: [Network.Node] = []
            var inputs: [String] = []
            var channel = 0
            for (n, input) in node.inputs.enumerated() {
                let channels = kinds[input]!.channels
                var name = input
                for layer in chain {
                    let part = "\(layer.name)[\(n)]"
                    parts.append(Network.Node(name: part, layer: layer.layer.forChannels(channels), inputs: [name]))
                    copies.append((layer.name, part, channel..<channel + channels))
                    name = part
                }
                inputs.append(name)
                channel += channels
            }
            return parts + [Network.Node(name: node.name, layer: node.layer, inputs: inputs)]
        } names: {
            movedNames[$0] ?? $0
        }
        for copy in copies { try copyChannels(of: copy.layer, to: copy.part, copy.channels) }
    }

    private mutating func foldNormalisations() throws {
        let nodes = Dictionary(uniqueKeysWithValues: network.nodes.map { ($0.name, $0) })
        let readers = self.readers
        var renamed: [String: String] = [:]
        var withBias: Set<String> = []
        for node in network.nodes {
            guard case .normalisation(let settings) = node.layer, settings.kind == .batch,
                let before = nodes[node.inputs[0]], before.layer.isFoldable, readers[before.name]?.count == 1
            else { continue }
            renamed[node.name] = before.name
            withBias.insert(before.name)
            try fold(node.name, settings, into: before)
        }
        rebuild { node in
            if renamed[node.name] != nil { return [] }
            guard withBias.contains(node.name) else { return [node] }
            return [Network.Node(name: node.name, layer: node.layer.withBias, inputs: node.inputs)]
        } names: {
            renamed[$0] ?? $0
        }
    }

    /// w′ = w·s and b′ = (b − mean)·s + shift with s = scale / √(variance + ε), per output channel.
    private mutating func fold(_ name: String, _ settings: NormalisationSettings, into node: Network.Node) throws {
        guard let weight = weights?.parameters.first(where: { $0.name == "\(node.name).weight" }) else { return }
        let mean = try tensor("\(name).running_mean").values
        let variance = try tensor("\(name).running_var").values
        let scale = try existing("\(name).weight")?.values
        let shift = try existing("\(name).bias")?.values
        let old = try existing("\(node.name).bias")?.values
        let channels = settings.channels
        let factors = (0..<channels).map { c -> Double in
            Double(scale?[c] ?? 1) / (Double(variance[c]) + Double(settings.epsilon)).squareRoot()
        }
        let bias = (0..<channels).map { c -> Float in
            let centred = Double(old?[c] ?? 0) - Double(mean[c])
            return Float(centred * factors[c] + Double(shift?[c] ?? 0))
        }
        rowFactors["\(node.name).weight"] = node.layer.outputChannels(ofWeight: weight.shape).map { factors[$0] }
        changed["\(node.name).bias"] = Tensor(shape: [channels], values: bias)
    }

    private mutating func copyChannels(of layer: String, to part: String, _ channels: Range<Int>) throws {
        for name in ["weight", "bias", "running_mean", "running_var"] {
            guard let tensor = try existing("\(layer).\(name)") else { continue }
            changed["\(part).\(name)"] = Tensor(shape: [channels.count], values: Array(tensor.values[channels]))
        }
    }

    /// Layers that read each value; outputs of the network count as read by "".
    private var readers: [String: [String]] {
        var readers: [String: [String]] = [:]
        for node in network.nodes { for input in node.inputs { readers[input, default: []].append(node.name) } }
        for output in network.outputs { readers[output, default: []].append("") }
        return readers
    }

    /// Replaces every node by the ones `replacement` gives, and names of values by those `names` gives.
    private mutating func rebuild(
        _ replacement: (Network.Node) -> [Network.Node], names: (String) -> String
    ) {
        let nodes = network.nodes.flatMap(replacement).map { node in
            Network.Node(name: node.name, layer: node.layer, inputs: node.inputs.map(names))
        }
        network = Network(inputs: network.inputs, nodes: nodes, outputs: network.outputs.map(names))
    }
}

extension Layer {
    /// Whether a factor and a summand per output channel can go into its weights.
    fileprivate var isFoldable: Bool {
        switch self {
        case .convolution, .transposedConvolution, .linear: true
        default: false
        }
    }

    fileprivate var withBias: Layer {
        switch self {
        case .convolution(let geometry, _): .convolution(geometry: geometry, bias: true)
        case .transposedConvolution(let geometry, _): .transposedConvolution(geometry: geometry, bias: true)
        case .linear(let inputs, let outputs, _): .linear(inputs: inputs, outputs: outputs, bias: true)
        default: self
        }
    }

    /// The same layer on a part of the channels.
    fileprivate func forChannels(_ channels: Int) -> Layer {
        guard case .normalisation(var settings) = self else { return self }
        settings.channels = channels
        return .normalisation(settings: settings)
    }

    /// The output channel that every row of the weight makes, a row being what is left when its output axis is fixed.
    fileprivate func outputChannels(ofWeight shape: [Int]) -> [Int] {
        guard case .transposedConvolution(let geometry, _) = self else { return Array(0..<shape[0]) }
        let (perInput, inputsPerGroup) = (shape[1], geometry.inputChannels / geometry.groups)
        return (0..<shape[0] * perInput).map { $0 / perInput / inputsPerGroup * perInput + $0 % perInput }
    }
}
