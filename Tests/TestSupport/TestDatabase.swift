// A database of its own for every test, so that tests run side by side.

import Foundation
import Postgres

/// A fresh database, dropped when the last reference goes.
package final class TestDatabase: Sendable {
    package let target: ConnectionTarget
    package let name: String
    private let admin: ConnectionTarget

    private init(target: ConnectionTarget, name: String, admin: ConnectionTarget) {
        self.target = target
        self.name = name
        self.admin = admin
    }

    deinit {
        let (admin, name) = (admin, name)
        // Unstructured, as a deinitialiser cannot wait; a database left over goes with the server.
        Task {
            let connection = try await Connection.open(admin)
            try await connection.run { try $0.execute("DROP DATABASE IF EXISTS \"\(name)\" WITH (FORCE)") }
            connection.close()
        }
    }

    /// A fresh empty database.
    package static func make() async throws -> TestDatabase {
        try await make(template: "template1")
    }

    /// A fresh copy of a database that `prepare` has filled, once per process and `key`. `prepare` must close its
    /// connections: a database in use cannot be copied.
    package static func make(
        key: String, prepare: @escaping @Sendable (ConnectionTarget) async throws -> Void
    ) async throws -> TestDatabase {
        try await make(template: try await Templates.shared.template(key, prepare))
    }

    fileprivate static func make(template: String) async throws -> TestDatabase {
        let admin = try await PostgresServer.shared.target()
        let name = "test_\(UUID().uuidString.lowercased().prefix(13))"
        let connection = try await Connection.open(admin)
        defer { connection.close() }
        try await connection.run { session in
            // A prepared statement is of no use here, and the names are ours.
            try session.script("CREATE DATABASE \"\(name)\" TEMPLATE \"\(template)\"")
        }
        return TestDatabase(target: admin.database(name), name: name, admin: admin)
    }
}

/// Databases to copy, prepared once.
private actor Templates {
    static let shared = Templates()
    private var prepared: [String: Task<TestDatabase, any Error>] = [:]

    func template(
        _ key: String, _ prepare: @escaping @Sendable (ConnectionTarget) async throws -> Void
    ) async throws -> String {
        if let task = prepared[key] { return try await task.value.name }
        // Unstructured, as several tests wait for the same preparation.
        let task = Task {
            let database = try await TestDatabase.make()
            try await prepare(database.target)
            // Connections that were just closed may linger a moment on the server.
            let admin = try await Connection.open(PostgresServer.shared.target())
            defer { admin.close() }
            try await admin.run { session in
                try session.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1
                    """, [.text(database.name)])
            }
            return database
        }
        prepared[key] = task
        return try await task.value.name
    }
}
