import BIDS

/// Folds of a cross-validation, and conditions of steps.
extension WorkflowReader {
    static let foldKeys = ["count", "seed", "stratify", "among"]
    /// More would be a slip of the keyboard: a fold has a person at least.
    private static let largestCount: Int64 = 10_000

    /// - Returns: nil for what cannot be read, which is reported.
    mutating func readFolds(_ node: YAMLNode) -> FoldDefinition? {
        let errorsBefore = problems.count
        var folds = FoldDefinition(count: .eachPerson)
        var hasCount = false
        for member in members(node, of: "folds", allowed: Self.foldKeys) {
            let value = member.value
            switch member.key {
            case "count":
                hasCount = true
                let count = substituted(value.json, value.mark)
                if let number = count.integerValue, (2...Self.largestCount).contains(number) {
                    folds.count = .folds(Int(number))
                } else if count != "each-person" {
                    error(
                        value.mark,
                        "count of folds is \(said(count)); write a whole number from 2 on, or each-person to leave one out"
                    )
                }
            case "seed":
                let seed = substituted(value.json, value.mark)
                if let number = seed.integerValue, number >= 0 {
                    folds.seed = number
                } else {
                    error(value.mark, "seed of folds is \(said(seed)); write a whole number from 0 on")
                }
            case "stratify":
                let value = substituted(value.json, value.mark)
                for item in value.arrayValue ?? (value == .null ? [] : [value]) {
                    guard let read = stratification(item, member.value.mark) else { continue }
                    if folds.stratify.contains(where: { $0.column == read.column && $0.counted == read.counted }) {
                        error(member.value.mark, "stratify of folds names \(read.words) twice; keep one")
                    }
                    folds.stratify.append(read)
                }
            case "among":
                if value.isNull { break }
                folds.among = readQueries(value, what: "among of folds") ?? []
            default: break
            }
        }
        if !hasCount, problems.count == errorsBefore {
            error(node.mark, "folds has no count; add count: 5, or count: each-person to leave one out")
        }
        return problems[errorsBefore...].contains { $0.severity == .error } ? nil : folds
    }

    private mutating func stratification(_ value: JSONValue, _ mark: SourceMark) -> FoldDefinition.Stratification? {
        if let column = value.stringValue, !column.isEmpty { return FoldDefinition.Stratification(column: column) }
        guard let members = value.objectValue, let column = members["column"]?.stringValue, !column.isEmpty else {
            error(
                mark,
                "stratify of folds is a list of columns of participants.tsv, each a name or {column: name, edges: [1, 2, 4]}, "
                    + "or of rows to count, {table: {suffix: lesions, extension: .tsv}, column: class, value: rim}, not \(said(value))"
            )
            return nil
        }
        let keys = ["column", "edges", "groups", "table", "value"]
        if let other = members.keys.sorted().first(where: { !keys.contains($0) }) {
            error(
                mark,
                "the column \(column) of stratify has no key “\(other)”" + Suggestion.clause(for: other, among: keys))
            return nil
        }
        guard members["table"] == nil, members["value"] == nil else {
            return counting(members, column, mark).flatMap { rule(members, column, mark, $0) }
        }
        return rule(members, column, mark, nil)
    }

    /// Rows of which tables count.
    private mutating func counting(
        _ members: [String: JSONValue], _ column: String, _ mark: SourceMark
    ) -> FoldDefinition.RowCount? {
        guard let table = members["table"], let value = members["value"], table != .null, value != .null else {
            error(
                mark,
                "the column \(column) of stratify has \(members["table"] == nil ? "a value and no table" : "a table and no value"); rows "
                    + "are counted with both: {table: {suffix: lesions, extension: .tsv}, column: \(column), value: rim}"
            )
            return nil
        }
        guard let query = readQuery(YAMLNode(table, at: mark), what: "stratify of folds") else { return nil }
        return FoldDefinition.RowCount(table: query, value: value.stringValue ?? value.canonicalString)
    }

    /// Into which groups the numbers of a column are put.
    private mutating func rule(
        _ members: [String: JSONValue], _ column: String, _ mark: SourceMark, _ counted: FoldDefinition.RowCount?
    ) -> FoldDefinition.Stratification? {
        if members["edges"] != nil, members["groups"] != nil {
            error(mark, "the column \(column) of stratify has edges and groups; keep one of them")
            return nil
        }
        if let edges = members["edges"] {
            let numbers = edges.arrayValue?.compactMap(\.doubleValue) ?? []
            guard !numbers.isEmpty, numbers.count == edges.arrayValue?.count,
                zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 })
            else {
                error(
                    mark,
                    "edges of the column \(column) of stratify is \(said(edges)); write numbers in ascending order: "
                        + "[1, 2, 4] makes the groups below 1, 1 to below 2, 2 to below 4, and from 4 on")
                return nil
            }
            return FoldDefinition.Stratification(column: column, counted: counted, rule: .edges(numbers))
        }
        if let groups = members["groups"] {
            guard let count = groups.integerValue, (2...100).contains(count) else {
                error(
                    mark,
                    "groups of the column \(column) of stratify is \(said(groups)); write a whole number from 2 to 100")
                return nil
            }
            return FoldDefinition.Stratification(column: column, counted: counted, rule: .groups(Int(count)))
        }
        return FoldDefinition.Stratification(column: column, counted: counted)
    }

    mutating func readPeople(_ node: YAMLNode, what: String) -> Marked<FoldPeople>? {
        guard let name = text(node, of: "people of \(what)") else { return nil }
        if let people = FoldPeople(rawValue: name) { return Marked(value: people, mark: node.mark) }
        let clause = Suggestion.clause(for: name, among: FoldPeople.allCases.map(\.rawValue))
        error(node.mark, "“\(name)” is no part of the people\(clause)")
        return nil
    }

    /// True or false, a list of which all must be true, or `{any: […]}`, of which one must be.
    mutating func readCondition(_ node: YAMLNode, what: String) -> Condition? {
        var (list, isAny) = (node, false)
        if let members = node.members, members.count == 1, members[0].key == "any", members[0].value.elements != nil {
            (list, isAny) = (members[0].value, true)
        }
        var condition = Condition(holds: !isAny)
        // An empty list says nothing, and is told so as what it is.
        for node in list.elements.flatMap({ $0.isEmpty ? nil : $0 }) ?? [list] {
            let value = substituted(node.json, node.mark)
            guard let holds = value.boolValue else {
                error(
                    node.mark,
                    "when of \(what) is \(said(value)); write true or false, a parameter that is one of them, a list of which "
                        + "all have to be true, or {any: […]}, of which one has to be")
                return nil
            }
            condition.holds = isAny ? condition.holds || holds : condition.holds && holds
            condition.parameter = condition.parameter ?? parameterName(node)
        }
        return condition
    }

    /// The parameter of a text that is `${name}` and nothing else.
    func parameterName(_ node: YAMLNode) -> String? {
        guard let text = node.text, text.hasPrefix("${"), text.hasSuffix("}"), text.count > 3,
            !text.dropFirst(2).dropLast().contains("}")
        else { return nil }
        return String(text.dropFirst(2).dropLast())
    }

    private func said(_ value: JSONValue) -> String {
        value == .null ? "nothing" : value.stringValue.map { "“\($0)”" } ?? value.canonicalString
    }
}
