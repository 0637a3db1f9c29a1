import BIDS

/// A setting of a task kind. Every parameter has a default, so a step need state only what differs.
package struct TaskParameter: Codable, Hashable, Sendable {
    package enum Values: Codable, Hashable, Sendable {
        case boolean
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case text
        case choice([String])
        case list
        /// A map of names to values, checked by the task itself.
        case map
        /// A list of maps; in each, the value under `key` names one of the shapes, whose parameters are the other entries.
        case records(key: String, [RecordShape])
    }

    package let name: String
    package let values: Values
    package let defaultValue: JSONValue
    /// One sentence, with the unit.
    package let summary: String
    /// Whether it is the name of a column of participants.tsv, or a list of such names; none is empty.
    package let namesColumns: Bool
    /// The parameter that names the column of participants.tsv in which somebody has to have this value; nil: it is no such value.
    package let valueOf: String?
    /// What it is about, of kinds with many parameters: a heading to list it under.
    package var topic: String?

    package init(
        _ name: String, _ values: Values, default defaultValue: JSONValue, _ summary: String,
        namesColumns: Bool = false,
        valueOf: String? = nil
    ) {
        (self.name, self.values, self.defaultValue, self.summary) = (name, values, defaultValue, summary)
        (self.namesColumns, self.valueOf) = (namesColumns, valueOf)
    }

    /// What is wrong with a value for this parameter; nil when it may stand.
    package func problem(with value: JSONValue) -> String? {
        switch (values, value) {
        case (.boolean, .bool), (.text, .string), (.list, .array), (.map, .object): return nil
        case (.integer(let range), .integer(let n)):
            return range.contains(Int(n))
                ? nil : "must lie between \(range.lowerBound) and \(range.upperBound), not \(n)"
        case (.number(let range), .integer(let n)):
            return range.contains(Double(n))
                ? nil : "must lie between \(range.lowerBound) and \(range.upperBound), not \(n)"
        case (.number(let range), .number(let x)):
            return range.contains(x) ? nil : "must lie between \(range.lowerBound) and \(range.upperBound), not \(x)"
        case (.choice(let names), .string(let text)):
            return names.contains(text) ? nil : "must be one of \(names.joined(separator: ", ")), not “\(text)”"
        case (.records(let key, let shapes), .array(let records)):
            return RecordShape.problem(with: records, key: key, shapes: shapes)
        default: return "must be \(expectation)"
        }
    }

    /// e.g. `a number between 0.0 and 1.0`.
    package var expectation: String {
        switch values {
        case .boolean: "true or false"
        case .integer(let range): "a whole number between \(range.lowerBound) and \(range.upperBound)"
        case .number(let range): "a number between \(range.lowerBound) and \(range.upperBound)"
        case .text: "text"
        case .choice(let names): "one of \(names.joined(separator: ", "))"
        case .list: "a list"
        case .map: "a map"
        case .records(let key, let shapes): "a list of maps with \(key): \(shapes.map(\.name).joined(separator: ", "))"
        }
    }
}
