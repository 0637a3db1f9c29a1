// What can go wrong between this process and PostgreSQL.

package enum PostgresError: Error, Sendable {
    /// No answer from the server, or one that will change by waiting (starting up, too many clients).
    case unreachable(server: String, reason: String)
    /// The server answered and said no: wrong password, no such database or role.
    case refused(server: String, reason: String)
    /// The connection string cannot be read.
    case badConnectionString(reason: String)
    /// The connection ended while in use. Nothing of an open transaction was stored.
    case connectionLost(server: String, reason: String)
    /// The connection ended between sending COMMIT and hearing of it: the transaction may or may not be stored.
    case commitUnknown(server: String, reason: String)
    /// The server refused a statement.
    case statement(StatementError)
    /// Every connection of the pool stayed in use for the whole wait.
    case poolExhausted(limit: Int, waited: Duration)
    case poolClosed
    /// A column did not hold what the caller asked for.
    case decoding(column: String, wanted: String, found: String)
    /// The task that asked was cancelled; the statement was stopped on the server.
    case cancelled
    /// An answer the protocol does not foresee here.
    case unexpected(String)

    package var state: SQLState? {
        if case .statement(let error) = self { error.state } else { nil }
    }

    /// Nothing was stored, and the same work may well succeed a moment later.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .connectionLost, .poolExhausted: true
        case .statement(let error): error.state.asksForRetry || error.state.endsConnection
        default: false
        }
    }

    /// The server could not be talked to, as opposed to having refused a statement.
    package var isConnectionFailure: Bool {
        switch self {
        case .unreachable, .connectionLost, .commitUnknown: true
        case .statement(let error): error.state.endsConnection
        default: false
        }
    }
}

/// An error report of the server.
package struct StatementError: Sendable, Hashable {
    package var state: SQLState
    package var message: String
    package var detail: String?
    package var hint: String?
    package var context: String?
    package var table: String?
    package var column: String?
    package var constraint: String?
    /// The statement, or as much of it as helps to find it.
    package var statement: String
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let server, let reason):
            "Cannot reach PostgreSQL at \(server): \(reason). Check that the server runs and that the host, port and "
                + "database of --database (or PGHOST, PGPORT, PGDATABASE, PGSERVICE) are right."
        case .refused(let server, let reason):
            "PostgreSQL at \(server) refused the connection: \(reason). Check the user, password and database of "
                + "--database (or PGUSER, PGPASSWORD, PGDATABASE, PGSERVICE)."
        case .badConnectionString(let reason):
            "The database connection string cannot be read: \(reason). Write it as "
                + "\"postgresql://user@host:5432/name\" or as \"host=… dbname=…\"."
        case .connectionLost(let server, let reason):
            "The connection to PostgreSQL at \(server) was lost: \(reason). Nothing of the transaction was stored; "
                + "try again when the server is back."
        case .commitUnknown(let server, let reason):
            "The connection to PostgreSQL at \(server) was lost while it committed: \(reason). The transaction may or "
                + "may not be stored; look before repeating it."
        case .statement(let error): error.description
        case .poolExhausted(let limit, let waited):
            "All \(limit) database connections stayed in use for \(waited); raise the number of connections or lower "
                + "the load."
        case .poolClosed: "The database connections are closed because the program is stopping."
        case .decoding(let column, let wanted, let found):
            "Column \"\(column)\" of a query result holds \(found) where \(wanted) was expected; the database schema "
                + "and this program do not fit together."
        case .cancelled: "The database statement was stopped because its caller gave up."
        case .unexpected(let what): "PostgreSQL gave an answer that does not fit the question: \(what)."
        }
    }
}

extension StatementError: CustomStringConvertible {
    package var description: String {
        var text = "PostgreSQL refused \"\(excerpt)\": \(message) (SQLSTATE \(state)"
        if let constraint { text += ", constraint \(constraint)" }
        text += ")."
        if let detail { text += " \(Self.sentence(detail))" }
        if let hint { text += " \(Self.sentence(hint))" }
        if let remedy = state.remedy { text += " \(remedy)" }
        return text
    }

    /// The statement on one line, cut at 120 characters.
    private var excerpt: String {
        let line = statement.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count > 120 ? line.prefix(119) + "…" : line
    }

    private static func sentence(_ text: String) -> String {
        text.hasSuffix(".") || text.hasSuffix("?") || text.hasSuffix("!") ? text : text + "."
    }
}
