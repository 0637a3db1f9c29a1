import Foundation
import Kernels
import Networks
import Workflow

/// A classification model as a step applies it: prepared once, asked about one place after the other.
final class Classifier {
    /// One judgement: probabilities in the order of the card's classes.
    struct Answer {
        var probabilities: [Double]
        /// Of models that judge slices one by one, those of the patch from the first on.
        var slices: [[Double]] = []
    }

    let card: ModelCard
    var patch: Extent3 { trained.patch }
    private let trained: TargetedOptions
    private let plan: InferencePlan

    /// - Parameters:
    ///   - heldBytes: of the image it is asked about.
    ///   - limitMiB: memory of the step.
    /// - Throws: a permanent failure where the card does not say what patch it judges; one of memory where that is too
    ///   large for the step.
    init(_ model: StoredModel, threads: Int, heldBytes: Int, limitMiB: Int) throws {
        guard let trained = model.card.judged else {
            throw TaskResult.Failure.permanent(
                "model \(model.card.name) does not say what patch it judges; import it with a window in its description"
            )
        }
        (card, self.trained) = (model.card, trained)
        let shapes = card.network.inputs.map { input in
            FeatureShape(batch: 1, channels: input.channels, size: input.rank == 0 ? .one : trained.patch)
        }
        let memory = try InferencePlan.memory(for: card.network, inputs: shapes, threads: threads)
        guard memory.total + heldBytes <= limitMiB << 20 else {
            throw TaskResult.Failure(
                outcome: .outOfMemory,
                message:
                    "\(card.name) takes \(memory), and its images \(ByteCount(heldBytes)): more than the \(limitMiB) MiB of the step; "
                    + "raise its memory")
        }
        plan = try InferencePlan(card.network, weights: model.weights, inputs: shapes, threads: threads)
    }

    var judgesSlices: Bool { trained.targets == .valuesPerSlice }

    /// - Parameters:
    ///   - centre: voxel position of the middle of the patch; nil: the middle of the volume.
    ///   - features: standardised, where the model takes any.
    func answer(_ volume: TrainingVolume, centre: SIMD3<Double>?, features: [Float]) throws -> Answer {
        var inputs = [
            volume.patch(patch, centre: centre ?? volume.size.middle(of: patch), as: trained.spatial)
        ]
        if !features.isEmpty { inputs.append(Tensor(shape: [1, features.count], values: features)) }
        let outputs = try plan.run(inputs)
        guard outputs.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
            throw TaskResult.Failure.permanent(
                "model \(card.name) gives values that are no finite numbers; its weights or the image are unusable")
        }
        guard card.isOneLogitClassifier else {
            // Other people's networks may end in what makes probabilities.
            return Answer(
                probabilities: card.output == .probabilities || card.network.endsIn(.softmax)
                    ? outputs[0].values.map { Double($0) } : Self.softmax(outputs[0].values))
        }
        let answers = outputs.map { output in
            output.values.map { card.network.endsIn(.sigmoid) ? [1 - Double($0), Double($0)] : Self.pair($0) }
        }
        return Answer(probabilities: answers[answers.count - 1][0], slices: judgesSlices ? answers[0] : [])
    }

    /// The other class and the positive, of the logit of the latter.
    private static func pair(_ logit: Float) -> [Double] {
        [1 / (1 + exp(Double(logit))), 1 / (1 + exp(-Double(logit)))]
    }

    private static func softmax(_ logits: [Float]) -> [Double] {
        let largest = Double(logits.max() ?? 0)
        let powers = logits.map { exp(Double($0) - largest) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }
}

extension Classifier.Answer {
    /// The mean of all probabilities.
    static func mean(_ answers: [Classifier.Answer]) -> Classifier.Answer {
        func mean(_ lists: [[Double]]) -> [Double] {
            lists[0].indices.map { n in lists.reduce(0) { $0 + $1[n] } / Double(lists.count) }
        }
        return Classifier.Answer(
            probabilities: mean(answers.map(\.probabilities)),
            slices: answers[0].slices.indices.map { slice in mean(answers.map { $0.slices[slice] }) })
    }
}
