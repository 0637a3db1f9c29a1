// Bulk reads with COPY … TO STDOUT, handed on as they arrive.

import CLibpq

#if canImport(Glibc)
    import Glibc
#endif

extension Session {
    /// Streams what a `COPY (query) TO STDOUT` sends, in pieces of whole rows.
    ///
    /// - Parameters:
    ///   - sql: the whole COPY statement. COPY takes no parameters, so every part of it must be the program's own.
    ///   - pieceBytes: about how much is gathered before it is handed on.
    ///   - receive: called in order. What it throws ends the copy and is thrown here; the connection is then not usable
    ///     any more and its pool discards it.
    /// - Returns: rows sent.
    @discardableResult
    package func copyOut(_ sql: String, pieceBytes: Int = 1 << 16, receive: ([UInt8]) throws -> Void) throws -> Int {
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        guard let start = try nextResult() else { throw lost() }
        let status = PQresultStatus(start)
        let failure =
            status == PGRES_FATAL_ERROR
            ? report(start, sql) : PostgresError.unexpected("\(sql) did not send data")
        PQclear(start)
        guard status == PGRES_COPY_OUT else {
            while let further = try nextResult() { PQclear(further) }
            throw failure
        }

        var piece: [UInt8] = []
        piece.reserveCapacity(pieceBytes + pieceBytes / 4)
        while true {
            var row: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection, &row, 1)
            if count > 0, let row {
                UnsafeRawBufferPointer(start: row, count: Int(count)).withMemoryRebound(to: UInt8.self) {
                    piece.append(contentsOf: $0)
                }
                PQfreemem(row)
                if piece.count >= pieceBytes {
                    try receive(piece)
                    piece.removeAll(keepingCapacity: true)
                }
            } else if count == 0 {
                // Nothing there yet.
                try awaitSocket(Int16(POLLIN))
                guard PQconsumeInput(connection) == 1 else { throw lost() }
            } else if count == -1 {
                break
            } else {
                throw lost()
            }
        }
        // The status of the whole copy: a query may fail after many rows.
        let end = try result(of: sql)
        if !piece.isEmpty { try receive(piece) }
        return end.affected
    }
}
