import BIDS
import Foundation
import Workflow

/// What was judged: images, slices or lesions, each with what it is and what the prediction says of it.
struct ScoredItems {
    struct Item {
        var owner: TaskContext
        /// What the prediction decided for; nil where its table has no column `class`, or says nothing there.
        var decision: String?
        var truth: String
        /// By class.
        var scores: [String: Double]
    }

    /// Column of predictions with what was decided for; what is true stands elsewhere.
    static let decisionColumn = "class"

    /// What the prediction says of one thing, whether or not there is such a thing.
    struct Prediction {
        var owner: TaskContext
        /// As of an item.
        var decision: String?
        /// By class.
        var scores: [String: Double]
    }

    /// Those with a true class.
    private(set) var items: [Item] = []
    /// All that was predicted of images whose truth is known: items, and what the truth knows nothing of.
    private(set) var predictions: [Prediction] = []
    /// By image whose truth is known, those without an item included, since nothing found is an answer too: what there is
    /// to be found by class, seen by the prediction or not.
    private(set) var trueCounts: [TaskContext: [String: Int]] = [:]
    /// By label, where the truth is of people.
    private var levels: [String: String] = [:]
    private(set) var warnings: [String] = []
    /// Whether the predictions decide and say no more: of scores 0 and 1, made of decisions, no curve and no calibration exists.
    private(set) var areDecisions = false
    /// What was decided for, item by item as messages call them.
    private var called: [(item: String, name: String)] = []

    /// What is known of the truth.
    enum Truth {
        /// Of people, by label: a column of participants.tsv.
        case people([String: String])
        /// A class per item, by the owner of the table and the item's name; n/a where it is not known. Of everybody: who is
        /// not in it has no item.
        case items([TaskContext: [String: String]], key: String, isOfEverybody: Bool)
        /// A column of the predictions' own tables.
        case column(String)
    }

