import BIDS
import NIfTI
import Networks
import Workflow

/// What a classifier is to say: the level of a column for people, or the class of a table for lesions.
struct TrainingTargets {
    struct Sample {
        /// Which of the sessions.
        var session: Int
        var name: String
        /// Middle of the lesion in world mm; nil: what is judged is the image.
        var centre: SIMD3<Double>?
        /// In the order of the feature names.
        var features: [Double] = []
    }

    /// What sessions need beside their images.
    let needs: [TrainingPeople.Need]
    /// Of participants.tsv; empty for lesions.
    let column: String
    /// By subject; nil for lesions.
    private let levels: [String: String]?
    private let table: String
    /// Whether the levels are numbers.
    private(set) var isNumeric = false

    init(_ environment: TaskEnvironment, _ network: NetworkChoice) throws {
        column = environment.text("target")
        guard !column.isEmpty else {
            needs = [.labels, .targets] + (network == .qsmrim ? [.features] : [])
            (levels, table) = (nil, "")
            return
        }
        let item = try environment.input("covariates")
        let covariates = try CohortCovariates(try item.readJSON(), name: item.input.name)
        let column = column
        let known = covariates.columns.map(\.name)
        guard known.contains(column) else {
            throw StepFinding(
                "target",
                "participants.tsv has no column “\(column)”"
                    + (known.isEmpty ? "; it has none at all" : Suggestion.clause(for: column, among: known)))
        }
        (needs, table) = ([], item.input.name)
        isNumeric = covariates.columns.first { $0.name == column }?.isNumeric ?? false
        levels = covariates.values.compactMapValues { values in
            // A level as participants.tsv writes it.
            values[column].flatMap { $0.isNull ? nil : $0.stringValue ?? $0.canonicalString }
                .flatMap { Self.isClass($0) ? $0 : nil }
        }
    }

    /// Why a session cannot be learned from; nil where it can.
    func reason(against session: TrainingSession) throws -> String? {
        if let levels { return levels[session.subject] == nil ? "\(table) has no \(column) for it" : nil }
        guard let targets = session.targets else { return nil }
        let lesions = try targets.readTable()
        let classes = try lesions.column("class", of: targets.input.name)
        return lesions.rows.contains { Self.isClass($0[classes]) }
            ? nil : "\(targets.input.name) names no lesion with a class"
    }

    /// Whether a cell names a class.
    private static func isClass(_ text: String) -> Bool { !text.isEmpty && text != "n/a" }

    /// Where the classes come from, for a message that there are too few.
    var advice: String {
        column.isEmpty
            ? "bind tables of lesions to “targets”, or name a column with “target”"
            : "the column \(column) needs two or more levels"
    }

    /// Lesions without a class are left out with a warning.
    ///
    /// - Parameter names: of the features wanted; empty: none.
    func samples(
        _ sessions: [TrainingSession], features names: [String], _ warnings: inout [String]
    ) throws -> [Sample] {
        if let levels {
            return sessions.indices.map { Sample(session: $0, name: levels[sessions[$0].subject]!) }
        }
        var samples: [Sample] = []
        for (n, session) in sessions.enumerated() {
            // Sessions without have been left out.
            guard let labels = session.labels, let targets = session.targets else { continue }
            let centres = LesionCentres(try NIfTIFile.readLabelMap(labels.path))
            let table = try LesionTable(targets, lesions: centres, map: labels.input.name)
            let classes = try table.column("class")
            let features =
                try names.isEmpty
                ? nil : session.features.map { try LesionTable($0, lesions: centres, map: labels.input.name) }
            for (lesion, row) in table.rows.sorted(by: { $0.key < $1.key }) {
                guard Self.isClass(row[classes]) else {
                    warnings.append("Lesion \(lesion) of \(targets.input.name) has no class and is left out.")
                    continue
                }
                samples.append(
                    Sample(
                        session: n, name: row[classes], centre: centres.worldMillimetres[lesion],
                        features: try features?.numbers(names, lesion: lesion) ?? []))
            }
        }
        return samples
    }

    /// Names of the features, which every table has to have alike.
    static func featureNames(_ sessions: [TrainingSession]) throws -> [String] {
        var names: (first: String, columns: [String])?
        for item in sessions.compactMap(\.features) {
            let columns = try item.readTable().columns.filter { !FeatureSamples.descriptive.contains($0) }
            guard let known = names else {
                guard !columns.isEmpty else {
                    throw TaskResult.Failure.permanent(
                        "\(item.input.name) has no column of features beside lesion; add some")
                }
                names = (item.input.name, columns)
                continue
            }
            for (one, other, lacking) in [
                (columns, known.columns, known.first), (known.columns, columns, item.input.name),
            ] {
                if let missing = one.first(where: { !other.contains($0) }) {
                    throw TaskResult.Failure.permanent(
                        "\(lacking) has no column “\(missing)”, which other tables of features have; add it, or take it out everywhere"
                    )
                }
            }
        }
        return names?.columns ?? []
    }
}
