import BIDS

/// What has to hold for a step of `network.train`, as far as it can be told before any image is read.
extension StepRules {
    static let training = StepRules(NetworkChoice.limits + trainingRules)

    private static let trainingRules: [Rule] = [
        { step in _ = try step.trainingRank() },
        { step in _ = try step.trainingSpacingMillimetres() },
        { step in try architecture(step) },
        { step in try patch(step) },
        { step in
            // Of a segmentation with their labels, of a classification by name.
            if NetworkChoice(step).segments { _ = try TrainingClass.all(step) } else { _ = try step.classNames() }
        },
        { step in _ = try step.segmentationHasOneLogit() },
        { step in try weights(step) },
        { step in _ = try step.trainingMetric() },
        { step in _ = try step.lateralPairs() },
        { step in try augmentation(step) },
        { step in try sampling(step) },
        { step in try positives(step) },
        { step in try averaging(step) },
        { step in try TrainingChannels.check(step) },
        { step in try people(step) },
        { step in try lesions(step) },
        { step in
            if let other = step.list("notes").first(where: { $0.stringValue == nil }) {
                throw StepFinding("notes", "notes are sentences, not \(other.canonicalString)")
            }
        },
    ]

    private static func architecture(_ settings: StepSettings) throws(StepFinding) {
        let network = NetworkChoice(settings)
        let given = try settings.trainingWidths()
        if let given, [.resnet18, .qsmrim].contains(network), given.count != 4 {
            throw StepFinding(
                "widths", "network \(network.rawValue) has four stages, and there are \(given.count) widths")
        }
        guard network.segments, let widths = given ?? network.ownWidths else { return }
        _ = try settings.trainingDropout(levels: widths.count)
        let groups = settings.integer("groups")
        if settings.text("normalisation") == "group", let width = widths.first(where: { $0 % groups != 0 }) {
            throw StepFinding(
                "groups",
                "\(width) channels cannot be normalised in \(groups) groups of one size; widths are multiples of it"
            )
        }
    }

    /// Networks of levels halve a patch from level to level, and need every half to be whole.
    private static func patch(_ settings: StepSettings) throws(StepFinding) {
        let patch = try settings.trainingPatch()
        let network = NetworkChoice(settings)
        guard network.segments, let levels = try (settings.trainingWidths() ?? network.ownWidths)?.count else { return }
        var divisor = 1 << (levels - 1)
        var reason = "the \(levels) levels of the network halve it \(levels - 1) times"
        if network == .dbresunet {
            let scale = settings.integer("global_scale")
            while divisor % scale != 0 { divisor += 1 << (levels - 1) }
            reason += " and its global branch sees voxels \(scale) times as large"
        }
        // Of slices the last does not count.
        let edges = try settings.trainingRank() == 2 ? Array(patch.prefix(2)) : patch
        guard edges.contains(where: { $0 % divisor != 0 }) else { return }
        let fitting =
            edges.map { "\(($0 + divisor - 1) / divisor * divisor)" } + patch.dropFirst(edges.count).map { "\($0)" }
        throw StepFinding(
            "patch",
            "\(patch) does not fit: \(reason), so that edges are multiples of \(divisor), such as [\(fitting.joined(separator: ", "))]"
        )
    }

    private static func weights(_ settings: StepSettings) throws(StepFinding) {
        guard NetworkChoice(settings).segments else {
            let names = try settings.classNames()
            _ = try settings.trainingClassWeights(names.isEmpty ? nil : names)
            return
        }
        let names = try TrainingClass.names(settings)
        _ = try settings.trainingClassWeights(names)
        _ = try settings.weights("foreground_weights", of: Array(names.dropFirst()))
    }

    private static func augmentation(_ settings: StepSettings) throws(StepFinding) {
        let kind = settings.text("augmentation")
        if kind == "standard" {
            _ = try settings.rotationDegrees()
            _ = try settings.scalingFactors()
        } else {
            for parameter in ["rotation_degrees", "scaling", "elastic_mm", "elastic_lattice_mm"]
            where settings.isSet(parameter) {
                throw StepFinding(parameter, "\(parameter) is of augmentation standard, not \(kind); leave it out")
            }
        }
        guard kind == "deepmir" else { return }
        guard NetworkChoice(settings).segments else {
            throw StepFinding("augmentation", "augmentation deepmir is for slices that are segmented; take standard")
        }
        guard try settings.samplesSlices() else {
            throw StepFinding("augmentation", "augmentation deepmir is for sampling slices, of networks of rank 2")
        }
    }

