// One private PostgreSQL server per test process, shared by all its tests.

import Foundation
import LocalPostgres
import Postgres
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The server, started at the first use and stopped when the process exits; the kernel stops it when the process is
/// killed. Its folder is temporary.
package actor PostgresServer {
    package static let shared = PostgresServer()

    private var starting: Task<LocalServer, any Error>?

    /// Read by the exit handler, which can capture nothing.
    private static let running = Mutex<(server: LocalServer, folder: String)?>(nil)

    package func server() async throws -> LocalServer {
        if let starting { return try await starting.value }
        // Unstructured, as every test waits for the same start.
        let task = Task {
            let folder = NSTemporaryDirectory() + "/qsmflow-tests-\(getpid())"
            var configuration = LocalServerConfiguration(stateFolder: folder)
            configuration.isDurable = false
            configuration.endsWithStarter = true
            configuration.maxConnections = 200
            Self.removeAbandoned()
            let server = try await LocalServer.start(configuration)
            Self.running.withLock { $0 = (server, folder) }
            atexit {
                guard let (server, folder) = PostgresServer.running.withLock({ $0 }) else { return }
                // Nobody is left to report to; the server also ends with this process.
                try? server.stopBlocking()
                try? FileManager.default.removeItem(atPath: folder)
            }
            return server
        }
        starting = task
        return try await task.value
    }

    /// Connection target of a database of the server.
    package func target(database: String = "postgres") async throws -> ConnectionTarget {
        ConnectionTarget(try await server().connectionString, applicationName: "tests").database(database)
    }

    /// Removes the folders of test processes that were killed.
    private static func removeAbandoned() {
        let folder = NSTemporaryDirectory()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where name.hasPrefix("qsmflow-tests-") {
            guard let process = Int32(name.dropFirst("qsmflow-tests-".count)), kill(process, 0) != 0, errno == ESRCH
            else { continue }
            // Another test process may be removing it at this moment.
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }
}
