import ArgumentParser
import Artifacts
import Coordinator
import Foundation
import LocalPostgres
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator", abstract: "Serve runs to workers and commands until told to stop.",
        discussion: """
            Several coordinators may share one database and one artifact folder. Everything they know is in the \
            database: stop, kill or move one whenever you like.

            Commands on this machine that name the same state folder are let in as operator; `qsmflow token create` \
            makes tokens for everybody else. Tokens cross the network as they are: put a reverse proxy with TLS in \
            front of anything but a trusted network.
            """)

    @Option(name: .long, help: "Address and port to listen on.") var listen = "127.0.0.1:7700"
    @Option(
        name: .long,
        help:
            "Connection string of the PostgreSQL server. Default: the PG* variables; without them a private server in the state folder."
    ) var database: String?
    @Option(name: .long, help: "Folder of the artifacts. Default: in the state folder.", completion: .directory)
    var artifacts: String?
    @Option(name: .long, help: "State folder. Default: QSMFLOW_STATE, else .qsmflow here.", completion: .directory)
    var state: String?
    @Flag(name: .long, help: "Serve callers on this machine without a token.") var trustLoopback = false
    @Option(name: .long, help: "Seconds after which a silent worker counts as lost.") var workerTimeout = 30
    @Option(name: .long, help: "trace, debug, info, notice, warning or error.") var logLevel: Logger.Level = .info

    func validate() throws {
        guard address != nil else { throw ValidationError("--listen takes ADDRESS:PORT, not “\(listen)”.") }
        guard (2...3600).contains(workerTimeout) else {
            throw ValidationError("--worker-timeout takes 2 to 3600 seconds.")
        }
    }

    private var address: (host: String, port: Int)? {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        return (String(listen[..<colon]).trimmingCharacters(in: CharacterSet(charactersIn: "[]")), port)
    }

    func run() async throws {
        guard let address else { return }
        let folder = StateFolder.chosen(state)
        try folder.create()
        let lock = try folder.occupy()
        defer { withExtendedLifetime(lock) {} }
        if lock == nil {
            Console.note("Another coordinator works in \(folder.path): commands there go on to talk to that one.")
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "coordinator")
        logger.logLevel = logLevel

        let named = ConnectionOptions.databaseOfUser(database)
        let server =
            named == nil ? try await LocalServer.start(LocalServerConfiguration(stateFolder: folder.path)) : nil
        let target = named ?? server?.connectionString ?? ""
        var configuration = CoordinatorConfiguration(host: address.host, port: address.port)
        configuration.allowLoopbackWithoutToken = trustLoopback
        configuration.sessionTTL = .seconds(workerTimeout)
        let pid = ProcessInfo.processInfo.processIdentifier
        let token = try ConnectionOptions.token(file: nil) ?? LocalCoordinator.secret()
        configuration.ownerToken = token
        let coordinator = try await CoordinatorServer(
            configuration: configuration, database: ConnectionTarget(target, applicationName: "qsmflow coordinator"),
            artifacts: try ArtifactStore(folder: artifacts ?? folder.artifacts), logger: logger
        ) { port in
            let host = address.host == "0.0.0.0" || address.host == "::" ? "127.0.0.1" : address.host
            if lock != nil {
                do {
                    try folder.announce(
                        StateFolder.Announcement(
                            url: "http://\(host):\(port)", token: token, pid: pid, database: target))
                } catch {
                    Console.complain(String(describing: error))
                }
            }
            Console.note("Listening on \(address.host):\(port).")
        }
        defer { if lock != nil { folder.withdraw() } }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: coordinator)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
            try await server?.stop()
        } catch {
            // What ended the coordinator is what the operator must hear.
            try? await server?.stop()
            throw error
        }
    }
}
