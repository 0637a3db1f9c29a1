import CoordinatorClient
import Foundation
import Synchronization
import Workflow

/// Reads the result views of one run through the interface.
struct ResultReader: Sendable {
    let client: CoordinatorClient
    let run: RunID

    /// The rows of a view, with its columns in order.
    func table(_ view: String) async throws -> CommaSeparatedTable {
        try CommaSeparatedTable(try await document(view, format: "csv"))
    }

    /// A view as one document in memory.
    func document(_ view: String, format: String) async throws -> Data {
        let bytes = Mutex(Data())
        try await client.results(run: run, view: view, format: format) { piece in
            bytes.withLock { $0.append(contentsOf: piece) }
        }
        return bytes.withLock { $0 }
    }

    /// A view into a file, piece by piece.
    func write(_ view: String, format: String, to path: String) async throws {
        let file = try OutputFile(path)
        try await client.results(run: run, view: view, format: format) { try file.write($0) }
        try file.publish()
    }
}

/// A table in which every cell is text or missing: as `COPY … CSV` writes it, an empty cell without quotes is missing.
struct CommaSeparatedTable: Sendable {
    var columns: [String]
    var rows: [[String?]]

    /// A row that is read by the names of its columns.
    struct Row: Sendable {
        fileprivate let places: [String: Int]
        let cells: [String?]

        /// - Precondition: the view has the column.
        subscript(_ column: String) -> String? {
            guard let place = places[column] else { preconditionFailure("the view has no column \(column)") }
            return cells[place]
        }

        func text(_ column: String) -> String { self[column] ?? "" }
        func number(_ column: String) -> Double? { self[column].flatMap { Double($0) } }
        func integer(_ column: String) -> Int? { self[column].flatMap { Int($0) } }
        func flag(_ column: String) -> Bool { self[column] == "t" }
    }

    /// - Parameter needing: columns that the caller reads; a coordinator of another version may lack some.
    func rows(needing columns: [String]) throws -> [Row] {
        let places = Dictionary(self.columns.enumerated().map { ($1, $0) }) { first, _ in first }
        if let missing = columns.first(where: { places[$0] == nil }) {
            throw CommandFailure("The coordinator's view lacks the column \(missing); use the same version of both")
        }
        return rows.map { Row(places: places, cells: $0) }
    }

    init(_ data: Data) throws {
        var lines: [[String?]] = []
        var line: [String?] = []
        var cell: [UInt8] = []
        var wasQuoted = false
        var isQuoted = false
        var bytes = data.makeIterator()
        var pending = bytes.next()
        func cellText() -> String? { cell.isEmpty && !wasQuoted ? nil : String(decoding: cell, as: UTF8.self) }
        while let byte = pending {
            pending = bytes.next()
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    cell.append(byte)
                } else if pending == UInt8(ascii: "\"") {
                    cell.append(byte)
                    pending = bytes.next()
                } else {
                    isQuoted = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): (isQuoted, wasQuoted) = (true, true)
            case UInt8(ascii: ","), UInt8(ascii: "\n"):
                line.append(cellText())
                cell.removeAll(keepingCapacity: true)
                wasQuoted = false
                if byte == UInt8(ascii: "\n") {
                    lines.append(line)
                    line = []
                }
            default: cell.append(byte)
            }
        }
        guard let header = lines.first, line.isEmpty, cell.isEmpty, !isQuoted else {
            throw CommandFailure("The coordinator's table ended in the middle of a row; ask again")
        }
        columns = header.map { $0 ?? "" }
        rows = Array(lines.dropFirst())
    }
}
