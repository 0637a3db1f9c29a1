import Kernels
import Networks
import Workflow

/// The memory a training takes, stated before any of it is: what the network and its copies hold, batches, and images.
struct TrainingMemory: CustomStringConvertible {
    /// Of the plan: feature maps, weights, gradients, moments.
    let plan: MemoryStatement
    /// Weights of the best epoch and the average, the last ones beside the average, and the result.
    let copies: Int
    /// The batch that is learned from, and the next.
    let batches: Int
    /// Volumes held at most: those kept, and those of the samples in progress.
    let volumes: Int
    /// Judging whole images in the end, when plan and batches have been given back.
    let judging: Int

    var total: Int { max(plan.total + batches, judging) + copies + volumes }

    var description: String {
        "\(ByteCount(total)): \(ByteCount(plan.total)) for the network, \(ByteCount(copies)) for copies of its weights, "
            + "\(ByteCount(batches)) for batches, \(ByteCount(volumes)) for images"
            + (judging > 0 ? ", then \(ByteCount(judging)) in place of network and batches to judge whole images" : "")
    }

    init(_ training: NetworkTrainTask.Training, threads: Int) throws {
        let network = training.card.network
        plan = try TrainingPlan.memory(
            for: network, loss: training.settings.loss, inputs: training.batch,
            moments: training.settings.optimiser.momentCount, threads: threads)
        let weights = 4 * (network.trainableCount + network.runningStatisticsCount)
        let hasBest = training.validation != nil
        let isAveraged = training.settings.averaging != nil
        copies = weights * (2 + (hasBest ? 1 : 0) + (isAveraged ? 2 : 0))
        // Values, and a class or a value for each voxel.
        batches = 2 * 4 * training.batch.reduce(0) { $0 + $1.count + $1.batch * $1.positions }
        volumes = training.heldBytes
        judging =
            try training.volumes.map { volumes in
                // What it takes is a matter of shapes, so any weights will do.
                let model = try Model(
                    card: training.card, weights: network.initialWeights(.heNormal, seed: training.settings.seed))
                return try volumes.bytes(model, threads: threads)
            } ?? 0
    }

    /// - Throws: a failure for want of memory, after which the step is tried with more where there is more.
    func check(limitMiB: Int, step: String) throws {
        guard total > limitMiB << 20 else { return }
        throw TaskResult.Failure(
            outcome: .outOfMemory,
            message:
                "Step \(step) would take \(self), more than its \(limitMiB) MiB; raise its memory, or choose a smaller patch, "
                + "batch or widths")
    }
}
