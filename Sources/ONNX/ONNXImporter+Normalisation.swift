import Kernels
import Networks

/// Normalisations, as operators and as the patterns exporters make of them.
extension ONNXImporter {
    mutating func batchNormalisation(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        guard try node.integer("training_mode", 0) == 0, try node.integer("spatial", 1) == 1 else {
            throw NodeProblem.unsupported("statistics are those of training; export the model in evaluation mode")
        }
        let parts = ["weight", "bias", "running_mean", "running_var"]
        var parameters: [String: Tensor] = [:]
        for (n, part) in parts.enumerated() { parameters[part] = try vector(constant(node, n + 1), x.channels) }
        let settings = NormalisationSettings(
            .batch, channels: x.channels, epsilon: node.number("epsilon", 1e-5),
            momentum: 1 - node.number("momentum", 0.9))
        return try add(
            node, .normalisation(settings: settings), [x], weight: node.input[1], size: x.size, parameters: parameters)
    }

    mutating func instanceNormalisation(_ node: ONNXNode) throws -> Map {
        let x = try pendingMap(node)
        if let groups = x.groups { return try groupNormalisation(node, x, groups: groups) }
        _ = try map(node)
        let (scale, shift) = (try vector(constant(node, 1), x.channels), try vector(constant(node, 2), x.channels))
        let isAffine = !(scale.values.allSatisfy { $0 == 1 } && shift.values.allSatisfy { $0 == 0 })
        let settings = NormalisationSettings(
            .instance, channels: x.channels, epsilon: node.number("epsilon", 1e-5), isAffine: isAffine)
        return try add(
            node, .normalisation(settings: settings), [x], weight: node.input[1], size: x.size,
            parameters: isAffine ? ["weight": scale, "bias": shift] : [:])
    }

    mutating func groupNormalisation(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let groups = try node.integer("num_groups", 0)
        guard groups > 0, x.channels % groups == 0 else {
            throw NodeProblem.invalid("divides \(x.channels) channels into \(groups) groups")
        }
        /// Before version 21 there is a value for each group.
        func values(_ n: Int) throws -> Tensor {
            let constant = try constant(node, n)
            guard constant.count == groups, groups != x.channels else { return try vector(constant, x.channels) }
            let each = x.channels / groups
            return Tensor(
                shape: [x.channels], values: constant.floats.flatMap { [Float](repeating: $0, count: each) })
        }
        let settings = NormalisationSettings(
            .group(groups: groups), channels: x.channels, epsilon: node.number("epsilon", 1e-5))
        return try add(
            node, .normalisation(settings: settings), [x], weight: node.input[1], size: x.size,
            parameters: ["weight": values(1), "bias": values(2)])
    }

    /// Reshape to groups, instance normalisation, reshape back, multiplication and addition: the form in which group
    /// normalisation is exported for older operator sets. This is called at its second node and takes over the others.
    private mutating func groupNormalisation(_ node: ONNXNode, _ grouped: Map, groups: Int) throws -> Map {
        var x = grouped
        x.groups = nil
        for n in 1...2 {
            let values = try constant(node, n).floats
            guard values.allSatisfy({ $0 == (n == 1 ? 1 : 0) }) else {
                throw NodeProblem.unsupported("inside a group normalisation it has no scale and shift of its own")
            }
        }
        guard let back = onlyReader(of: node.output[0]), back.node.opType == "Reshape" else {
            throw NodeProblem.unsupported("channels in groups are put together again right after")
        }
        absorbed.insert(back.number)
        regroupings[back.number] = (grouped, x)
        var last = back.node
        var (scale, shift): ([Float]?, [Float]?) = (nil, nil)
        var scaleName: String?
        for operation in ["Mul", "Add"] {
            guard let next = onlyReader(of: last.output[0]), next.node.opType == operation, next.node.input.count == 2
            else { break }
            let other = next.node.input[0] == last.output[0] ? 1 : 0
            guard case .constant(let constant) = meanings[next.node.input[other]],
                let values = try? perChannel(constant, of: x)  // else it is no part of the pattern
            else { break }
            if operation == "Mul" { (scale, scaleName) = (values, next.node.input[other]) } else { shift = values }
            absorbed.insert(next.number)
            last = next.node
        }
        let isAffine = scale != nil || shift != nil
        let settings = NormalisationSettings(
            .group(groups: groups), channels: x.channels, epsilon: node.number("epsilon", 1e-5), isAffine: isAffine)
        var parameters: [String: Tensor] = [:]
        if isAffine {
            let count = x.channels
            parameters["weight"] = Tensor(shape: [count], values: scale ?? [Float](repeating: 1, count: count))
            parameters["bias"] = Tensor(shape: [count], values: shift ?? [Float](repeating: 0, count: count))
        }
        let result = try add(
            node, .normalisation(settings: settings), [x], weight: scaleName, size: x.size, parameters: parameters)
        meanings[last.output[0]] = .map(result)
        return result
    }

    /// A factor and a summand for each channel: a batch normalisation whose statistics are those of values that need
    /// none.
    mutating func scaled(_ node: ONNXNode, _ x: Map, by scale: [Float], plus shift: [Float]) throws -> Map {
        let epsilon: Float = 1e-5
        let settings = NormalisationSettings(.batch, channels: x.channels, epsilon: epsilon)
        func tensor(_ values: [Float]) -> Tensor { Tensor(shape: [x.channels], values: values) }
        let count = x.channels
        return try add(
            node, .normalisation(settings: settings), [x], size: x.size,
            parameters: [
                "weight": tensor(scale), "bias": tensor(shift),
                "running_mean": tensor([Float](repeating: 0, count: count)),
                "running_var": tensor([Float](repeating: 1 - epsilon, count: count)),
            ])
    }
}
