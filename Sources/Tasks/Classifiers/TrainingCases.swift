import BIDS
import Statistics
import Workflow

/// The cases of a cohort with their classes and features, as a classifier takes them.
struct TrainingCases {
    /// In order; of two the positive one is the last.
    let classes: [String]
    /// Index of the class of each case.
    let targets: [Int]
    let features: FeatureMatrix
    /// By feature, what a missing value became; nil where those are refused.
    let medians: [Double]?
    /// Whom each case belongs to, from 0.
    let people: [Int]
    /// Subject and session, as BIDS tables name them, and lesion of each case.
    let labels: [[String]]
    let isOfLesions: Bool

    private struct Case {
        var context: TaskContext
        var table: String
        var sample: FeatureSamples.Sample
        var target: String
    }

    init(_ environment: TaskEnvironment, _ warnings: inout [String]) throws {
        let items = environment.inputs("features")
        let tables = try items.map {
            try FeatureSamples(
                $0, columns: environment.texts("columns"), reference: environment.text("reference"))
        }
        guard let first = tables.first, Set(tables.map(\.isOfLesions)).count == 1 else {
            throw environment.refuse(
                "some tables of features have a row per lesion and others none; bind tables of one kind")
        }
        let target = environment.text("target")
        guard target.isEmpty || !first.isOfLesions else {
            throw environment.refuse(
                "“target” tells people apart, but the tables of features have a row per lesion; bind classes of lesions to "
                    + "“targets”, or tables without the column lesion")
        }
        let levels = try target.isEmpty ? [:] : Self.levels(target, environment)
        let kinds = try Dictionary(
            environment.inputs("targets").map { ($0.input.context, try Self.classes($0)) },
            uniquingKeysWith: { first, _ in first })
        var cases: [Case] = []
        for (item, table) in zip(items, tables) {
            let context = item.input.context
            var (own, lacking): ([Case], Int) = ([], 0)
            for sample in table.samples {
                let name: String? =
                    if !first.isOfLesions, !target.isEmpty {
                        levels[context.subject ?? ""]
                    } else if let lesion = sample.lesion, !kinds.isEmpty {
                        kinds[context]?[lesion]
                    } else {
                        sample.kind
                    }
                guard let name, !name.isEmpty, name != "n/a" else {
                    lacking += 1
                    continue
                }
                own.append(Case(context: context, table: item.input.name, sample: sample, target: name))
            }
            if lacking > 0 {
                warnings.append(
                    first.isOfLesions
                        ? "\(lacking) lesions of \(item.input.name) have no class and are left out."
                        : "\(context) takes no part: it has no class.")
            }
            cases += own
        }
        try self.init(
            cases, names: first.names, refusesMissing: environment.text("missing") == "refuse",
            positive: environment.text("positive"), isOfLesions: first.isOfLesions, environment)
    }

    private init(
        _ cases: [Case], names: [String], refusesMissing: Bool, positive: String, isOfLesions: Bool,
        _ environment: TaskEnvironment
    ) throws {
        var counts: [String: Int] = [:]
        for item in cases { counts[item.target, default: 0] += 1 }
        var classes = counts.keys.sorted()
        guard classes.count > 1 else {
            throw environment.refuse(
                "there are \(cases.count) cases, \(classes.isEmpty ? "none with a class" : "all of class \(classes[0])"); a classifier "
                    + "learns from two classes or more: bind their tables to “targets”, or name a column with “target”")
        }
        if classes.count == 2 {
            guard positive.isEmpty || classes.contains(positive) else {
                throw environment.refuse(
                    "positive is “\(positive)”, but the classes are \(classes.joined(separator: " and ")); name one of them"
                )
            }
            let last =
                positive.isEmpty ? (counts[classes[0]]! < counts[classes[1]]! ? classes[0] : classes[1]) : positive
            if classes[0] == last { classes.swapAt(0, 1) }
        }
        let medians =
            refusesMissing ? nil : names.map { name in Self.median(cases.compactMap { $0.sample.values[name] ?? nil }) }
        let rows = try cases.map {
            try FeatureClassifier.row($0.sample, names: names, medians: medians, table: $0.table)
        }
        features = try FeatureMatrix(
            names: names, columns: names.indices.map { feature in rows.map { $0[feature] } })
        (self.classes, self.medians, self.isOfLesions) = (classes, medians, isOfLesions)
        targets = cases.map { item in classes.firstIndex(of: item.target)! }
        let subjects = Dictionary(
            uniqueKeysWithValues: Set(cases.map { $0.context.subject ?? "" }).sorted().enumerated().map { ($1, $0) })
        people = cases.map { subjects[$0.context.subject ?? ""]! }
        labels = cases.map { item in
            [
                item.context.subject.map { "sub-\($0)" } ?? "n/a", item.context.session.map { "ses-\($0)" } ?? "n/a",
                item.sample.lesion.map { "\($0)" } ?? "n/a",
            ]
        }
    }

    /// 0 where there is no value at all: the feature then says nothing.
    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The level of a column of participants.tsv by subject.
    private static func levels(_ column: String, _ environment: TaskEnvironment) throws -> [String: String] {
        let item = try environment.input("covariates")
        let covariates = try CohortCovariates(try item.readJSON(), name: item.input.name)
        guard covariates.columns.contains(where: { $0.name == column }) else {
            throw environment.refuse(
                "target is “\(column)”, but the cohort has the columns \(covariates.columns.map(\.name).joined(separator: ", ")); "
                    + "name one of them")
        }
        return covariates.values.compactMapValues { values in
            values[column].flatMap { $0.isNull ? nil : $0.stringValue ?? $0.canonicalString }
        }
    }

    private static func classes(_ item: TaskRequest.StagedInput) throws -> [UInt16: String] {
        let table = try item.readTable()
        let (lesion, kind) = (
            try table.column("lesion", of: item.input.name), try table.column("class", of: item.input.name)
        )
        var classes: [UInt16: String] = [:]
        for row in table.rows {
            guard let number = UInt16(row[lesion]), classes.updateValue(row[kind], forKey: number) == nil else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) has “\(row[lesion])” as the number of a lesion, twice or no whole number; give each its own row"
                )
            }
        }
        return classes
    }
}
