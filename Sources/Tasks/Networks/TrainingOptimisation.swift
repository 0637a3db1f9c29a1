import Kernels
import Networks
import Workflow

/// Loss, metric, optimiser and schedule as the parameters of `network.train` state them.
extension TrainingParameters {
    func settings(loss: Loss) -> TrainingSettings {
        var settings = TrainingSettings(
            epochs: environment.integer("epochs"), loss: loss, optimiser: optimiser, schedule: schedule, seed: seed)
        let norm = environment.number("gradient_norm")
        settings.largestGradientNorm = norm > 0 ? norm : nil
        let averaging = environment.integer("averaging_from")
        let rate = environment.number("averaging_rate")
        settings.averaging =
            averaging > 0
            ? TrainingSettings.WeightAveraging(firstEpoch: averaging - 1, learningRate: rate > 0 ? rate : nil) : nil
        let patience = environment.integer("patience")
        settings.earlyStopping = patience > 0 ? TrainingSettings.EarlyStopping(patience: patience) : nil
        return settings
    }

    private var optimiser: Optimiser {
        let decay = Float(environment.number("weight_decay"))
        switch environment.text("optimiser") {
        case "sgd":
            let momentum = Float(environment.number("momentum"))
            return .sgd(momentum: momentum, nesterov: momentum > 0, weightDecay: decay)
        case "adamw": return .adamW(weightDecay: decay)
        default: return .adam(weightDecay: decay)
        }
    }

    private var schedule: Schedule {
        let shape: Schedule.Shape =
            switch environment.text("schedule") {
            case "step":
                .step(everyEpochs: environment.integer("step_epochs"), factor: environment.number("step_factor"))
            case "polynomial": .polynomial(power: 0.9)
            case "cosine": .cosine(minimum: 0)
            default: .constant
            }
        return Schedule(
            environment.number("learning_rate"), shape, warmUpBatches: environment.integer("warm_up_batches"))
    }

    // MARK: Loss

    /// - Parameter names: of all classes, background first.
    func segmentationLoss(_ names: [String]) throws -> Loss {
        let settings = environment.settings
        let weights = try settings.trainingClassWeights(names)
        let given = try settings.trainingLosses()
        if try settings.segmentationHasOneLogit() {
            let terms = given.map { name in
                name == "dice"
                    ? Loss.Term(.dice(settings: SoftDice(.sigmoid)))
                    : Loss.Term(.binaryCrossEntropy(settings: Self.binary(weights)))
            }
            return Loss(terms)
        }
        let classWeights = weights?.map { Float($0) }
        let own = network == .deepmir ? ["cross_entropy"] : ["dice", "cross_entropy"]
        return Loss(
            (given.isEmpty ? own : given).flatMap { name in
                switch name {
                case "dice":
                    [
                        Loss.Term(
                            .dice(
                                settings: SoftDice(.softmax, includesBackground: false, classWeights: classWeights)))
                    ]
                case "focal": Loss.focal(classWeights: classWeights).terms
                default: Loss.crossEntropy(classWeights: classWeights).terms
                }
            })
    }

    /// - Parameter names: of the classes, the positive last where there are two.
    func classificationLoss(_ names: [String]) throws -> Loss {
        let weights = try environment.settings.trainingClassWeights(names)
        let given = try environment.settings.trainingLosses()
        if network.hasOneLogit {
            let loss = Loss([Loss.Term(.binaryCrossEntropy(settings: Self.binary(weights)))])
            return network == .slices ? loss + loss.on(output: 1) : loss
        }
        let classWeights = weights?.map { Float($0) }
        return Loss(
            (given.isEmpty ? ["cross_entropy"] : given).flatMap { name in
                (name == "focal" ? Loss.focal(classWeights: classWeights) : .crossEntropy(classWeights: classWeights))
                    .terms
            })
    }

    /// One logit has the positive's weight alone: how many times the other's.
    private static func binary(_ weights: [Double]?) -> BinaryCrossEntropy {
        guard let weights else { return BinaryCrossEntropy() }
        return BinaryCrossEntropy(positiveWeights: [Float(weights[1] / weights[0])])
    }

    // MARK: Metric

    /// - Parameter classes: background among them.
    func metric(classes: Int) throws -> ValidationMetric {
        // On patches it is not that of whole images.
        let isSliced = network.segments ? try environment.settings.samplesSlices() : false
        func sampled(_ name: String) -> String { isSliced ? "slice_\(name)" : "patch_\(name)" }
        // What decides about the scan, of two outputs.
        let output = network == .slices ? 1 : 0
        switch try environment.settings.trainingMetric() {
        case "loss": return .loss
        case "accuracy": return .accuracy(output: output)
        case "balanced_accuracy": return .balancedAccuracy(classes: classes, output: output)
        case "dice": return .dice(classes: classes, name: sampled("dice"))
        case "iou": return .intersectionOverUnion(classes: classes, name: sampled("iou"))
        default:
            if network.segments { return .dice(classes: classes, name: sampled("dice")) }
            return network == .qsmrim
                ? .balancedAccuracy(classes: classes, output: output) : .accuracy(output: output)
        }
    }
}
