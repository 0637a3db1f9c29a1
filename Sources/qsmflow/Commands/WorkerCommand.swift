import ArgumentParser
import CoordinatorClient
import Foundation
import Kernels
import Logging
import ServiceLifecycle
import UnixSignals
import Worker
import Workflow

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Pull tasks from a coordinator and run them until told to stop.",
        discussion: """
            A worker keeps nothing of value: kill it whenever you like. On SIGTERM it takes no more work, finishes or \
            hands back what it has, and ends; a second SIGTERM ends it at once.
            """)

    @Option(name: .long, help: "Address of the coordinator. Default: QSMFLOW_COORDINATOR.") var coordinator: String?
    @Option(name: .long, help: "File with the worker's token. Default: the variable QSMFLOW_TOKEN.") var tokenFile:
        String?
    @Option(name: .long, help: "Name shown to operators. Default: the host's.") var name: String?
    @Option(name: .long, help: "Cores to use. Default: all.") var cores: Int?
    @Option(name: .long, help: "Memory to use, MiB. Default: four fifths of the machine's.") var memoryMib: Int?
    @Option(name: .long, help: "Folder for attempts at work.", completion: .directory) var scratch: String?
    @Option(name: .long, help: "Folder that keeps inputs fetched from the coordinator.", completion: .directory)
    var cache: String?
    @Option(name: .long, help: "Largest size of that folder, GiB.") var cacheGib = 20
    @Option(name: .long, parsing: .upToNextOption, help: "NAME=PATH of a program that the kind `command` may run.")
    var allowCommand: [String] = []
    @Option(name: .long, help: "trace, debug, info, notice, warning or error.") var logLevel: Logger.Level = .info

    func run() async throws {
        guard let url = coordinator ?? ConnectionOptions.variable("QSMFLOW_COORDINATOR") else {
            throw CommandFailure("Name the coordinator with --coordinator or QSMFLOW_COORDINATOR", code: 64)
        }
        let machine = LocalWorkerOptions.machine(cores: cores, memoryMiB: memoryMib)
        let temporary = FileManager.default.temporaryDirectory.path
        var configuration = WorkerConfiguration(
            name: name ?? ProcessInfo.processInfo.hostName, cores: machine.cores, memoryMiB: machine.memoryMiB,
            kinds: TaskKindCatalog.versions, allowedCommands: try LocalWorkerOptions.commands(allowCommand),
            instructionSet: "\(InstructionSet.active)", version: Version.text,
            attemptExecutable: ProgramPath.current, attemptArguments: [RunTaskCommand.name],
            scratchFolder: scratch ?? temporary + "/qsmflow-\(name ?? "worker")")
        configuration.cacheFolder = cache
        configuration.cacheLimitBytes = Int64(cacheGib) << 30
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "worker")
        logger.logLevel = logLevel
        let client = try CoordinatorClient(
            ClientConfiguration(baseURL: url, token: try ConnectionOptions.token(file: tokenFile)))
        let worker = try WorkerService(configuration: configuration, client: client, logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
