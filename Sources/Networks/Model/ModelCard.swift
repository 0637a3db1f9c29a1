import Kernels

/// What a model is, what it was made from and what it takes: everything but the weights. Stored as JSON in the file of
/// the weights, so that one digest names both.
package struct ModelCard: Sendable, Hashable, Codable {
    /// Version of this description; a reader refuses others.
    package static let currentFormat = 1

    package var format = ModelCard.currentFormat
    package var name: String
    package var task: Task
    /// What kind of network it is, for people: "U-Net, 3-D, 16-32-64".
    package var architecture: String
    package var network: Network
    /// One per channel of the network's image input, in order.
    package var channels: [Channel]
    package var geometry: Geometry
    /// Names of the outputs' channels: for segmentation the regions, background first unless outputs stand alone. Of
    /// classifiers with one logit the two classes, the one it gives the probability of last.
    package var classes: [String]
    /// What makes probabilities of the network's output.
    package var output: SegmentationNetwork.Output
    /// How volumes are run through the network; nil for classification.
    package var inference: SlidingWindowOptions?
    /// What an imported classifier judges at a time; those trained here say it in `training`.
    package var patch: Extent3?
    /// Channel whose slices (across the third axis of the grid) that sum to 0 or less before they are normalised hold nothing:
    /// they were left out of the training and are background, whatever the network would say. Nil: there is no such rule.
    package var emptyChannel: Int?
    /// Voxel size of the network's second, global input in voxels of the first; nil where it has none.
    package var globalScale: Int?
    /// Numbers the network takes beside images, and how they are scaled; nil where it takes none.
    package var features: FeatureStandardisation?
    package var source: Source
    /// Images and label maps the weights were learned from.
    package var data: [DataItem] = []
    package var split: Split?
    package var metrics: [Metric] = []
    package var training: Training?
    /// Version of the program that wrote the card.
    package var softwareVersion: String
    /// Terms under which the weights may be used, as an SPDX identifier or a sentence.
    package var licence: String?
    package var notes: [String] = []

    package enum Task: String, Sendable, Hashable, Codable {
        case segmentation, classification
    }

    /// One image among the inputs.
    package struct Channel: Sendable, Hashable, Codable {
        /// BIDS suffix: Chimap, T1w, FLAIR …
        package var modality: String
        /// Units of the values before they are normalised: ppm, Hz, arbitrary.
        package var units: String
        package var normalisation: IntensityNormalisation

        package init(modality: String, units: String, normalisation: IntensityNormalisation) {
            (self.modality, self.units, self.normalisation) = (modality, units, normalisation)
        }
    }

    /// On what grid images are to be.
    package struct Geometry: Sendable, Hashable, Codable {
        /// What is done with images on other grids.
        package enum Policy: String, Sendable, Hashable, Codable {
            case resample, refuse
        }

        /// Voxel size along i, j, k; nil where the network was trained on any.
        package var spacingMillimetres: SIMD3<Double>?
        /// How far spacings may differ, as a fraction.
        package var spacingTolerance = 0.05
        /// Where i, j and k point, as "RAS"; nil for any.
        package var orientation: String?
        package var otherGrids: Policy

        package init(
            spacingMillimetres: SIMD3<Double>?, orientation: String?, otherGrids: Policy,
            spacingTolerance: Double = 0.05
        ) {
            self.spacingMillimetres = spacingMillimetres
            self.orientation = orientation
            self.otherGrids = otherGrids
            self.spacingTolerance = spacingTolerance
        }
    }

    /// Where the weights come from.
    package enum Source: Sendable, Hashable, Codable {
        case trained
        /// From a file of another program.
        case imported(file: String, digest: String, producer: String)
    }

    /// A file, by what it holds.
    package struct DataItem: Sendable, Hashable, Codable {
        package var subject: String
        package var session: String?
        package var file: String
        /// SHA-256 as hexadecimal digits.
        package var digest: String

        package init(subject: String, session: String? = nil, file: String, digest: String) {
            (self.subject, self.session, self.file, self.digest) = (subject, session, file, digest)
        }
    }

    /// Subjects by what they were used for; nobody is in two lists.
    package struct Split: Sendable, Hashable, Codable {
        package var training: [String]
        package var validation: [String]
        package var test: [String]

        package init(training: [String], validation: [String], test: [String] = []) {
            (self.training, self.validation, self.test) = (training, validation, test)
        }
    }

    package struct Metric: Sendable, Hashable, Codable {
        package var name: String
        /// Of one class, or of all.
        package var className: String?
        /// Which list of the split.
        package var measuredOn: String
        package var value: Double

        package init(name: String, className: String? = nil, measuredOn: String, value: Double) {
            (self.name, self.className, self.measuredOn, self.value) = (name, className, measuredOn, value)
        }
    }

    /// Everything that decides the weights, beside data and first weights.
    package struct Training: Sendable, Hashable, Codable {
        package var settings: TrainingSettings
        package var patches: PatchOptions?
        package var slices: SliceOptions?
        package var targeted: TargetedOptions?

        package init(
            settings: TrainingSettings, patches: PatchOptions? = nil, slices: SliceOptions? = nil,
            targeted: TargetedOptions? = nil
        ) {
            (self.settings, self.patches, self.slices, self.targeted) = (settings, patches, slices, targeted)
        }
    }

    package init(
        name: String, task: Task, architecture: String, network: Network, channels: [Channel], geometry: Geometry,
        classes: [String],
        output: SegmentationNetwork.Output, inference: SlidingWindowOptions? = nil, source: Source,
        softwareVersion: String
    ) {
        (self.name, self.task, self.architecture) = (name, task, architecture)
        (self.network, self.channels) = (network, channels)
        (self.geometry, self.classes, self.output, self.inference) = (geometry, classes, output, inference)
        (self.source, self.softwareVersion) = (source, softwareVersion)
    }

    /// Whether it tells two classes apart by the probability of the second.
    package var isOneLogitClassifier: Bool {
        task == .classification && output == .sigmoid
            && network.outputs.last.flatMap { network.kinds[$0] }?.channels == 1
    }

    /// What a classifier is shown of an image, and how it judges it; nil where the card does not say.
    package var judged: TargetedOptions? {
        if let targeted = training?.targeted { return targeted }
        return patch.map { patch in
            var options = TargetedOptions(patch: patch, batch: 1)
            options.spatial.beyond = .background
            return options
        }
    }

    /// - Throws: `ModelCardError.inconsistent` naming what contradicts what.
    package func check() throws {
        func refuse(_ problem: String) -> ModelCardError { .inconsistent(model: name, problem: problem) }
        guard format == Self.currentFormat else {
            throw refuse("its card has the format \(format) and this program reads \(Self.currentFormat)")
        }
        let image = network.inputs.first
        guard channels.count == image?.channels else {
            throw refuse("it describes \(channels.count) images and its network takes \(image?.channels ?? 0)")
        }
        guard let last = network.outputs.first, let kind = network.kinds[last] else { throw refuse("it has no output") }
        guard task == .segmentation || kind.rank == 0 else {
            throw refuse(
                "a classifier gives one number per class and the output \(last) of its network is an image; state task "
                    + "segmentation, or export it with its pooling")
        }
        guard classes.count == (isOneLogitClassifier ? 2 : kind.channels) else {
            throw refuse(
                "it names \(classes.count) classes and its network "
                    + (isOneLogitClassifier ? "tells two apart by one logit" : "has \(kind.channels)"))
        }
        let images = network.inputs.filter { $0.rank > 0 }
        guard images.count == (globalScale == nil ? 1 : 2) else {
            throw refuse(
                "its network takes \(images.count) images and its card "
                    + (globalScale == nil ? "states no scale of a second" : "states the scale of a second"))
        }
        let numbers = network.inputs.filter { $0.rank == 0 }.reduce(0) { $0 + $1.channels }
        guard numbers == features?.names.count ?? 0 else {
            throw refuse("it names \(features?.names.count ?? 0) features and its network takes \(numbers)")
        }
        if let twice = classes.first(where: { name in classes.filter { $0 == name }.count > 1 }) {
            throw refuse("two of its classes are called “\(twice)”; name each by itself")
        }
        if output != .sigmoid, kind.channels < 2 {
            throw refuse(
                "output \(output.rawValue) is a choice between classes and its network has one; state output sigmoid")
        }
        if task == .segmentation {
            // With sigmoid, outputs stand alone: background is what none of them claims, and is not named.
            let beside = output == .sigmoid ? classes[...] : classes.dropFirst()
            if let name = beside.first(where: { $0.lowercased() == "background" }) {
                throw refuse(
                    output == .sigmoid
                        ? "a class is called “\(name)”, which with output sigmoid is what belongs to no class; name it otherwise"
                        : "a class beside the background, the first, is called “\(name)”; name the background first")
            }
        }
        if task == .segmentation, inference == nil { throw refuse("it does not say how volumes are cut into windows") }
        if let orientation = geometry.orientation, Orientation(orientation) == nil {
            throw refuse("\(orientation) is no orientation; three letters such as RAS or LPI are")
        }
        if let spacing = geometry.spacingMillimetres {
            guard (0..<3).allSatisfy({ spacing[$0] >= 0.001 && spacing[$0] <= 1000 }) else {
                throw refuse("its voxels have the sides \(spacing) mm; each is 0.001 to 1000")
            }
        }
        guard geometry.spacingTolerance >= 0, geometry.spacingTolerance.isFinite else {
            throw refuse("its spacing tolerance is \(geometry.spacingTolerance); give 0 or more")
        }
        for channel in channels {
            if case .percentiles(let lower, let upper, _, _, _) = channel.normalisation {
                guard lower >= 0, lower < upper, upper <= 100 else {
                    throw refuse("it scales \(channel.modality) between the percentiles \(lower) and \(upper)")
                }
            }
        }
        if let emptyChannel {
            guard task == .segmentation else { throw refuse("it leaves slices empty, which is for segmentation") }
            guard channels.indices.contains(emptyChannel) else {
                throw refuse(
                    "its empty slices are those of channel \(emptyChannel) of \(channels.count), counted from 0")
            }
        }
        try checkInference(refuse)
        if task == .classification, output == .sigmoid, kind.channels > 1 {
            throw refuse(
                "output sigmoid lets its \(kind.channels) classes stand alone, and a classifier chooses one; state output "
                    + "softmax, or give it one logit")
        }
        if let patch = judged?.patch {
            for edge in [patch.depth, patch.height, patch.width]
            where !(1...SlidingWindowOptions.largestEdge).contains(edge) {
                throw refuse(
                    "its patches have \(patch) voxels; every edge has 1 to \(SlidingWindowOptions.largestEdge)")
            }
        }
        if let split {
            let all = split.training + split.validation + split.test
            guard Set(all).count == all.count else { throw refuse("a subject is in two parts of its split") }
        }
    }

    private func checkInference(_ refuse: (String) -> ModelCardError) throws {
        guard let inference else { return }
        do {
            try inference.check(classes: classes.count)
        } catch {
            throw refuse("\(error)")
        }
        // Names of sides change with a flip along width only where that axis runs from side to side.
        guard inference.lateralPairs.isEmpty || ["L", "R"].contains(geometry.orientation?.first) else {
            throw refuse(
                "it has pairs of left and right classes on images of \(geometry.orientation.map { "the orientation \($0)" } ?? "any orientation"); "
                    + "state an orientation whose first letter is L or R")
        }
    }
}
