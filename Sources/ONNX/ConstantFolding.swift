import Foundation

/// The small arithmetic on shapes that exporters leave in a graph, carried out when all of its inputs are known.
enum ConstantFolding {
    /// What the node gives, or nil when it is not among those that can be carried out.
    ///
    /// - Parameters:
    ///   - inputs: one per input of the node; nil where an optional input is left out.
    ///   - file: to which the node belongs: data of its attributes may lie beside it.
    static func fold(_ node: ONNXNode, _ inputs: [ONNXConstant?], in file: ONNXFile) throws -> ONNXConstant? {
        func integers(_ n: Int) throws -> [Int]? {
            guard n < inputs.count, let constant = inputs[n] else { return nil }
            guard let values = constant.integers else { throw NodeProblem.invalid("needs whole numbers in input \(n)") }
            return values
        }
        guard let first = inputs.first.flatMap({ $0 }) else { return nil }
        switch node.opType {
        case "Identity", "Dropout": return first
        case "Cast": return try cast(first, to: node.integer("to", 1))
        case "ConstantOfShape":
            return try filled(
                integers(0) ?? [],
                node.attribute("value").map { try ONNXConstant($0.t, folder: file.folder, path: file.path) })
        case "Shape": return ONNXConstant(integers: Array(first.shape[shapeRange(node, rank: first.shape.count)]))
        case "Size": return ONNXConstant(shape: [], .integers([first.count]))
        case "Reshape", "Flatten", "Squeeze", "Unsqueeze":
            return ONNXConstant(shape: try newShape(node, first, integers(1)), first.values)
        case "Transpose": return transposed(first, try node.integers("perm"))
        case "Concat": return try concatenated(node, inputs.compactMap { $0 })
        case "Gather":
            guard let indices = try integers(1), first.shape.count == 1 else { return nil }
            let picked = try indices.map { index in
                let place = index < 0 ? index + first.count : index
                guard place >= 0, place < first.count else { throw NodeProblem.invalid("reaches beyond its input") }
                return place
            }
            return ONNXConstant(shape: inputs[1]?.shape ?? [], first.picking(picked))
        case "Slice": return try sliced(node, first, inputs.count > 1 ? integers : { _ in nil })
        case "Add", "Sub", "Mul", "Div":
            guard inputs.count == 2, let second = inputs[1] else { return nil }
            return try arithmetic(node.opType, first, second)
        case "Floor": return ONNXConstant(shape: first.shape, .floats(first.floats.map { $0.rounded(.down) }))
        case "Ceil": return ONNXConstant(shape: first.shape, .floats(first.floats.map { $0.rounded(.up) }))
        default: return nil
        }
    }

    /// Which axes a `Shape` gives: all, or from version 15 on those from `start` up to `end`.
    static func shapeRange(_ node: ONNXNode, rank: Int) -> Range<Int> {
        func inside(_ place: Int) -> Int { min(max(place < 0 ? place + rank : place, 0), rank) }
        let start = inside(node.place("start") ?? 0)
        return start..<max(start, inside(node.place("end") ?? rank))
    }

    /// - Parameter value: one number; nil for zero.
    private static func filled(_ shape: [Int], _ value: ONNXConstant?) throws -> ONNXConstant {
        guard let count = Bounds.count(shape), count <= Bounds.folded else {
            throw NodeProblem.invalid("makes a tensor of the impossible shape \(shape)")
        }
        switch value?.values ?? .floats([0]) {
        case .floats(let values) where values.count == 1:
            return ONNXConstant(shape: shape, .floats([Float](repeating: values[0], count: count)))
        case .integers(let values) where values.count == 1:
            return ONNXConstant(shape: shape, .integers([Int](repeating: values[0], count: count)))
        default: throw NodeProblem.invalid("fills with \(value?.count ?? 0) values; it takes one")
        }
    }

    private static func newShape(_ node: ONNXNode, _ constant: ONNXConstant, _ given: [Int]?) throws -> [Int] {
        var shape = constant.shape
        switch node.opType {
        case "Reshape":
            guard let given else { throw NodeProblem.invalid("has no shape to go to") }
            let keepsZeros = try node.integer("allowzero", 0) != 0
            shape = given.enumerated().map { n, axis in
                axis == 0 && !keepsZeros && n < constant.shape.count ? constant.shape[n] : axis
            }
            if let open = shape.firstIndex(of: -1) {
                shape[open] = 1
                guard let rest = Bounds.count(shape) else {
                    throw NodeProblem.invalid("gives a tensor of \(constant.shape) the impossible shape \(given)")
                }
                shape[open] = rest == 0 ? 0 : constant.count / rest
            }
        case "Flatten":
            let axis = try node.integer("axis", 1)
            let split = axis < 0 ? axis + shape.count : axis
            guard (0...shape.count).contains(split) else {
                throw NodeProblem.invalid("flattens from axis \(axis) a tensor of \(shape.count) axes")
            }
            shape = [shape.prefix(split).reduce(1, *), shape.dropFirst(split).reduce(1, *)]
        case "Squeeze":
            let axes = try (given ?? node.integers("axes")).map { try Set(axesOf($0, rank: shape.count)) }
            shape = shape.enumerated().filter { n, axis in axes.map { !$0.contains(n) } ?? (axis != 1) }.map(\.element)
        default:
            let axes = try (given ?? node.integers("axes")) ?? []
            for axis in try axesOf(axes, rank: shape.count + axes.count).sorted() { shape.insert(1, at: axis) }
        }
        guard Bounds.count(shape) == constant.count else {
            throw NodeProblem.invalid("gives a tensor of \(constant.shape) the shape \(shape)")
        }
        return shape
    }

