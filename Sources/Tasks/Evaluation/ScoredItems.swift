import BIDS
import Workflow

/// What was judged: images, slices or lesions, each with what it is and what the prediction says of it.
struct ScoredItems {
    struct Item {
        var owner: TaskContext
        /// What the prediction decided for; nil where its table has no column `class`.
        var decision: String?
        var truth: String
        /// By class.
        var scores: [String: Double]
    }

    private(set) var items: [Item] = []
    /// Everybody whose predictions are there, those without an item included: nothing found is an answer too.
    private(set) var people: [String] = []
    /// By person and class, what there is to be found, seen by the prediction or not.
    private(set) var trueCounts: [String: [String: Int]] = [:]
    private(set) var warnings: [String] = []

    /// What is known of the truth.
    enum Truth {
        /// Of people, by label: a column of participants.tsv.
        case people([String: String])
        /// A class per item, by the owner of the table and the item's name.
        case items([TaskContext: [String: String]], key: String)
        /// A column of the predictions' own tables.
        case column(String)
    }

    /// - Parameters:
    ///   - scoreColumn: of the class asked for; empty: `p_CLASS` for every class.
    ///   - positive: the class asked for; empty: every class.
    init(
        _ tables: [TaskRequest.StagedInput], truth: Truth, positive: String, scoreColumn: String, step: String
    ) throws {
        var (known, unknownTruth, unseen) = (Set<String>(), [String](), 0)
        var counted: Set<TaskContext> = []
        for item in tables {
            let table = try item.readTable()
            let name = item.input.name
            let owner = try TableRowOwner(table, item)
            if let subject = item.input.context.subject, known.insert(subject).inserted { people.append(subject) }
            let columns = try Self.scoreColumns(table, name, positive: positive, scoreColumn: scoreColumn, step: step)
            let decision = table.columns.firstIndex(of: "class")
            var key: Int?
            var column: Int?
            switch truth {
            case .people: break
            case .items(_, let name): key = try table.column(name, of: item.input.name)
            case .column(let truth): column = try table.column(truth, of: name)
            }
            var seen: [TaskContext: Set<String>] = [:]
            for row in table.rows {
                let context = owner(row).withoutFold
                let person = context.subject ?? ""
                if known.insert(person).inserted { people.append(person) }
                let truthText: String?
                switch truth {
                case .people(let levels): truthText = levels[person]
                case .items(let classes, _):
                    guard seen[context, default: []].insert(row[key!]).inserted else {
                        throw TaskResult.Failure.permanent("\(name) has “\(row[key!])” twice; keep one row per item")
                    }
                    truthText = classes[context]?[row[key!]]
                case .column: truthText = row[column!]
                }
                guard let truthText, !truthText.isEmpty, truthText != "n/a" else {
                    unknownTruth.append(key.map { "\(context) \(row[$0])" } ?? "\(context)")
                    continue
                }
                var scores: [String: Double] = [:]
                for (className, column) in columns {
                    guard let score = TabSeparatedTable.number(row[column]), score.isFinite else {
                        throw TaskResult.Failure.permanent(
                            "\(name) has “\(row[column])” in column \(table.columns[column]), which is no number; correct it"
                        )
                    }
                    scores[className] = score
                }
                items.append(
                    Item(
                        owner: context, decision: decision.map { row[$0] }.flatMap { $0 == "n/a" ? nil : $0 },
                        truth: truthText, scores: scores))
                if case .items = truth {} else { trueCounts[person, default: [:]][truthText, default: 0] += 1 }
            }
            if case .items(let classes, _) = truth {
                // A table of everybody answers for everybody, also for whom it has no row.
                let isOfEverybody = table.columns.contains("participant_id")
                for (context, members) in classes.sorted(by: { $0.key < $1.key })
                where isOfEverybody || context == item.input.context.withoutFold {
                    guard counted.insert(context).inserted else { continue }
                    if let person = context.subject, known.insert(person).inserted { people.append(person) }
                    unseen += members.keys.filter { seen[context]?.contains($0) != true }.count
                    for className in members.values {
                        trueCounts[context.subject ?? "", default: [:]][className, default: 0] += 1
                    }
                }
            }
        }
        people.sort()
        if !unknownTruth.isEmpty {
            warnings.append(
                "\(unknownTruth.count) items have no true class and are left out, such as \(unknownTruth.prefix(3).joined(separator: "; "))."
            )
        }
        if unseen > 0 {
            warnings.append(
                "\(unseen) items of the truth have no prediction: they count in the numbers per person and nowhere else."
            )
        }
    }

    /// Columns with scores, by class.
    private static func scoreColumns(
        _ table: TabSeparatedTable, _ name: String, positive: String, scoreColumn: String, step: String
    ) throws -> [(String, Int)] {
        if !scoreColumn.isEmpty {
            guard !positive.isEmpty else {
                throw TaskResult.Failure.permanent(
                    "Step \(step) names the column of scores, \(scoreColumn), but not the class that they are of; name it with “positive”"
                )
            }
            return [(positive, try table.column(scoreColumn, of: name))]
        }
        if !positive.isEmpty { return [(positive, try table.column("p_" + positive, of: name))] }
        let columns = table.columns.enumerated().filter { $0.element.hasPrefix("p_") }
        guard !columns.isEmpty else {
            throw TaskResult.Failure.permanent(
                "\(name) has no column p_CLASS with scores (it has \(table.columns.joined(separator: ", "))); "
                    + "name one with “score” and its class with “positive”")
        }
        return columns.map { (String($0.element.dropFirst(2)), $0.offset) }
    }

    var classes: [String] {
        Set(items.map(\.truth) + items.compactMap(\.decision) + items.flatMap { $0.scores.keys }).sorted()
    }

    /// Classes that there are scores of.
    var scored: [String] { Set(items.flatMap { $0.scores.keys }).sorted() }

    /// One item per person.
    ///
    /// - Parameter rule: how the scores of a person's items become one: `mean`, `max`, or `share` of those at the threshold.
    ///   A person of whom the truth is known by items is of a class where any item is.
    func ofPeople(_ rule: String, threshold: Double, positive: String, truthIsOfPeople: Bool) -> [Item] {
        let byPerson = Dictionary(grouping: items) { $0.owner.subject ?? "" }
        return people.compactMap { person in
            guard let members = byPerson[person], !members.isEmpty else { return nil }
            let scores = members.compactMap { $0.scores[positive] }
            guard scores.count == members.count else { return nil }
            let score: Double
            switch rule {
            case "max": score = scores.max()!
            case "share": score = Double(scores.count { $0 >= threshold }) / Double(scores.count)
            default: score = scores.reduce(0, +) / Double(scores.count)
            }
            let isPositive = members.contains { $0.truth == positive }
            return Item(
                owner: TaskContext(subject: person), decision: nil,
                truth: truthIsOfPeople ? members[0].truth : isPositive ? positive : "rest",
                scores: [positive: score])
        }
    }
}
