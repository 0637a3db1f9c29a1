import Kernels

/// A program with its memory: where values and parameters are, convolutions prepared. Knows how to run any step; which
/// ones run, and in what mode, the plans decide.
final class PreparedProgram {
    let program: Program
    let maps: [FeatureMap]
    /// Where each parameter is; nil for those that only exist packed.
    let parameters: [UnsafeMutablePointer<Float>?]
    /// Where the gradient of each parameter goes; empty at inference.
    let gradients: [UnsafeMutablePointer<Float>?]
    let threads: Int

    private let buffers: BufferPlan
    private let arena: FeatureStorage
    private let savedStorage: FeatureStorage
    private let saved: [Int: Int]
    /// By step.
    private var convolutions: [Int: Convolution] = [:]
    private var transposedConvolutions: [Int: TransposedConvolution] = [:]
    /// Synthetic samples of the current batch, by the step that appended them.
    private(set) var mixtures: [DeepSMOTE.Mixture] = []

    /// What differs between the uses of a forward pass.
    enum Mode {
        /// Running statistics, nothing dropped.
        case inference
        /// Statistics of the batch, random numbers of this place in the training.
        case training(Training)
    }

    struct Training {
        var random: Philox
        var epoch: UInt32
        var batch: UInt32
        /// Which samples DeepSMOTE multiplies.
        var isMinority: [Bool]
        /// Share of this batch in the running statistics; nil for that of each layer.
        var momentum: Float?
    }

    /// - Parameters:
    ///   - tensor: the values of a parameter that is nil in `parameters`, by its place.
    ///   - rowFactors: by parameter, factors of the equally long rows of its tensor.
    /// - Throws: what `tensor` throws.
    init(
        _ program: Program, _ buffers: BufferPlan, parameters: [UnsafeMutablePointer<Float>?],
        gradients: [UnsafeMutablePointer<Float>?], tensor: ((Int) throws -> Tensor)? = nil,
        rowFactors: [Int: [Double]] = [:], threads: Int
    ) throws {
        (self.program, self.buffers, self.threads) = (program, buffers, threads)
        (self.parameters, self.gradients) = (parameters, gradients)
        arena = FeatureStorage(count: buffers.count)
        maps = buffers.maps(of: program, in: arena.base)
        let sizes = program.savedCounts
        savedStorage = FeatureStorage(count: sizes.reduce(0) { $0 + $1.count })
        var saved: [Int: Int] = [:]
        var offset = 0
        for size in sizes {
            saved[size.site] = offset
            offset += size.count
        }
        self.saved = saved
        for (s, step) in program.steps.enumerated() { try prepare(s, step, tensor, rowFactors) }
    }

    private func prepare(
        _ index: Int, _ step: Program.Step, _ tensor: ((Int) throws -> Tensor)?, _ rowFactors: [Int: [Double]]
    ) throws {
        switch step.operation {
        case .convolution(let geometry, let w, let b, let epilogue):
            try withValues(w, tensor, rowFactors[w]) { weight in
                try withOptionalValues(b, tensor) { bias in
                    convolutions[index] = Convolution(
                        geometry, input: program.shapes[step.inputs[0]], weight: weight, bias: bias,
                        epilogue: epilogue, planarInput: program.planarInputs.contains(step.inputs[0]),
                        isTrained: program.isTrained, threads: threads)
                }
            }
        case .transposedConvolution(let geometry, let w, let b, let epilogue):
            try withValues(w, tensor, rowFactors[w]) { weight in
                try withOptionalValues(b, tensor) { bias in
                    transposedConvolutions[index] = TransposedConvolution(
                        geometry, input: program.shapes[step.inputs[0]], weight: weight, bias: bias,
                        epilogue: epilogue, threads: threads)
                }
            }
        default: break
        }
    }

