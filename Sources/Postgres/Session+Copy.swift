// Bulk loads with COPY … FROM STDIN.

import CLibpq

extension Session {
    /// Loads the rows of `buffer` into a table.
    ///
    /// - Parameter table: table and columns, such as `task_dep (parent_id, child_id)`; a name of the program, never of
    ///   a user.
    /// - Returns: rows loaded.
    @discardableResult
    package func copy(into table: String, _ buffer: CopyBuffer) throws -> Int {
        let sql = "COPY \(table) FROM STDIN"
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        let start = try result(of: sql)
        guard PQresultStatus(start.pointer) == PGRES_COPY_IN else {
            throw PostgresError.unexpected("\(sql) did not ask for data")
        }
        let chunk = 1 << 20
        try buffer.bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = min(chunk, bytes.count - offset)
                let part = bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self)
                guard PQputCopyData(connection, part, Int32(count)) == 1 else { throw lost() }
                offset += count
            }
        }
        guard PQputCopyEnd(connection, nil) == 1 else { throw lost() }
        return try result(of: sql).affected
    }
}

extension Session {
    /// Runs `COPY (…) TO STDOUT` and hands over the data in pieces, each a whole number of rows.
    ///
    /// - Parameter sql: the whole COPY statement.
    /// - Parameter receive: what it throws ends the COPY; the connection is then not used again.
    package func copyOut(_ sql: String, receive: ([UInt8]) throws -> Void) throws {
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        let start = try result(of: sql, expecting: PGRES_COPY_OUT)
        guard PQresultStatus(start.pointer) == PGRES_COPY_OUT else {
            throw PostgresError.unexpected("\(sql) gave no data")
        }
        var piece: [UInt8] = []
        while true {
            var row: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection, &row, 0)
            if count > 0, let row {
                piece.append(contentsOf: UnsafeRawBufferPointer(start: row, count: Int(count)))
                PQfreemem(row)
                if piece.count >= 1 << 16 {
                    try receive(piece)
                    piece.removeAll(keepingCapacity: true)
                }
            } else if count == -1 {
                break
            } else {
                throw lost()
            }
        }
        if !piece.isEmpty { try receive(piece) }
        try result(of: sql)
    }
}

/// Rows in the text format of COPY: columns apart by tabs, rows by newlines, backslash escapes.
package struct CopyBuffer: Sendable {
    private(set) var bytes: [UInt8] = []
    private var atRowStart = true

    package init() {}

    package var isEmpty: Bool { bytes.isEmpty }

    package mutating func append(_ value: Int64?) {
        field { bytes in
            if let value { bytes.append(contentsOf: String(value).utf8) } else { Self.null(&bytes) }
        }
    }

    package mutating func append(_ value: Int?) { append(value.map(Int64.init)) }
    package mutating func append(_ value: Int32?) { append(value.map(Int64.init)) }

    package mutating func append(_ value: Bool?) {
        field { bytes in
            if let value { bytes.append(value ? UInt8(ascii: "t") : UInt8(ascii: "f")) } else { Self.null(&bytes) }
        }
    }

    /// The shortest text that reads back as the same number.
    package mutating func append(_ value: Double?) {
        field { bytes in
            guard let value else { return Self.null(&bytes) }
            if value.isNaN {
                bytes.append(contentsOf: "NaN".utf8)
            } else if value.isInfinite {
                bytes.append(contentsOf: (value < 0 ? "-Infinity" : "Infinity").utf8)
            } else {
                bytes.append(contentsOf: "\(value)".utf8)
            }
        }
    }

    /// Text, and everything whose text form the server reads: JSON, timestamps, array literals.
    package mutating func append(_ value: String?) {
        field { bytes in
            guard let value else { return Self.null(&bytes) }
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\\"): bytes.append(contentsOf: [byte, byte])
                case UInt8(ascii: "\t"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
                case UInt8(ascii: "\n"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
                case UInt8(ascii: "\r"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
                default: bytes.append(byte)
                }
            }
        }
    }

    /// A `bytea`.
    package mutating func append(_ value: [UInt8]?) {
        field { bytes in
            guard let value else { return Self.null(&bytes) }
            // The backslash of the hexadecimal form is itself escaped.
            bytes.append(contentsOf: "\\\\x".utf8)
            let digits = Array("0123456789abcdef".utf8)
            for byte in value {
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
    }

    package mutating func endRow() {
        bytes.append(UInt8(ascii: "\n"))
        atRowStart = true
    }

    private mutating func field(_ write: (inout [UInt8]) -> Void) {
        if !atRowStart { bytes.append(UInt8(ascii: "\t")) }
        atRowStart = false
        write(&bytes)
    }

    private static func null(_ bytes: inout [UInt8]) {
        bytes.append(contentsOf: "\\N".utf8)
    }
}
