import Artifacts
import Foundation
import Hummingbird
import Logging
import NIOCore
import Postgres
import ServiceLifecycle
import Wire

/// A coordinator: the HTTP API and the background services over one database and one artifact store.
///
/// It keeps nothing that matters in memory. Any number may share a database and an artifact folder, and any may be
/// killed: what was not acknowledged is asked for again by whoever asked.
package struct CoordinatorServer: Service {
    package static let version = "0.1.0"

    let parts: CoordinatorParts
    let pool: Pool
    private let configuration: CoordinatorConfiguration
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// Connects, and brings the database to the schema of this version.
    ///
    /// - Parameters:
    ///   - database: where the database is; it may be empty.
    ///   - onListening: called once, when requests are accepted, with the port (0 on a Unix socket).
    /// - Throws: `PostgresError`, `StoreError` (for instance for a newer schema), `CoordinatorError`.
    package init(
        configuration: CoordinatorConfiguration, database: ConnectionTarget, artifacts: ArtifactStore, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) async throws {
        try CoordinatorError.check(configuration)
        let pool = Store.pool(database, limit: configuration.databaseConnections)
        do {
            let applied = try await Migrator().migrate(pool)
            if !applied.isEmpty { logger.notice("Database migrated", metadata: ["migrations": "\(applied)"]) }
        } catch {
            pool.close()
            throw error
        }
        self.configuration = configuration
        self.pool = pool
        self.logger = logger
        self.onListening = onListening
        parts = CoordinatorParts(configuration: configuration, pool: pool, artifacts: artifacts, logger: logger)
    }

    /// The API over these parts, as the server and in-process tests use it.
    var router: Router<APIContext> {
        APIRouter.make(
            routes: APIRoutes.all(parts), authentication: parts.authentication, telemetry: parts.telemetry)
    }

    /// Serves until told to stop: then waiting claims are answered at once, and requests under way are finished.
    package func run() async throws {
        let address: BindAddress =
            configuration.socketPath.map { .unixDomainSocket(path: $0) }
            ?? .hostname(configuration.host, port: configuration.port)
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: address, serverName: "qsmflow/\(Self.version)"),
            services: services, onServerRunning: { await onListening($0.localAddress?.port ?? 0) }, logger: logger)
        defer { pool.close() }
        // The server stops only when every request is answered, so waiting claims must be answered first.
        try await withGracefulShutdownHandler {
            try await application.run()
        } onGracefulShutdown: {
            parts.ready.close()
        }
    }

    private var services: [any Service] {
        func periodically(_ name: String, _ interval: Duration) -> Periodically {
            Periodically(name: name, interval: interval, telemetry: parts.telemetry, logger: logger)
        }
        let interval = configuration.sweepInterval
        return [
            LeaseExpiry(store: parts.store, periodically: periodically("lease expiry", interval)),
            DelayedRelease(store: parts.store, periodically: periodically("delayed release", interval)),
            ReadySweep(store: parts.store, ready: parts.ready, periodically: periodically("ready sweep", interval)),
            parts.retention,
        ]
    }
}
