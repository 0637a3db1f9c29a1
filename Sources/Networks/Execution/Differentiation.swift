import Kernels

extension Program {
    /// Appends the loss and the backward pass to a forward pass: for every layer, in reverse order, the gradients of its
    /// parameters and of those of its inputs that depend on parameters.
    ///
    /// - Parameters:
    ///   - lossOutputs: outputs of the network that the loss looks at.
    ///   - inputGradients: whether the inputs have gradients, as parameters do.
    mutating func appendBackwardPass(from lossOutputs: Set<Int>, inputGradients wantsInputs: Bool = false) {
        var gradients = Gradients(self, ofInputs: wantsInputs)
        // All of them before any is added to another: the loss writes them all at once.
        let seeds = outputs.enumerated().filter { lossOutputs.contains($0.offset) }.map { n, output in
            (output, add("loss", .lossGradient(output: n), [output], shapes[output]))
        }
        for (output, gradient) in seeds { gradients.contribute(gradient, to: output, in: &self) }
        // Results are kept until all losses are computed: metrics are computed after a forward pass only.
        outputsLastRead = steps.count - 1
        for index in (0..<forwardCount).reversed() {
            let step = steps[index]
            guard let y = step.outputs.first, let dy = gradients.of[y] else { continue }
            differentiate(step, y: y, dy: dy, &gradients)
        }
        if wantsInputs { inputGradients = inputs.map { gradients.of[$0] } }
    }

    private mutating func differentiate(_ step: Step, y: Int, dy: Int, _ gradients: inout Gradients) {
        let x = step.inputs[0]
        let name = step.name
        /// Appends a step that makes the gradient of x.
        func give(_ operation: Operation, _ inputs: [Int], _ program: inout Program) {
            guard gradients.isWanted[x] else { return }
            let dx = program.add(name, operation, inputs, program.shapes[x])
            gradients.contribute(dx, to: x, in: &program)
        }
        func beforeEpilogue(_ epilogue: Epilogue, _ program: inout Program) -> Int {
            guard epilogue != .none else { return dy }
            let signs = gradients.signs(of: y, program)
            return program.add(name, .epilogueBackward(epilogue), [signs, dy], program.shapes[y])
        }
        func parameters(_ operation: Operation, _ inputs: [Int], _ program: inout Program) {
            program.steps.append(Step(name: name, operation: operation, inputs: inputs, outputs: []))
        }

        switch step.operation {
        case .convolution(let geometry, let weight, let bias, let epilogue):
            let dz = beforeEpilogue(epilogue, &self)
            parameters(.convolutionWeightGradient(geometry, weight: weight, bias: bias), [x, dz], &self)
            give(.convolutionInputGradient(geometry, weight: weight), [dz], &self)
        case .transposedConvolution(let geometry, let weight, let bias, let epilogue):
            let dz = beforeEpilogue(epilogue, &self)
            parameters(.transposedConvolutionWeightGradient(geometry, weight: weight, bias: bias), [x, dz], &self)
            give(.transposedConvolutionInputGradient(geometry, weight: weight), [dz], &self)
        case .normalisation(let normalisation):
            // Even where x has no use for its gradient, scale and shift have.
            let dx = add(name, .normalisationBackward(normalisation), [x, dy], shapes[x])
            if gradients.isWanted[x] { gradients.contribute(dx, to: x, in: &self) }
        case .activation(let function):
            let kept = function.needsInput ? x : function.needsSignsOnly ? gradients.signs(of: y, self) : y
            give(.activationBackward(function), [kept, dy], &self)
        case .prelu(let slope, let slopes):
            let dx = add(name, .preluBackward(slope: slope, slopes: slopes), [x, dy], shapes[x])
            if gradients.isWanted[x] { gradients.contribute(dx, to: x, in: &self) }
        case .pooling(let settings):
            switch settings.kind {
            case .max: give(.maxPoolingBackward(settings), [x, y, dy], &self)
            case .average: give(.averagePoolingBackward(settings), [dy], &self)
            }
        case .globalAveragePooling: give(.globalAveragePoolingBackward, [dy], &self)
        case .globalMaxPooling: give(.globalMaxPoolingBackward, [x, y, dy], &self)
        case .upsampling(let settings): give(.upsamplingBackward(settings), [dy], &self)
        case .dropout(let probability, let wholeChannels, let site):
            give(.dropoutBackward(probability: probability, wholeChannels: wholeChannels, site: site), [dy], &self)
        case .softmax: give(.softmaxBackward, [y, dy], &self)
        case .slicesToBatch: give(.slicesToBatchBackward, [dy], &self)
        case .batchToSequence: give(.batchToSequenceBackward, [dy], &self)
        case .lstm(let hidden, let weights, let site):
            let dx = add(name, .lstmBackward(hidden: hidden, parameters: weights, site: site), [x, dy], shapes[x])
            if gradients.isWanted[x] { gradients.contribute(dx, to: x, in: &self) }
        case .deepSMOTE(let settings): give(.deepSMOTEBackward(settings), [dy], &self)
        case .centreCrop(let divisor): give(.centreCropBackward(divisor), [dy], &self)
        case .concatenation:
            var channel = 0
            for part in step.inputs {
                if gradients.isWanted[part] {
                    let gradient = add(name, .slice(first: channel), [dy], shapes[part])
                    gradients.contribute(gradient, to: part, in: &self)
                }
                channel += shapes[part].channels
            }
        case .addition(let epilogue):
            let dz = beforeEpilogue(epilogue, &self)
            for part in step.inputs where gradients.isWanted[part] { gradients.contribute(dz, to: part, in: &self) }
        case .multiplication:
            let (a, b) = (step.inputs[0], step.inputs[1])
            let (da, db) = (value(shapes[a]), value(shapes[b]))
            steps.append(
                Step(name: name, operation: .multiplicationBackward, inputs: [a, b, dy], outputs: [da, db]))
            if gradients.isWanted[a] { gradients.contribute(da, to: a, in: &self) }
            if gradients.isWanted[b] { gradients.contribute(db, to: b, in: &self) }
        default: preconditionFailure("\(name): a step of the backward pass among those of the forward pass")
        }
    }

