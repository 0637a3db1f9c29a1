/// A tab-separated table with a header line, fields as written.
package struct TabularFile: Sendable, Hashable {
    package struct Row: Sendable, Hashable {
        /// Line in the file, from 1; the header is line 1.
        package var line: Int
        package var fields: [String]
    }

    package var columns: [String]
    package var rows: [Row]

    /// Takes a table apart. Accepts a byte order mark, CRLF line ends and blank lines at the end.
    ///
    /// - Parameter path: how to name the file in errors and problems.
    /// - Returns: the table, and one problem for each line that was left out because its number of fields is wrong.
    /// - Throws: `BIDSError.table` when there is no header or a column name is empty or given twice.
    package static func parse(_ text: String, path: String) throws(BIDSError) -> (TabularFile, [DatasetProblem]) {
        var problems: [DatasetProblem] = []
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
        if let first = lines.first, first.hasPrefix("\u{FEFF}") { lines[0] = first.dropFirst() }
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        guard let header = lines.first else {
            throw .table(path: path, line: 1, reason: "the table is empty; write a header line, or remove the file")
        }
        func fields(_ line: Substring) -> [String] {
            line.split(separator: "\t", omittingEmptySubsequences: false).map { Self.trimmed($0) }
        }
        let columns = fields(header)
        for (index, column) in columns.enumerated() {
            if column.isEmpty {
                throw .table(path: path, line: 1, reason: "column \(index + 1) has no name; name it")
            }
            if columns[..<index].contains(column) {
                throw .table(path: path, line: 1, reason: "two columns are named \(column); rename one")
            }
        }
        if columns.count == 1, header.contains(",") || header.contains(";") {
            throw .table(path: path, line: 1, reason: "columns are separated by tabs, not by , or ;; convert the file")
        }
        var rows: [Row] = []
        rows.reserveCapacity(lines.count)
        for (index, line) in lines.enumerated().dropFirst() {
            let row = Row(line: index + 1, fields: fields(line))
            if row.fields.count == columns.count {
                rows.append(row)
            } else {
                let found = line.isEmpty ? "is blank" : "has \(row.fields.count) fields"
                problems.append(
                    DatasetProblem(
                        .error, path: path,
                        "\(path), line \(row.line) \(found) where the header names \(columns.count) columns; "
                            + "correct the line (n/a stands for a missing value)"))
            }
        }
        return (TabularFile(columns: columns, rows: rows), problems)
    }

    private static func trimmed(_ field: Substring) -> String {
        var field = field
        while field.first == " " { field = field.dropFirst() }
        while field.last == " " { field = field.dropLast() }
        return String(field)
    }
}
