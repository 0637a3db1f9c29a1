/// Attributes by name, with the defaults of the format given where they are asked for.
extension ONNXNode {
    func attribute(_ name: String) -> ONNXAttribute? { attribute.first { $0.name == name } }

    /// - Throws: `NodeProblem.invalid` beyond `Bounds.axis`.
    func integer(_ name: String, _ otherwise: Int) throws -> Int {
        guard let attribute = attribute(name) else { return otherwise }
        return try bounded(Int(attribute.i), name)
    }

    /// - Throws: `NodeProblem.invalid` beyond `Bounds.axis`.
    func integers(_ name: String) throws -> [Int]? {
        try attribute(name).map { try $0.ints.map { try bounded(Int($0), name) } }
    }

    /// Places along an axis, which may lie beyond its end: exporters write the largest number there is for "to the end".
    func places(_ name: String) -> [Int]? { attribute(name).map { $0.ints.map { Int($0) } } }

    /// One of them.
    func place(_ name: String) -> Int? { attribute(name).map { Int($0.i) } }

    func number(_ name: String, _ otherwise: Float) -> Float { attribute(name)?.f ?? otherwise }

    func text(_ name: String, _ otherwise: String) -> String {
        attribute(name).map { String(decoding: $0.s, as: UTF8.self) } ?? otherwise
    }

    private func bounded(_ value: Int, _ name: String) throws -> Int {
        guard (-Bounds.axis...Bounds.axis).contains(value) else {
            throw NodeProblem.invalid("has the impossible \(name) \(value); at most \(Bounds.axis) are taken")
        }
        return value
    }

    /// The node's name, or where it has none the value it makes.
    var label: String { name.isEmpty ? (output.first ?? "without a name") : name }

    /// Whether input n is there: optional inputs are left out or empty.
    func hasInput(_ n: Int) -> Bool { n < input.count && !input[n].isEmpty }
}