    /// The gradients made so far.
    private struct Gradients {
        /// Of every value of the forward pass that has one: the value that is its gradient.
        private(set) var of: [Int: Int] = [:]
        /// Whether a value depends on parameters, or on inputs where those have gradients.
        let isWanted: [Bool]
        private let readers: [[Int]]

        init(_ program: Program, ofInputs: Bool) {
            var isWanted = [Bool](repeating: false, count: program.shapes.count)
            if ofInputs { for input in program.inputs { isWanted[input] = true } }
            var readers = [[Int]](repeating: [], count: program.shapes.count)
            for (s, step) in program.steps.enumerated() {
                let depends = step.operation.hasParameters || step.inputs.contains { isWanted[$0] }
                for output in step.outputs { isWanted[output] = depends }
                for input in step.inputs { readers[input].append(s) }
            }
            for output in program.outputs { readers[output].append(-1) }
            (self.isWanted, self.readers) = (isWanted, readers)
        }

        /// Values read by several layers have the sum of what comes back from each.
        mutating func contribute(_ gradient: Int, to value: Int, in program: inout Program) {
            guard let before = of[value] else {
                of[value] = gradient
                return
            }
            of[value] = program.add(
                "gradient", .addition(epilogue: .none), [before, gradient], program.shapes[value])
        }

        /// A value whose signs tell what a ReLU let through. Where only dropout reads y, that is dropout's result: what
        /// it keeps has the same sign, and what it drops has no gradient. Dropout can then work in place.
        func signs(of y: Int, _ program: Program) -> Int {
            guard readers[y].count == 1, let reader = readers[y].first, reader >= 0 else { return y }
            guard case .dropout = program.steps[reader].operation else { return y }
            return program.steps[reader].outputs[0]
        }
    }
}

extension Activation {
    fileprivate var needsSignsOnly: Bool {
        switch self {
        case .relu, .leakyRelu: true
        default: false
        }
    }
}

extension Operation {
    fileprivate var hasParameters: Bool {
        switch self {
        case .convolution, .transposedConvolution, .prelu, .lstm: true
        case .normalisation(let step): step.scale != nil
        default: false
        }
    }
}
