import Kernels

/// Sizes: what every layer makes of inputs of a given batch and size, and what sizes it can take.
extension Network {
    /// The shape of every value, inputs first and then nodes, in order.
    ///
    /// - Parameter inputShapes: one per input; slices have depth 1, vectors the size 1×1×1.
    /// - Parameters:
    ///   - training: layers that act in training only (DeepSMOTE) count.
    ///   - learns: in training, whether statistics are taken of the batch, which have to be of more than one value.
    /// - Throws: `NetworkError.shape` naming the first layer that cannot take its size, with a size near to it that fits.
    package func shapes(
        for inputShapes: [FeatureShape], training: Bool = false, learns: Bool = true
    ) throws -> [FeatureShape] {
        guard inputShapes.count == inputs.count else {
            throw NetworkError.input("the network has \(inputs.count) inputs and is given \(inputShapes.count)")
        }
        for (input, shape) in zip(inputs, inputShapes) {
            try input.check(shape)
            do { try LayerBounds.checkMap(shape) } catch {
                throw NetworkError.shape(layer: input.name, problem: error.problem)
            }
        }
        guard Set(inputShapes.map(\.batch)).count == 1 else {
            throw NetworkError.input("the inputs have different batch sizes: \(inputShapes.map(\.batch))")
        }
        switch infer(inputShapes, training: training, learns: learns) {
        case .success(let shapes): return shapes
        case .failure(let failure):
            let advice = nearestFit(to: inputShapes, training: training).map { "; inputs of \($0) would fit" } ?? ""
            throw NetworkError.shape(layer: failure.layer, problem: failure.problem + advice)
        }
    }

    private struct Failure: Error {
        let layer: String
        let problem: String
    }

    private func infer(
        _ inputShapes: [FeatureShape], training: Bool, learns: Bool = true
    ) -> Result<[FeatureShape], Failure> {
        var shapes = inputShapes
        var index: [String: Int] = [:]
        for (n, input) in inputs.enumerated() { index[input.name] = n }
        let batch = inputShapes[0].batch
        for (input, shape) in zip(inputs, inputShapes) {
            do {
                try LayerBounds.checkMap(shape)
            } catch {
                return .failure(Failure(layer: input.name, problem: error.problem))
            }
        }
        for node in nodes {
            do {
                let given = node.inputs.map { shapes[index[$0]!] }
                let shape = try node.layer.shape(
                    of: given, batch: batch, training: training, learns: learns)
                try LayerBounds.checkMap(shape)
                shapes.append(shape)
            } catch {
                return .failure(Failure(layer: node.name, problem: error.problem))
            }
            index[node.name] = shapes.count - 1
        }
        return .success(shapes)
    }

    /// Every axis of the inputs divisible by this passes all poolings and comes back to its size: the least common
    /// multiple of the reductions along all paths.
    package var sizeDivisor: Extent3 {
        var reductions: [String: [Int]] = [:]
        for input in inputs { reductions[input.name] = [1, 1, 1] }
        var largest = [1, 1, 1]
        for node in nodes {
            var reduction =
                node.inputs.compactMap { reductions[$0] }.max { $0.reduce(1, *) < $1.reduce(1, *) }
                ?? [1, 1, 1]
            let (down, up) = node.layer.scales
            // Beyond the bound no size fits anyway; there it stays, so that nothing overflows.
            for axis in 0..<3 {
                reduction[axis] = min(LayerBounds.edge, max(1, reduction[axis] * down[axis] / up[axis]))
            }
            reductions[node.name] = reduction
            for axis in 0..<3 {
                largest[axis] = min(LayerBounds.edge, largest[axis].leastCommonMultiple(reduction[axis]))
            }
        }
        return Extent3(largest[0], largest[1], largest[2])
    }

    /// Sizes at least as large as those given that all layers take, or nil where a few tries find none.
    private func nearestFit(to shapes: [FeatureShape], training: Bool) -> String? {
        let divisor = sizeDivisor
        for extra in 0..<8 {
            let candidate = zip(inputs, shapes).map { input, shape in
                guard input.rank > 0 else { return shape }
                func up(_ n: Int, _ d: Int) -> Int { ((n + d - 1) / d + extra) * d }
                let depth = input.rank == 3 ? up(shape.size.depth, divisor.depth) : 1
                let size = Extent3(depth, up(shape.size.height, divisor.height), up(shape.size.width, divisor.width))
                return FeatureShape(batch: shape.batch, channels: shape.channels, size: size)
            }
            guard candidate.allSatisfy(LayerBounds.isPossible) else { return nil }
            if case .success = infer(candidate, training: training) {
                return zip(inputs, candidate).filter { $0.0.rank > 0 }.map { "\($0.1.size)" }.joined(separator: ", ")
            }
        }
        return nil
    }
}

