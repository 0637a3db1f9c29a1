import Kernels
import Networks

/// Nodes that join maps, scale them by constants, or only look at them in another way.
extension ONNXImporter {
    mutating func concatenation(_ node: ONNXNode) throws -> Map {
        let maps = try node.input.indices.map { try map(node, $0) }
        let axis = try node.integer("axis", 1)
        guard axis == 1 || axis == -(maps[0].spatialAxes + 1) else {
            throw NodeProblem.unsupported("maps are joined along the channels, axis 1, not axis \(axis)")
        }
        if maps.count == 1 { return maps[0] }
        return try add(node, .concatenation, maps, size: maps.first { $0.size != nil }?.size)
    }

    mutating func addition(_ node: ONNXNode) throws -> Map {
        if node.input.count == 2, isConstant(node, 0) || isConstant(node, 1) { return try affine(node) }
        let maps = try node.input.indices.map { try map(node, $0) }
        if maps.count == 1 { return maps[0] }
        guard Set(maps.map(\.channels)).count == 1 else {
            throw NodeProblem.unsupported("maps that are added have as many channels: \(maps.map(\.channels))")
        }
        return try add(node, .addition, maps, size: maps.first { $0.size != nil }?.size)
    }

    /// A map with a constant for each channel: added, subtracted, multiplied, divided.
    mutating func affine(_ node: ONNXNode) throws -> Map {
        guard node.input.count == 2, isConstant(node, 0) != isConstant(node, 1) else {
            throw NodeProblem.unsupported("one of the two is a constant")
        }
        let place = isConstant(node, 0) ? 0 : 1
        let x = try map(node, 1 - place)
        let values = try perChannel(constant(node, place), of: x)
        let (zeros, ones) = (values.map { _ in Float(0) }, values.map { _ in Float(1) })
        switch (node.opType, place) {
        case ("Add", _), ("Sum", _): return try scaled(node, x, by: ones, plus: values)
        case ("Sub", 1): return try scaled(node, x, by: ones, plus: values.map { -$0 })
        case ("Sub", _): return try scaled(node, x, by: ones.map { -$0 }, plus: values)
        case ("Mul", _): return try scaled(node, x, by: values, plus: zeros)
        case ("Div", 1): return try scaled(node, x, by: values.map { 1 / $0 }, plus: zeros)
        default: throw NodeProblem.unsupported("a map is divided by a constant, not a constant by a map")
        }
    }

    mutating func product(_ node: ONNXNode) throws -> Map {
        if isConstant(node, 0) || isConstant(node, 1) { return try affine(node) }
        var (x, gate) = (try map(node, 0), try map(node, 1))
        // The gate has one channel, or one position.
        if (x.channels == 1 && gate.channels > 1) || (x.value.rank == 0 && gate.value.rank > 0) {
            (x, gate) = (gate, x)
        }
        return try add(node, .multiplication, [x, gate], size: x.size)
    }
}
