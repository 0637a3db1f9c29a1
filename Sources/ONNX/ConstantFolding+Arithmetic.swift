/// Numbers of constants: other types, sums, differences, products and quotients.
extension ConstantFolding {
    /// - Parameter type: by the numbers of the format.
    /// - Throws: `NodeProblem.invalid` for floating-point numbers that no whole number of 64 bits is near.
    static func cast(_ constant: ONNXConstant, to type: Int) throws -> ONNXConstant? {
        let narrow: (Int) -> Int
        switch type {
        case 1, 10, 11, 16: return ONNXConstant(shape: constant.shape, .floats(constant.floats))
        case 2: narrow = { Int(UInt8(truncatingIfNeeded: $0)) }
        case 3: narrow = { Int(Int8(truncatingIfNeeded: $0)) }
        case 4: narrow = { Int(UInt16(truncatingIfNeeded: $0)) }
        case 5: narrow = { Int(Int16(truncatingIfNeeded: $0)) }
        case 6: narrow = { Int(Int32(truncatingIfNeeded: $0)) }
        case 12: narrow = { Int(UInt32(truncatingIfNeeded: $0)) }
        case 7, 13: narrow = { $0 }
        case 9:
            let isTrue =
                switch constant.values {
                case .integers(let values): values.map { $0 != 0 }
                case .floats(let values): values.map { $0 != 0 }
                }
            return ONNXConstant(shape: constant.shape, .integers(isTrue.map { $0 ? 1 : 0 }))
        default: return nil
        }
        switch constant.values {
        // Not by way of Float, which has no more than 24 bits: slices end at the largest number there is.
        case .integers(let values): return ONNXConstant(shape: constant.shape, .integers(values.map(narrow)))
        case .floats(let values):
            let whole = try values.map { value -> Int in
                guard let whole = Int(exactly: value.rounded(.towardZero)) else {
                    throw NodeProblem.invalid("makes a whole number of \(value), which has none")
                }
                return narrow(whole)
            }
            return ONNXConstant(shape: constant.shape, .integers(whole))
        }
    }

    /// Element by element; axes of length 1 go along with those of the other tensor, aligned from the last on.
    ///
    /// - Returns: nil where the result would be far larger than both.
    /// - Throws: `NodeProblem.invalid` where shapes do not go together, and where whole numbers leave their 64 bits.
    static func arithmetic(_ operation: String, _ a: ONNXConstant, _ b: ONNXConstant) throws -> ONNXConstant? {
        let rank = max(a.shape.count, b.shape.count)
        func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
        let (left, right) = (padded(a.shape), padded(b.shape))
        let shape = try zip(left, right).map { p, q in
            guard p == q || p == 1 || q == 1 else {
                throw NodeProblem.invalid("joins tensors of \(a.shape) and \(b.shape)")
            }
            return p == 1 ? q : p
        }
        guard let count = Bounds.count(shape), count <= max(a.count, b.count, Bounds.folded) else { return nil }
        let (p, q) = (places(left, in: shape, count), places(right, in: shape, count))
        if case .integers(let x) = a.values, case .integers(let y) = b.values {
            let values = try zip(p, q).map { try whole(operation, x[$0], y[$1]) }
            return ONNXConstant(shape: shape, .integers(values))
        }
        let (x, y) = (a.floats, b.floats)
        let values = zip(p, q).map { i, j -> Float in
            switch operation {
            case "Add": x[i] + y[j]
            case "Sub": x[i] - y[j]
            case "Mul": x[i] * y[j]
            default: x[i] / y[j]
            }
        }
        return ONNXConstant(shape: shape, .floats(values))
    }

    private static func whole(_ operation: String, _ p: Int, _ q: Int) throws -> Int {
        let (value, overflow) =
            switch operation {
            case "Add": p.addingReportingOverflow(q)
            case "Sub": p.subtractingReportingOverflow(q)
            case "Mul": p.multipliedReportingOverflow(by: q)
            default: p.dividedReportingOverflow(by: q)
            }
        guard !overflow else {
            throw NodeProblem.invalid(
                q == 0 ? "divides by zero" : "leaves the whole numbers of 64 bits with \(p) and \(q)")
        }
        return value
    }

    /// For every value of a tensor of `shape`, which of `own` it takes.
    private static func places(_ own: [Int], in shape: [Int], _ count: Int) -> [Int] {
        if own == shape { return Array(0..<count) }
        var strides = [Int](repeating: 0, count: shape.count)
        var step = 1
        for axis in shape.indices.reversed() {
            if own[axis] != 1 { strides[axis] = step }
            step *= max(1, own[axis])
        }
        return (0..<count).map { flat in
            var (rest, place) = (flat, 0)
            for axis in shape.indices.reversed() {
                place += rest % shape[axis] * strides[axis]
                rest /= shape[axis]
            }
            return place
        }
    }
}
