import BIDS
import Workflow

/// What is known about the people of a run, as the JSON that cohort tasks read:
/// `{"columns": [{name, type}], "rows": [{subject, session?, values}], "problems": […]}`.
enum CovariateDocument {
    private struct Row {
        var subject: String
        var session: String?
        var values: [String: CovariateValue]
    }

    /// - Parameter sessions: by label without `sub-`.
    static func make(
        cohort: Cohort, participants: CovariateTable?, sessions: [String: CovariateTable]
    ) -> JSONValue {
        var wanted: [String: Set<String>] = [:]
        for subject in cohort.subjects { wanted[subject.label] = Set(subject.sessions.compactMap(\.label)) }
        var rows: [Row] = []
        var problems: [String] = []
        var columns = participants?.columns ?? []
        for (subject, labels) in wanted.sorted(by: { $0.key < $1.key }) {
            if let values = participants?.rows[subject] { rows.append(Row(subject: subject, values: values)) }
            if let problem = participants?.ambiguous[subject] { problems.append(problem) }
            guard let table = sessions[subject] else { continue }
            columns += table.columns
            for session in labels.sorted() {
                if let values = table.rows[session] {
                    rows.append(Row(subject: subject, session: session, values: values))
                }
                if let problem = table.ambiguous[session] { problems.append(problem) }
            }
        }
        var names: Set<String> = []
        return .object([
            "columns": .array(
                columns.filter { names.insert($0.name).inserted }.map { column in
                    .object([
                        "name": .string(column.name),
                        "type": .string(column.type.isNumeric ? "number" : column.type.rawValue),
                    ])
                }),
            "rows": .array(
                rows.map { row in
                    var json: JSONValue = .object([
                        "subject": .string(row.subject), "values": .object(row.values.mapValues(\.json)),
                    ])
                    if let session = row.session { json["session"] = .string(session) }
                    return json
                }),
            "problems": .array(problems.map { .string($0) }),
        ])
    }
}
