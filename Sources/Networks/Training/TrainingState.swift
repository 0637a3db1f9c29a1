/// Where a training is, besides the tensors: what a checkpoint keeps as JSON.
struct TrainingState: Codable, Equatable, Sendable {
    struct Best: Codable, Equatable, Sendable {
        var epoch: Int
        var metric: Double
    }

    /// The epoch and batch that come next.
    var epoch = 0
    var batch = 0
    /// Updates of the optimiser.
    var step = 0
    /// Sum of the losses of this epoch so far, weighted by images.
    var lossSum = 0.0
    var images = 0
    var best: Best?
    /// Epoch of the last metric that was better by as much as early stopping asks for, and that metric.
    var lastImprovement: Best?
    var hasStoppedEarly = false
    /// Sets of weights in the average.
    var averaged = 0
    var history: [EpochRecord] = []
    /// Of the training this is the state of; nil before it has begun.
    var batchesPerEpoch: Int?
    var metric: String?
}

/// What an epoch came to.
package struct EpochRecord: Codable, Equatable, Sendable {
    /// Counted from 0.
    package var epoch: Int
    package var learningRate: Double
    /// Mean over the images of the epoch, while the weights changed.
    package var trainingLoss: Double
    package var validationLoss: Double?
    package var metric: Double?
}

/// What a training tells while it goes on.
package enum TrainingEvent: Sendable {
    /// After every batch; `remainingSeconds` to the end of the last epoch at the present pace.
    case batch(epoch: Int, index: Int, of: Int, loss: LossValue, learningRate: Double, remainingSeconds: Double)
    case epoch(EpochRecord, of: Int, isBest: Bool, remainingSeconds: Double)
    case stoppedEarly(epoch: Int, bestEpoch: Int)
    /// Running statistics for the averaged weights.
    case statistics(index: Int, of: Int)
    case checkpoint(path: String)
    /// The training goes on without it; the next one may succeed.
    case checkpointFailed(NetworkError)
}

package struct TrainingResult: Sendable {
    /// The average where weights are averaged, else those of the best epoch where there is validation data, else the last.
    package let weights: Weights
    package let history: [EpochRecord]
    package let bestEpoch: Int?
    package let hasStoppedEarly: Bool
    /// Loss and metric of the averaged weights on the validation data.
    package let averagedLoss: Double?
    package let averagedMetric: Double?
}
