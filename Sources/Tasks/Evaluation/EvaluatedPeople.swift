import BIDS
import Workflow

/// The rows of everybody's tables, by structure, or by class and rule.
struct EvaluatedPeople {
    /// One image's numbers.
    struct Entry {
        var owner: TaskContext
        var fold: Int?
        /// By column; nil for n/a.
        var values: [String: Double?]
        /// `both`, `prediction` or `reference`, whichever has no voxel; nil where both have some.
        var empty: String?
    }

    struct Group {
        var label: String
        var rule: String?
        /// In the order of their owners.
        var entries: [Entry]
    }

    let isDetection: Bool
    /// Labels of everybody with a table, sorted.
    let people: [String]
    private(set) var groups: [Group] = []
    private(set) var warnings: [String] = []
    let folds: PeopleFolds
    /// Everybody's rows as one table, whose each in front.
    private(set) var table: TabSeparatedTable

    private struct Key: Hashable { var label: String, rule: String? }

    /// How many images were judged by this class under this rule.
    func images(of label: String, rule: String) -> Int {
        groups.first { $0.label == label && $0.rule == rule }?.entries.count ?? 0
    }

    init(_ environment: TaskEnvironment) throws {
        let items = environment.inputs("tables")
        folds = try PeopleFolds(environment.optionalInput("folds"), tables: items)
        var kinds: Set<Bool> = []
        var order: [Key] = []
        var entries: [Key: [Entry]] = [:]
        var owners: Set<TaskContext> = []
        var columns: [String] = []
        for item in items {
            let contents = try item.readTable()
            let name = item.input.name
            let isDetection = contents.columns.contains("rule")
            kinds.insert(isDetection)
            guard isDetection || contents.columns.contains("structure") else {
                throw TaskResult.Failure.permanent(
                    "\(name) is no table of evaluate.segmentation or evaluate.detection: it has neither the column "
                        + "structure nor class and rule")
            }
            guard kinds.count == 1 else {
                throw TaskResult.Failure.permanent(
                    "Step \(environment.request.step) got tables of regions and of lesions, such as \(name); "
                        + "summarise them in two steps")
            }
            let owner = try TableRowOwner(contents, item)
            // Somebody without a row has a table all the same.
            if item.input.context.subject != nil { owners.insert(item.input.context) }
            let label = try contents.column(isDetection ? "class" : "structure", of: name)
            let rule = isDetection ? try contents.column("rule", of: name) : nil
            let empty = contents.columns.firstIndex(of: "empty")
            if columns.isEmpty { columns = contents.columns.filter { !TableRowOwner.columns.contains($0) } }
            for row in contents.rows {
                let key = Key(label: row[label], rule: rule.map { row[$0] })
                let context = owner(row)
                owners.insert(context)
                var values: [String: Double?] = [:]
                for (place, column) in contents.columns.enumerated() {
                    values[column] = .some(TabSeparatedTable.number(row[place]))
                }
                if entries[key] == nil { order.append(key) }
                guard entries[key]?.contains(where: { $0.owner == context }) != true else {
                    throw TaskResult.Failure.permanent(
                        "\(name) has \(key.label)\(key.rule.map { " under " + $0 } ?? "") of \(context) twice; "
                            + "give each person one table")
                }
                entries[key, default: []].append(
                    Entry(
                        owner: context, fold: folds.fold(of: context), values: values,
                        empty: empty.map { row[$0] == "n/a" ? nil : row[$0] } ?? Self.empty(values)))
            }
        }
        isDetection = kinds.first ?? false
        people = Set(owners.compactMap(\.subject)).sorted()
        let nothing = Self.nothing.merging(Self.differences.filter { columns.contains($0.key) }) { own, _ in own }
        for key in order {
            var members = entries[key] ?? []
            let known = Set(members.map(\.owner))
            if isDetection {
                // Rows without numbers are of classes that evaluate.detection was told to leave out there.
                members.removeAll { $0.values["references"] == .some(nil) }
                guard !members.isEmpty else { continue }
                if members.count < known.count, !groups.contains(where: { $0.label == key.label }) {
                    warnings.append(
                        "\(known.count - members.count) of \(owners.count) images are not judged by \(key.label): a side's table of "
                            + "classes does not name it there. If that means that there is none, name all classes in every table."
                    )
                }
            }
            for context in owners.subtracting(known) where isDetection {
                // A table has rows of the classes that its person has, or that were found there: the rest are none.
                members.append(
                    Entry(owner: context, fold: folds.fold(of: context), values: nothing, empty: "both"))
            }
            groups.append(
                Group(label: key.label, rule: key.rule, entries: members.sorted { $0.owner < $1.owner }))
            if !isDetection, known.count < owners.count {
                warnings.append("\(owners.count - known.count) of \(owners.count) images have no \(key.label).")
            }
        }
        table = TabSeparatedTable(columns: ["participant_id", "session", "fold"] + columns)
        for group in groups {
            for entry in group.entries {
                let front = [
                    "sub-\(entry.owner.subject ?? "")", entry.owner.session ?? "n/a",
                    entry.fold.map { "\($0)" } ?? "n/a",
                ]
                table.rows.append(
                    front
                        + columns.map { column in
                            switch column {
                            case "class", "structure": group.label
                            case "rule": group.rule ?? "n/a"
                            case "empty": entry.empty ?? "n/a"
                            default: TabSeparatedTable.cell(entry.values[column] ?? nil)
                            }
                        })
            }
        }
    }

    /// Which side has no voxel, for tables that do not say it.
    private static func empty(_ values: [String: Double?]) -> String? {
        switch (values["prediction_voxels"] ?? nil, values["reference_voxels"] ?? nil) {
        case (0, 0): "both"
        case (0, _): "prediction"
        case (_, 0): "reference"
        default: nil
        }
    }

    /// A class that neither side has.
    private static let nothing: [String: Double?] = [
        "references": 0, "predictions": 0, "tp": 0, "fn": 0, "right": 0, "fp": 0, "dice": 1, "reference_voxels": 0,
        "prediction_voxels": 0, "common_voxels": 0, "reference_mm3": 0, "prediction_mm3": 0,
    ]
    /// What only newer tables have: beside older ones, whose people have no number there, nobody has one.
    private static let differences: [String: Double?] = [
        "absolute_count_difference": 0, "absolute_volume_difference": 0, "ignored_references": 0,
        "ignored_predictions": 0,
    ]
}
