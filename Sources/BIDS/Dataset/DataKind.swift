/// Whether a dataset is of people, or was made, as it says itself. Results are headed with it: what a simulation put in and
/// a pipeline found again is no finding.
package enum DataKind: String, Sendable, CaseIterable {
    case real
    case synthetic
    /// Simulated images on the anatomy of real people.
    case semiSynthetic = "semi-synthetic"
    /// The dataset does not say.
    case unstated

    /// From the keywords of `dataset_description.json`; else from what its generators say of themselves.
    package init(_ description: DatasetDescription) {
        let keywords = description.keywords.map { $0.lowercased() }
        for (kind, words) in Self.keywords where keywords.contains(where: words.contains) {
            self = kind
            return
        }
        let generators = description.generatedBy.compactMap { $0.description?.lowercased() }
        guard let simulation = generators.first(where: { $0.contains("simulat") }) else {
            self = .unstated
            return
        }
        self = simulation.split { !$0.isLetter }.contains("real") ? .semiSynthetic : .synthetic
    }

    private static let keywords: [(DataKind, Set<String>)] = [
        (.semiSynthetic, ["semi-synthetic", "semisynthetic", "semi synthetic"]),
        (.synthetic, ["synthetic", "simulated", "phantom", "digital phantom"]),
        (.real, ["real", "in vivo", "in-vivo"]),
    ]

    /// To head results with.
    package var heading: String {
        switch self {
        case .real: "Real data, as the dataset states."
        case .synthetic:
            "Synthetic data: what is found here was put in when the data was made. It shows that methods work and says nothing "
                + "about people; no figure here replicates a published one."
        case .semiSynthetic:
            "Semi-synthetic data: simulated images on the anatomy of real people. It shows that methods work and says nothing "
                + "about patients; no figure here replicates a published one."
        case .unstated: "Data as the dataset gives it: it does not state whether it is real or synthetic (“Keywords”)."
        }
    }
}
