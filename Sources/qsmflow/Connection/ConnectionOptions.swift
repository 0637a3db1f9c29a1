import ArgumentParser
import BIDS
import CoordinatorClient
import Foundation

/// How a command finds its coordinator.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: .long,
        help:
            "Address of a coordinator, e.g. http://host:7700. Default: QSMFLOW_COORDINATOR, else one of our own in the state folder."
    )
    var coordinator: String?

    @Option(name: .long, help: "File with the token to show the coordinator. Default: the variable QSMFLOW_TOKEN.")
    var tokenFile: String?

    @Option(
        name: .long,
        help: "Folder of the private server, artifacts and scratch space. Default: QSMFLOW_STATE, else .qsmflow here.")
    var state: String?

    @Option(
        name: .long,
        help:
            "Connection string of a PostgreSQL server to use instead of a private one. Default: the PG* variables, if PGHOST, PGSERVICE or PGDATABASE is set."
    )
    var database: String?

    var stateFolder: StateFolder { .chosen(state) }

    /// Connection string of a server that the user named, by option or by the standard variables.
    var databaseOfUser: String? { Self.databaseOfUser(database) }

    static func databaseOfUser(_ option: String?) -> String? {
        if let option { return option }
        let named = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"].contains { variable($0) != nil }
        return named ? "" : nil  // an empty string makes libpq read the variables
    }

    static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    func token() throws -> String? { try Self.token(file: tokenFile) }

    static func token(file tokenFile: String?) throws -> String? {
        guard let tokenFile else { return variable("QSMFLOW_TOKEN") }
        do {
            return try String(contentsOfFile: tokenFile, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines)
        } catch {
            throw CommandFailure(
                "The token file \(tokenFile) cannot be read: \(SystemReason.of(error))")
        }
    }

    /// Calls `body` with a client of the coordinator meant: the one named, the one at work in the state folder, or one
    /// that is started for the duration of the call.
    ///
    /// - Parameter creates: whether a state folder may be made for it. Commands that read what is there may not: a folder
    ///   that was mistyped would become an empty server.
    func withClient<Result>(
        creating creates: Bool = false, _ body: (CoordinatorClient) async throws -> Result
    ) async throws -> Result {
        if let url = coordinator ?? Self.variable("QSMFLOW_COORDINATOR") {
            return try await body(CoordinatorClient(ClientConfiguration(baseURL: url, token: try token())))
        }
        // A database that is named holds everything, whatever the folder.
        if !creates, databaseOfUser == nil { try stateFolder.mustHoldDatabase() }
        switch try await stateFolder.occupyOrFind() {
        case .running(let running):
            return try await body(CoordinatorClient(ClientConfiguration(baseURL: running.url, token: running.token)))
        case .ours(let lock):
            return try await LocalCoordinator.during(stateFolder, lock, database: databaseOfUser) { local in
                try await body(try local.client())
            }
        }
    }

    /// As `withClient`, where the coordinator is ours: refuses a remote one.
    func withLocalCoordinator<Result>(_ body: (LocalCoordinator) async throws -> Result) async throws -> Result {
        try await LocalCoordinator.during(stateFolder, database: databaseOfUser, body)
    }
}
