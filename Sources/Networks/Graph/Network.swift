import Kernels

/// A network as a value: its layers and how they hang together. Made by `NetworkBuilder`, which refuses what does not
/// fit; stored as JSON in the model card.
///
/// A value of the network is named after the input or the node that makes it.
package struct Network: Hashable, Sendable {
    package struct Input: Hashable, Sendable, Codable {
        package let name: String
        package let channels: Int
        /// 0 a vector, 2 slices, 3 volumes.
        package let rank: Int
    }

    package struct Node: Hashable, Sendable, Codable {
        /// Unique; also the prefix of the names of its parameters.
        package let name: String
        package let layer: Layer
        /// Names of the values it reads, all made before it.
        package let inputs: [String]
    }

    package let inputs: [Input]
    /// In an order in which they can be computed.
    package let nodes: [Node]
    /// Names of the values that are the result.
    package let outputs: [String]

    init(inputs: [Input], nodes: [Node], outputs: [String]) {
        (self.inputs, self.nodes, self.outputs) = (inputs, nodes, outputs)
    }

    /// What every value is, inputs and nodes, by name.
    package var kinds: [String: ValueKind] {
        var kinds: [String: ValueKind] = [:]
        for input in inputs { kinds[input.name] = ValueKind(channels: input.channels, rank: input.rank) }
        for node in nodes {
            // The builder has checked every layer, so that none can fail here.
            kinds[node.name] = try? node.layer.kind(of: node.inputs.compactMap { kinds[$0] })
        }
        return kinds
    }
}

/// Decoding builds the network anew, so that an edited file is checked as code would be.
extension Network: Codable {
    private enum CodingKeys: CodingKey { case inputs, nodes, outputs }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        var builder = NetworkBuilder()
        for input in try container.decode([Input].self, forKey: .inputs) {
            _ = try builder.input(input.name, channels: input.channels, rank: input.rank)
        }
        for node in try container.decode([Node].self, forKey: .nodes) {
            let inputs = try node.inputs.map { try builder.value(named: $0, for: node.name) }
            _ = try builder.add(node.name, node.layer, inputs)
        }
        let outputs = try container.decode([String].self, forKey: .outputs)
        self = try builder.network(outputs: outputs.map { try builder.value(named: $0, for: "outputs") })
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(inputs, forKey: .inputs)
        try container.encode(nodes, forKey: .nodes)
        try container.encode(outputs, forKey: .outputs)
    }
}
