// One connection to the server, used by one thread at a time: every call blocks until the server has answered.

import CLibpq
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A session with the server. Not `Sendable`: it is lent to a closure that runs on the connection's own thread.
///
/// Statements are prepared once per session and text, so that a repeated one is parsed and planned no more.
package final class Session {
    let connection: OpaquePointer
    let target: ConnectionTarget
    /// Host and port or socket, for messages.
    let server: String
    private var statements = PreparedStatements(limit: 256)

    /// Connects, trying once.
    init(_ target: ConnectionTarget) throws {
        try target.validate()
        let keywords = target.keywords
        let names = keywords.map { strdup($0.0) }
        let values = keywords.map { strdup($0.1) }
        defer { (names + values).forEach { free($0) } }
        let namePointers = names.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        guard let opened = PQconnectdbParams(namePointers, valuePointers, 1) else {
            throw PostgresError.unexpected("libpq is out of memory")
        }
        self.target = target
        let server = Self.describe(opened)
        self.server = server
        connection = opened
        guard PQstatus(opened) == CONNECTION_OK else {
            // The deinitialiser runs, as every property is set.
            let message = oneLine(String(cString: PQerrorMessage(opened)))
            throw Self.connectFailure(server: server, message: message)
        }
        // Notices would otherwise be printed to standard error.
        PQsetNoticeProcessor(opened, { _, _ in }, nil)
        for (name, value) in target.settings.sorted(by: { $0.key < $1.key }) {
            _ = try query("SELECT set_config($1, $2, false)", [.text(name), .text(value)])
        }
    }

    deinit {
        PQfinish(connection)
    }

    // MARK: Statements

    /// Runs one statement and returns its rows.
    ///
    /// - Throws: `PostgresError`.
    @discardableResult
    package func query(_ sql: String, _ parameters: [Parameter] = []) throws -> Rows {
        do {
            return Rows(handle: try runPrepared(sql, parameters, binary: true))
        } catch let error as PostgresError where Self.planIsStale(error) && !isInTransaction {
            // A table changed under the prepared statement, or someone deallocated it: prepare it anew, once.
            forgetStatements()
            return Rows(handle: try runPrepared(sql, parameters, binary: true))
        }
    }

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    package func execute(_ sql: String, _ parameters: [Parameter] = []) throws -> Int {
        try query(sql, parameters).affected
    }

    /// Runs one statement and decodes every row.
    package func query<Value>(
        _ sql: String, _ parameters: [Parameter] = [], _ decode: (Row) throws -> Value
    ) throws -> [Value] {
        try query(sql, parameters).map(decode)
    }

    /// Runs one statement and decodes its first row; nil when there is none.
    package func first<Value>(
        _ sql: String, _ parameters: [Parameter] = [], _ decode: (Row) throws -> Value
    ) throws -> Value? {
        try query(sql, parameters).first.map(decode)
    }

    /// Runs one statement that is not worth preparing, and returns its result as text.
    package func table(_ sql: String, _ parameters: [Parameter] = []) throws -> TextTable {
        let bound = BoundParameters(parameters)
        let sent = bound.withPointers { types, values, lengths, formats in
            PQsendQueryParams(connection, sql, Int32(parameters.count), types, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw lost() }
        return TextTable(try result(of: sql))
    }

    /// Runs a script of several statements without parameters, as migrations are. Outside a transaction the whole
    /// script is one.
    package func script(_ sql: String) throws {
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        try result(of: sql)
    }

    private func runPrepared(_ sql: String, _ parameters: [Parameter], binary: Bool) throws -> ResultHandle {
        let name = try prepare(sql, parameters)
        let bound = BoundParameters(parameters)
        let sent = bound.withPointers { _, values, lengths, formats in
            PQsendQueryPrepared(connection, name, Int32(parameters.count), values, lengths, formats, binary ? 1 : 0)
        }
        guard sent == 1 else { throw lost() }
        return try result(of: sql)
    }

    /// The name of a prepared statement, prepared now if it is new.
    func prepare(_ sql: String, _ parameters: [Parameter]) throws -> String {
        let key = PreparedStatements.Key(sql: sql, types: parameters.map(\.type))
        if let name = statements.name(for: key) { return name }
        let (name, evicted) = statements.insert(key)
        do {
            if let evicted {
                guard PQsendQuery(connection, "DEALLOCATE \(evicted)") == 1 else { throw lost() }
                try result(of: "DEALLOCATE")
            }
            guard PQsendPrepare(connection, name, sql, Int32(key.types.count), key.types) == 1 else { throw lost() }
            try result(of: sql)
        } catch {
            statements.remove(key)
            throw error
        }
        return name
    }

    private func forgetStatements() {
        statements = PreparedStatements(limit: 256, firstNumber: statements.nextNumber)
    }

    private static func planIsStale(_ error: PostgresError) -> Bool {
        guard case .statement(let report) = error else { return false }
        return report.state == .invalidStatementName
            || (report.state == .featureNotSupported && report.message.contains("cached plan"))
    }

    // MARK: Waiting for the server

    /// Collects everything the server says about the statement just sent and returns its last result.
    @discardableResult
    func result(of sql: String, expecting copy: ExecStatusType = PGRES_COPY_IN) throws -> ResultHandle {
        var last: ResultHandle?
        var failure: PostgresError?
        while let pointer = try nextResult() {
            let handle = ResultHandle(pointer)
            switch PQresultStatus(pointer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                last = handle
            case copy where copy == PGRES_COPY_IN || copy == PGRES_COPY_OUT:
                return handle
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // Nobody reads or writes it; the connection is left in the middle, and will be discarded.
                throw PostgresError.unexpected("COPY where no data was expected")
            default:
                failure = failure ?? report(pointer, sql)
            }
        }
        if let failure { throw failure }
        guard let last else { throw lost() }
        return last
    }

    /// The next result, nil after the last. Waits in poll(), so that a silent server can be given up.
    func nextResult() throws -> OpaquePointer? {
        while PQisBusy(connection) == 1 {
            try awaitSocket(Int16(POLLIN))
            guard PQconsumeInput(connection) == 1 else { throw lost() }
        }
        return PQgetResult(connection)
    }

    func awaitSocket(_ events: Int16) throws {
        var entry = pollfd(fd: PQsocket(connection), events: events, revents: 0)
        guard entry.fd >= 0 else { throw lost() }
        let deadline = target.responseTimeout.map { ContinuousClock.now + $0 }
        while true {
            let remaining = deadline.map { Int32(clamping: max(0, ($0 - .now).milliseconds)) }
            let count = poll(&entry, 1, remaining ?? -1)
            if count > 0 { return }
            if count == 0 {
                // A half-read answer would be taken for the next statement's.
                shutdown(entry.fd, Int32(SHUT_RDWR))
                throw PostgresError.connectionLost(
                    server: server, reason: "no answer within \(target.responseTimeout ?? .zero)")
            }
            if errno != EINTR { throw lost() }
        }
    }

    // MARK: State

    package var isInTransaction: Bool {
        let status = PQtransactionStatus(connection)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE
    }

    /// Whether the next statement can be sent: connected, and outside a transaction. Notices a server that closed the
    /// connection while it lay idle.
    var isUsable: Bool {
        guard PQstatus(connection) == CONNECTION_OK, PQtransactionStatus(connection) == PQTRANS_IDLE else {
            return false
        }
        var entry = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        if poll(&entry, 1, 0) > 0 {
            // Either news (a changed setting), or the end of the connection.
            guard PQconsumeInput(connection) == 1, PQstatus(connection) == CONNECTION_OK else { return false }
            // A terminated server process says why before it closes; libpq keeps that for the next statement.
            return poll(&entry, 1, 0) == 0 && entry.revents & Int16(POLLHUP) == 0
        }
        return true
    }

    /// Process id of the server's process for this session.
    package var serverProcessID: Int32 { PQbackendPID(connection) }

    /// Version of the server, such as 150018 for 15.18.
    package var serverVersion: Int { Int(PQserverVersion(connection)) }

    /// The connection is gone, in libpq's words.
    func lost() -> PostgresError {
        let message = oneLine(String(cString: PQerrorMessage(connection)))
        return .connectionLost(server: server, reason: message.isEmpty ? "the server closed it" : message)
    }

    func report(_ result: OpaquePointer, _ sql: String) -> PostgresError {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue!)).map { String(cString: $0) }
        }
        guard let state = field("C") else {
            // Made by libpq itself: the connection broke.
            if PQstatus(connection) != CONNECTION_OK { return lost() }
            return .unexpected(oneLine(String(cString: PQresultErrorMessage(result))))
        }
        let report = StatementError(
            state: SQLState(rawValue: state), message: field("M") ?? "", detail: field("D"), hint: field("H"),
            context: field("W"), table: field("t"), column: field("c"), constraint: field("n"), statement: sql)
        if report.state.endsConnection {
            return .connectionLost(server: server, reason: report.message)
        }
        return .statement(report)
    }

    // MARK: Connecting

    private static func describe(_ connection: OpaquePointer) -> String {
        let host = PQhost(connection).map { String(cString: $0) } ?? ""
        let port = PQport(connection).map { String(cString: $0) } ?? ""
        let database = PQdb(connection).map { String(cString: $0) } ?? ""
        let place =
            host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@")
            ? "socket \(host.isEmpty ? "(default)" : host)/.s.PGSQL.\(port)" : "host \(host) port \(port)"
        return database.isEmpty ? place : "\(place), database \(database)"
    }

    /// libpq gives no SQLSTATE for a failed connection, only words; the server speaks first of them, in English unless
    /// its `lc_messages` says otherwise, and then the answer is "unreachable", which is retried and reported as well.
    private static func connectFailure(server: String, message: String) -> PostgresError {
        let temporary = [
            "starting up", "shutting down", "recovery", "accepting connections", "too many clients",
            "remaining connection slots", "is not yet", "terminating connection",
        ]
        let permanent = ["FATAL:", "no password supplied", "fe_sendauth", "SSL"]
        if temporary.contains(where: message.contains) { return .unreachable(server: server, reason: message) }
        if permanent.contains(where: message.contains) { return .refused(server: server, reason: message) }
        return .unreachable(server: server, reason: message)
    }
}

extension Duration {
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

extension TextTable {
    init(_ handle: ResultHandle) {
        let count = Int32(handle.columns.count)
        columns = (0..<count).map { index in
            let kind: Kind =
                switch PQftype(handle.pointer, index) {
                case TypeCode.int2, TypeCode.int4, TypeCode.int8, TypeCode.float4, TypeCode.float8, TypeCode.numeric,
                    TypeCode.oid:
                    .number
                case TypeCode.bool: .boolean
                case TypeCode.json, TypeCode.jsonb: .json
                default: .text
                }
            return Column(name: handle.columns[Int(index)], kind: kind)
        }
        rows = (0..<PQntuples(handle.pointer)).map { row in
            (0..<count).map { column in
                handle.field(row: row, column: column).map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }
}
