import Kernels
import Networks

/// Goes through the nodes of a graph in order and builds the network from them.
struct ONNXImporter {
    /// A feature map on its way through the graph.
    struct Map {
        var value: NetworkBuilder.Value
        /// Axes beyond batch and channels that the value has in the file. After a global pooling the file may go on
        /// counting axes of size 1, where the network has a vector.
        var spatialAxes: Int
        /// Size, where the model was exported for a fixed one.
        var size: Extent3?
        /// Zeros put around it by a `Pad` that the next convolution is to take over.
        var padding = Extent3.zero
        /// Set when the map has been flattened to a vector and its size was more than one position.
        var flattened: Extent3?
        /// Set between the halves of an exported group normalisation.
        var groups: Int?

        var channels: Int { value.channels }
    }

    /// What a name of the graph stands for.
    enum Meaning {
        case constant(ONNXConstant)
        case map(Map)
        /// Arithmetic on sizes that are not known before the model runs.
        case unknownShape
    }

    let file: ONNXFile
    var builder = NetworkBuilder()
    var weights: [String: Tensor] = [:]
    var inputSizes: [Extent3?] = []
    var notes: [String] = []
    var meanings: [String: Meaning] = [:]
    /// Nodes that read a value.
    let readers: [String: [Int]]
    /// Nodes taken over together with an earlier one.
    var absorbed: Set<Int> = []
    /// Reshapes taken over by a group normalisation, with the map before and behind them: their shapes are looked at
    /// in their turn, when they are known.
    var regroupings: [Int: (grouped: Map, result: Map)] = [:]
    private var names: Set<String> = []
    /// Images of the inputs; one where the file leaves their number open.
    private(set) var batch = 1

    init(_ file: ONNXFile) {
        self.file = file
        var readers: [String: [Int]] = [:]
        for (n, node) in file.graph.node.enumerated() {
            for input in node.input where !input.isEmpty { readers[input, default: []].append(n) }
        }
        self.readers = readers
        for (name, constant) in file.constants { meanings[name] = .constant(constant) }
    }

    mutating func run() throws -> Network {
        for input in file.graph.input where file.constants[input.name] == nil { try takeInput(input) }
        guard !inputSizes.isEmpty else { throw ONNXError.file(path: file.path, problem: "the model has no input") }
        let needed = reachable()
        for (n, node) in file.graph.node.enumerated() where needed.contains(n) {
            try naming(node) { importer in
                if let (grouped, result) = importer.regroupings[n] {
                    try importer.checkRegrouped(node, grouped: grouped, as: result)
                } else if !importer.absorbed.contains(n) {
                    try importer.take(node, number: n)
                }
            }
        }
        let outputs = try file.graph.output.map { output -> NetworkBuilder.Value in
            guard case .map(let map) = meanings[output.name] else {
                throw ONNXError.file(
                    path: file.path, problem: "output \(output.name) does not depend on an image; nothing is to compute"
                )
            }
            guard map.padding == .zero, map.groups == nil, map.flattened == nil else {
                throw ONNXError.file(
                    path: file.path,
                    problem: "output \(output.name) ends in a padding or reshaping; export the model without that step")
            }
            return map.value
        }
        do {
            return try builder.network(outputs: outputs)
        } catch let error as NetworkError {
            throw ONNXError.file(path: file.path, problem: "\(error)")
        }
    }

    /// Runs `body`, adding file and node to what it throws.
    private mutating func naming(_ node: ONNXNode, _ body: (inout ONNXImporter) throws -> Void) throws {
        do {
            try body(&self)
        } catch NodeProblem.unsupported(let advice) {
            throw ONNXError.unsupported(path: file.path, node: node.label, operation: node.opType, advice: advice)
        } catch NodeProblem.invalid(let problem) {
            throw ONNXError.invalid(path: file.path, node: node.label, operation: node.opType, problem: problem)
        } catch let error as NetworkError {
            throw ONNXError.invalid(
                path: file.path, node: node.label, operation: node.opType, problem: "does not fit: \(error)")
        }
    }