    /// Hands on a parameter to be packed: from where it is, or read for as long as `body` takes.
    private func withValues(
        _ parameter: Int, _ tensor: ((Int) throws -> Tensor)?, _ rowFactors: [Double]? = nil,
        _ body: (UnsafePointer<Float>) throws -> Void
    ) throws {
        if let pointer = parameters[parameter] { return try body(pointer) }
        guard let tensor else { preconditionFailure("parameter \(parameter) is nowhere") }
        var values = try tensor(parameter).values
        if let rowFactors { scaleRows(&values, by: rowFactors) }
        try values.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("parameter \(parameter) is empty") }
            try body(base)
        }
    }

    private func withOptionalValues(
        _ parameter: Int?, _ tensor: ((Int) throws -> Tensor)?, _ body: (UnsafePointer<Float>?) throws -> Void
    ) throws {
        guard let parameter else { return try body(nil) }
        try withValues(parameter, tensor) { try body($0) }
    }

    private func scaleRows(_ values: inout [Float], by factors: [Double]) {
        let length = values.count / factors.count
        values.withUnsafeMutableBufferPointer { buffer in
            // Rows are disjoint.
            nonisolated(unsafe) let base = buffer.baseAddress!
            Parallel.forEach(factors.count, threads: threads) { row in
                for n in row * length..<(row + 1) * length { base[n] = Float(Double(base[n]) * factors[row]) }
            }
        }
    }

    /// Packs the convolutions' weights anew after the parameters have changed.
    func repack() {
        for (s, step) in program.steps.enumerated() {
            switch step.operation {
            case .convolution(_, let w, let b, _):
                convolutions[s]!.repack(weight: parameters[w]!, bias: b.map { parameters[$0]! }, threads: threads)
            case .transposedConvolution(_, let w, let b, _):
                transposedConvolutions[s]!.repack(
                    weight: parameters[w]!, bias: b.map { parameters[$0]! }, threads: threads)
            default: break
            }
        }
    }

    func saved(_ site: Int) -> UnsafeMutablePointer<Float> { savedStorage.base + saved[site]! }

    /// Runs one step of the forward pass.
    func forward(_ index: Int, _ mode: Mode) {
        let step = program.steps[index]
        let x = maps[step.inputs[0]]
        let y = maps[step.outputs[0]]
        switch step.operation {
        case .convolution:
            if program.planarInputs.contains(step.inputs[0]) {
                convolutions[index]!.apply(planar: x.base, to: y, threads: threads)
            } else {
                convolutions[index]!.apply(x, to: y, threads: threads)
            }
        case .transposedConvolution: transposedConvolutions[index]!.apply(x, to: y, threads: threads)
        case .normalisation(let normalisation): normalise(normalisation, x, y, mode)
        case .activation(let function): function.forward(x, to: y, threads: threads)
        case .prelu(let slope, let slopes):
            PReLU.forward(x, slope: parameters[slope]!, slopes: slopes, to: y, threads: threads)
        case .pooling(let settings): settings.forward(x, to: y, threads: threads)
        case .globalAveragePooling: GlobalAveragePooling.forward(x, to: y, threads: threads)
        case .globalMaxPooling: GlobalMaxPooling.forward(x, to: y, threads: threads)
        case .upsampling(let settings): settings.forward(x, to: y, threads: threads)
        case .dropout(let probability, let wholeChannels, let site):
            guard case .training(let training) = mode else { return copy(x, to: y) }
            Dropout(probability: probability, channelwise: wholeChannels).forward(
                x, to: y, random: training.random, place: (training.epoch, training.batch, site), threads: threads)
        case .softmax: Softmax.probabilities.forward(x, to: y, threads: threads)
        case .slicesToBatch: Reordering.volumesToSlices(x, to: y, threads: threads)
        case .batchToSequence: Reordering.vectorsToSequences(x, to: y, threads: threads)
        case .lstm(let hidden, let weights, let site):
            BidirectionalLSTM(inputs: x.shape.channels, hidden: hidden).forward(
                x, directions(weights), to: y, saved: saved(site), threads: threads)
        case .deepSMOTE(let settings):
            mixtures = []
            if case .training(let training) = mode {
                mixtures = settings.mixtures(
                    x, isMinority: training.isMinority, random: training.random,
                    place: (training.epoch, training.batch))
            }
            DeepSMOTE.forward(x, mixtures, to: y)
        case .centreCrop: CentreCrop.forward(x, to: y, threads: threads)
        case .slice(let first): copyChannels(of: x, from: first, value: step.inputs[0], to: step.outputs[0])
        case .concatenation: join(step.inputs, to: step.outputs[0])
        case .addition(let epilogue):
            // The summand that lies where the sum goes has to come first.
            let parts = step.inputs.map { maps[$0] }
            let order = parts.filter { $0.base == y.base } + parts.filter { $0.base != y.base }
            Addition.forward(order, to: y, activation: epilogue, threads: threads)
        case .multiplication: Multiplication.forward(x, maps[step.inputs[1]], to: y, threads: threads)
        default: preconditionFailure("\(step.name): not a step of the forward pass")
        }
    }

    private func normalise(_ step: NormalisationStep, _ x: FeatureMap, _ y: FeatureMap, _ mode: Mode) {
        let settings = step.settings
        let layer = settings.layer
        let (scale, shift) = (step.scale.map { parameters[$0]! }, step.shift.map { parameters[$0]! })
        let running = step.mean.map { mean in
            var momentum = settings.momentum
            if case .training(let training) = mode, let own = training.momentum { momentum = own }
            return Normalisation.Running(
                mean: parameters[mean]!, variance: parameters[step.variance!]!, momentum: momentum)
        }
        switch mode {
        case .inference:
            layer.inferForward(
                x, running: running, scale: scale, shift: shift, to: y, activation: step.epilogue, threads: threads)
        case .training:
            layer.trainForward(
                x, scale: scale, shift: shift, to: y, saved: saved(step.site), running: running,
                activation: step.epilogue, threads: threads)
        }
    }

    func directions(_ weights: [Int]) -> (BidirectionalLSTM.Direction, BidirectionalLSTM.Direction) {
        func direction(_ first: Int) -> BidirectionalLSTM.Direction {
            BidirectionalLSTM.Direction(
                inputWeight: parameters[weights[first]]!, hiddenWeight: parameters[weights[first + 1]]!,
                inputBias: parameters[weights[first + 2]]!, hiddenBias: parameters[weights[first + 3]]!)
        }
        return (direction(0), direction(4))
    }

    /// Copies those parts that are not where they belong already.
    private func join(_ parts: [Int], to whole: Int) {
        guard BufferPlan.isAligned(parts.map { program.shapes[$0].channels }) else {
            return Concatenation.forward(parts.map { maps[$0] }, to: maps[whole], threads: threads)
        }
        var channel = 0
        for part in parts {
            let map = maps[part]
            if !buffers.isWithin(part, whole, channel: channel) {
                copy(map, to: maps[whole].channels(from: channel, count: map.shape.channels))
            }
            channel += map.shape.channels
        }
    }

    private func copyChannels(of x: FeatureMap, from first: Int, value: Int, to output: Int) {
        if buffers.isWithin(output, value, channel: first) { return }
        ChannelCopy.copy(of: x, from: first, to: maps[output], threads: threads)
    }

    func copy(_ x: FeatureMap, to y: FeatureMap) {
        if x.base == y.base { return }
        Addition.forward([x], to: y, threads: threads)
    }
}

