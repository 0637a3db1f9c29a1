/// Every kind of task there is. `Tasks` implements exactly these; a test compares the two.
package enum TaskKindCatalog {
    package static let kinds: [TaskKind] =
        imagingKinds + registrationKinds + regionKinds + radiomicsKinds + networkKinds + classifierKinds + lesionKinds
        + evaluationKinds + cohortKinds + [commandKind]

    private static let byName = Dictionary(uniqueKeysWithValues: kinds.map { ($0.name, $0) })

    package static func kind(_ name: String) -> TaskKind? { byName[name] }

    /// `name: version` of every kind, as a worker announces them.
    package static var versions: [String: Int] { byName.mapValues(\.version) }
}