    /// - Parameters:
    ///   - scoreColumn: of the class asked for; empty: `p_CLASS` for every class.
    ///   - positive: the class asked for; empty: every class.
    ///   - areDecisions: whether the column `class` takes the place of scores, which most tables have none of.
    init(
        _ tables: [TaskRequest.StagedInput], truth: Truth, positive: String, scoreColumn: String, areDecisions: Bool,
        step: String
    ) throws {
        self.areDecisions = areDecisions
        var (unknown, foreign, unmatched) = ([String](), [String](), [String]())
        var (unseen, undecided, beyond) = ([String](), [String](), [String]())
        var seen: [TaskContext: Set<String>] = [:]
        var (unjudged, counted, uncounted) = (Set<TaskContext>(), Set<TaskContext>(), Set<TaskContext>())
        /// Whether the truth of an image is known, which makes it one of those that are counted.
        func isKnown(_ image: TaskContext) -> Bool {
            if trueCounts[image] != nil { return true }
            switch truth {
            case .people(let people):
                guard let person = image.subject, let level = people[person], Self.isClass(level) else { return false }
                levels[person] = level
            case .items(let classes, _, let isOfEverybody):
                let members = classes[image]
                guard members.map({ $0.isEmpty || $0.values.contains(where: Self.isClass) }) ?? isOfEverybody else {
                    unjudged.insert(image)
                    return false
                }
            case .column: break
            }
            trueCounts[image] = [:]
            return true
        }
        for item in tables {
            let table = try item.readTable()
            let name = item.input.name
            let owner = try TableRowOwner(table, item)
            let predicted = scoreColumn.isEmpty ? Self.predictedClasses(table) : nil
            /// A class that the predictions do not know, misspelt perhaps: to call it one of the others would be a guess.
            func isForeign(_ name: String?) -> Bool {
                guard let predicted, let name, Self.isClass(name) else { return false }
                return !predicted.contains(name)
            }
            var level: String?
            if case .people(let people) = truth { level = people[item.input.context.subject ?? ""] }
            // A column of the table says nothing of whom the table is unless it has a class, or has no rows for want of items.
            var isOfRows = false
            if case .column = truth { isOfRows = !table.rows.isEmpty }
            if item.input.context.subject != nil, !isOfRows, !isForeign(level) {
                _ = isKnown(item.input.context.withoutFold)
            }
            // Nothing found is an answer without a class.
            let columns =
                areDecisions || table.rows.isEmpty
                ? []
                : try Self.scoreColumns(table, name, positive: positive, scoreColumn: scoreColumn, step: step)
            let decisions =
                areDecisions && !table.rows.isEmpty
                ? try table.column(Self.decisionColumn, of: name) : table.columns.firstIndex(of: Self.decisionColumn)
            var key: Int?
            var column: Int?
            switch truth {
            case .people: break
            case .items(_, let name, _): key = try table.column(name, of: item.input.name)
            case .column(let truth): column = try table.column(truth, of: name)
            }
            var own: [TaskContext: Set<String>] = [:]
            for row in table.rows {
                let context = owner(row).withoutFold
                let truthText: String?
                switch truth {
                case .people(let people): truthText = people[context.subject ?? ""]
                case .items(let classes, _, _):
                    guard own[context, default: []].insert(row[key!]).inserted else {
                        throw TaskResult.Failure.permanent("\(name) has “\(row[key!])” twice; keep one row per item")
                    }
                    guard seen[context, default: []].insert(row[key!]).inserted else {
                        throw TaskResult.Failure.permanent(
                            "\(name) has “\(row[key!])” of \(context), which another table of predictions has, too; judge one "
                                + "reader or program at a time, by what tells their files apart")
                    }
                    truthText = classes[context]?[row[key!]]
                case .column: truthText = row[column!]
                }
                let called = key.map { "\(context) \(row[$0])" } ?? "\(context)"
                // What is there and of no known class is neither right nor wrong; what is not there is a false alarm.
                guard truthText.map(Self.isClass) ?? (key != nil) else {
                    unknown.append(called)
                    continue
                }
                if isForeign(truthText) {
                    foreign.append("\(called) (“\(truthText!)”)")
                    uncounted.insert(context)
                    continue
                }
                guard isKnown(context) else { continue }
                var scores: [String: Double] = [:]
                for (className, column) in columns {
                    guard let score = TabSeparatedTable.number(row[column]), score.isFinite else {
                        throw TaskResult.Failure.permanent(
                            "\(name) has “\(row[column])” in column \(table.columns[column]), which is no number; correct it"
                        )
                    }
                    if !(0...1).contains(score) { beyond.append("\(called) (\(row[column]))") }
                    scores[className] = score
                }
                let decision = decisions.map { row[$0] }.flatMap { Self.isClass($0) ? $0 : nil }
                if areDecisions, decision == nil {
                    undecided.append(called)
                    uncounted.insert(context)
                    continue
                }
                predictions.append(Prediction(owner: context, decision: decision, scores: scores))
                if let decision { self.called.append((called, decision)) }
                guard let truthText else {
                    unmatched.append(called)
                    continue
                }
                items.append(Item(owner: context, decision: decision, truth: truthText, scores: scores))
                if case .column = truth { trueCounts[context, default: [:]][truthText, default: 0] += 1 }
            }
            if case .items(let classes, _, _) = truth {
                // A table of everybody answers for everybody, also for whom it has no row.
                let image = item.input.context.withoutFold
                let images =
                    owner.isOfEverybody
                    ? classes.sorted { $0.key < $1.key } : classes[image].map { [(key: image, value: $0)] } ?? []
                for (context, members) in images {
                    guard isKnown(context), counted.insert(context).inserted else { continue }
                    let members = members.filter { Self.isClass($0.value) }
                    unseen += members.keys.filter { seen[context]?.contains($0) != true }.sorted().map {
                        "\(context) \($0)"
                    }
                    trueCounts[context, default: [:]].merge(
                        Dictionary(grouping: members.values) { $0 }.mapValues(\.count)
                    ) { $0 + $1 }
                }
            }
        }
        // How many of which class an image has is not known where one is of none of the classes.
        for image in uncounted { trueCounts[image] = nil }
        predictions.removeAll { uncounted.contains($0.owner) }
        if !beyond.isEmpty {
            warnings.append(
                "\(Self.counted(beyond.count, "score lies", "scores lie")) outside 0 to 1, such as "
                    + "\(beyond.prefix(3).joined(separator: "; ")): no probabilities, so without calibration; divide percentages by "
                    + "100, or set the “threshold” from which on an item is called.")
        }
        if areDecisions {
            score(for: positive)
            warnings.append(
                "Predictions are decisions without scores (no column p_CLASS, and none named with “score”), so there are no curves, "
                    + "areas and calibration.")
            if !undecided.isEmpty {
                warnings.append(
                    "\(Self.counted(undecided.count, "item has", "items have")) no decision in column \(Self.decisionColumn), such as "
                        + "\(undecided.prefix(3).joined(separator: "; ")): left out, and so are the numbers of their people."
                )
            }
        }
        if !unjudged.isEmpty {
            warnings.append(
                "\(Self.counted(unjudged.count, "image has", "images have")) no true classes at all, left out, such as "
                    + "\(unjudged.sorted().prefix(3).map(\.description).joined(separator: "; ")).")
        }
        if !unknown.isEmpty {
            warnings.append(
                "\(Self.counted(unknown.count, "item has", "items have")) no true class, left out, such as "
                    + "\(unknown.prefix(3).joined(separator: "; "))."
            )
        }
        if !foreign.isEmpty {
            warnings.append(
                "\(Self.counted(foreign.count, "item is", "items are")) truly of a class that the predictions do not know, such as "
                    + "\(foreign.prefix(3).joined(separator: "; ")): left out, and so are the numbers of their people; correct the "
                    + "truth where that is misspelt.")
        }
        if !unmatched.isEmpty {
            warnings.append(
                "\(Self.counted(unmatched.count, "prediction has", "predictions have")) no row in the truth, such as \(unmatched.prefix(3).joined(separator: "; ")): "
                    + "they count in the scores and numbers per person and nowhere else.")
        }
        if !unseen.isEmpty {
            warnings.append(
                "\(Self.counted(unseen.count, "item of the truth has", "items of the truth have")) no prediction, such as \(unseen.prefix(3).joined(separator: "; ")): "
                    + "they count in what is true of a person and nowhere else.")
        }
    }

