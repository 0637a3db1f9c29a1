import Kernels

/// How parameters follow their gradients, with PyTorch's formulas.
package enum Optimiser: Hashable, Sendable, Codable {
    /// Stochastic gradient descent; the decay is added to the gradient.
    case sgd(momentum: Float = 0, nesterov: Bool = false, weightDecay: Float = 0)
    /// Kingma and Ba 2015; the decay is added to the gradient.
    case adam(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0)
    /// Loshchilov and Hutter 2019; the decay acts on the parameters themselves.
    case adamW(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01)

    /// Values kept per parameter.
    package var momentCount: Int {
        switch self {
        case .sgd(let momentum, _, _): momentum == 0 ? 0 : 1
        case .adam, .adamW: 2
        }
    }

    func check() throws {
        switch self {
        case .sgd(let momentum, let nesterov, let weightDecay):
            guard momentum >= 0, momentum < 1, weightDecay >= 0, !nesterov || momentum > 0 else {
                throw NetworkError.training(
                    "SGD takes a momentum in 0 ..< 1 (more than 0 for Nesterov's) and a decay of at least 0")
            }
        case .adam(let beta1, let beta2, let epsilon, let weightDecay),
            .adamW(let beta1, let beta2, let epsilon, let weightDecay):
            guard (0..<1).contains(beta1), (0..<1).contains(beta2), epsilon > 0, weightDecay >= 0 else {
                throw NetworkError.training(
                    "Adam takes betas in 0 ..< 1, an epsilon of more than 0 and a decay of at least 0")
            }
        }
    }
}

/// An optimiser with its moments.
package final class OptimiserState {
    package let optimiser: Optimiser
    /// Updates made.
    package internal(set) var step = 0
    /// Laid out as the parameters are.
    let moments: [FeatureStorage]
    private let parameters: ParameterStorage

    package init(_ optimiser: Optimiser, _ parameters: ParameterStorage) {
        (self.optimiser, self.parameters) = (optimiser, parameters)
        moments = (0..<optimiser.momentCount).map { _ in FeatureStorage(count: parameters.trainableCount) }
    }

    /// Values per piece of work.
    private static let piece = 1 << 16

    /// The Euclidean norm of the whole gradient.
    package func gradientNorm(threads: Int) -> Double {
        let (gradient, count) = (parameters.gradient, parameters.trainableCount)
        let pieces = (count + Self.piece - 1) / Self.piece
        let sums = Parallel.map(pieces, threads: threads) { piece in
            let range = piece * Self.piece..<min(count, (piece + 1) * Self.piece)
            var lanes = SIMD8<Double>()
            for n in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
                let values = UnsafeRawPointer(gradient + n).loadUnaligned(as: SIMD8<Float>.self)
                let wide = SIMD8<Double>(values)
                lanes += wide * wide
            }
            return lanes.sum()
        }
        return sums.reduce(0, +).squareRoot()
    }

    /// One update from the gradient.
    ///
    /// - Parameters:
    ///   - scale: multiplies the gradient first.
    ///   - learningRate: of this update.
    package func update(learningRate: Double, scale: Float = 1, threads: Int) {
        step += 1
        let (w, g) = (parameters.values, parameters.gradient)
        Parallel.forRanges(parameters.trainableCount, piece: Self.piece, threads: threads) { range in
            switch optimiser {
            case .sgd(let momentum, let nesterov, let decay):
                let rate = Float(learningRate)
                guard let buffer = moments.first?.base else {
                    for n in range { w[n] -= rate * (scale * g[n] + decay * w[n]) }
                    return
                }
                for n in range {
                    let gradient = scale * g[n] + decay * w[n]
                    let moved = momentum * buffer[n] + gradient
                    buffer[n] = moved
                    w[n] -= rate * (nesterov ? gradient + momentum * moved : moved)
                }
            case .adam(let beta1, let beta2, let epsilon, let decay):
                adam(range, learningRate, scale, beta1, beta2, epsilon, decay: decay, shrink: 1)
            case .adamW(let beta1, let beta2, let epsilon, let decay):
                let shrink = Float(1 - learningRate * Double(decay))
                adam(range, learningRate, scale, beta1, beta2, epsilon, decay: 0, shrink: shrink)
            }
        }
        parameters.didChange()
    }

    private func adam(
        _ range: Range<Int>, _ learningRate: Double, _ scale: Float, _ beta1: Float, _ beta2: Float, _ epsilon: Float,
        decay: Float, shrink: Float
    ) {
        let (w, g) = (parameters.values, parameters.gradient)
        let (m, v) = (moments[0].base, moments[1].base)
        let rate = Float(learningRate / (1 - power(Double(beta1), step)))
        let root = Float(1 / (1 - power(Double(beta2), step)).squareRoot())
        let first = range.lowerBound
        // Pieces and the whole are multiples of 16 values.
        AdamStep.apply(
            range.count, to: w + first, gradient: g + first, firstMoment: m + first, secondMoment: v + first,
            scale: scale, decay: decay, shrink: shrink, beta1: beta1, beta2: beta2, rate: rate, root: root,
            epsilon: epsilon)
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, factor, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }
}
