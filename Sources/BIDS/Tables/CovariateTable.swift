/// `participants.tsv`, or one participant's `sessions.tsv`: typed values by label.
///
/// A label listed twice with different values has no row here: nobody can say which line is meant. It is in
/// `ambiguous` instead, with the sentence that says so.
package struct CovariateTable: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case participants
        case sessions

        package var keyColumn: String { self == .participants ? "participant_id" : "session_id" }
        package var keyPrefix: String { self == .participants ? "sub-" : "ses-" }
    }

    package var kind: Kind
    /// Without the key column, in the order of the file.
    package var columns: [CovariateColumn]
    /// By label without `sub-` or `ses-`; a missing value has no entry.
    package var rows: [String: [String: CovariateValue]]
    /// Labels in the order of the file, ambiguous ones left out.
    package var labels: [String]
    package var ambiguous: [String: String]

    package init(kind: Kind) {
        self.kind = kind
        columns = []
        rows = [:]
        labels = []
        ambiguous = [:]
    }

    /// What some of the labels have in a column, as text; nothing where there is no such column.
    package func texts(of column: String, among labels: some Sequence<String>) -> Set<String> {
        Set(labels.compactMap { rows[$0]?[column]?.json }.map { $0.stringValue ?? $0.canonicalString })
    }

    /// Types and checks a table.
    ///
    /// - Parameters:
    ///   - sidecar: the table's JSON, an object by column (`Description`, `Units`, `Levels`); nil when there is none.
    ///   - path: how to name the file in problems.
    ///   - subject: whose sessions these are, for problems; nil for participants.
    /// - Throws: `BIDSError.table` when the key column is missing.
    package static func make(
        _ file: TabularFile, kind: Kind, sidecar: JSONValue?, path: String, subject: String? = nil
    ) throws(BIDSError) -> (CovariateTable, [DatasetProblem]) {
        guard let keyIndex = file.columns.firstIndex(of: kind.keyColumn) else {
            throw .table(
                path: path, line: 1,
                reason: "there is no column \(kind.keyColumn) (found: \(file.columns.joined(separator: ", "))); name it"
            )
        }
        var table = CovariateTable(kind: kind)
        var problems: [DatasetProblem] = []

        // Columns first: a value is read as its column's type.
        var parsed: [[CovariateValue?]] = []
        for (index, name) in file.columns.enumerated() where index != keyIndex {
            let fields = file.rows.map { (line: $0.line, text: $0.fields[index]) }
            let (column, values, found) = ColumnReader(name: name, sidecar: sidecar?[name], path: path).read(fields)
            table.columns.append(column)
            parsed.append(values)
            problems += found
        }

        var firstLine: [String: (line: Int, row: Int)] = [:]
        for (rowIndex, row) in file.rows.enumerated() {
            let written = row.fields[keyIndex]
            let label = written.hasPrefix(kind.keyPrefix) ? String(written.dropFirst(kind.keyPrefix.count)) : written
            let owner = kind == .participants ? label : subject
            let session = kind == .sessions ? label : nil
            if label.isEmpty || label == "n/a" {
                problems.append(
                    DatasetProblem(
                        .error, path: path, subject: subject,
                        "\(path), line \(row.line) has no \(kind.keyColumn); name one or remove the line"))
                continue
            }
            if label == written {
                problems.append(
                    DatasetProblem(
                        .warning, path: path, subject: owner, session: session,
                        "\(path), line \(row.line): \(kind.keyColumn) “\(written)” should be written "
                            + "\(kind.keyPrefix)\(label)"))
            }
            let values = parsed.map { $0[rowIndex] }
            if let first = firstLine[label] {
                let differing = zip(table.columns, zip(values, parsed.map { $0[first.row] }))
                    .filter { $0.1.0 != $0.1.1 }.map(\.0.name)
                let what = "\(path) lists \(kind.keyPrefix)\(label) twice, in lines \(first.line) and \(row.line)"
                if differing.isEmpty {
                    problems.append(
                        DatasetProblem(
                            .warning, path: path, subject: owner, session: session,
                            "\(what), with the same values; remove one of the lines"))
                } else {
                    let sentence =
                        "\(what), with different \(differing.joined(separator: ", ")); "
                        + "keep the right line and remove the other"
                    if table.ambiguous[label] == nil {
                        table.ambiguous[label] = sentence
                        table.rows[label] = nil
                        table.labels.removeAll { $0 == label }
                    }
                    problems.append(
                        DatasetProblem(.error, path: path, subject: owner, session: session, sentence))
                }
                continue
            }
            firstLine[label] = (row.line, rowIndex)
            table.labels.append(label)
            var entries: [String: CovariateValue] = [:]
            for (column, value) in zip(table.columns, values) { entries[column.name] = value }
            table.rows[label] = entries
        }
        return (table, problems)
    }
}
