import Workflow

/// The networks that `network.train` makes.
enum NetworkChoice: String, CaseIterable {
    case unet, resunet, dbresunet, deepmir, resnet18, qsmrim, slices

    var segments: Bool { Self.segmenting.contains(self) }
    /// Tells two classes apart by the logit of one of them.
    var hasOneLogit: Bool { self == .qsmrim || self == .slices }

    private static let segmenting: Set<NetworkChoice> = [.unet, .resunet, .dbresunet, .deepmir]
    private static let classifying = Set(allCases).subtracting(segmenting)

    /// Parameters that mean something to some networks only.
    private static let limited: [(parameter: String, networks: Set<NetworkChoice>)] = [
        ("classes", segmenting), ("lateral_pairs", segmenting), ("target", [.resnet18, .slices]),
        ("positive", classifying), ("minimum_positives", classifying), ("widths", segmenting.union([.slices])),
        ("normalisation", segmenting), ("upsampling", segmenting), ("dropout", segmenting),
        ("level_dropout", segmenting), ("head_activation", [.unet, .resunet, .deepmir]),
        ("global_scale", [.dbresunet]), ("fusion", [.qsmrim]), ("smote_includes_self", [.qsmrim]),
        ("sampling", [.unet, .resunet, .deepmir]), ("skip_empty", [.unet, .resunet, .deepmir]),
        ("samples_per_epoch", segmenting), ("foreground_fraction", segmenting), ("foreground_weights", segmenting),
    ]

    /// - Throws: a permanent failure naming the first parameter that the network has no use for.
    init(_ environment: TaskEnvironment) throws {
        self = NetworkChoice(rawValue: environment.text("network"))!
        for (parameter, networks) in Self.limited where environment.isSet(parameter) && !networks.contains(self) {
            let names = Self.allCases.filter(networks.contains).map(\.rawValue).joined(separator: ", ")
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): \(parameter) is a parameter of the networks \(names), not of \(rawValue); leave it out"
            )
        }
    }
}
