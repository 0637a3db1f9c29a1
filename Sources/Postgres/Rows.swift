// The rows of one result.

import CLibpq

/// Owns one result of libpq.
final class ResultHandle {
    let pointer: OpaquePointer
    let columns: [String]

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        // The columns of a COPY have no names.
        columns =
            PQresultStatus(pointer) == PGRES_TUPLES_OK
            ? (0..<PQnfields(pointer)).map { String(cString: PQfname(pointer, $0)) } : []
    }

    deinit {
        PQclear(pointer)
    }

    /// Rows inserted, updated, deleted or selected.
    var affected: Int {
        // Empty for statements that count nothing, such as CREATE TABLE.
        Int(String(cString: PQcmdTuples(pointer))) ?? 0
    }

    func field(row: Int32, column: Int32) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(pointer, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(pointer, row, column), count: Int(PQgetlength(pointer, row, column)))
    }
}

/// Rows in the order the server sent them. Not `Sendable`: decode what you need before leaving the session.
package struct Rows: RandomAccessCollection {
    let handle: ResultHandle

    package var startIndex: Int { 0 }
    package var endIndex: Int { Int(PQntuples(handle.pointer)) }
    package subscript(position: Int) -> Row { Row(handle: handle, index: Int32(position)) }

    package var columns: [String] { handle.columns }

    /// Rows inserted, updated, deleted or selected.
    package var affected: Int { handle.affected }
}

/// One row.
package struct Row {
    let handle: ResultHandle
    let index: Int32

    /// The value of a column, by name.
    package subscript<Value: PostgresDecodable>(_ name: String) -> Value {
        get throws {
            guard let column = handle.columns.firstIndex(of: name) else {
                throw PostgresError.decoding(column: name, wanted: "\(Value.self)", found: "no such column")
            }
            return try self[column]
        }
    }

    /// The value of a column, by position from 0.
    package subscript<Value: PostgresDecodable>(_ column: Int) -> Value {
        get throws {
            guard handle.columns.indices.contains(column) else {
                throw PostgresError.decoding(
                    column: "number \(column)", wanted: "\(Value.self)",
                    found: "only \(handle.columns.count) columns")
            }
            let type = PQftype(handle.pointer, Int32(column))
            let bytes = handle.field(row: index, column: Int32(column))
            if let value = Value.decode(bytes, type: type) { return value }
            let found = bytes.map { "type \(type), \($0.count) bytes," } ?? "NULL"
            throw PostgresError.decoding(column: handle.columns[column], wanted: "\(Value.self)", found: found)
        }
    }

    /// The first columns, in order: `let (id, name) = try row.decode(Int64.self, String?.self)`.
    package func decode<each Value: PostgresDecodable>(_ types: repeat (each Value).Type) throws -> (repeat each Value)
    {
        var column = 0
        func next<One: PostgresDecodable>(_ type: One.Type) throws -> One {
            defer { column += 1 }
            return try self[column]
        }
        return (repeat try next(each types))
    }
}

/// A result in the server's text form, for showing to people or writing to a table file.
package struct TextTable: Sendable, Hashable {
    package struct Column: Sendable, Hashable {
        package var name: String
        package var kind: Kind
    }

    /// How a value is best written in JSON.
    package enum Kind: Sendable, Hashable { case number, boolean, json, text }

    package var columns: [Column]
    /// nil is NULL.
    package var rows: [[String?]]
}
