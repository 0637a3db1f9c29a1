import Foundation

/// The learning rate over a training.
package struct Schedule: Hashable, Sendable, Codable {
    package enum Shape: Hashable, Sendable, Codable {
        case constant
        /// Multiplied by `factor` after every so many epochs.
        case step(everyEpochs: Int, factor: Double)
        /// base · (1 − done)^power, `done` the part of the training that is over.
        case polynomial(power: Double)
        /// From base to minimum along half a cosine.
        case cosine(minimum: Double)
    }

    /// When the rate moves on.
    package enum Pace: String, Hashable, Sendable, Codable {
        case epoch
        case batch
    }

    package var base: Double
    package var shape: Shape
    package var pace: Pace
    /// Batches over which the rate rises evenly to that of the schedule.
    package var warmUpBatches: Int

    package init(_ base: Double, _ shape: Shape = .constant, pace: Pace = .epoch, warmUpBatches: Int = 0) {
        (self.base, self.shape, self.pace, self.warmUpBatches) = (base, shape, pace, warmUpBatches)
    }

    /// - Parameters:
    ///   - epochs, batchesPerEpoch: of the whole training.
    package func learningRate(epoch: Int, batch: Int, epochs: Int, batchesPerEpoch: Int) -> Double {
        let within = pace == .batch ? Double(batch) / Double(batchesPerEpoch) : 0
        let done = (Double(epoch) + within) / Double(epochs)
        var rate: Double
        switch shape {
        case .constant: rate = base
        case .step(let every, let factor): rate = base * pow(factor, Double(epoch / every))
        case .polynomial(let power): rate = base * pow(1 - done, power)
        case .cosine(let minimum): rate = minimum + (base - minimum) * (1 + cos(Double.pi * done)) / 2
        }
        let batches = epoch * batchesPerEpoch + batch
        if batches < warmUpBatches { rate *= Double(batches + 1) / Double(warmUpBatches) }
        return rate
    }

    func check() throws {
        guard base > 0, base.isFinite, warmUpBatches >= 0 else {
            throw NetworkError.training("a learning rate is a positive number, not \(base)")
        }
        switch shape {
        case .step(let every, let factor) where every < 1 || !(factor > 0 && factor.isFinite):
            throw NetworkError.training("a schedule in steps needs 1 epoch or more per step and a positive factor")
        case .polynomial(let power) where !(power >= 0 && power.isFinite):
            throw NetworkError.training("a polynomial schedule needs a power of at least 0, not \(power)")
        case .cosine(let minimum) where !(minimum >= 0 && minimum <= base):
            throw NetworkError.training("a cosine schedule needs a minimum from 0 to \(base), not \(minimum)")
        default: break
        }
    }
}
