import Kernels

/// A network made ready to learn from batches of one shape: forward pass, loss and backward pass with all feature maps
/// and gradients in one piece of memory, of which only that is kept which the backward pass reads.
///
/// One step: `gradient(_:…)` fills the gradient of the `ParameterStorage`, an `Optimiser` uses it.
package final class TrainingPlan {
    package let network: Network
    package let inputShapes: [FeatureShape]
    /// Of the outputs without synthetic samples.
    package let outputShapes: [FeatureShape]
    package let loss: Loss
    package let memory: MemoryStatement
    /// Whether it is learned from, or batches are only judged.
    let learns: Bool

    private let parameters: ParameterStorage
    private let prepared: PreparedProgram
    private let targetMaps: [Int: FeatureStorage]
    private var version: Int

    /// The memory a plan would take with its parameters, gradients and optimiser, without taking it.
    ///
    /// - Parameter moments: values per parameter that the optimiser keeps.
    package static func memory(
        for network: Network, loss: Loss, inputs: [FeatureShape], moments: Int, threads: Int
    ) throws -> MemoryStatement {
        let program = try Self.program(network, loss, inputs)
        return Self.statement(program, BufferPlan(program), network, loss, moments: moments, threads: threads)
    }

    /// - Parameters:
    ///   - inputGradients: whether `gradient(_:…)` also makes the gradients of the inputs: how the loss would change with
    ///     them.
    ///   - learns: whether it is learned from; false for batches that are only judged, which may be a single value.
    /// - Throws: `NetworkError.shape` where the network cannot take these inputs, `.training` where the loss does not
    ///   suit the network.
    package init(
        _ network: Network, loss: Loss, inputs: [FeatureShape], parameters: ParameterStorage, moments: Int = 2,
        inputGradients: Bool = false, learns: Bool = true, threads: Int
    ) throws {
        guard parameters.parameters == network.parameters else {
            throw NetworkError.weights("the weights are those of another network")
        }
        let program = try Self.program(network, loss, inputs, inputGradients: inputGradients, learns: learns)
        self.learns = learns
        let buffers = BufferPlan(program)
        let shapes = try network.shapes(for: inputs)
        let names = network.inputs.map(\.name) + network.nodes.map(\.name)
        outputShapes = network.outputs.map { name in shapes[names.firstIndex(of: name)!] }
        (self.network, self.loss, self.parameters, inputShapes) = (network, loss, parameters, inputs)
        memory = Self.statement(program, buffers, network, loss, moments: moments, threads: threads)
        prepared = try PreparedProgram(
            program, buffers, parameters: parameters.pointers, gradients: parameters.gradientPointers, threads: threads)
        version = parameters.version
        var targetMaps: [Int: FeatureStorage] = [:]
        for output in Self.outputsWithValues(loss) {
            targetMaps[output] = FeatureStorage(program.shapes[program.outputs[output]])
        }
        self.targetMaps = targetMaps
    }

    private static func program(
        _ network: Network, _ loss: Loss, _ inputs: [FeatureShape], inputGradients: Bool = false,
        learns: Bool = true
    ) throws -> Program {
        guard !loss.terms.isEmpty else { throw NetworkError.training("a training needs a loss of at least one term") }
        for term in loss.terms where !network.outputs.indices.contains(term.output) {
            throw NetworkError.training(
                "the loss looks at output \(term.output) of a network that has \(network.outputs.count)")
        }
        var (program, _) = try Program.forward(
            network, inputShapes: inputs, training: true, learns: learns)
        program.appendBackwardPass(from: Set(loss.terms.map(\.output)), inputGradients: inputGradients)
        program.readInputsAsGiven()
        return program
    }

    /// Outputs whose targets may be feature maps.
    private static func outputsWithValues(_ loss: Loss) -> Set<Int> {
        Set(
            loss.terms.compactMap { term in
                switch term.kind {
                case .crossEntropy, .focal: nil
                case .dice, .binaryCrossEntropy, .meanSquaredError: term.output
                }
            })
    }

    private static func statement(
        _ program: Program, _ buffers: BufferPlan, _ network: Network, _ loss: Loss, moments: Int, threads: Int
    ) -> MemoryStatement {
        let (packed, scratch) = program.workspaceBytes(threads: threads)
        let saved = program.savedCounts.reduce(0) { $0 + $1.count }
        let targets = outputsWithValues(loss).reduce(0) { $0 + program.shapes[program.outputs[$1]].storedCount }
        let counts = ParameterStorage.counts(network.parameters)
        return MemoryStatement(
            activations: 4 * (buffers.count + saved + targets), packedWeights: packed, scratch: scratch,
            parameters: 4 * (counts.all + (1 + moments) * counts.trainable))
    }

    // MARK: - Steps

    /// One forward and backward pass: the gradient of the loss in all parameters, and running statistics brought up to
    /// date.
    ///
    /// - Parameters:
    ///   - random, epoch, index: key of everything random in the step.
    /// - Throws: `NetworkError.input` where the batch does not fit, `.training` where the loss is not a number.
    @discardableResult
    package func gradient(_ batch: Batch, random: Philox, epoch: Int, index: Int) throws -> LossValue {
        precondition(learns, "a plan for judging batches learns from none")
        var training = PreparedProgram.Training(
            random: random, epoch: UInt32(truncatingIfNeeded: epoch), batch: UInt32(truncatingIfNeeded: index),
            isMinority: [], momentum: nil)
        try begin(batch)
        training.isMinority = try minority(batch)
        let value = try forward(batch, .training(training), differentiating: true)
        guard value.total.isFinite else { throw Self.explain(value, batch, epoch: epoch, index: index) }
        let program = prepared.program
        for step in program.forwardCount..<program.steps.count {
            if case .lossGradient = program.steps[step].operation { continue }
            prepared.backward(step, training)
        }
        return value
    }

    /// The loss of a batch as at inference: running statistics, nothing dropped, no synthetic samples. The outputs are
    /// found by `output(_:)` until the next step.
    package func evaluate(_ batch: Batch) throws -> LossValue {
        try begin(batch)
        return try forward(batch, .inference, differentiating: false)
    }

    /// Only brings running statistics up to date, with `momentum` as the share of this batch.
    package func updateStatistics(_ batch: Batch, momentum: Float, random: Philox, epoch: Int, index: Int) throws {
        try begin(batch)
        let training = PreparedProgram.Training(
            random: random, epoch: UInt32(truncatingIfNeeded: epoch), batch: UInt32(truncatingIfNeeded: index),
            isMinority: try minority(batch), momentum: momentum)
        for step in 0..<prepared.program.forwardCount { prepared.forward(step, .training(training)) }
    }

    /// An output of the last step, without synthetic samples.
    package func output(_ index: Int = 0) -> FeatureMap {
        let map = prepared.maps[prepared.program.outputs[index]]
        return map.images(outputShapes[index].batch)
    }

    /// The gradient of an input after `gradient(_:…)`, until the next step; nil where the loss does not depend on it, or
    /// where the plan was made without gradients of inputs.
    package func inputGradient(_ index: Int = 0) -> FeatureMap? {
        let gradients = prepared.program.inputGradients
        return gradients.indices.contains(index) ? gradients[index].map { prepared.maps[$0] } : nil
    }

    private func begin(_ batch: Batch) throws {
        for term in loss.terms {
            guard batch.targets.indices.contains(term.output) else {
                throw NetworkError.input(
                    "the loss looks at output \(term.output), and the batch has targets for \(batch.targets.count)")
            }
            try term.kind.check(batch.targets[term.output], outputShapes[term.output])
        }
        try prepared.fill(batch.inputs)
        if version != parameters.version {
            prepared.repack()
            version = parameters.version
        }
    }

    private func forward(_ batch: Batch, _ mode: PreparedProgram.Mode, differentiating: Bool) throws -> LossValue {
        let program = prepared.program
        for step in 0..<program.forwardCount { prepared.forward(step, mode) }
        var gradients: [Int: FeatureMap] = [:]
        if differentiating {
            for step in program.steps[program.forwardCount...] {
                if case .lossGradient(let output) = step.operation {
                    gradients[output] = prepared.maps[step.outputs[0]]
                }
            }
        }
        var value = LossValue(total: 0, terms: [])
        var seen: Set<Int> = []
        for term in loss.terms {
            let natural = outputShapes[term.output].batch
            let whole = prepared.maps[program.outputs[term.output]]
            let images = whole.shape.batch == natural ? natural : natural + prepared.mixtures.count
            let target = target(batch.targets[term.output], output: term.output, images: images)
            if let gradient = gradients[term.output], images < gradient.shape.batch {
                gradient.clear(from: images)
            }
            let part = term.kind.evaluate(
                whole.images(images), target, values: targetMaps[term.output]?.map(whole.shape).images(images),
                gradient: gradients[term.output]?.images(images), weight: term.weight,
                adding: !seen.insert(term.output).inserted, threads: prepared.threads)
            value.terms.append(part)
            value.total += term.weight * part
        }
        return value
    }

    /// The targets with those of synthetic samples, which are all of the minority, behind them; values also as a map.
    private func target(_ target: Target, output: Int, images: Int) -> Target {
        switch target {
        case .classes(let classes):
            let synthetic = images - outputShapes[output].batch
            return synthetic == 0 ? target : .classes(classes + [UInt8](repeating: 1, count: synthetic))
        case .values(let tensor):
            let shape = prepared.maps[prepared.program.outputs[output]].shape
            let map = targetMaps[output]!.map(shape)
            let natural = map.images(outputShapes[output].batch)
            tensor.values.withUnsafeBufferPointer { natural.fill(fromPlanar: $0.baseAddress!) }
            for image in natural.shape.batch..<max(images, natural.shape.batch) {
                for channel in 0..<shape.channels {
                    map.block(channel / FeatureShape.lanes, image: image)[channel % FeatureShape.lanes] = 1
                }
            }
            return target
        }
    }

    /// Which samples are of the rare class, for networks that multiply them; their target is 1.
    private func minority(_ batch: Batch) throws -> [Bool] {
        let program = prepared.program
        let grown = program.outputs.indices.first {
            program.shapes[program.outputs[$0]].batch != outputShapes[$0].batch
        }
        guard let grown else { return [] }
        guard batch.targets.indices.contains(grown) else {
            throw NetworkError.input("synthetic samples need the targets of output \(grown), and the batch has none")
        }
        let isMinority =
            switch batch.targets[grown] {
            case .classes(let classes): classes.map { $0 == 1 }
            case .values(let tensor): tensor.values.map { $0 > 0.5 }
            }
        guard isMinority.count == outputShapes[grown].batch else {
            throw NetworkError.input(
                "synthetic samples need one target per image, and there are \(isMinority.count) for "
                    + "\(outputShapes[grown].batch)")
        }
        return isMinority
    }

    private static func explain(_ value: LossValue, _ batch: Batch, epoch: Int, index: Int) -> NetworkError {
        let place = "batch \(index + 1) of epoch \(epoch + 1)"
        for (n, input) in batch.inputs.enumerated() where input.values.contains(where: { !$0.isFinite }) {
            return .input("input \(n) of \(place) has values that are no finite numbers")
        }
        return .training(
            "the loss is \(value.total) in \(place) although its inputs are finite: lower the learning rate, "
                + "or clip the gradient")
    }
}

extension FeatureMap {
    /// The first `count` images of the batch.
    func images(_ count: Int) -> FeatureMap {
        var part = shape
        part.batch = count
        return FeatureMap(shape: part, base: base, imageStride: imageStride)
    }

    /// Zeros in the images from `first` on.
    func clear(from first: Int) {
        for image in first..<shape.batch { block(0, image: image).update(repeating: 0, count: shape.imageStride) }
    }
}
