import Artifacts
import BIDS
import Coordinator
import CoordinatorClient
import Foundation
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import Wire
import Worker
import Workflow

/// A real coordinator on a database of its own, with workers beside it.
final class WorkerTestSite: Sendable {
    let folder: WorkerTestFolder
    /// For what the API does not do.
    let store: Store
    private let database: TestDatabase
    private let pool: Pool
    private let sessionTTL: Duration
    private let made = Mutex<CoordinatorClient?>(nil)
    private let serving = Mutex<(group: ServiceGroup, task: Task<Void, any Error>, port: Int)?>(nil)
    private static let token = "owner"

    private init(sessionTTL: Duration) async throws {
        folder = try WorkerTestFolder()
        database = try await TestDatabase.make()
        pool = Store.pool(database.target, limit: 2)
        store = Store(pool: pool)
        self.sessionTTL = sessionTTL
    }

    /// Runs the body with a coordinator that listens.
    static func with(
        sessionTTL: Duration = .seconds(30), _ body: (WorkerTestSite) async throws -> Void
    ) async throws {
        let site = try await WorkerTestSite(sessionTTL: sessionTTL)
        let outcome: Result<Void, any Error>
        do {
            try await site.start()
            try await body(site)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await site.stop()
        site.pool.close()
        try outcome.get()
    }

    // MARK: - Coordinator

    /// Starts the coordinator; again on the port it had.
    func start() async throws {
        var configuration = CoordinatorConfiguration(host: "127.0.0.1", port: serving.withLock { $0?.port } ?? 0)
        configuration.ownerToken = Self.token
        configuration.sessionTTL = sessionTTL
        configuration.sweepInterval = .milliseconds(50)
        let (ports, portSink) = AsyncStream<Int>.makeStream()
        let server = try await CoordinatorServer(
            configuration: configuration, database: database.target,
            artifacts: try ArtifactStore(folder: folder.path + "/artifacts"), logger: Self.quietLogger
        ) { portSink.yield($0) }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: server)], gracefulShutdownSignals: [], logger: Self.quietLogger))
        // Owned by this object: ended by `stop`.
        let task = Task {
            defer { portSink.finish() }
            try await group.run()
        }
        for await port in ports {
            serving.withLock { $0 = (group, task, port) }
            return
        }
        try await task.value
    }

    /// Ends the coordinator and waits for its end.
    func stop() async {
        guard let (group, task, _) = serving.withLock({ $0 }) else { return }
        // Never by cancelling its task: NIO ends the process when a connection was accepted and not yet served
        // (swift-nio issue 3481).
        await group.triggerGracefulShutdown()
        _ = await task.result
    }

    var url: String { "http://127.0.0.1:\(serving.withLock { $0?.port } ?? 0)" }

    var client: CoordinatorClient {
        get throws {
            let url = url
            return try made.withLock { made in
                if let client = made { return client }
                let client = try Self.client(url)
                made = client
                return client
            }
        }
    }

    static func client(_ url: String) throws -> CoordinatorClient {
        try CoordinatorClient(ClientConfiguration(baseURL: url, token: token), environment: [:])
    }

    static var quietLogger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    // MARK: - Workers

    /// A worker whose attempts run a shell script: `$2` is the attempt's folder.
    static func configuration(
        name: String, cores: Int = 2, program: String, scratch: String
    ) -> WorkerConfiguration {
        var configuration = WorkerConfiguration(
            name: name, cores: cores, memoryMiB: 2048, kinds: ["k": 1], instructionSet: "none", version: "0",
            attemptExecutable: program, environment: ["PATH": "/usr/bin:/bin"], scratchFolder: scratch)
        configuration.terminationGrace = .milliseconds(100)
        configuration.listensForSecondSignal = false
        return configuration
    }

    var scratch: String { folder.path + "/scratch" }

    func script(_ text: String, name: String) throws -> String {
        try folder.write("#!/bin/sh\n" + text, to: "child-\(name).sh", executable: true)
    }

    /// Runs a worker beside the body, asks it to leave afterwards, and waits for it.
    func withWorker(
        name: String = "w", cores: Int = 2, child: String, drainGrace: Duration = .seconds(30),
        _ body: (_ drain: Latch) async throws -> Void
    ) async throws {
        var configuration = Self.configuration(
            name: name, cores: cores, program: try script(child, name: name), scratch: scratch)
        configuration.drainGrace = drainGrace
        let worker = try WorkerService(configuration: configuration, client: client, logger: Self.quietLogger)
        let drain = Latch()
        let running = Task { try await worker.run(drain: drain, force: Latch()) }
        let outcome: Result<Void, any Error>
        do {
            try await body(drain)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        drain.set()
        try await running.value
        try outcome.get()
    }

    /// One output made of all inputs and the task's number, one measurement of its size.
    static let joiningChild = """
        cat "$2"/inputs/*/* > "$2/outputs/out.txt" 2>/dev/null
        n=$(grep -o '"n":[0-9]*' "$2/task.json" | head -n 1 | tr -dc 0-9)
        echo "task $n" >> "$2/outputs/out.txt"
        printf '{"outputs":[{"port":"out","file":"out.txt","mediaType":"text/plain"}],"measurements":\
        [{"metric":"size","value":%d,"unit":"1"}],"warnings":[]}' "$(wc -c < "$2/outputs/out.txt")" > "$2/result.part"
        mv "$2/result.part" "$2/result.json"
        """

    // MARK: - The protocol by hand

    static func sessionRequest(_ name: String) -> SessionRequest {
        SessionRequest(
            worker: name, bootID: UUID(), cores: 4, memoryMiB: 4096, kinds: ["k": 1], commands: [],
            instructionSet: "none", version: "0")
    }

    /// Runs the body under a session whose heart beats.
    func withSession(_ name: String, _ body: (_ session: UUID) async throws -> Void) async throws {
        let client = try client
        let session = try await client.openSession(Self.sessionRequest(name)).session
        let beating = Task {
            while true {
                _ = try await client.heartbeat(
                    session: session, HeartbeatRequest(held: []), timeout: .seconds(10))
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        defer { beating.cancel() }
        try await body(session)
    }

    func claim(_ session: UUID) async throws -> LeaseGrant? {
        try await client.claim(
            session: session,
            ClaimRequest(claim: UUID(), freeCores: 4, freeMemoryMiB: 4096, maximumTasks: 1, waitMilliseconds: 20_000)
        ).leases.first
    }

    func complete(_ session: UUID, _ lease: LeaseGrant, value: Double) async throws -> CompletionVerdict? {
        let item = CompletionItem(
            lease: lease.name, outcome: .succeeded, message: nil, outputs: [],
            measurements: [MeasuredValue(metric: "size", value: value, unit: "1")], warnings: [],
            usage: AttemptUsage(wallMilliseconds: 1, userMilliseconds: 1, systemMilliseconds: 0, peakResidentMiB: 1),
            logTail: "")
        return try await client.complete(session: session, CompletionRequest(items: [item])).items.first?.verdict
    }

    // MARK: - Runs

    func submit(_ tasks: [ExpandedTask]) async throws -> RunID {
        let request = RunRequest(workflowText: "", workflowPath: "/w.yaml", dataset: "/d")
        return try await store.createRun(
            request: request, workflow: "test", dataset: nil, tasks: tasks, requestedBy: "test"
        ).run
    }

    /// The run once nothing of it is left to do, or as it is after a minute.
    func settled(_ run: RunID) async throws -> RunSummary {
        let giveUp = ContinuousClock.now.advanced(by: .seconds(60))
        while true {
            let summary = try await client.run(run)
            if summary.state != .running || ContinuousClock.now > giveUp { return summary }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func detail(_ run: RunID, _ ordinal: Int) async throws -> TaskDetail {
        try await client.task(TaskID(run: run, ordinal: ordinal))
    }

    func text(_ digest: ArtifactDigest) async throws -> String {
        let text = Mutex("")
        try await client.read(digest) { piece in text.withLock { $0 += String(decoding: piece, as: UTF8.self) } }
        return text.withLock { $0 }
    }

    func measurements(_ run: RunID) async throws -> String {
        let rows = Mutex("")
        try await client.results(run: run, view: "measurements", format: "csv") { piece in
            rows.withLock { $0 += String(decoding: piece, as: UTF8.self) }
        }
        return rows.withLock { $0 }
    }
}

extension ExpandedTask {
    /// A task of kind `k` that reads the outputs `out` of others.
    static func k(
        _ ordinal: Int, from parents: [Int] = [], files: [FileReference] = [], memoryMiB: Int = 128
    ) -> ExpandedTask {
        let context = TaskContext(subject: "\(ordinal)")
        return ExpandedTask(
            ordinal: ordinal, step: "step\(ordinal)", kind: "k", kindVersion: 1, context: context,
            parameters: .object(["n": .integer(Int64(ordinal))]),
            inputs: parents.map {
                InputBinding(
                    port: "in", context: TaskContext(subject: "\($0)"), source: .output(ordinal: $0, port: "out"))
            } + files.map { InputBinding(port: "file", context: context, source: .file($0)) },
            fanIn: .all, resources: TaskResources(cores: 1, memoryMiB: memoryMiB), timeoutSeconds: 600,
            retry: RetryPolicy(backoffBaseSeconds: 0.01))
    }
}
