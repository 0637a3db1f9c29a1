import Kernels
import Networks

/// Flatten, Reshape, Squeeze and Unsqueeze, where they leave the order of values alone.
extension ONNXImporter {
    mutating func reshaping(_ node: ONNXNode) throws -> Map {
        switch node.opType {
        case "Flatten":
            let x = try map(node)
            let axis = try node.integer("axis", 1)
            guard axis == 1 || axis == -(x.spatialAxes + 1) else {
                throw NodeProblem.unsupported("a map is flattened from its channels on, axis 1, not axis \(axis)")
            }
            return try flattened(x)
        case "Reshape": return try reshaped(node)
        default: return try squeezed(node)
        }
    }

    private func squeezed(_ node: ONNXNode) throws -> Map {
        var x = try map(node)
        guard x.value.rank == 0 else {
            throw NodeProblem.unsupported("axes of a map with positions stay as they are")
        }
        let isSqueezing = node.opType == "Squeeze"
        let given = try optionalIntegers(node, 1) ?? node.integers("axes")
        guard let given else {
            guard isSqueezing else { throw NodeProblem.invalid("names no axes") }
            // All of length 1 go; a batch of one stays, which changes no value.
            x.spatialAxes = 0
            return x
        }
        let rank = x.spatialAxes + 2
        let axes = try ConstantFolding.axesOf(given, rank: isSqueezing ? rank : rank + given.count)
        guard axes.allSatisfy({ $0 >= 2 }) else { throw NodeProblem.unsupported("batch and channels stay as they are") }
        x.spatialAxes += isSqueezing ? -axes.count : axes.count
        return x
    }

    private func reshaped(_ node: ONNXNode) throws -> Map {
        var x = try map(node)
        guard node.hasInput(1) else { throw NodeProblem.invalid("has no shape to go to") }
        if case .unknownShape = meanings[node.input[1]] {
            throw NodeProblem.unsupported("its shape follows from a size that is open; export for a fixed input size")
        }
        let given = try optionalIntegers(node, 1) ?? []
        let (shape, isWhole) = try target(node, given, of: x)
        guard isWhole, shape.count >= 2, shape[0] == batch else {
            throw NodeProblem.unsupported(
                "it takes a map of \(described(x)) to \(given); the values of an image stay together")
        }
        // The first half of a group normalisation: (batch, groups, the rest).
        if let reader = onlyReader(of: node.output[0]), reader.node.opType == "InstanceNormalization",
            shape.count == 3, let groups = shape[1], groups > 0, x.channels % groups == 0
        {
            x.groups = groups
            return x
        }
        if shape.count == 2 { return try flattened(x) }
        if x.value.rank == 0, shape[1] == x.channels {
            x.spatialAxes = shape.count - 2
            return x
        }
        // A shape as it was.
        if shape.count == x.spatialAxes + 2, zip(shape, self.shape(of: x)).allSatisfy({ $0 == $1 && $0 != nil }) {
            return x
        }
        throw NodeProblem.unsupported(
            "a map is reshaped to a vector or for a group normalisation only, not to \(given)")
    }

    /// Where a `Reshape` of a map goes: 0 keeps an axis, -1 takes what is left, in the axes beyond the batch.
    ///
    /// - Returns: the shape, nil for an axis that is open, and whether it has as many values per image as the map.
    private func target(_ node: ONNXNode, _ given: [Int], of map: Map) throws -> (shape: [Int?], isWhole: Bool) {
        let own = shape(of: map)
        guard given.allSatisfy({ $0 >= -1 }), given.filter({ $0 == -1 }).count <= 1,
            try node.integer("allowzero", 0) == 0 || !given.contains(0)
        else { throw NodeProblem.invalid("has the impossible shape \(given)") }
        var shape = try given.enumerated().map { n, axis -> Int? in
            if axis != 0 { return axis }
            guard n < own.count else { throw NodeProblem.invalid("keeps axis \(n), which its input does not have") }
            return own[n]
        }
        let open = given.firstIndex(of: -1)
        if let open { shape[open] = 1 }
        guard Bounds.count(shape.map { $0 ?? 1 }) != nil else {
            throw NodeProblem.invalid("has the impossible shape \(given)")
        }
        let isKnown = !shape.contains { $0 == nil }
        let product = shape.dropFirst().reduce(1) { $0 * ($1 ?? 1) }
        guard let perImage = valuesPerImage(of: map), isKnown else {
            // Sizes are open: all that is left fits whatever it is.
            if let open { shape[open] = open == 0 ? batch : nil }
            let kept = zip(given.dropFirst(), own.dropFirst()).allSatisfy { $0 == 0 || $0 == $1 }
            return (shape, open.map { $0 > 0 } ?? false || (kept && given.count == own.count))
        }
        guard let open else { return (shape, product == perImage) }
        if open == 0 {
            shape[0] = batch
            return (shape, product == perImage)
        }
        guard product > 0, perImage % product == 0 else { return (shape, false) }
        shape[open] = perImage / product
        return (shape, true)
    }

    /// The second `Reshape` of an exported group normalisation gives the shape back.
    func checkRegrouped(_ node: ONNXNode, grouped: Map, as map: Map) throws {
        guard node.hasInput(1), meanings[node.input[1]] != nil else {
            throw NodeProblem.invalid("has no shape to go to")
        }
        // Arithmetic on open sizes can only be that of the map before.
        if case .unknownShape = meanings[node.input[1]] { return }
        let given = try optionalIntegers(node, 1) ?? []
        let own = shape(of: map)
        let (shape, isWhole) = try target(node, given, of: grouped)
        let isSame = zip(shape, own).allSatisfy { $0 == $1 || $0 == nil }
        guard isWhole, shape.count == own.count, isSame else {
            throw NodeProblem.unsupported(
                "channels in groups go back to their shape, \(described(map)), not to \(given)")
        }
    }

    private func described(_ map: Map) -> String {
        "[" + shape(of: map).map { $0.map(String.init) ?? "open" }.joined(separator: ", ") + "]"
    }

    /// A vector of all values; a map of one position is one already.
    private func flattened(_ given: Map) throws -> Map {
        var x = given
        if x.value.rank > 0 {
            guard let size = x.size else {
                throw NodeProblem.unsupported(
                    "a map is flattened when its size is fixed; export for a fixed input size")
            }
            x.flattened = size
        }
        x.spatialAxes = 0
        return x
    }
}