    /// Nodes on which an output depends.
    private func reachable() -> Set<Int> {
        var maker: [String: Int] = [:]
        for (n, node) in file.graph.node.enumerated() { for output in node.output { maker[output] = n } }
        var found: Set<Int> = []
        var open = file.graph.output.compactMap { maker[$0.name] }
        while let n = open.popLast() {
            guard found.insert(n).inserted else { continue }
            open += file.graph.node[n].input.compactMap { maker[$0] }
        }
        return found
    }

    private mutating func takeInput(_ input: ONNXValueInfo) throws {
        func refuse(_ problem: String) -> ONNXError {
            .file(path: file.path, problem: "input \(input.name) \(problem)")
        }
        let axes = input.type.tensorType.shape.dim
        guard axes.count == 2 || axes.count == 4 || axes.count == 5 else {
            throw refuse(
                "has \(axes.count) axes; batch and channels, with two or three spatial axes or none, are taken")
        }
        guard axes.allSatisfy({ $0.dimValue <= Bounds.axis }) else {
            throw refuse("has the impossible shape \(axes.map(\.dimValue))")
        }
        let channels = Int(axes[1].dimValue)
        guard channels > 0 else { throw refuse("leaves the number of channels open; export it with a fixed number") }
        let spatial = axes.dropFirst(2).map { Int($0.dimValue) }
        let size = spatial.allSatisfy { $0 > 0 } ? Extent3(spatialAxes: spatial, else: 1) : nil
        guard size?.product ?? 1 <= Bounds.values else {
            throw refuse("has the impossible shape \(axes.map(\.dimValue))")
        }
        if axes[0].dimValue > 0 { batch = Int(axes[0].dimValue) }
        let value: NetworkBuilder.Value
        do {
            value = try builder.input(unique(input.name), channels: channels, rank: spatial.count)
        } catch {
            throw refuse("cannot be taken: \(error)")
        }
        inputSizes.append(size)
        meanings[input.name] = .map(Map(value: value, spatialAxes: spatial.count, size: size))
    }

    // MARK: - Nodes

    private mutating func take(_ node: ONNXNode, number: Int) throws {
        guard node.domain.isEmpty || node.domain == "ai.onnx" else {
            throw NodeProblem.unsupported(
                "it belongs to the operators of \(node.domain); export the model with standard operators only")
        }
        guard let output = node.output.first else { throw NodeProblem.invalid("makes nothing") }
        if node.opType == "Constant" {
            meanings[output] = .constant(try constant(of: node))
            return
        }
        for input in node.input where !input.isEmpty && meanings[input] == nil {
            throw NodeProblem.invalid("reads \(input), which nothing before it makes")
        }
        if node.opType == "Shape", case .map(let map) = meanings[node.input.first ?? ""] {
            let axes = shape(of: map)
            let asked = axes[ConstantFolding.shapeRange(node, rank: axes.count)]
            let known = asked.compactMap { $0 }
            meanings[output] =
                known.count == asked.count ? .constant(ONNXConstant(integers: known)) : .unknownShape
            return
        }
        let given = node.input.map { $0.isEmpty ? nil : meanings[$0] }
        let hasMap = given.contains { if case .map = $0 { true } else { false } }
        if !hasMap {
            let isUnknown = given.contains { if case .unknownShape = $0 { true } else { false } }
            if isUnknown {
                meanings[output] = .unknownShape
                return
            }
            let constants = given.map { meaning -> ONNXConstant? in
                if case .constant(let constant) = meaning { constant } else { nil }
            }
            guard let folded = try ConstantFolding.fold(node, constants, in: file) else {
                throw NodeProblem.unsupported("arithmetic on constants of this kind is not carried out")
            }
            meanings[output] = .constant(folded)
            return
        }
        meanings[output] = .map(try layer(node, number: number))
    }