    private static func sampling(_ settings: StepSettings) throws(StepFinding) {
        guard NetworkChoice(settings).segments else { return }
        if try settings.samplesSlices() {
            guard !settings.isSet("foreground_weights") else {
                throw StepFinding("foreground_weights", "foreground_weights is for sampling patches; leave it out")
            }
        } else if settings.isSet("skip_empty") {
            throw StepFinding("skip_empty", "skip_empty is for sampling slices, of networks of rank 2")
        }
        let modality = settings.text("skip_empty")
        let modalities = try TrainingChannels.modalities(settings)
        guard modality.isEmpty || modalities.contains(modality) else {
            throw StepFinding(
                "skip_empty",
                "skip_empty names the channel “\(modality)”; there are \(modalities.joined(separator: ", "))")
        }
    }

    private static func positives(_ settings: StepSettings) throws(StepFinding) {
        let network = NetworkChoice(settings)
        let needsPositive = network.hasOneLogit || settings.integer("minimum_positives") > 0
        if !network.segments, needsPositive, try settings.classNames().count > 2 {
            throw StepFinding(
                "classes",
                "\(network.hasOneLogit ? "network \(network.rawValue)" : "minimum_positives") is for two classes, and "
                    + "\(settings.list("classes").count) are named")
        }
        let (least, batch) = (settings.integer("minimum_positives"), settings.integer("batch"))
        guard least == 0 || least < batch else {
            throw StepFinding(
                "minimum_positives",
                "a batch of \(batch) with \(least) positives has no room for others; make batch larger or this smaller")
        }
    }

    private static func averaging(_ settings: StepSettings) throws(StepFinding) {
        let (first, epochs) = (settings.integer("averaging_from"), settings.integer("epochs"))
        guard first <= epochs else {
            throw StepFinding(
                "averaging_from", "weights are averaged from epoch \(first) on, and there are only \(epochs) epochs")
        }
        guard first > 0 || !settings.isSet("averaging_rate") else {
            throw StepFinding(
                "averaging_rate", "averaging_rate is for epochs from averaging_from on, which is not stated")
        }
    }

    // MARK: Inputs

    /// What people are told apart by.
    private static func people(_ settings: StepSettings) throws(StepFinding) {
        let network = NetworkChoice(settings)
        let target = settings.text("target")
        if network == .slices, target.isEmpty {
            throw StepFinding(
                "target", "network slices tells people apart; name a column of participants.tsv with “target”")
        }
        if !target.isEmpty, settings.isBound("covariates") == false {
            throw StepFinding(
                .inputs,
                "target names the column \(target) of participants.tsv; bind covariates: {covariates: participants}")
        }
        if target.isEmpty, settings.isBound("covariates") == true {
            throw StepFinding(
                .input("covariates"),
                network.segments || network == .qsmrim
                    ? "network \(network.rawValue) makes no use of covariates; leave them out"
                    : "covariates are bound and no column of theirs is named; name one with “target”, or leave them out"
            )
        }
    }

    /// What voxels or lesions are told apart by.
    private static func lesions(_ settings: StepSettings) throws(StepFinding) {
        let network = NetworkChoice(settings)
        func needs(_ port: String, _ what: String) throws(StepFinding) {
            guard settings.isBound(port) == false else { return }
            throw StepFinding(.inputs, "network \(network.rawValue) learns from \(what); bind \(port)")
        }
        func refuses(_ port: String, _ reason: String) throws(StepFinding) {
            guard settings.isBound(port) == true else { return }
            throw StepFinding(.input(port), "\(port) are bound, \(reason); leave them out")
        }
        if network != .qsmrim { try refuses("features", "which only network qsmrim takes") }
        if network.segments {
            try needs("labels", "label maps of what is to be found")
            if settings.isBound("tables") == false,
                try TrainingClass.all(settings).contains(where: { !$0.regions.isEmpty })
            {
                throw StepFinding(
                    .inputs,
                    "classes are given by names of regions; bind tables, which give the numbers of these in the label maps"
                )
            }
            return try refuses("targets", "which networks that classify lesions take")
        }
        try refuses("tables", "which networks that segment take")
        guard settings.text("target").isEmpty else {
            return try refuses("targets", "and people are told apart by the column \(settings.text("target"))")
        }
        let choice = network == .resnet18 ? ", or name a column of participants.tsv with “target”" : ""
        try needs("labels", "lesions\(choice): maps of them by number")
        try needs("targets", "lesions\(choice): tables of their classes")
        if network == .qsmrim { try needs("features", "tables of numbers of every lesion") }
    }
}
