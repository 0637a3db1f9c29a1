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
    /// The classes that there are, where the step names them; others are not learned.
    let classes: [String]
    /// By subject; nil for lesions.
    private let levels: [String: String]?
    private let table: String
    /// Whether the levels are numbers.
    private(set) var isNumeric = false

    init(_ environment: TaskEnvironment, _ network: NetworkChoice) throws {
        column = environment.text("target")
        classes = try environment.settings.classNames()
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

    /// Why a session cannot be learned from; nil where it can. Its tables are read whole: a row that is wrong is known before
    /// anything is learned, and is no reason to stop for the others.
    ///
    /// - Throws: what the machine did, and the files did not.
    func reason(against session: TrainingSession) throws -> String? {
        if let levels {
            guard let level = levels[session.subject] else { return "\(table) has no \(column) for it" }
            return isLearned(level) ? nil : "its \(column) is “\(level)”, which is not among the classes"
        }
        guard let targets = session.targets, let labels = session.labels else { return nil }
        do {
            let centres = LesionCentres(try NIfTIFile.readLabelMap(labels.path))
            let table = try LesionTable(targets, lesions: centres, map: labels.input.name)
            let column = try table.column("class")
            let learned = table.rows.filter { Self.isClass($0.value[column]) && isLearned($0.value[column]) }
            if learned.isEmpty {
                return
                    "\(targets.input.name) names no lesion with a class\(classes.isEmpty ? "" : " among those to be learned")"
            }
            if needs.contains(.features), let item = session.features {
                let features = try LesionTable(item, lesions: centres, map: labels.input.name)
                let names = features.columns.filter { !FeatureSamples.descriptive.contains($0) }
                // That a table has no features at all is told of everybody's together.
                for lesion in learned.keys.sorted() where !names.isEmpty {
                    _ = try features.numbers(names, lesion: lesion)
                }
            }
            return nil
        } catch { return try LeftOut.reason(error) }
    }

    /// Whether a cell names a class.
    private static func isClass(_ text: String) -> Bool { !text.isEmpty && text != "n/a" }

    private func isLearned(_ name: String) -> Bool { classes.isEmpty || classes.contains(name) }

    /// How to have more classes, for a message that there are too few.
    var advice: String {
        column.isEmpty
            ? "a training needs lesions of two classes or more: add people who have them, or let “stratify” of folds give every "
                + "fold its share"
            : "the column \(column) needs two or more levels among the people of every training"
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
        var others: [String: [String]] = [:]
        for (n, session) in sessions.enumerated() {
            // Sessions without have been left out.
            guard let labels = session.labels, let targets = session.targets else { continue }
            let centres = LesionCentres(try NIfTIFile.readLabelMap(labels.path))
            let table = try LesionTable(targets, lesions: centres, map: labels.input.name)
            let column = try table.column("class")
            let features =
                try names.isEmpty
                ? nil : session.features.map { try LesionTable($0, lesions: centres, map: labels.input.name) }
            for (lesion, row) in table.rows.sorted(by: { $0.key < $1.key }) {
                guard Self.isClass(row[column]) else {
                    warnings.append("Lesion \(lesion) of \(targets.input.name) has no class and is left out.")
                    continue
                }
                guard isLearned(row[column]) else {
                    others[row[column], default: []].append("\(session.context) \(lesion)")
                    continue
                }
                samples.append(
                    Sample(
                        session: n, name: row[column], centre: centres.worldMillimetres[lesion],
                        features: try features?.numbers(names, lesion: lesion) ?? []))
            }
        }
        warnings += others.sorted { $0.key < $1.key }.map { name, called in
            "\(called.count) \(called.count == 1 ? "lesion is" : "lesions are") of the class “\(name)” and left out, such as "
                + "\(called.prefix(3).joined(separator: "; ")): the classes are \(classes.joined(separator: ", "))."
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
