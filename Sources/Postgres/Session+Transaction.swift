// Transactions. The closure is synchronous on purpose: a transaction cannot wait for anything but the server.

import CLibpq
import Foundation

package enum Isolation: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
}

extension Session {
    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// - Parameters:
    ///   - retries: how often to start over when the server asks for it (deadlock, serialization failure). The closure
    ///     then runs again from its beginning.
    /// - Throws: what `body` throws; `PostgresError.commitUnknown` when the connection ended during COMMIT.
    @discardableResult
    package func transaction<Value>(
        isolation: Isolation = .readCommitted, readOnly: Bool = false, retries: Int = 0,
        _ body: (Session) throws -> Value
    ) throws -> Value {
        var remaining = retries
        while true {
            do {
                return try transactionOnce(isolation: isolation, readOnly: readOnly, body)
            } catch let error as PostgresError where error.state?.asksForRetry == true && remaining > 0 {
                remaining -= 1
                // On the connection's own thread; apart from each other, the two rivals both get through.
                Thread.sleep(forTimeInterval: .random(in: 0.001...0.02) * Double(retries - remaining))
            }
        }
    }

    private func transactionOnce<Value>(
        isolation: Isolation, readOnly: Bool, _ body: (Session) throws -> Value
    ) throws -> Value {
        precondition(!isInTransaction, "a transaction inside a transaction")
        try simple("BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")")
        let value: Value
        do {
            value = try body(self)
        } catch {
            if PQstatus(connection) == CONNECTION_OK {
                do {
                    try simple("ROLLBACK")
                } catch {
                    // The connection broke meanwhile, which rolls back as well; the first error tells more.
                }
            }
            throw error
        }
        let tag: String
        do {
            tag = try simple("COMMIT")
        } catch PostgresError.connectionLost(let server, let reason) {
            throw PostgresError.commitUnknown(server: server, reason: reason)
        }
        guard tag == "COMMIT" else {
            throw PostgresError.unexpected("a transaction with a failed statement was rolled back at COMMIT")
        }
        return value
    }

    /// Runs a command without parameters and returns its tag.
    @discardableResult
    private func simple(_ sql: String) throws -> String {
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        return String(cString: PQcmdStatus(try result(of: sql).pointer))
    }
}
