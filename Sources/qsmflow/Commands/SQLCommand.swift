import ArgumentParser
import Foundation
import LocalPostgres
import Postgres

struct SQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Open psql on the results, or run one query.",
        discussion: """
            Connects to the database of the state folder, and starts its private server for the time being when it does \
            not run; with --database or the PG* variables, to that server. The views are in the search path: \
            `SELECT * FROM roi_statistics WHERE run = 3`. `SELECT * FROM documentation` explains every view and column.

            On the private server you are the role qsmflow_analyst, which reads the views, changes nothing, and is stopped \
            after five minutes a query; --owner connects as the owner of everything.

            What stands after -- goes to psql: qsmflow sql -c 'TABLE qc' -- --csv -o qc.csv
            """)

    @Option(
        name: [.customShort("c"), .long], parsing: .singleValue, help: "A query to run; may be given several times.")
    var command: [String] = []
    @Option(name: [.customShort("f"), .long], help: "A file of queries to run.", completion: .file()) var file: String?
    @Flag(name: .long, help: "Connect to the private server as its owner, who may change everything.") var owner = false
    @Argument(parsing: .postTerminator, help: "Arguments for psql, after --.") var psqlArguments: [String] = []
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        if let named = connection.databaseOfUser {
            try ConnectionTarget(named).validate()
            return try end(psql(in: nil, named))
        }
        if connection.coordinator != nil || ConnectionOptions.variable("QSMFLOW_COORDINATOR") != nil {
            throw CommandFailure(
                "A coordinator elsewhere does not tell where its database is; name it with --database, "
                    + "or read the same views with `qsmflow results`", code: 64)
        }
        let state = connection.stateFolder
        let running = state.announced()
        guard FileManager.default.fileExists(atPath: state.postgres) else {
            guard let running else { return try state.mustHoldDatabase() }
            return try end(psql(in: nil, running.database))
        }
        let server = try await LocalServer.start(LocalServerConfiguration(stateFolder: state.path))
        if let running, running.database != server.connectionString {
            // The coordinator at work here is on a server that its user named.
            try await server.stop()
            return try end(psql(in: nil, running.database))
        }
        let status: Int32
        do {
            status = try psql(
                in: server.installation.folder, server.connectionString + (owner ? "" : " user=qsmflow_analyst"))
        } catch {
            // That psql did not start is what must be said.
            try? await server.stop()
            throw error
        }
        try await server.stop()
        try end(status)
    }

    /// psql's exit status as ours: 2 is a server that cannot be reached, 3 a query that failed.
    private func end(_ status: Int32) throws {
        switch status {
        case 0: return
        case 2: throw ExitCode(ExitStatus.unavailable)
        case 3: throw ExitCode(ExitStatus.failed)
        default: throw ExitCode(status)
        }
    }

    /// Runs psql on our own terminal until it ends; returns its exit status.
    private func psql(in folder: String?, _ target: String) throws -> Int32 {
        var arguments = ["-d", target.isEmpty ? (ConnectionOptions.variable("PGDATABASE") ?? "") : target]
        if arguments[1].isEmpty { arguments = [] }
        for query in command { arguments += ["-c", query] }
        if let file { arguments += ["-f", file] }
        // A failed query is a failed command.
        if !command.isEmpty || file != nil { arguments += ["-v", "ON_ERROR_STOP=1"] }
        arguments += psqlArguments
        var environment = ProcessInfo.processInfo.environment
        environment["PGOPTIONS"] = [environment["PGOPTIONS"], "-c search_path=qsmflow,public"].compactMap { $0 }
            .joined(separator: " ")
        environment["PGAPPNAME"] = environment["PGAPPNAME"] ?? "qsmflow sql"
        let own = folder.map { $0 + "/psql" }
        let program = own.flatMap { FileManager.default.isExecutableFile(atPath: $0) ? $0 : nil } ?? "psql"
        return try ForegroundProgram(program, arguments, environment: environment).run()
    }
}
