// Where to connect, and how a session is set up.

import CLibpq
import Foundation

/// A server and database, and the settings of every session on it.
package struct ConnectionTarget: Sendable {
    /// A libpq connection string, "host=… dbname=…" or "postgresql://…". What it leaves out libpq takes from the PG*
    /// variables, the service file and the password file; empty leaves out everything.
    package var connectionString: String
    /// Shown in `pg_stat_activity` unless the connection string names another.
    package var applicationName: String
    /// Run-time parameters set in each session, such as `statement_timeout`.
    package var settings: [String: String]
    /// Time for one attempt to connect, unless the connection string or PGCONNECT_TIMEOUT says otherwise.
    package var connectTimeoutSeconds: Int
    /// Longest silence of the server inside one statement before the connection counts as lost; nil waits for ever.
    package var responseTimeout: Duration?

    package init(
        _ connectionString: String = "", applicationName: String = "qsmflow", settings: [String: String] = [:],
        connectTimeoutSeconds: Int = 10, responseTimeout: Duration? = nil
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.settings = settings
        self.connectTimeoutSeconds = connectTimeoutSeconds
        self.responseTimeout = responseTimeout
    }

    /// Checks that libpq can read the connection string.
    package func validate() throws(PostgresError) {
        // A plain word is a database name to libpq, and needs no reading.
        guard isConnectionString else { return }
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(connectionString, &message) else {
            let reason = message.map { oneLine(String(cString: $0)) } ?? "out of memory"
            PQfreemem(message)
            throw .badConnectionString(reason: reason)
        }
        PQconninfoFree(options)
    }

    private var isConnectionString: Bool {
        connectionString.contains("=") || connectionString.hasPrefix("postgres://")
            || connectionString.hasPrefix("postgresql://")
    }

    /// The same server and settings, another database.
    package func database(_ name: String) -> ConnectionTarget {
        var copy = self
        copy.databaseOverride = name
        return copy
    }

    private var databaseOverride: String?

    /// Keywords for libpq. A later one wins, and the connection string is expanded in its place: defaults go first.
    var keywords: [(String, String)] {
        var list: [(String, String)] = []
        if ProcessInfo.processInfo.environment["PGCONNECT_TIMEOUT"] == nil {
            list.append(("connect_timeout", String(connectTimeoutSeconds)))
        }
        // A server that vanished without a word is noticed within about a minute.
        list.append(("keepalives_idle", "20"))
        list.append(("keepalives_interval", "5"))
        list.append(("keepalives_count", "4"))
        list.append(("tcp_user_timeout", "30000"))
        list.append(("fallback_application_name", applicationName))
        if !connectionString.isEmpty {
            list.append(("dbname", connectionString))
        }
        if let databaseOverride {
            // A second "dbname" is not expanded, only taken.
            list.append(("dbname", databaseOverride))
        }
        list.append(("client_encoding", "UTF8"))
        return list
    }

    /// A value quoted for use in a connection string.
    package static func quote(_ value: String) -> String {
        "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}

/// A message of libpq, which may span lines and end in one or two full stops, as part of a sentence.
func oneLine(_ message: String) -> String {
    var text = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    while text.hasSuffix(".") { text.removeLast() }
    return text
}
