import Kernels

/// A network made ready to be applied to inputs of one shape: normalisation folded into weights, activations fused, every
/// feature map at its place in one piece of memory.
///
/// Not for several threads at the same time: one plan has one set of feature maps. The work inside is shared out.
package final class InferencePlan {
    package let inputShapes: [FeatureShape]
    package let outputShapes: [FeatureShape]
    package let memory: MemoryStatement

    private let prepared: PreparedProgram
    private let outputs: [Int]
    private let parameters: FeatureStorage

    /// The memory a plan would take, without taking it; the weights it is made from are the caller's.
    ///
    /// - Throws: `NetworkError.shape` where the network cannot take these inputs.
    package static func memory(
        for network: Network, inputs: [FeatureShape], threads: Int, folding: Bool = true, planarInputs: Bool = false
    ) throws -> MemoryStatement {
        let form = try InferenceForm(network, nil, folds: folding)
        var (program, _) = try Program.forward(form.network, inputShapes: inputs, training: false)
        if planarInputs { program.readInputsAsGiven() }
        return Self.statement(program, BufferPlan(program), form.network.parameters, threads: threads)
    }

    /// - Parameters:
    ///   - weights: read one tensor after the other, each once, and let go of when it is packed.
    ///   - folding: whether batch normalisation is folded into weights; off, results differ in rounding only.
    ///   - planarInputs: whether inputs of fewer than 16 channels stay as they are given where only convolutions read
    ///     them, which takes less memory and time; they are then written to `planarInput(_:)`, not to `input(_:)`.
    /// - Throws: `NetworkError.weights` or `.shape` where weights or inputs do not fit the network; what reading the
    ///   weights throws.
    package init(
        _ network: Network, weights: some WeightSource, inputs: [FeatureShape], threads: Int, folding: Bool = true,
        planarInputs: Bool = false
    ) throws {
        guard weights.parameters == network.parameters else {
            throw NetworkError.weights("the weights are those of another network")
        }
        let form = try InferenceForm(network, weights, folds: folding)
        var (program, _) = try Program.forward(form.network, inputShapes: inputs, training: false)
        if planarInputs { program.readInputsAsGiven() }
        let buffers = BufferPlan(program)
        let parameters = form.network.parameters
        memory = Self.statement(program, buffers, parameters, threads: threads)
        (inputShapes, outputs) = (inputs, program.outputs)
        outputShapes = program.outputs.map { program.shapes[$0] }

        let kept = Self.keptParameters(program)
        let storage = FeatureStorage(count: kept.reduce(0) { $0 + (parameters[$1].count + 15) / 16 * 16 })
        var pointers = [UnsafeMutablePointer<Float>?](repeating: nil, count: parameters.count)
        var offset = 0
        for index in kept {
            let pointer = storage.base + offset
            for (n, value) in try form.tensor(parameters[index].name).values.enumerated() { pointer[n] = value }
            pointers[index] = pointer
            offset += (parameters[index].count + 15) / 16 * 16
        }
        self.parameters = storage
        prepared = try PreparedProgram(
            program, buffers, parameters: pointers, gradients: [], tensor: { try form.tensor(parameters[$0].name) },
            rowFactors: form.orderedRowFactors, threads: threads)
    }

    /// Parameters that are read as they are, not packed.
    private static func keptParameters(_ program: Program) -> [Int] {
        program.steps.flatMap { step -> [Int] in
            switch step.operation {
            case .normalisation(let step): [step.scale, step.shift, step.mean, step.variance].compactMap { $0 }
            case .prelu(let slope, _): [slope]
            case .lstm(_, let weights, _): weights
            default: []
            }
        }
    }

    private static func statement(
        _ program: Program, _ buffers: BufferPlan, _ parameters: [Parameter], threads: Int
    ) -> MemoryStatement {
        let (packed, scratch) = program.workspaceBytes(threads: threads)
        let saved = program.savedCounts.reduce(0) { $0 + $1.count }
        let kept = keptParameters(program).reduce(0) { $0 + (parameters[$1].count + 15) / 16 * 16 }
        // One parameter at a time is in memory to be packed, before anything is computed.
        let largest = parameters.map(\.count).max() ?? 0
        return MemoryStatement(
            activations: 4 * (buffers.count + saved), packedWeights: packed, scratch: max(scratch, 4 * largest),
            parameters: 4 * kept)
    }

    /// Where input `index` is to be written before `run()`, as a feature map.
    package func input(_ index: Int = 0) -> FeatureMap {
        let value = prepared.program.inputs[index]
        precondition(!prepared.program.planarInputs.contains(value), "input \(index) is read in planar order")
        return prepared.maps[value]
    }

    /// Where input `index` is to be written before `run()` in planar order (batch, channel, depth, height, width); nil
    /// where it is a feature map.
    package func planarInput(_ index: Int = 0) -> UnsafeMutablePointer<Float>? {
        let value = prepared.program.inputs[index]
        return prepared.program.planarInputs.contains(value) ? prepared.maps[value].base : nil
    }

    /// Where output `index` is found after `run()`, until the next one.
    package func output(_ index: Int = 0) -> FeatureMap { prepared.maps[outputs[index]] }

    /// Applies the network to what has been written to the inputs.
    package func run() {
        for step in 0..<prepared.program.forwardCount { prepared.forward(step, .inference) }
    }

    /// Applies the network.
    ///
    /// - Parameter inputs: one per input, (batch, channels, depth, height, width) or with the axes of size 1 left out.
    /// - Returns: one per output, of five axes.
    /// - Throws: `NetworkError.input` where number or size differ from the plan's.
    package func run(_ inputs: [Tensor]) throws -> [Tensor] {
        try prepared.fill(inputs)
        run()
        return outputs.map { prepared.maps[$0].tensor(threads: prepared.threads) }
    }
}

extension PreparedProgram {
    /// Writes the inputs to their places.
    func fill(_ inputs: [Tensor]) throws {
        guard inputs.count == program.inputs.count else {
            throw NetworkError.input("the network has \(program.inputs.count) inputs and is given \(inputs.count)")
        }
        for (n, (value, tensor)) in zip(program.inputs, inputs).enumerated() {
            let shape = program.shapes[value]
            let axes = [shape.batch, shape.channels, shape.size.depth, shape.size.height, shape.size.width]
            guard tensor.shape.filter({ $0 != 1 }) == axes.filter({ $0 != 1 }) else {
                throw NetworkError.input("input \(n) is prepared for \(axes) and is given \(tensor.shape)")
            }
            tensor.values.withUnsafeBufferPointer { source in
                if program.planarInputs.contains(value) {
                    maps[value].base.update(from: source.baseAddress!, count: source.count)
                } else {
                    maps[value].fill(fromPlanar: source.baseAddress!, threads: threads)
                }
            }
        }
    }
}