extension NormalisationSettings {
    var layer: Normalisation {
        switch kind {
        case .batch: Normalisation(.batch, epsilon: epsilon)
        case .instance: Normalisation(.instance, epsilon: epsilon)
        case .group(let groups): Normalisation(.group(groups), epsilon: epsilon)
        }
    }
}

extension Program {
    /// Values that layers keep from the forward to the backward pass besides feature maps, by site.
    var savedCounts: [(site: Int, count: Int)] {
        steps[..<forwardCount].compactMap { step in
            let shape = shapes[step.inputs[0]]
            let (site, count): (Int, Int)
            switch step.operation {
            case .normalisation(let normalisation):
                (site, count) = (normalisation.site, normalisation.settings.layer.savedCount(for: shape))
            case .lstm(let hidden, _, let place):
                let layer = BidirectionalLSTM(inputs: shape.channels, hidden: hidden)
                (site, count) = (place, layer.savedCount(for: shape))
            default: return nil
            }
            return (site, (count + 15) / 16 * 16)
        }
    }

    /// Bytes of the packed weights of all convolutions, and of the largest scratch any step needs.
    func workspaceBytes(threads: Int) -> (packed: Int, scratch: Int) {
        var (packed, scratch) = (0, 0)
        for step in steps {
            let input = shapes[step.inputs[0]]
            switch step.operation {
            case .convolution(let geometry, _, _, _):
                let weights = Convolution.workspaceBytes(geometry, input: input, isTrained: isTrained, threads: 0)
                packed += weights
                let all = Convolution.workspaceBytes(geometry, input: input, isTrained: isTrained, threads: threads)
                scratch = max(scratch, all - weights)
            case .transposedConvolution(let geometry, _, _, _):
                let weights = TransposedConvolution.workspaceBytes(geometry, input: input, threads: 0)
                packed += weights
                let all = TransposedConvolution.workspaceBytes(geometry, input: input, threads: threads)
                scratch = max(scratch, all - weights)
            case .convolutionWeightGradient(let geometry, _, _):
                scratch = max(scratch, ConvolutionGradient.workspaceBytes(geometry, input: input, threads: threads))
            case .transposedConvolutionWeightGradient(let geometry, _, _):
                // The convolution that goes the other way round, from what the layer makes to what it reads.
                let mirrored = ConvolutionGeometry(
                    inputChannels: geometry.outputChannels, outputChannels: geometry.inputChannels,
                    kernel: geometry.kernel, stride: geometry.stride, padding: geometry.padding,
                    dilation: geometry.dilation, groups: geometry.groups)
                let output = shapes[step.inputs[1]]
                scratch = max(scratch, ConvolutionGradient.workspaceBytes(mirrored, input: output, threads: threads))
            default: continue
            }
        }
        return (packed, scratch)
    }
}
