import BIDS
import Statistics
import Workflow

/// The cases of a cohort with their classes and features, as a classifier takes them.
struct TrainingCases {
    /// In order; of two the positive one is the last.
    let classes: [String]
    /// Index of the class of each case.
    let targets: [Int]
    let featureNames: [String]
    /// Columns of participants.tsv whose part in the features is taken away.
    let covariateNames: [String]
    /// Whom each case belongs to, from 0.
    let people: [Int]
    /// Subject and session, as BIDS tables name them, and number of the lesion or slice of each case.
    let labels: [[String]]
    let unit: FeatureSamples.Unit
    /// Labels of whoever has a case, sorted.
    let subjects: [String]
    private let rows: [FeaturePreparation.Case]
    private let cases: [Case]
    private let refusesMissing: Bool

    /// What is to be done with features, learned from some of the cases.
    func preparation(learnedFrom chosen: [Int]) -> FeaturePreparation {
        FeaturePreparation(
            chosen.map { rows[$0] }, names: featureNames, covariates: covariateNames,
            classes: chosen.map { targets[$0] }, refusesMissing: refusesMissing)
    }

    /// Some of the cases as a classifier sees them.
    func features(_ chosen: [Int], _ preparation: FeaturePreparation) throws -> FeatureMatrix {
        let prepared = try chosen.map { n in
            try FeatureClassifier.row(rows[n], preparation, cases[n].sample, unit, table: cases[n].table)
        }
        return try FeatureMatrix(
            names: featureNames, columns: featureNames.indices.map { feature in prepared.map { $0[feature] } })
    }

    private struct Case {
        var context: TaskContext
        var table: String
        var sample: FeatureSamples.Sample
        var target: String
    }

    init(_ environment: TaskEnvironment, _ warnings: inout [String]) throws {
        let further = try environment.inputsByContext("features2")
        let all = environment.inputs("features")
        let items = all.filter { further.isEmpty || further[$0.input.context] != nil }
        warnings += all.filter { !further.isEmpty && further[$0.input.context] == nil }.map {
            "\($0.input.context) takes no part: it has no table at “features2”."
        }
        guard !items.isEmpty else {
            throw environment.refuse(
                "nobody has a table both at “features” and at “features2”; bind those of the same people")
        }
        // Whose tables cannot be read, or lack a feature that most have, takes no part, and is no reason to stop for the others.
        var kinds: [TaskContext: [UInt16: String]] = [:]
        var refused: [(context: TaskContext, reason: String)] = []
        for (context, item) in try environment.inputsByContext("targets").sorted(by: { $0.key < $1.key }) {
            do { kinds[context] = try Self.classes(item) } catch {
                refused.append((context, try LeftOut.reason(error)))
            }
        }
        let hasTargets = !environment.inputs("targets").isEmpty
        var people: [(item: TaskRequest.StagedInput, table: FeatureSamples)] = []
        for item in items where !refused.contains(where: { $0.context == item.input.context }) {
            do {
                people.append(
                    (
                        item,
                        try FeatureSamples(
                            item, and: further[item.input.context], columns: environment.texts("columns"),
                            reference: environment.text("reference"))
                    ))
            } catch { refused.append((item.input.context, try LeftOut.reason(error))) }
        }
        let units = Set(people.map(\.table.unit))
        guard units.count < 2 else {
            throw environment.refuse(
                "tables of features are of \(units.map(\.plural).sorted().joined(separator: " and ")); bind tables of one kind"
            )
        }
        let first = Self.commonest(people.map(\.table))
        people.removeAll { item, table in
            guard let lacking = first?.names.first(where: { !table.names.contains($0) }) else { return false }
            refused.append(
                (item.input.context, "\(item.input.name) has no feature “\(lacking)”, which most tables have; add it"))
            return true
        }
        warnings += refused.map { "\($0.context) takes no part: \($0.reason)." }
        guard let first else {
            throw environment.refuse("nobody's tables can be learned from; the first reason: \(refused[0].reason)")
        }
        let target = environment.text("target")
        guard target.isEmpty || first.unit != .lesion else {
            throw environment.refuse(
                "“target” tells people apart, but the tables of features have a row per lesion; bind classes of lesions to "
                    + "“targets”, or tables without the column lesion")
        }
        let classes = try environment.settings.classNames()
        let levels = try target.isEmpty ? [:] : Self.levels(target, environment)
        var cases: [Case] = []
        var others: [String: [String]] = [:]
        for (item, table) in people {
            let context = item.input.context
            var (own, lacking): ([Case], Int) = ([], 0)
            for sample in table.samples {
                let name: String? =
                    if first.unit != .lesion, !target.isEmpty {
                        levels[context.subject ?? ""]
                    } else if first.unit == .lesion, let lesion = sample.number, hasTargets {
                        kinds[context]?[lesion]
                    } else {
                        sample.kind
                    }
                guard let name, !name.isEmpty, name != "n/a" else {
                    lacking += 1
                    continue
                }
                guard classes.isEmpty || classes.contains(name) else {
                    others[name, default: []].append(
                        "\(context)\(sample.number.map { " \($0)" } ?? "")")
                    continue
                }
                own.append(Case(context: context, table: item.input.name, sample: sample, target: name))
            }
            if lacking > 0 {
                warnings.append(
                    first.unit == .lesion
                        ? "\(lacking) lesions of \(item.input.name) have no class and are left out."
                        : "\(context) takes no part: it has no class.")
            }
            cases += own
        }
        warnings += others.sorted { $0.key < $1.key }.map { name, called in
            "\(called.count) \(called.count == 1 ? "case is" : "cases are") of the class “\(name)” and left out, such as "
                + "\(called.prefix(3).joined(separator: "; ")): the classes are \(classes.joined(separator: ", "))."
        }
        try self.init(cases, first, classes: classes, environment, &warnings)
    }