extension Network.Input {
    fileprivate func check(_ shape: FeatureShape) throws {
        guard shape.channels == channels else {
            throw NetworkError.shape(
                layer: name, problem: "expects \(channels) channels and is given \(shape.channels)")
        }
        let size = shape.size
        guard shape.batch > 0, min(size.depth, size.height, size.width) > 0 else {
            throw NetworkError.shape(layer: name, problem: "is given nothing: \(shape)")
        }
        guard rank == 3 || size.depth == 1, rank > 0 || size == .one else {
            throw NetworkError.shape(
                layer: name, problem: "expects a \(ValueKind.name(rank: rank)) and is given the size \(size)")
        }
    }
}

extension Layer {
    /// - Parameter batch: images of the network's inputs, which `batchToSequence` goes back to.
    fileprivate func shape(
        of inputs: [FeatureShape], batch: Int, training: Bool, learns: Bool
    ) throws(LayerProblem) -> FeatureShape {
        var result = inputs[0]
        let size = result.size
        switch self {
        case .convolution(let geometry, _):
            guard let output = geometry.outputSize(size) else {
                throw LayerProblem("the kernel \(geometry.kernel) does not fit into the size \(size)")
            }
            (result.channels, result.size) = (geometry.outputChannels, output)
        case .transposedConvolution(let geometry, _):
            guard let output = geometry.outputSize(size) else {
                throw LayerProblem("nothing is left of the size \(size) with the padding \(geometry.padding)")
            }
            (result.channels, result.size) = (geometry.outputChannels, output)
        case .linear(_, let outputs, _): result.channels = outputs
        case .pooling(let settings):
            guard let output = settings.outputSize(size) else {
                throw LayerProblem("the window \(settings.kernel) does not fit into the size \(size)")
            }
            result.size = output
        case .upsampling(let settings): result.size = size * settings.scale
        case .globalAveragePooling, .globalMaxPooling: result.size = .one
        case .multiplication where inputs[1] == FeatureShape(batch: result.batch, channels: result.channels, size: .one):
            break
        case .concatenation, .addition, .multiplication:
            for other in inputs where other.size != size || other.batch != result.batch {
                throw LayerProblem("joins maps of \(size) and \(other.size)")
            }
            if case .concatenation = self { result.channels = inputs.reduce(0) { $0 + $1.channels } }
        case .slicesToBatch:
            result.batch *= size.depth
            result.size.depth = 1
        case .batchToSequence:
            guard result.batch % batch == 0 else {
                throw LayerProblem("\(result.batch) vectors are not as many for each of \(batch) images")
            }
            result.size = Extent3(1, 1, result.batch / batch)
            result.batch = batch
        case .bidirectionalLSTM(_, let hidden): result.channels = 2 * hidden
        case .deepSMOTE(let neighbours, let includesSelf):
            // Room for as many as there can be: every sample of the batch of the minority.
            if training { result.batch *= 1 + DeepSMOTE.samplesPerRow(neighbours, includesSelf) }
        case .centreCrop(let divisor):
            let inner = Extent3(
                size.depth / divisor.depth, size.height / divisor.height, size.width / divisor.width)
            guard inner * divisor == size, (size.depth - inner.depth) % 2 == 0,
                (size.height - inner.height) % 2 == 0, (size.width - inner.width) % 2 == 0
            else { throw LayerProblem("the size \(size) has no centre that is \(divisor) times smaller") }
            result.size = inner
        case .normalisation(let settings):
            if training, learns, settings.kind == .batch, result.batch * result.positions < 2 {
                throw LayerProblem("one value per channel has no variance to train with; give a larger batch")
            }
            if settings.kind == .instance, result.positions < 2 {
                throw LayerProblem("one position per channel has no variance; give a larger size")
            }
        case .activation, .prelu, .dropout, .softmax: break
        }
        return result
    }

    /// By how much the layer divides and multiplies the sizes along depth, height and width.
    fileprivate var scales: (down: [Int], up: [Int]) {
        switch self {
        case .convolution(let geometry, _): (geometry.stride.axes, [1, 1, 1])
        case .transposedConvolution(let geometry, _): ([1, 1, 1], geometry.stride.axes)
        case .pooling(let settings): (settings.stride.axes, [1, 1, 1])
        case .upsampling(let settings): ([1, 1, 1], settings.scale.axes)
        case .centreCrop(let divisor): (divisor.axes, [1, 1, 1])
        default: ([1, 1, 1], [1, 1, 1])
        }
    }
}

extension Extent3 {
    fileprivate var axes: [Int] { [depth, height, width] }

    static func * (a: Extent3, b: Extent3) -> Extent3 {
        Extent3(a.depth * b.depth, a.height * b.height, a.width * b.width)
    }
}

extension Int {
    fileprivate func leastCommonMultiple(_ other: Int) -> Int {
        var (a, b) = (self, other)
        while b != 0 { (a, b) = (b, a % b) }
        return self / a * other
    }
}
