// Many statements in one round trip.

import CLibpq
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

extension Session {
    /// Sends several statements at once and reads their results afterwards. Outside a transaction they form one: all
    /// are stored or none.
    ///
    /// Pays when the round trip outweighs the work (a server across a network), less on a local socket.
    ///
    /// - Returns: the rows of each statement, in order.
    /// - Throws: the error of the first statement that failed; the later ones were skipped.
    @discardableResult
    package func pipeline(_ statements: [(sql: String, parameters: [Parameter])]) throws -> [Rows] {
        guard !statements.isEmpty else { return [] }
        let names = try statements.map { try prepare($0.sql, $0.parameters) }
        guard PQenterPipelineMode(connection) == 1, PQsetnonblocking(connection, 1) == 0 else { throw lost() }
        var results: [Rows] = []
        var failure: (any Error)?
        do {
            for (statement, name) in zip(statements, names) {
                let bound = BoundParameters(statement.parameters)
                let sent = bound.withPointers { _, values, lengths, formats in
                    PQsendQueryPrepared(
                        connection, name, Int32(statement.parameters.count), values, lengths, formats, 1)
                }
                guard sent == 1 else { throw lost() }
                // The server answers while we still send; unread answers must not block both sides.
                try flush()
            }
            guard PQpipelineSync(connection) == 1 else { throw lost() }
            try flush()
            var finished = false
            while !finished {
                guard let pointer = try nextResult() else { continue }
                let handle = ResultHandle(pointer)
                switch PQresultStatus(pointer) {
                case PGRES_PIPELINE_SYNC:
                    finished = true
                case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                    results.append(Rows(handle: handle))
                case PGRES_PIPELINE_ABORTED:
                    break
                default:
                    let failed = statements[min(results.count, statements.count - 1)].sql
                    let error = report(pointer, failed)
                    failure = failure ?? error
                    if PQstatus(connection) != CONNECTION_OK { throw error }
                }
            }
        } catch {
            // A connection left inside a pipeline is not usable and will be discarded.
            throw failure ?? error
        }
        guard PQexitPipelineMode(connection) == 1, PQsetnonblocking(connection, 0) == 0 else { throw lost() }
        if let failure { throw failure }
        return results
    }

    private func flush() throws {
        while true {
            switch PQflush(connection) {
            case 0: return
            case 1:
                try awaitSocket(Int16(POLLIN | POLLOUT))
                guard PQconsumeInput(connection) == 1 else { throw lost() }
            default: throw lost()
            }
        }
    }
}
