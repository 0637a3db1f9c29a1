import BIDS

/// Groups of people who are alike in some columns of `participants.tsv`, or in numbers of rows of their tables.
struct Strata {
    /// Number of the group per column, by label.
    private var ranks: [String: [Int]] = [:]
    /// Per column what its groups are: `{"column": "group", "values": […]}` or `{"column": "age", "edges": […]}`, of rows that
    /// are counted with the cell that counts, `{"column": "class", "counted": "rim", "edges": […]}`.
    private(set) var description: [JSONValue] = []

    /// - Throws: `WorkflowError.folds` for a column that is not there or is not of numbers where edges are given.
    init(
        _ stratify: [FoldDefinition.Stratification], of people: [String], _ participants: CovariateTable?,
        _ counts: [FoldDefinition.Stratification: [String: Int]]
    ) throws(WorkflowError) {
        for label in people { ranks[label] = [] }
        for item in stratify {
            if item.counted != nil {
                add(numbers: people.map { (counts[item]?[$0]).map(Double.init) }, of: people, item)
                continue
            }
            guard let participants else {
                throw .folds("stratify names the column \(item.column), but the dataset has no participants.tsv")
            }
            guard let column = participants.columns.first(where: { $0.name == item.column }) else {
                let clause = Suggestion.clause(for: item.column, among: participants.columns.map(\.name))
                throw .folds("participants.tsv has no column “\(item.column)” to stratify by\(clause)")
            }
            let values = people.map { participants.rows[$0]?[item.column] }
            if column.type.isNumeric {
                add(numbers: values.map { $0?.doubleValue }, of: people, item)
            } else if item.rule == .automatic {
                add(texts: values.map { $0?.description }, of: people, item.column)
            } else {
                throw .folds(
                    "the column \(item.column) of participants.tsv is not of numbers, and edges and groups are for numbers; "
                        + "name the column alone")
            }
        }
    }

    /// Group of a person in every column. A missing value is a group of its own.
    func stratum(of label: String) -> [Int] { ranks[label] ?? [] }

    private mutating func add(texts: [String?], of people: [String], _ column: String) {
        let levels = Set(texts.compactMap { $0 }).sorted()
        for (label, text) in zip(people, texts) {
            ranks[label]?.append(text.flatMap { levels.firstIndex(of: $0) } ?? levels.count)
        }
        description.append(["column": .string(column), "values": .array(levels.map { .string($0) })])
    }

    private mutating func add(numbers: [Double?], of people: [String], _ item: FoldDefinition.Stratification) {
        let edges =
            switch item.rule {
            case .edges(let edges): edges
            case .groups(let count): Self.edges(numbers.compactMap { $0 }, groups: count)
            case .automatic: Self.edges(numbers.compactMap { $0 }, groups: 3)
            }
        for (label, number) in zip(people, numbers) {
            ranks[label]?.append(number.map { number in edges.filter { $0 <= number }.count } ?? edges.count + 1)
        }
        var said: [String: JSONValue] = [
            "column": .string(item.column), "edges": .array(edges.map { .number($0) }),
        ]
        if let counted = item.counted { said["counted"] = .string(counted.value) }
        description.append(.object(said))
    }

    /// Edges between values that cut the numbers into groups as equal as their repetitions allow.
    static func edges(_ numbers: [Double], groups: Int) -> [Double] {
        let sorted = numbers.sorted()
        // Where one value ends and a larger one begins: how many lie below, and the larger one.
        var cuts = sorted.indices.dropFirst().filter { sorted[$0] > sorted[$0 - 1] }
        var edges: [Double] = []
        for group in stride(from: 1, to: groups, by: 1) where !cuts.isEmpty {
            // In units of 1/groups of a person, so that all of it is exact.
            let place = cuts.indices.min { a, b in
                abs(cuts[a] * groups - sorted.count * group) < abs(cuts[b] * groups - sorted.count * group)
            }
            guard let place else { break }
            edges.append(sorted[cuts[place]])
            cuts.removeSubrange(...place)
        }
        return edges
    }
}
