import Kernels

/// How a network is trained, as a value for the model card: with the same settings, data and first weights come the same
/// weights, bit for bit, whatever the number of threads and however often the training was interrupted.
package struct TrainingSettings: Hashable, Sendable, Codable {
    /// Weights averaged over the last epochs (Izmailov et al. 2018), running statistics computed anew for the average.
    package struct WeightAveraging: Hashable, Sendable, Codable {
        /// After this epoch and all later ones the weights are added to the average; counted from 0.
        package var firstEpoch: Int
        /// Learning rate from that epoch on; nil for that of the schedule.
        package var learningRate: Double?

        package init(firstEpoch: Int, learningRate: Double? = nil) {
            (self.firstEpoch, self.learningRate) = (firstEpoch, learningRate)
        }
    }

    /// A training ends when its metric has not become better for some epochs.
    package struct EarlyStopping: Hashable, Sendable, Codable {
        /// Epochs without a better metric.
        package var patience: Int
        /// By how much it has to be better to count.
        package var leastImprovement: Double

        package init(patience: Int, leastImprovement: Double = 0) {
            (self.patience, self.leastImprovement) = (patience, leastImprovement)
        }
    }

    package var epochs: Int
    package var loss: Loss
    package var optimiser: Optimiser
    package var schedule: Schedule
    /// The gradient is shortened to this Euclidean norm where it is longer.
    package var largestGradientNorm: Double?
    package var averaging: WeightAveraging?
    package var earlyStopping: EarlyStopping?
    /// Of everything random.
    package var seed: UInt64

    package init(epochs: Int, loss: Loss, optimiser: Optimiser = .adam(), schedule: Schedule, seed: UInt64 = 1) {
        (self.epochs, self.loss, self.optimiser) = (epochs, loss, optimiser)
        (self.schedule, self.seed) = (schedule, seed)
    }

    func learningRate(epoch: Int, batch: Int, batchesPerEpoch: Int) -> Double {
        if let averaging, let rate = averaging.learningRate, epoch >= averaging.firstEpoch { return rate }
        return schedule.learningRate(epoch: epoch, batch: batch, epochs: epochs, batchesPerEpoch: batchesPerEpoch)
    }

    func check() throws {
        guard epochs > 0 else { throw NetworkError.training("a training of \(epochs) epochs; give at least 1") }
        try optimiser.check()
        try schedule.check()
        if let largestGradientNorm, !(largestGradientNorm > 0) {
            throw NetworkError.training("a gradient clipped to the norm \(largestGradientNorm); give more than 0")
        }
        if let averaging, !(0..<epochs).contains(averaging.firstEpoch) {
            throw NetworkError.training(
                "weights are averaged from epoch \(averaging.firstEpoch + 1) on, and the training has \(epochs)")
        }
        if let rate = averaging?.learningRate, !(rate > 0 && rate.isFinite) {
            throw NetworkError.training("weights are averaged at the learning rate \(rate); give a positive number")
        }
        if let earlyStopping, earlyStopping.patience < 1 {
            throw NetworkError.training("early stopping after \(earlyStopping.patience) epochs; give at least 1")
        }
        if let least = earlyStopping?.leastImprovement, !(least >= 0 && least.isFinite) {
            throw NetworkError.training("early stopping asks for an improvement by \(least); give 0 or more")
        }
    }
}