    /// Axes counted from the front, each once.
    ///
    /// - Throws: `NodeProblem.invalid` where a tensor of `rank` axes does not have one, or it is named twice.
    static func axesOf(_ axes: [Int], rank: Int) throws -> [Int] {
        let found = axes.map { $0 < 0 ? $0 + rank : $0 }
        guard found.allSatisfy({ (0..<rank).contains($0) }), Set(found).count == found.count else {
            throw NodeProblem.invalid("names the axes \(axes) of a tensor of \(rank)")
        }
        return found
    }

    private static func transposed(_ constant: ONNXConstant, _ permutation: [Int]?) -> ONNXConstant? {
        let rank = constant.shape.count
        let order = permutation ?? Array((0..<rank).reversed())
        guard order.sorted() == Array(0..<rank) else { return nil }
        var strides = [Int](repeating: 1, count: rank)
        for axis in stride(from: rank - 2, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] * constant.shape[axis + 1]
        }
        let shape = order.map { constant.shape[$0] }
        let picked = (0..<constant.count).map { flat -> Int in
            var (rest, place) = (flat, 0)
            for axis in stride(from: rank - 1, through: 0, by: -1) {
                place += rest % shape[axis] * strides[order[axis]]
                rest /= shape[axis]
            }
            return place
        }
        return ONNXConstant(shape: shape, constant.picking(picked))
    }

    private static func concatenated(_ node: ONNXNode, _ parts: [ONNXConstant]) throws -> ONNXConstant? {
        guard parts.count == node.input.count, parts.allSatisfy({ $0.shape.count == 1 }) else { return nil }
        // A file may double its tensors node by node.
        guard parts.reduce(0, { $0 + $1.count }) <= Bounds.folded else { return nil }
        if parts.allSatisfy({ if case .integers = $0.values { true } else { false } }) {
            return ONNXConstant(integers: parts.compactMap(\.integers).flatMap { $0 })
        }
        let floats = parts.flatMap(\.floats)
        return ONNXConstant(shape: [floats.count], .floats(floats))
    }

    /// Along one axis.
    private static func sliced(
        _ node: ONNXNode, _ constant: ONNXConstant, _ given: (Int) throws -> [Int]?
    ) throws -> ONNXConstant? {
        let starts = try given(1) ?? node.places("starts")
        let ends = try given(2) ?? node.places("ends")
        let axes = try given(3) ?? node.integers("axes") ?? [0]
        var step = try given(4)?.first ?? 1
        guard let start = starts?.first, let end = ends?.first, starts?.count == 1, axes.count == 1, step != 0 else {
            return nil
        }
        let axis = try axesOf(axes, rank: constant.shape.count)[0]
        let count = constant.shape[axis]
        // Longer steps go to the end as well.
        step = min(max(step, -count - 1), count + 1)
        func inside(_ n: Int, _ range: ClosedRange<Int>) -> Int {
            min(max(n < 0 ? n + count : n, range.lowerBound), range.upperBound)
        }
        let indices =
            step > 0
            ? Array(stride(from: inside(start, 0...count), to: inside(end, 0...count), by: step))
            : Array(
                stride(
                    from: inside(start, -1...(count - 1)), to: end < -count ? -1 : inside(end, -1...(count - 1)),
                    by: step))
        var shape = constant.shape
        shape[axis] = indices.count
        let inner = constant.shape.dropFirst(axis + 1).reduce(1, *)
        let outer = constant.shape.prefix(axis).reduce(1, *)
        var picked: [Int] = []
        // Where there are no values, axes may be as long as they like.
        for o in 0..<(constant.count == 0 ? 0 : outer) {
            for index in indices { for i in 0..<inner { picked.append((o * count + index) * inner + i) } }
        }
        return ONNXConstant(shape: shape, constant.picking(picked))
    }
}

extension ONNXConstant {
    /// The values at flat places.
    func picking(_ places: [Int]) -> Values {
        switch values {
        case .floats(let values): .floats(places.map { values[$0] })
        case .integers(let values): .integers(places.map { values[$0] })
        }
    }
}
