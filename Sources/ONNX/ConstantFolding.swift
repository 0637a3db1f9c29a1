import Foundation

/// The small arithmetic on shapes that exporters leave in a graph, carried out when all of its inputs are known.
enum ConstantFolding {
    /// What the node gives, or nil when it is not among those that can be carried out.
    ///
    /// - Parameter inputs: one per input of the node; nil where an optional input is left out.
    static func fold(_ node: ONNXNode, _ inputs: [ONNXConstant?]) throws -> ONNXConstant? {
        func integers(_ n: Int) throws -> [Int]? {
            guard n < inputs.count, let constant = inputs[n] else { return nil }
            guard let values = constant.integers else { throw NodeProblem.invalid("needs whole numbers in input \(n)") }
            return values
        }
        guard let first = inputs.first.flatMap({ $0 }) else { return nil }
        switch node.opType {
        case "Identity", "Dropout": return first
        case "Cast":
            // Whole-number types by the numbers of the format.
            let toInteger = [2, 3, 4, 5, 6, 7, 9, 12, 13].contains(node.integer("to", 1))
            if toInteger { return ONNXConstant(shape: first.shape, .integers(first.floats.map { Int($0) })) }
            return ONNXConstant(shape: first.shape, .floats(first.floats))
        case "ConstantOfShape":
            let shape = try integers(0) ?? []
            guard shape.reduce(1, *) <= 1 << 20, shape.allSatisfy({ $0 >= 0 }) else { return nil }
            guard let value = node.attribute("value")?.t else {
                return ONNXConstant(shape: shape, .floats([Float](repeating: 0, count: shape.reduce(1, *))))
            }
            let one = try ONNXConstant(value, folder: .init(fileURLWithPath: "/"), path: "")
            switch one.values {
            case .floats(let v): return ONNXConstant(shape: shape, .floats(repeated(v, shape)))
            case .integers(let v): return ONNXConstant(shape: shape, .integers(repeated(v, shape)))
            }
        case "Shape": return ONNXConstant(integers: first.shape)
        case "Size": return ONNXConstant(shape: [], .integers([first.count]))
        case "Reshape", "Flatten", "Squeeze", "Unsqueeze":
            return ONNXConstant(shape: try newShape(node, first, integers(1)), first.values)
        case "Transpose": return transposed(first, node.integers("perm"))
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
        case "Add", "Sub", "Mul", "Div": return try arithmetic(node.opType, first, inputs.last.flatMap { $0 })
        case "Floor": return ONNXConstant(shape: first.shape, .floats(first.floats.map { $0.rounded(.down) }))
        case "Ceil": return ONNXConstant(shape: first.shape, .floats(first.floats.map { $0.rounded(.up) }))
        default: return nil
        }
    }

    private static func repeated<Value>(_ value: [Value], _ shape: [Int]) -> [Value] {
        value.isEmpty ? [] : [Value](repeating: value[0], count: shape.reduce(1, *))
    }

    private static func newShape(_ node: ONNXNode, _ constant: ONNXConstant, _ given: [Int]?) throws -> [Int] {
        var shape = constant.shape
        switch node.opType {
        case "Reshape":
            guard let given else { throw NodeProblem.invalid("has no shape to go to") }
            shape = given.enumerated().map { n, axis in axis == 0 && n < constant.shape.count ? constant.shape[n] : axis
            }
            if let open = shape.firstIndex(of: -1) {
                let rest = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
                shape[open] = rest == 0 ? 0 : constant.count / rest
            }
        case "Flatten":
            let axis = node.integer("axis", 1)
            let split = axis < 0 ? axis + shape.count : axis
            shape = [shape.prefix(split).reduce(1, *), shape.dropFirst(split).reduce(1, *)]
        case "Squeeze":
            let axes = (given ?? node.integers("axes"))?.map { $0 < 0 ? $0 + shape.count : $0 }
            shape = shape.enumerated().filter { n, axis in axes.map { !$0.contains(n) } ?? (axis != 1) }.map(\.element)
        default:
            let axes = (given ?? node.integers("axes")) ?? []
            let rank = shape.count + axes.count
            for axis in axes.map({ $0 < 0 ? $0 + rank : $0 }).sorted() where axis <= shape.count {
                shape.insert(1, at: axis)
            }
        }
        guard shape.reduce(1, *) == constant.count else {
            throw NodeProblem.invalid("gives a tensor of \(constant.shape) the shape \(shape)")
        }
        return shape
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
        let integers = parts.compactMap(\.integers)
        if integers.count == parts.count, parts.allSatisfy({ if case .integers = $0.values { true } else { false } }) {
            return ONNXConstant(integers: integers.flatMap { $0 })
        }
        let floats = parts.flatMap(\.floats)
        return ONNXConstant(shape: [floats.count], .floats(floats))
    }

    /// Along one axis.
    private static func sliced(
        _ node: ONNXNode, _ constant: ONNXConstant, _ given: (Int) throws -> [Int]?
    ) throws -> ONNXConstant? {
        let starts = try given(1) ?? node.integers("starts")
        let ends = try given(2) ?? node.integers("ends")
        let axes = try given(3) ?? node.integers("axes") ?? [0]
        let step = try given(4)?.first ?? 1
        guard let start = starts?.first, let end = ends?.first, starts?.count == 1, axes.count == 1, step != 0 else {
            return nil
        }
        let axis = axes[0] < 0 ? axes[0] + constant.shape.count : axes[0]
        guard constant.shape.indices.contains(axis) else { return nil }
        let count = constant.shape[axis]
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
        for o in 0..<outer {
            for index in indices { for i in 0..<inner { picked.append((o * count + index) * inner + i) } }
        }
        return ONNXConstant(shape: shape, constant.picking(picked))
    }

    private static func arithmetic(_ operation: String, _ a: ONNXConstant, _ b: ONNXConstant?) throws -> ONNXConstant? {
        guard let b, a.count == b.count || a.count == 1 || b.count == 1 else { return nil }
        let shape = a.count >= b.count ? a.shape : b.shape
        let count = max(a.count, b.count)
        if case .integers(let x) = a.values, case .integers(let y) = b.values {
            let values = try (0..<count).map { n -> Int in
                let (p, q) = (x[x.count == 1 ? 0 : n], y[y.count == 1 ? 0 : n])
                switch operation {
                case "Add": return p &+ q
                case "Sub": return p &- q
                case "Mul": return p &* q
                default:
                    guard q != 0 else { throw NodeProblem.invalid("divides by zero") }
                    return p / q
                }
            }
            return ONNXConstant(shape: shape, .integers(values))
        }
        let (x, y) = (a.floats, b.floats)
        let values = (0..<count).map { n -> Float in
            let (p, q) = (x[x.count == 1 ? 0 : n], y[y.count == 1 ? 0 : n])
            switch operation {
            case "Add": return p + q
            case "Sub": return p - q
            case "Mul": return p * q
            default: return p / q
            }
        }
        return ONNXConstant(shape: shape, .floats(values))
    }
}

extension ONNXConstant {
    /// The values at flat places.
    fileprivate func picking(_ places: [Int]) -> Values {
        switch values {
        case .floats(let values): .floats(places.map { values[$0] })
        case .integers(let values): .integers(places.map { values[$0] })
        }
    }
}
