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
    let environment: TaskEnvironment
    var network: NetworkChoice
    var channels: [ModelCard.Channel]
    /// Beside background; empty: one class of all that is labelled.
    var classes: [TrainingClass]
    var patch: Extent3
    var rank: Int
    var augmentation: TrainingAugmentation
    var seed: UInt64

    init(_ environment: TaskEnvironment) throws {
        self.environment = environment
        let refuse = environment.refuse
        network = try NetworkChoice(environment)
        let given = environment.list("channels")
        channels =
            try given.isEmpty
            ? [ModelCard.Channel(modality: "Chimap", units: "ppm", normalisation: Self.chi)]
            : given.enumerated().map { n, value in try Self.channel(value, number: n, refuse) }
        classes = try Self.classes(environment.list("classes"), refuse)

        switch network {
        case .deepmir: rank = 2
        case .dbresunet, .qsmrim, .slices:
            guard environment.integer("rank") == 3 else {
                throw refuse("network \(network.rawValue) takes volumes; leave rank out")
            }
            rank = 3
        case .unet, .resunet, .resnet18: rank = environment.integer("rank")
        }
        let sizes = environment.list("patch").compactMap { $0.integerValue.map(Int.init) }
        guard sizes.count == 3, sizes.allSatisfy({ $0 > 0 }) else {
            throw refuse("patch is three whole numbers: left–right, back–front and down–up")
        }
        patch = Extent3(rank == 2 ? 1 : sizes[2], sizes[1], sizes[0])
        guard classes.count <= 255 else {
            throw refuse(
                "\(classes.count) classes are more than the 255 beside background that a label map of a model can hold")
        }
        augmentation = try TrainingAugmentation(environment, rank: rank, classes: classes.map(\.name))
        // As images are padded when the model is applied.
        augmentation.spatial.beyond = .background
        // The values of a susceptibility map are measured: nothing scales them.
        augmentation.intensity.scaledChannels =
            channels.enumerated().filter { $0.element.modality != "Chimap" }.map(\.offset)
        seed = UInt64(environment.integer("seed"))
    }

    /// Whether a segmentation is trained on whole slices.
    func samplesSlices() throws -> Bool {
        switch environment.text("sampling") {
        case "patches": return false
        case "slices":
            guard rank == 2 else { throw environment.refuse("sampling slices is for rank 2") }
            return true
        default: return network == .deepmir
        }
    }

    /// What the model is called: by what it is, never by the step, since equal trainings share their result.
    var modelName: String {
        "\(network.rawValue)-\(rank)d-\(channels.map(\.modality).joined(separator: "+"))"
    }

    /// χ between ∓0.25 ppm becomes −1 … 1.
    private static let chi = IntensityNormalisation.clip(lower: -0.25, upper: 0.25, low: -1, high: 1)

    private static func channel(
        _ value: JSONValue, number: Int, _ refuse: (String) -> TaskResult.Failure
    ) throws -> ModelCard.Channel {
        let description: ChannelDescription
        do {
            description = try JSONDecoder().decode(ChannelDescription.self, from: value.canonicalData)
        } catch let unknown as UnknownKey {
            throw refuse("channel \(number + 1) \(unknown)")
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

    private static func classes(
        _ list: [JSONValue], _ refuse: (String) -> TaskResult.Failure
    ) throws -> [TrainingClass] {
        var taken: [UInt16: String] = [:]
        return try list.map { value in
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
    }
}

extension TaskEnvironment {
    /// A permanent failure for what a parameter of the step says.
    func refuse(_ what: String) -> TaskResult.Failure { .permanent("Step \(request.step): \(what)") }

    /// A parameter that is a list of numbers, of which each has to pass.
    func numbers(
        _ name: String, _ what: String, where passes: (Double) -> Bool = { _ in true }
    ) throws -> [Double] {
        try list(name).map { value in
            guard let number = value.doubleValue, passes(number) else {
                throw refuse("\(name) is \(what), and has \(value.canonicalString)")
            }
            return number
        }
    }

    /// A parameter that gives numbers of 0 or more to some of `names`; others have 1. nil where it is empty.
    func weights(_ name: String, of names: [String]) throws -> [Double]? {
        let given = map(name)
        guard !given.isEmpty else { return nil }
        for (key, value) in given.sorted(by: { $0.key < $1.key }) {
            guard names.contains(key) else {
                throw refuse("\(name) speaks of “\(key)”; there are \(names.joined(separator: ", "))")
            }
            guard let number = value.doubleValue, number >= 0, number.isFinite else {
                throw refuse("\(name) gives \(key) the weight \(value.canonicalString); give a number of 0 or more")
            }
        }
        return names.map { given[$0]?.doubleValue ?? 1 }
    }
}
