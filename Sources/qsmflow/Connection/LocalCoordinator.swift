import Artifacts
import Coordinator
import CoordinatorClient
import Foundation
import LocalPostgres
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

/// A coordinator inside this process, on the state folder of this machine.
///
/// It listens on the loopback interface on a port that the system chooses, and is announced in the state folder, so that
/// other commands find it. Its database is a private server, or one that the user named.
final class LocalCoordinator: Sendable {
    let state: StateFolder
    let url: String
    /// Secret of an operator, valid as long as this process lives.
    let token: String
    /// How a person reaches the database.
    let databaseDescription: String

    private init(state: StateFolder, url: String, token: String, databaseDescription: String) {
        (self.state, self.url, self.token) = (state, url, token)
        self.databaseDescription = databaseDescription
    }

    func client() throws -> CoordinatorClient {
        try CoordinatorClient(ClientConfiguration(baseURL: url, token: token))
    }

    /// Starts one, calls `body`, and stops what was started, also when `body` throws or the process is told to end.
    static func during<Result>(
        _ state: StateFolder, database: String?, _ body: (LocalCoordinator) async throws -> Result
    ) async throws -> Result {
        switch try await state.occupyOrFind() {
        case .ours(let lock): return try await during(state, lock, database: database, body)
        case .running(let other): throw other.inUse(state.path)
        }
    }

    /// As above, in a folder that is occupied already.
    static func during<Result>(
        _ state: StateFolder, _ lock: StateLock, database: String?, _ body: (LocalCoordinator) async throws -> Result
    ) async throws -> Result {
        defer { withExtendedLifetime(lock) {} }
        Interruption.listen()
        let server = try await privateServer(state, database: database)
        do {
            try Task.checkCancellation()
            let connection = server?.connectionString ?? database ?? ""
            let result = try await serving(state, database: connection, body)
            try await server?.stop()
            return result
        } catch {
            // What went wrong first is what the user must hear; a server that does not stop says so in its own log.
            try? await server?.stop()
            throw error
        }
    }

    private static func privateServer(_ state: StateFolder, database: String?) async throws -> LocalServer? {
        guard database == nil else { return nil }
        return try await LocalServer.start(LocalServerConfiguration(stateFolder: state.path)) { event in
            switch event {
            case .restarted: Console.note("The private PostgreSQL server had ended and was started again.")
            case .restartFailed(let error):
                Console.note("The private PostgreSQL server ended and does not start: \(error)")
            }
        }
    }

    private static func serving<Result>(
        _ state: StateFolder, database: String, _ body: (LocalCoordinator) async throws -> Result
    ) async throws -> Result {
        var logger = Logger(label: "coordinator") { _ in FileLog.handler(path: state.logs + "/coordinator.log") }
        logger.logLevel = .info
        let token = Self.secret()
        var configuration = CoordinatorConfiguration(host: "127.0.0.1", port: 0)
        configuration.ownerToken = token
        let (ports, portSource) = AsyncStream.makeStream(of: Int.self)
        let coordinator = try await CoordinatorServer(
            configuration: configuration, database: ConnectionTarget(database, applicationName: "qsmflow coordinator"),
            artifacts: try ArtifactStore(folder: state.artifacts), logger: logger
        ) { port in
            portSource.yield(port)
            portSource.finish()
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: coordinator)], gracefulShutdownSignals: [], logger: logger))
        // The group is a task of its own because it must outlive the call of `body`, and is awaited right after it.
        let service = Task { () -> (any Error)? in
            do {
                try await group.run()
                return nil
            } catch {
                portSource.finish()
                return error
            }
        }
        // In a task that is not cancelled with ours: the server is up in a moment, and is then stopped in order.
        let listening = Task { await ports.first { _ in true } }
        guard let bound = await listening.value else {
            throw await service.value ?? CommandFailure("The coordinator ended before it listened")
        }

        let url = "http://127.0.0.1:\(bound)"
        let pid = ProcessInfo.processInfo.processIdentifier
        try state.announce(StateFolder.Announcement(url: url, token: token, pid: pid, database: database))
        let local = LocalCoordinator(
            state: state, url: url, token: token,
            databaseDescription: database.isEmpty ? "as the PG* variables say" : database)
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await body(local))
        } catch {
            outcome = .failure(error)
        }
        state.withdraw()
        await group.triggerGracefulShutdown()
        if let error = await service.value, case .success = outcome { throw error }
        return try outcome.get()
    }

    static func secret() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in String(generator.next() as UInt64, radix: 16) }.joined()
    }
}
