/// What a model gives, and the kind of task that applies it.
package enum ModelUse: String, Sendable, CaseIterable {
    /// A network that gives a class for every voxel.
    case segmentation
    /// A network that gives a class for a person or a lesion.
    case classification
    /// A random forest or a regression.
    case classifier

    package var kind: String {
        switch self {
        case .segmentation: "network.segment"
        case .classification: "network.classify"
        case .classifier: "classifier.apply"
        }
    }

    /// As the end of a sentence: "a network for segmentation".
    package var phrase: String {
        self == .classifier ? "a classifier of classifier.train" : "a network for \(rawValue)"
    }

    /// Nil for a kind that applies no models.
    package init?(appliedBy kind: String) {
        guard let use = Self.allCases.first(where: { $0.kind == kind }) else { return nil }
        self = use
    }
}