    private var trueClasses: Set<String> { Set(items.map(\.truth) + trueCounts.values.flatMap(\.keys)) }

    /// Says which classes only the predictions or only the truth names: without probabilities nothing else tells a misspelt
    /// class from a rare one.
    ///
    /// - Parameter truth: what is true of everybody, also of whoever is not judged.
    func warningsOfNames(_ truth: Truth) -> [String] {
        guard areDecisions else { return [] }
        var warnings: [String] = []
        let anywhere: Set<String> =
            switch truth {
            case .people(let people): trueClasses.union(people.values)
            case .items(let classes, _, _): trueClasses.union(classes.values.flatMap(\.values))
            case .column: trueClasses
            }
        let foreign = called.filter { !anywhere.contains($0.name) }
        if !foreign.isEmpty {
            warnings.append(
                "\(Self.counted(foreign.count, "decision is", "decisions are")) for a class that is true of nothing, such as "
                    + foreign.prefix(3).map { "\($0.item) (“\($0.name)”)" }.joined(separator: "; ")
                    + ": never right; correct the predictions where that is misspelt.")
        }
        let unnamed = trueClasses.subtracting(called.map(\.name)).sorted()
        if !unnamed.isEmpty {
            warnings.append(
                "No decision is for \(unnamed.map { "“\($0)”" }.joined(separator: ", ")), which the truth names; correct the truth "
                    + "where that is misspelt.")
        }
        return warnings
    }

    /// Makes scores of decisions: 1 of the class decided for, 0 of the others.
    private mutating func score(for positive: String) {
        // Of a class that is true of nothing there is nothing to be found.
        let names = positive.isEmpty ? trueClasses : [positive]
        func scores(_ decision: String?) -> [String: Double] {
            Dictionary(uniqueKeysWithValues: names.map { ($0, $0 == decision ? 1 : 0) })
        }
        for n in items.indices { items[n].scores = scores(items[n].decision) }
        for n in predictions.indices { predictions[n].scores = scores(predictions[n].decision) }
    }

    /// From which on a score made of decisions, or the mean of several, is a decision for the class.
    static let decided = 0.5

    /// Whether more tables decide without scores than have scores: one table of the other kind is that person's mistake.
    static func areDecisions(_ tables: [TaskRequest.StagedInput], scoreColumn: String) -> Bool {
        guard scoreColumn.isEmpty else { return false }
        // What cannot be read is told of where it is judged. A table in which nothing was found says nothing of the others.
        let read = tables.compactMap { try? $0.readTable() }
        let columns = (read.contains { !$0.rows.isEmpty } ? read.filter { !$0.rows.isEmpty } : read).map(\.columns)
        let scored = columns.count { $0.contains { $0.hasPrefix("p_") } }
        let decided = columns.count { names in names.contains(decisionColumn) && !names.contains { $0.hasPrefix("p_") }
        }
        return decided > scored
    }

    private static func counted(_ count: Int, _ one: String, _ many: String) -> String {
        "\(count) \(count == 1 ? one : many)"
    }

    static func isClass(_ cell: String) -> Bool { !cell.isEmpty && cell != "n/a" }

