import BIDS

/// What a map in a list of maps may hold: one parameter of a kind that is several settings of their own.
package struct RecordShape: Codable, Hashable, Sendable {
    package let name: String
    /// One sentence.
    package let summary: String
    /// A default of null: has to be stated.
    package let parameters: [TaskParameter]

    package init(_ name: String, _ summary: String, _ parameters: [TaskParameter]) {
        (self.name, self.summary, self.parameters) = (name, summary, parameters)
    }

    package func parameter(_ name: String) -> TaskParameter? { parameters.first { $0.name == name } }

    /// What is wrong with a list of maps, as the rest of a sentence that begins with the name of its parameter.
    static func problem(with records: [JSONValue], key: String, shapes: [RecordShape]) -> String? {
        for (place, record) in records.enumerated() {
            let names = shapes.map(\.name)
            guard let entries = record.objectValue else {
                return
                    "has as entry \(place + 1) \(record.kindName), not a map with \(key): \(names.joined(separator: ", "))"
            }
            guard let name = entries[key]?.stringValue else {
                return "has in entry \(place + 1) no \(key); valid: \(names.joined(separator: ", "))"
            }
            guard let shape = shapes.first(where: { $0.name == name }) else {
                return "has in entry \(place + 1) the \(key) “\(name)”\(Suggestion.clause(for: name, among: names))"
            }
            for (entry, value) in entries.sorted(by: { $0.key < $1.key }) where entry != key {
                guard let parameter = shape.parameter(entry) else {
                    let clause = Suggestion.clause(for: entry, among: shape.parameters.map(\.name))
                    return "has in entry \(place + 1) (\(name)) “\(entry)”, which it does not know\(clause)"
                }
                if let problem = parameter.problem(with: value) {
                    return "has an entry \(place + 1) (\(name)) whose \(entry) \(problem)"
                }
            }
            for parameter in shape.parameters where parameter.defaultValue.isNull && entries[parameter.name] == nil {
                return
                    "has an entry \(place + 1) (\(name)) without \(parameter.name), which is \(parameter.expectation)"
            }
        }
        return nil
    }
}
