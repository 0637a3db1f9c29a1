import Foundation
import Kernels

/// How the weights of a network begin. Scales of normalisations begin at 1, shifts at 0, slopes of PReLU at 0.25, running
/// means at 0 and variances at 1, LSTMs uniformly within ±1/√hidden, whatever the choice.
package enum Initialisation: String, Hashable, Sendable, Codable, CaseIterable {
    /// Normal cut at two standard deviations, variance 2 / fan-in (Keras' he_normal); biases 0.
    case heNormal
    /// Uniform within ±√(6 / fan-in) (Keras' he_uniform); biases 0.
    case heUniform
    /// Normal of variance 2 / fan-out (PyTorch's kaiming_normal_ with fan_out); biases 0.
    case kaimingFanOut
    /// Uniform within ±√(6 / (fan-in + fan-out)) (Glorot and Bengio); biases 0.
    case xavierUniform
    /// What PyTorch's layers do by themselves: weights and biases uniform within ±1/√fan-in.
    case pytorch
}

extension Network {
    /// Fresh weights. Every parameter has its own stream of random numbers: a value depends on the seed, the position of
    /// its parameter in the network and its own position there.
    package func initialWeights(_ initialisation: Initialisation, seed: UInt64) -> Weights {
        let random = Philox(seed: seed)
        let parameters = self.parameters
        let tensors = parameters.enumerated().map { index, parameter in
            var stream = random.stream(UInt32(index), Initialisation.place)
            let values = initialisation.values(parameter, from: &stream)
            return Tensor(shape: parameter.shape, values: values)
        }
        // Number and shapes are the parameters' own.
        return try! Weights(parameters: parameters, tensors: tensors)
    }
}

extension Initialisation {
    /// Keeps these random numbers apart from those of training under the same seed.
    fileprivate static let place: UInt32 = 0x696E_6974

    fileprivate func values(_ parameter: Parameter, from stream: inout Philox.Stream) -> [Float] {
        let count = parameter.count
        switch parameter.role {
        case .scale, .runningVariance: return [Float](repeating: 1, count: count)
        case .shift, .runningMean: return [Float](repeating: 0, count: count)
        case .slope: return [Float](repeating: 0.25, count: count)
        case .recurrent(let hidden): return Self.uniform(count, within: 1 / Double(hidden).squareRoot(), from: &stream)
        case .bias(let fanIn):
            guard self == .pytorch else { return [Float](repeating: 0, count: count) }
            return Self.uniform(count, within: 1 / Double(fanIn).squareRoot(), from: &stream)
        case .weight(let fanIn, let fanOut):
            switch self {
            case .heNormal:
                // 0.8796… is the standard deviation of a standard normal cut at ±2.
                let deviation = (2 / Double(fanIn)).squareRoot() / 0.87962566103423978
                return Self.normal(count, deviation: deviation, limit: 2, from: &stream)
            case .heUniform: return Self.uniform(count, within: (6 / Double(fanIn)).squareRoot(), from: &stream)
            case .kaimingFanOut:
                return Self.normal(count, deviation: (2 / Double(fanOut)).squareRoot(), limit: .infinity, from: &stream)
            case .xavierUniform:
                return Self.uniform(count, within: (6 / Double(fanIn + fanOut)).squareRoot(), from: &stream)
            case .pytorch: return Self.uniform(count, within: 1 / Double(fanIn).squareRoot(), from: &stream)
            }
        }
    }

    private static func uniform(_ count: Int, within limit: Double, from stream: inout Philox.Stream) -> [Float] {
        (0..<count).map { _ in Float((2 * Double(stream.uniform()) - 1) * limit) }
    }

    /// Box and Muller's transform; values beyond `limit` standard deviations are drawn again.
    private static func normal(
        _ count: Int, deviation: Double, limit: Double, from stream: inout Philox.Stream
    ) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(count + 1)
        while values.count < count {
            let radius = (-2 * log(1 - Double(stream.uniform()))).squareRoot()
            let angle = 2 * Double.pi * Double(stream.uniform())
            for value in [radius * cos(angle), radius * sin(angle)] where abs(value) <= limit && values.count < count {
                values.append(Float(value * deviation))
            }
        }
        return values
    }
}
