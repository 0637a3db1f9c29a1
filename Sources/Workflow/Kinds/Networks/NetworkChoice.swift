/// The networks that `network.train` makes.
package enum NetworkChoice: String, CaseIterable, Sendable {
    case unet, resunet, dbresunet, deepmir, resnet18, qsmrim, slices

    package init(_ settings: StepSettings) {
        guard let choice = NetworkChoice(rawValue: settings.text("network")) else {
            preconditionFailure("the parameter network has other values than these")
        }
        self = choice
    }

    package var segments: Bool { Self.segmenting.contains(self) }
    /// Tells two classes apart by the logit of one of them.
    package var hasOneLogit: Bool { self == .qsmrim || self == .slices }

    static let segmenting: Set<NetworkChoice> = [.unet, .resunet, .dbresunet, .deepmir]
    static let classifying = Set(allCases).subtracting(segmenting)

    /// Parameters that mean something to some networks only.
    private static let limited: [(parameter: String, networks: Set<NetworkChoice>)] = [
        ("lateral_pairs", segmenting), ("target", [.resnet18, .slices]),
        ("positive", classifying), ("minimum_positives", classifying),
        ("normalisation", segmenting), ("upsampling", segmenting), ("dropout", segmenting),
        ("level_dropout", segmenting), ("head_activation", [.unet, .resunet, .deepmir]),
        ("global_scale", [.dbresunet]), ("fusion", [.qsmrim]), ("smote_includes_self", [.qsmrim]),
        ("sampling", [.unet, .resunet, .deepmir]), ("skip_empty", [.unet, .resunet, .deepmir]),
        ("samples_per_epoch", segmenting), ("foreground_fraction", segmenting), ("foreground_weights", segmenting),
    ]

    /// A parameter that the network has no use for is refused, one rule each.
    static let limits: [StepRules.Rule] = limited.map { parameter, networks in
        { settings in
            let network = NetworkChoice(settings)
            guard settings.isSet(parameter), !networks.contains(network) else { return }
            let names = allCases.filter(networks.contains).map(\.rawValue).joined(separator: ", ")
            throw StepFinding(
                parameter,
                "\(parameter) is a parameter of the networks \(names), not of \(network.rawValue); leave it out")
        }
    }

    /// Slices or volumes, of networks that are not free to be either.
    var fixedRank: Int? {
        switch self {
        case .deepmir: 2
        case .dbresunet, .qsmrim, .slices: 3
        case .unet, .resunet, .resnet18: nil
        }
    }

    /// The losses it can be trained with.
    package var losses: [String] {
        if segments { return ["dice", "cross_entropy", "focal", "bce"] }
        return hasOneLogit ? ["bce"] : ["cross_entropy", "focal"]
    }

    /// Channels per level where the step states none; nil of networks that have sizes of their own.
    package var ownWidths: [Int]? {
        switch self {
        case .unet, .resunet, .dbresunet: [16, 32, 64, 128, 256]
        case .deepmir: [32, 64, 128, 256, 512, 1024]
        case .slices: [16, 32, 64, 128]
        case .resnet18, .qsmrim: nil
        }
    }
}
