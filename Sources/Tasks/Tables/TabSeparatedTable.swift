import Foundation

/// A table as BIDS writes it: tab-separated, a header row, `n/a` for what is missing.
struct TabSeparatedTable: Sendable, Equatable {
    var columns: [String]
    /// Each row has one text per column.
    var rows: [[String]]

    init(columns: [String], rows: [[String]] = []) { (self.columns, self.rows) = (columns, rows) }

    enum Problem: Error, CustomStringConvertible {
        case notText(String)
        case noHeader(String)
        case ragged(name: String, line: Int, expected: Int, found: Int)
        case missingColumn(name: String, column: String, present: [String])

        var description: String {
            switch self {
            case .notText(let name): "\(name) is not UTF-8 text; save it as tab-separated UTF-8"
            case .noHeader(let name): "\(name) is empty; a table starts with a line of column names"
            case .ragged(let name, let line, let expected, let found):
                "\(name), line \(line): \(found) cells where the header has \(expected); separate cells by single tabs"
            case .missingColumn(let name, let column, let present):
                "\(name) has no column “\(column)” (it has \(present.prefix(12).joined(separator: ", "))"
                    + (present.count > 12 ? " and \(present.count - 12) more" : "") + "); add it"
            }
        }
    }

    /// - Parameter name: how to call the file in an error.
    init(data: Data, name: String) throws {
        guard var text = String(data: data, encoding: .utf8) else { throw Problem.notText(name) }
        if text.hasPrefix("\u{feff}") { text.removeFirst() }
        // A carriage return with its line feed is one character to Swift.
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        while lines.last?.isEmpty == true { lines.removeLast() }
        guard let header = lines.first else { throw Problem.noHeader(name) }
        columns = header.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        rows = []
        for (n, line) in lines.dropFirst().enumerated() where !line.isEmpty {
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard cells.count == columns.count else {
                throw Problem.ragged(name: name, line: n + 2, expected: columns.count, found: cells.count)
            }
            rows.append(cells)
        }
    }

    func column(_ name: String, of file: String) throws -> Int {
        guard let index = columns.firstIndex(of: name) else {
            throw Problem.missingColumn(name: file, column: name, present: columns)
        }
        return index
    }

    var text: String {
        ([columns] + rows).map { $0.joined(separator: "\t") + "\n" }.joined()
    }

    /// Shortest text that reads back as the same number; `n/a` for a missing one.
    static func cell(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "n/a" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    static func number(_ cell: String) -> Double? { cell == "n/a" ? nil : Double(cell) }
}