    private func constant(of node: ONNXNode) throws -> ONNXConstant {
        guard let attribute = node.attribute.first else { throw NodeProblem.invalid("has no value") }
        switch attribute.name {
        case "value": return try ONNXConstant(attribute.t, folder: file.folder, path: file.path)
        case "value_float": return ONNXConstant(shape: [], .floats([attribute.f]))
        case "value_floats": return ONNXConstant(shape: [attribute.floats.count], .floats(attribute.floats))
        case "value_int": return ONNXConstant(shape: [], .integers([Int(attribute.i)]))
        case "value_ints": return ONNXConstant(integers: attribute.ints.map { Int($0) })
        default: throw NodeProblem.unsupported("constants are tensors or numbers, not \(attribute.name)")
        }
    }

    /// The shape in the file, with what is pending; nil for axes that are open. A batch left open counts as one image.
    func shape(of map: Map) -> [Int?] {
        if map.flattened != nil || map.spatialAxes == 0 { return [batch, valuesPerImage(of: map)] }
        let size = map.value.rank == 0 ? .one : map.size
        let axes: [Int?]
        if let size {
            let padded = [
                size.depth + 2 * map.padding.depth, size.height + 2 * map.padding.height,
                size.width + 2 * map.padding.width,
            ]
            axes = Array(padded.suffix(map.spatialAxes))
        } else {
            axes = [Int?](repeating: nil, count: map.spatialAxes)
        }
        if let groups = map.groups {
            let rest = axes.contains { $0 == nil } ? nil : map.channels / groups * axes.reduce(1) { $0 * ($1 ?? 1) }
            return [batch, groups, rest]
        }
        return [batch, map.channels] + axes
    }

    /// Channels times positions; nil where the size is open.
    func valuesPerImage(of map: Map) -> Int? {
        if map.value.rank == 0 { return map.channels }
        return (map.flattened ?? map.size).map { map.channels * $0.product }
    }

    // MARK: - What nodes read

    /// Input n as a feature map that nothing is pending on.
    func map(_ node: ONNXNode, _ n: Int = 0) throws -> Map {
        let map = try pendingMap(node, n)
        guard map.padding == .zero else {
            throw NodeProblem.unsupported("zeros put around a map are taken over by a convolution only")
        }
        guard map.groups == nil else {
            throw NodeProblem.unsupported("channels are divided into groups for a group normalisation only")
        }
        guard map.flattened == nil else {
            throw NodeProblem.unsupported("a map flattened with its positions goes into a linear layer only")
        }
        return map
    }

    func pendingMap(_ node: ONNXNode, _ n: Int = 0) throws -> Map {
        guard node.hasInput(n), case .map(let map) = meanings[node.input[n]] else {
            throw NodeProblem.invalid("has a constant where it needs a feature map, input \(n)")
        }
        return map
    }

    /// Input n as a constant; nil when it is left out.
    func optionalConstant(_ node: ONNXNode, _ n: Int) throws -> ONNXConstant? {
        guard node.hasInput(n) else { return nil }
        switch meanings[node.input[n]] {
        case .constant(let constant): return constant
        case .unknownShape:
            throw NodeProblem.unsupported(
                "input \(n) follows from a size that is open; export the model for a fixed input size")
        default: throw NodeProblem.unsupported("input \(n) must be a constant, not computed from the image")
        }
    }

    /// Input n as whole numbers; nil when it is left out.
    func optionalIntegers(_ node: ONNXNode, _ n: Int) throws -> [Int]? {
        guard let constant = try optionalConstant(node, n) else { return nil }
        guard let values = constant.integers, values.allSatisfy({ (-Bounds.values...Bounds.values).contains($0) })
        else { throw NodeProblem.invalid("needs whole numbers up to \(Bounds.values) in input \(n)") }
        return values
    }

