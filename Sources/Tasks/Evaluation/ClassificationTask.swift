import BIDS
import Kernels
import Statistics
import Workflow

/// Predicted against true classes of people, of their slices, or of their lesions, over the cohort.
enum ClassificationTask: TaskImplementation {
    static let kind = "evaluate.classification"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let folds = try PeopleFolds(
            environment.optionalInput("folds"), tables: environment.inputs("tables"))
        var warnings: [String] = []
        let truth = try truth(environment, &warnings)
        let (positive, step) = (environment.text("positive"), environment.request.step)
        let scoreColumn = environment.text("score")
        func scored(_ port: String, _ warnings: inout [String]) throws -> ScoredItems {
            let tables = environment.inputs(port)
            let areDecisions = ScoredItems.areDecisions(tables, scoreColumn: scoreColumn)
            func judged(_ tables: [TaskRequest.StagedInput]) throws -> ScoredItems {
                try ScoredItems(
                    tables, truth: truth, positive: positive, scoreColumn: scoreColumn, areDecisions: areDecisions,
                    step: step)
            }
            return try judged(try usable(tables, &warnings, judged))
        }
        let items = try scored("tables", &warnings)
        warnings += items.warnings + items.warningsOfNames(truth)
        guard !items.items.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Step \(step) has no item with a score and a true class: "
                    + (warnings.first ?? "the tables of predictions have no rows")
                    + " Bind tables that belong together.")
        }
        if items.scored.contains(ClassificationTables.all) {
            throw TaskResult.Failure.permanent(
                "Step \(step): a class is called “\(ClassificationTables.all)”, by which results mean all classes together; rename it"
            )
        }
        let (tables, truths) = (environment.inputs("tables"), Set(environment.inputs("truth").map(\.input.digest)))
        if tables.count > 1, tables.allSatisfy({ truths.contains($0.input.digest) }) {
            warnings.append(
                "Predictions and truth are the same files, byte for byte; name another dataset or other files for one of them where "
                    + "that was not meant.")
        }
        if !positive.isEmpty, !items.items.contains(where: { $0.truth == positive }) {
            throw TaskResult.Failure.permanent(
                "Step \(step): no item is of the class “\(positive)”; there are "
                    + Set(items.items.map(\.truth)).sorted().joined(separator: ", ")
                    + (warnings.first.map { ". \($0)" } ?? ""))
        }
        var truthIsOfPeople = false
        if case .people = truth { truthIsOfPeople = true }
        var judged = try ClassificationTables(environment, folds)
        let threshold = items.areDecisions ? ScoredItems.decided : environment.number("threshold")
        let rule =
            switch environment.text("person_score") {
            case "automatic": truthIsOfPeople ? "mean" : "max"
            case let stated: stated
            }
        if !environment.inputs("slices").isEmpty {
            guard case .people = truth else {
                throw TaskResult.Failure.permanent(
                    "Step \(step): slices are judged by what is true of their person; name a column of participants.tsv with “target”"
                )
            }
            let slices = try scored("slices", &warnings)
            warnings += (slices.warnings + slices.warningsOfNames(truth)).map { "Slices: \($0)" }
            for name in slices.scored {
                judged.add(level: "slice", className: name, slices.items, areDecisions: slices.areDecisions)
                judged.add(
                    level: "person_by_slices", className: name, slices.ofPeopleByLogOdds(positive: name),
                    areDecisions: slices.areDecisions)
            }
            judged.addDecisions(level: "slice", slices.items, classes: slices.classes)
        }
        // One image per person is a person: the same numbers need no second name.
        let isPerPerson =
            truthIsOfPeople && items.items.count == Set(items.items.map(\.owner.subject)).count
            && items.items.count == items.imagesOfPeople.count
        for name in items.scored {
            if !isPerPerson {
                judged.add(level: "item", className: name, items.items, areDecisions: items.areDecisions)
            }
            judged.add(
                level: "person", className: name,
                isPerPerson
                    ? items.items
                    : items.ofPeople(rule, threshold: threshold, positive: name), areDecisions: items.areDecisions)
            if !truthIsOfPeople, environment.boolean("counts") { judged.addCounts(className: name, items) }
        }
        judged.addDecisions(level: isPerPerson ? "person" : "item", items.items, classes: items.classes)
        let unanswered = unanswered(environment, truth)
        if !unanswered.isEmpty {
            warnings.append(
                "\(unanswered.count) \(unanswered.count == 1 ? "image or person has" : "images or people have") true classes and no "
                    + "table of predictions, such as \(unanswered.prefix(3).map(\.description).joined(separator: "; ")): not in any "
                    + "number.")
        }
        return try judged.result(
            warnings: warnings, rule: rule, areDecisions: items.areDecisions, withoutPredictions: unanswered)
    }

    /// Who has true classes, and no table of predictions that is there, was refused or is reported missing. A step takes the
    /// tables that there are, so that nobody else would say so.
    private static func unanswered(_ environment: TaskEnvironment, _ truth: ScoredItems.Truth) -> [TaskContext] {
        let tables = environment.inputs("tables").map { $0.input.context.withoutFold }
        // A table of everybody answers for everybody.
        guard tables.allSatisfy({ $0.subject != nil }) else { return [] }
        let answered = Set(tables + environment.request.missing.map { $0.context.withoutFold })
        let subjects = Set(answered.compactMap(\.subject))
        switch truth {
        case .people(let classes):
            return classes.filter { ScoredItems.isClass($0.value) && !subjects.contains($0.key) }.keys.sorted().map {
                TaskContext(subject: $0)
            }
        case .items(let classes, _, _):
            return classes.keys.filter { image in
                guard let subject = image.subject else { return false }
                // A table of a person is of all sessions.
                return !answered.contains(image) && !answered.contains(TaskContext(subject: subject))
                    && !(image.session == nil && subjects.contains(subject))
            }.sorted()
        case .column: return []
        }
    }

    /// Tables that can be judged: a person whose table cannot is left out with a warning. Where none can, the workflow is
    /// mistaken and no person, and all are given back, to fail.
    private static func usable(
        _ tables: [TaskRequest.StagedInput], _ warnings: inout [String],
        _ judge: ([TaskRequest.StagedInput]) throws -> ScoredItems
    ) throws -> [TaskRequest.StagedInput] {
        var (usable, refused) = ([TaskRequest.StagedInput](), [String]())
        for item in tables {
            do {
                _ = try judge([item])
                usable.append(item)
            } catch  where item.input.context.subject != nil {
                refused.append("\(item.input.context) is left out: \(try LeftOut.reason(error)).")
            }
        }
        guard !usable.isEmpty else { return tables }
        warnings += refused
        return usable
    }

    /// A person whose table cannot be used is left out with a warning; where it is everybody's, or the only one, it fails.
    private static func truth(
        _ environment: TaskEnvironment, _ warnings: inout [String]
    ) throws -> ScoredItems.Truth {
        let target = environment.text("target")
        if !target.isEmpty {
            let item = try environment.input("covariates")
            let covariates = try CohortCovariates(try item.readJSON(), name: item.input.name)
            guard covariates.columns.contains(where: { $0.name == target }) else {
                throw TaskResult.Failure.permanent(
                    "participants.tsv has no column “\(target)”; it has "
                        + covariates.columns.map(\.name).joined(separator: ", "))
            }
            return .people(
                covariates.values.compactMapValues { values in
                    values[target].flatMap { $0.isNull ? nil : $0.stringValue ?? $0.canonicalString }
                })
        }
        let (key, column) = (environment.text("item"), environment.text("truth"))
        let tables = environment.inputs("truth")
        guard !tables.isEmpty else {
            guard column != ScoredItems.decisionColumn else {
                throw environment.refuse(
                    "nothing says what is true: the column class of predictions is their own decision; bind tables to “truth”, "
                        + "name a column of participants.tsv with “target”, or the predictions' column of true classes with “truth”"
                )
            }
            return .column(column)
        }
        var isOfEverybody = false
        var classes: [TaskContext: [String: String]] = [:]
        for item in tables {
            // What is true does not depend on who predicts.
            let context = item.input.context.withoutFold
            var own: [TaskContext: [String: String]] = context.subject == nil ? [:] : [context: [:]]
            do {
                let table = try item.readTable()
                let owner = try TableRowOwner(table, item)
                let (number, name) = (
                    try table.column(key, of: item.input.name), try table.column(column, of: item.input.name)
                )
                for row in table.rows {
                    guard own[owner(row).withoutFold, default: [:]].updateValue(row[name], forKey: row[number]) == nil
                    else {
                        throw TaskResult.Failure.permanent(
                            "\(item.input.name) has “\(row[number])” twice; keep one row per item")
                    }
                }
                isOfEverybody = isOfEverybody || owner.isOfEverybody
            } catch  where context.subject != nil && tables.count > 1 {
                warnings.append("\(context) is left out: \(try LeftOut.reason(error)).")
                continue
            }
            for (context, members) in own.sorted(by: { $0.key < $1.key }) {
                if let twice = members.keys.sorted().first(where: { classes[context]?[$0] != nil }) {
                    throw TaskResult.Failure.permanent(
                        "\(item.input.name) has “\(twice)” of \(context), which another table has, too; keep one row per item"
                    )
                }
                classes[context, default: [:]].merge(members) { first, _ in first }
            }
        }
        return .items(classes, key: key, isOfEverybody: isOfEverybody)
    }
}
