import BIDS
import Foundation
import Kernels
import Networks
import Workflow

/// A class a network is to tell apart: its name and the numbers it has in label maps.
struct TrainingClass: Sendable, Hashable {
    var name: String
    var labels: Set<UInt16>
}

/// What the parameters of `network.train` say, read into the types of the networks.
struct TrainingParameters {
    var channels: [ModelCard.Channel]
    /// Beside background; empty: one class of all that is labelled.
    var classes: [TrainingClass]
    var settings: TrainingSettings
    var patch: Extent3
    var rank: Int
    var spatial: SpatialAugmentation
    var intensity: IntensityAugmentation

    init(_ environment: TaskEnvironment) throws {
        let step = environment.request.step
        func refuse(_ what: String) -> TaskResult.Failure { .permanent("Step \(step): \(what)") }

        let given = environment.list("channels")
        channels =
            try given.isEmpty
            ? [ModelCard.Channel(modality: "Chimap", units: "ppm", normalisation: Self.chi)]
            : given.enumerated().map { n, value in try Self.channel(value, number: n, refuse) }
        var taken: [UInt16: String] = [:]
        classes = try environment.list("classes").map { value in
            guard let name = value["name"]?.stringValue, let labels = value["labels"]?.arrayValue, !labels.isEmpty
            else {
                throw refuse("a class is {name: caudate, labels: [1, 2]}, not \(value.canonicalString)")
            }
            let numbers = try labels.map { label -> UInt16 in
                guard let number = label.integerValue, number > 0, number <= UInt16.max else {
                    throw refuse(
                        "class \(name) has the label \(label.canonicalString); labels are whole numbers from 1 to 65535"
                    )
                }
                return UInt16(number)
            }
            for number in numbers {
                if let other = taken[number] { throw refuse("label \(number) belongs to both \(other) and \(name)") }
                taken[number] = name
            }
            return TrainingClass(name: name, labels: Set(numbers))
        }
        guard classes.count <= 255 else {
            throw refuse(
                "\(classes.count) classes are more than the 255 beside background that a label map of a model can hold")
        }

        rank = environment.integer("rank")
        let sizes = environment.list("patch").compactMap { $0.integerValue.map(Int.init) }
        guard sizes.count == 3, sizes.allSatisfy({ $0 > 0 }) else {
            throw refuse("patch is three whole numbers: left–right, back–front and down–up")
        }
        patch = Extent3(rank == 2 ? 1 : sizes[2], sizes[1], sizes[0])

        switch environment.text("augmentation") {
        case "flips":
            (spatial, intensity) = (SpatialAugmentation(), IntensityAugmentation())
            spatial.flips = rank == 2 ? [.height, .width] : .all
        case "standard": (spatial, intensity) = (.standard(isFlat: rank == 2), .standard)
        default: (spatial, intensity) = (SpatialAugmentation(), IntensityAugmentation())
        }
        // As images are padded when the model is applied.
        spatial.beyond = .background
        // The values of a susceptibility map are measured: nothing scales them.
        intensity.scaledChannels = channels.enumerated().filter { $0.element.modality != "Chimap" }.map(\.offset)
        let names = classes.map(\.name)
        spatial.lateralPairs = try environment.list("lateral_pairs").map { value in
            let pair = (value.arrayValue ?? []).compactMap(\.stringValue)
            guard pair.count == 2, let a = names.firstIndex(of: pair[0]), let b = names.firstIndex(of: pair[1]) else {
                throw refuse("lateral_pairs are pairs of names of classes, not \(value.canonicalString)")
            }
            return LateralPair(a + 1, b + 1)
        }

        let epochs = environment.integer("epochs")
        settings = TrainingSettings(
            epochs: epochs, loss: try Self.loss(environment, refuse), optimiser: Self.optimiser(environment),
            schedule: Self.schedule(environment), seed: UInt64(environment.integer("seed")))
        let norm = environment.number("gradient_norm")
        settings.largestGradientNorm = norm > 0 ? norm : nil
        let averaging = environment.integer("averaging_from")
        let averagingRate = environment.number("averaging_rate")
        settings.averaging =
            averaging > 0
            ? TrainingSettings.WeightAveraging(
                firstEpoch: averaging - 1, learningRate: averagingRate > 0 ? averagingRate : nil) : nil
        let patience = environment.integer("patience")
        settings.earlyStopping = patience > 0 ? TrainingSettings.EarlyStopping(patience: patience) : nil
    }

    /// What the channels are, for the name of a model.
    var modalities: String { channels.map(\.modality).joined(separator: "+") }

    /// χ between ∓0.25 ppm becomes −1 … 1.
    private static let chi = IntensityNormalisation.clip(lower: -0.25, upper: 0.25, low: -1, high: 1)

    private static func channel(
        _ value: JSONValue, number: Int, _ refuse: (String) -> TaskResult.Failure
    ) throws -> ModelCard.Channel {
        let description: ChannelDescription
        do {
            description = try JSONDecoder().decode(ChannelDescription.self, from: value.canonicalData)
        } catch {
            throw refuse(
                "channel \(number + 1) is {modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]} or a part of it "
                    + "with the modality, not \(value.canonicalString)")
        }
        do {
            return try description.channel()
        } catch {
            throw refuse(error.description)
        }
    }

    private static func loss(
        _ environment: TaskEnvironment, _ refuse: (String) -> TaskResult.Failure
    ) throws -> Loss {
        let names = environment.texts("loss")
        guard !names.isEmpty else { throw refuse("loss names no loss; there are dice, cross_entropy and focal") }
        return Loss(
            try names.flatMap { name in
                switch name {
                case "dice": Loss.dice(includesBackground: false).terms
                case "cross_entropy": Loss.crossEntropy().terms
                case "focal": Loss.focal().terms
                default: throw refuse("there is no loss “\(name)”; there are dice, cross_entropy and focal")
                }
            })
    }

    private static func optimiser(_ environment: TaskEnvironment) -> Optimiser {
        let decay = Float(environment.number("weight_decay"))
        switch environment.text("optimiser") {
        case "sgd": return .sgd(momentum: 0.99, nesterov: true, weightDecay: decay)
        case "adamw": return .adamW(weightDecay: decay)
        default: return .adam(weightDecay: decay)
        }
    }

    private static func schedule(_ environment: TaskEnvironment) -> Schedule {
        let rate = environment.number("learning_rate")
        switch environment.text("schedule") {
        case "polynomial": return Schedule(rate, .polynomial(power: 0.9))
        case "cosine": return Schedule(rate, .cosine(minimum: 0))
        default: return Schedule(rate)
        }
    }
}