    /// The table whose features most have; of as many the one with more, and of those the first.
    private static func commonest(_ tables: [FeatureSamples]) -> FeatureSamples? {
        var counts: [[String]: Int] = [:]
        for table in tables { counts[table.names, default: 0] += 1 }
        var best: FeatureSamples?
        for table in tables {
            guard let found = best else {
                best = table
                continue
            }
            let (own, other) = (counts[table.names]!, counts[found.names]!)
            if own > other || own == other && table.names.count > found.names.count { best = table }
        }
        return best
    }

    private init(
        _ cases: [Case], _ first: FeatureSamples, classes stated: [String], _ environment: TaskEnvironment,
        _ warnings: inout [String]
    ) throws {
        let positive = environment.text("positive")
        var counts = Dictionary(uniqueKeysWithValues: stated.map { ($0, 0) })
        for item in cases { counts[item.target, default: 0] += 1 }
        var classes = stated.isEmpty ? counts.keys.sorted() : stated
        let met = classes.filter { counts[$0]! > 0 }
        guard met.count > 1 else {
            let others = classes.filter { counts[$0] == 0 }
            throw environment.refuse(
                "there are \(cases.count) cases, \(met.isEmpty ? "none with a class" : "all of class \(met[0])")"
                    + (met.isEmpty || others.isEmpty ? "" : " and none of \(others.joined(separator: ", "))")
                    + "; a classifier learns from two classes or more: "
                    + (stated.isEmpty
                        ? "bind their tables to “targets”, or name a column with “target”"
                        : "add people who have them, or let “stratify” of folds give every fold its share"))
        }
        if classes.count == 2 {
            guard positive.isEmpty || classes.contains(positive) else {
                throw environment.refuse(
                    "positive is “\(positive)”, but the classes are \(classes.joined(separator: " and ")); name one of them"
                )
            }
            // Of classes that are stated the last, so that folds agree; else the rarer.
            let isInOrder = !stated.isEmpty || counts[classes[0]]! >= counts[classes[1]]!
            let last = positive.isEmpty ? classes[isInOrder ? 1 : 0] : positive
            if classes[0] == last { classes.swapAt(0, 1) }
        }
        let covariates = try CaseCovariates(environment, names: environment.texts("residualise"))
        rows = try cases.map { item in
            FeaturePreparation.Case(
                features: try FeatureClassifier.features(item.sample, names: first.names, table: item.table),
                covariates: covariates.values(of: item.context))
        }
        warnings += covariates.warnings(of: cases.map(\.context))
        (self.classes, featureNames, covariateNames, unit) = (classes, first.names, covariates.names, first.unit)
        (self.cases, refusesMissing) = (cases, environment.text("missing") == "refuse")
        targets = cases.map { item in classes.firstIndex(of: item.target)! }
        let subjects = Set(cases.map { $0.context.subject ?? "" }).sorted()
        let places = Dictionary(uniqueKeysWithValues: subjects.enumerated().map { ($1, $0) })
        self.subjects = subjects
        people = cases.map { places[$0.context.subject ?? ""]! }
        labels = cases.map { item in
            [
                item.context.subject.map { "sub-\($0)" } ?? "n/a", item.context.session.map { "ses-\($0)" } ?? "n/a",
                item.sample.number.map { "\($0)" } ?? "n/a",
            ]
        }
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