    func constant(_ node: ONNXNode, _ n: Int) throws -> ONNXConstant {
        guard let constant = try optionalConstant(node, n) else { throw NodeProblem.invalid("lacks input \(n)") }
        return constant
    }

    func isConstant(_ node: ONNXNode, _ n: Int) -> Bool {
        guard node.hasInput(n), case .constant = meanings[node.input[n]] else { return false }
        return true
    }

    /// A constant that has one value per channel of a map, or one for all.
    func perChannel(_ constant: ONNXConstant, of map: Map) throws -> [Float] {
        if constant.count == 1 { return [Float](repeating: constant.floats[0], count: map.channels) }
        // Aligned from the right as the format broadcasts: only the axis of channels may differ from 1.
        let axis = constant.shape.count - map.spatialAxes - 1
        guard constant.count == map.channels, axis >= 0, constant.shape[axis] == map.channels else {
            throw NodeProblem.unsupported(
                "a constant of shape \(constant.shape) is not one value for each of \(map.channels) channels")
        }
        return constant.floats
    }

    /// The one node that reads a value, when it is the only one and the value is no output.
    func onlyReader(of name: String) -> (number: Int, node: ONNXNode)? {
        guard let numbers = readers[name], numbers.count == 1, !file.graph.output.contains(where: { $0.name == name }),
            !file.graph.node[numbers[0]].output.isEmpty
        else { return nil }
        return (numbers[0], file.graph.node[numbers[0]])
    }

    // MARK: - What nodes become

    /// Adds a layer and its parameters.
    ///
    /// - Parameters:
    ///   - weight: name of the constant whose name may say how the layer was called.
    ///   - parameters: by the last part of their names.
    mutating func add(
        _ node: ONNXNode, _ layer: Layer, _ inputs: [Map], weight: String? = nil, size: Extent3?,
        spatialAxes: Int? = nil, parameters: [String: Tensor] = [:]
    ) throws -> Map {
        if let size {
            guard max(size.depth, size.height, size.width) <= Bounds.axis, size.product <= Bounds.values else {
                throw NodeProblem.invalid("makes a map of the impossible size \(size)")
            }
        }
        let name = layerName(node, weight: weight)
        let value = try builder.add(name, layer, inputs.map(\.value))
        for (part, tensor) in parameters { weights["\(name).\(part)"] = tensor }
        return Map(value: value, spatialAxes: spatialAxes ?? inputs[0].spatialAxes, size: size)
    }

    /// What a window makes of the size of a map, where that is known.
    func fitted(_ map: Map, _ outputSize: (Extent3) -> Extent3?) throws -> Extent3? {
        guard let size = map.size else { return nil }
        guard let result = outputSize(size) else {
            throw NodeProblem.invalid("has a window, or a padding, that does not fit a map of \(size)")
        }
        return result
    }

    private mutating func layerName(_ node: ONNXNode, weight: String?) -> String {
        if let weight, weight.hasSuffix(".weight") {
            let name = String(weight.dropLast(".weight".count))
            if !names.contains(name) { return unique(name) }
        }
        let parts = node.label.split(separator: "/", omittingEmptySubsequences: true)
        return unique(parts.joined(separator: "."))
    }

    private mutating func unique(_ name: String) -> String {
        let base = name.isEmpty ? "layer" : name
        var candidate = base
        var n = 2
        while !names.insert(candidate).inserted {
            candidate = "\(base)_\(n)"
            n += 1
        }
        return candidate
    }
}

extension Extent3 {
    /// Two or three spatial axes as the format orders them; slices take `rest` along depth.
    init(spatialAxes axes: [Int], else rest: Int) {
        switch axes.count {
        case 3: self.init(axes[0], axes[1], axes[2])
        case 2: self.init(rest, axes[0], axes[1])
        default: self.init(repeating: 1)
        }
    }
}