    /// Classes among which a table of predictions decides: those it gives probabilities of, where every decision is one of
    /// them. nil where it names fewer than two, or does not decide: then what has no score may be the rest.
    private static func predictedClasses(_ table: TabSeparatedTable) -> Set<String>? {
        let names = Set(table.columns.filter { $0.hasPrefix("p_") }.map { String($0.dropFirst(2)) })
        guard names.count > 1, let decision = table.columns.firstIndex(of: decisionColumn) else { return nil }
        return table.rows.allSatisfy { !isClass($0[decision]) || names.contains($0[decision]) } ? names : nil
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
        let columns = table.columns.enumerated().filter { $0.element.hasPrefix("p_") }
        if !positive.isEmpty, !columns.isEmpty { return [(positive, try table.column("p_" + positive, of: name))] }
        guard !columns.isEmpty else {
            throw TaskResult.Failure.permanent(
                "\(name) has no column \(positive.isEmpty ? "p_CLASS" : "“p_\(positive)”") with scores (it has "
                    + "\(table.columns.joined(separator: ", "))); name one with “score” and its class with “positive”, or keep "
                    + "decisions alone, in a column class, for everybody"
            )
        }
        return columns.map { (String($0.element.dropFirst(2)), $0.offset) }
    }

    var classes: [String] {
        Set(items.map(\.truth) + items.compactMap(\.decision) + items.flatMap { $0.scores.keys }).sorted()
    }

    /// Classes that there are scores of.
    var scored: [String] { Set(items.flatMap { $0.scores.keys }).sorted() }

    /// Images of each person whose truth is known.
    var imagesOfPeople: [(person: String, images: [TaskContext])] {
        Dictionary(grouping: trueCounts.keys) { $0.subject ?? "" }.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value.sorted())
        }
    }

    /// One item per person, of everybody whose truth is known.
    ///
    /// - Parameter rule: how the scores of all that was predicted of a person become one: `mean`, `max`, or `share` of those
    ///   at the threshold. Of whom nothing was predicted has the lowest score: 0, or where scores are no probabilities the
    ///   lowest of all, below the threshold in any case.
    ///   A person of whom the truth is known by items is of a class where any item is, predicted or not.
    func ofPeople(_ rule: String, threshold: Double, positive: String) -> [Item] {
        let byPerson = Dictionary(grouping: predictions) { $0.owner.subject ?? "" }
        let all = predictions.compactMap { $0.scores[positive] }
        let isProbability = rule == "share" || all.allSatisfy { (0...1).contains($0) }
        let lowest = isProbability ? 0 : min(all.min() ?? 0, threshold.nextDown)
        return imagesOfPeople.compactMap { person, images in
            let members = byPerson[person] ?? []
            let scores = members.compactMap { $0.scores[positive] }
            guard scores.count == members.count else { return nil }
            let score: Double
            switch rule {
            case _ where scores.isEmpty: score = lowest
            case "max": score = scores.max()!
            case "share": score = Double(scores.count { $0 >= threshold }) / Double(scores.count)
            default: score = scores.reduce(0, +) / Double(scores.count)
            }
            let isPositive = images.contains { (trueCounts[$0]?[positive] ?? 0) > 0 }
            return Item(
                owner: TaskContext(subject: person), decision: nil,
                truth: levels[person] ?? (isPositive ? positive : ClassificationTables.rest(of: positive)),
                scores: [positive: score])
        }
    }
    /// One item per person of whom something was predicted, where the truth is of people: the mean of the log-odds of all
    /// that was predicted, as a probability, or the share of decisions for the class. Empty where scores are no probabilities.
    ///
    /// Certainty is taken as a millionth short of certain: one slice alone does not decide.
    func ofPeopleByLogOdds(positive: String) -> [Item] {
        let byPerson = Dictionary(grouping: predictions) { $0.owner.subject ?? "" }
        guard predictions.allSatisfy({ (0...1).contains($0.scores[positive] ?? -1) }) else { return [] }
        return byPerson.sorted { $0.key < $1.key }.compactMap { person, members in
            guard let truth = levels[person] else { return nil }
            let scores = members.map { $0.scores[positive]! }
            func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
            // To both sides the same, so that as many slices for as against are a tie.
            let odds = scores.map { min(max(log($0 / (1 - $0)), -Self.nearlyCertain), Self.nearlyCertain) }
            return Item(
                owner: TaskContext(subject: person), decision: nil, truth: truth,
                scores: [positive: areDecisions ? mean(scores) : 1 / (1 + exp(-mean(odds)))])
        }
    }

    /// Log-odds.
    private static let nearlyCertain = log((1 - 1e-6) / 1e-6)
}
