// A store on a fresh database, and the few things that most tests of it need.

import BIDS
import Foundation
import Postgres
import TestSupport
import Wire
import Workflow

@testable import Coordinator

/// A migrated database of one test.
struct StoreFixture: Sendable {
    let database: TestDatabase
    let store: Store

    static func make(connections: Int = 4) async throws -> StoreFixture {
        let database = try await TestDatabase.make(key: "coordinator") { target in
            let pool = Store.pool(target, limit: 1)
            defer { pool.close() }
            try await Migrator().migrate(pool)
        }
        return StoreFixture(database: database, store: Store(pool: Store.pool(database.target, limit: connections)))
    }

    /// Another coordinator on the same database.
    func another(connections: Int = 4) -> Store {
        Store(pool: Store.pool(database.target, limit: connections))
    }

    func count(_ sql: String, _ parameters: [Parameter] = []) async throws -> Int {
        try await store.pool.run { try $0.first(sql, parameters) { try $0[0] as Int } ?? 0 }
    }

    func execute(_ sql: String, _ parameters: [Parameter] = []) async throws {
        try await store.pool.run { try $0.execute(sql, parameters) }
    }

    // MARK: Workers

    func openSession(
        _ worker: String = "worker", kinds: [String: Int] = ["test": 1], cores: Int = 64, memoryMiB: Int = 65_536,
        ttl: Duration = .seconds(3600), boot: UUID = UUID(), commands: [String] = []
    ) async throws -> UUID {
        try await store.openSession(
            SessionRequest(
                worker: worker, bootID: boot, cores: cores, memoryMiB: memoryMiB, kinds: kinds, commands: commands,
                instructionSet: "x86-64-v3", version: "0"), ttl: ttl
        ).session
    }

    func claim(
        _ session: UUID, _ count: Int = 1, id: UUID = UUID(), cores: Int = 64, memoryMiB: Int = 65_536,
        by other: Store? = nil
    ) async throws -> [LeaseGrant] {
        let request = ClaimRequest(
            claim: id, freeCores: cores, freeMemoryMiB: memoryMiB, maximumTasks: count, waitMilliseconds: 0)
        return try await (other ?? store).claim(session: session, request: request) ?? []
    }

    /// Lets the database's clock say that a session ended.
    func expire(_ session: UUID) async throws {
        try await execute(
            "UPDATE worker_session SET expires_at = now() - interval '1 s' WHERE session_id = $1", [.uuid(session)])
    }

    /// Makes every backoff be over.
    func endBackoffs() async throws {
        try await execute("UPDATE delayed SET run_at = now() - interval '1 s'")
        try await store.promoteDelayed()
    }

    func complete(
        _ session: UUID, _ items: [CompletionItem], by other: Store? = nil
    ) async throws -> [CompletionVerdict] {
        try await (other ?? store).complete(session: session, items: items).map(\.verdict)
    }

    /// Records the artifacts of successes and completes.
    func finish(_ session: UUID, _ items: [CompletionItem]) async throws -> [CompletionVerdict] {
        for output in items.flatMap(\.outputs) {
            try await store.recordArtifact(
                digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
        }
        return try await complete(session, items)
    }

    /// Runs everything there is to run, successfully, and returns how many tasks ran.
    @discardableResult
    func drain(_ session: UUID, measured: Bool = false) async throws -> Int {
        var total = 0
        while true {
            let leases = try await claim(session, 64)
            if leases.isEmpty { return total }
            total += leases.count
            _ = try await finish(session, leases.map { Report.success($0, measured: measured) })
        }
    }

    // MARK: State

    func states(_ run: RunID) async throws -> [TaskState] {
        try await store.tasks(TaskFilter(run: run)).map(\.state)
    }

    func state(_ run: RunID, _ ordinal: Int) async throws -> TaskState? {
        try await store.task(TaskID(run: run, ordinal: ordinal))?.summary.state
    }
}

/// What a worker might say.
enum Report {
    static let usage = AttemptUsage(
        wallMilliseconds: 1200, userMilliseconds: 1000, systemMilliseconds: 100, peakResidentMiB: 300)

    /// The bytes that a task "computes": a function of its kind, parameters and inputs, as a real kernel's are.
    static func output(of lease: LeaseGrant, port: String = "out") -> CompletionItem.Output {
        let inputs = lease.inputs.map { "\($0.port) \($0.context) \($0.digest)" }.sorted().joined(separator: "\n")
        let gaps = lease.missing.map { "\($0.port) \($0.context)" }.sorted().joined(separator: "\n")
        let text = "\(lease.kind) \(lease.parameters.canonicalString) \(lease.context)\n\(inputs)\n\(gaps)"
        return CompletionItem.Output(
            port: port, name: "\(lease.step)_\(port).dat", digest: ArtifactDigest(of: Data(text.utf8)),
            sizeBytes: Int64(text.utf8.count), mediaType: "application/octet-stream")
    }

    static func success(_ lease: LeaseGrant, measured: Bool = false, outputs: Bool = true) -> CompletionItem {
        let number = Double(output(of: lease).digest.bytes[0]) / 256 + 0.1
        return CompletionItem(
            lease: LeaseName(task: lease.task, token: lease.token), outcome: .succeeded, message: nil,
            outputs: outputs ? [output(of: lease)] : [],
            measurements: measured
                ? [
                    MeasuredValue(region: "L_putamen", reference: "csf", metric: "mean", value: number, unit: "ppm"),
                    MeasuredValue(metric: "volume", value: nil, unit: "mm3"),
                ] : [],
            warnings: [], usage: usage, logTail: "done")
    }

    static func failure(_ lease: LeaseGrant, _ outcome: AttemptOutcome, _ message: String = "broken") -> CompletionItem
    {
        CompletionItem(
            lease: LeaseName(task: lease.task, token: lease.token), outcome: outcome, message: message, outputs: [],
            measurements: [], warnings: [], usage: usage, logTail: "…")
    }
}

/// Graphs to store.
struct GraphBuilder {
    var tasks: [ExpandedTask] = []
    var retry = RetryPolicy(maximumFailures: 3, maximumLosses: 3)

    /// Adds a task that reads a file of its own and the outputs of other tasks.
    @discardableResult
    mutating func add(
        _ step: String, subject: String? = nil, after parents: [Int] = [], fanIn: FanInPolicy = .all,
        kind: String = "test", version: Int = 1, parameters: JSONValue = .object([:]), file: String? = nil,
        cores: Int = 1, memoryMiB: Int = 1024, salt: String? = nil, problem: String? = nil, port: String = "in"
    ) -> Int {
        let context = TaskContext(subject: subject)
        var inputs = parents.map { parent in
            InputBinding(
                port: port, context: tasks[parent].context, source: .output(ordinal: parent, port: "out"))
        }
        if let file {
            inputs.append(InputBinding(port: "file", context: context, source: .file(Self.file(file))))
        }
        tasks.append(
            ExpandedTask(
                ordinal: tasks.count, step: step, kind: kind, kindVersion: version, context: context,
                parameters: parameters, inputs: inputs, fanIn: fanIn,
                resources: TaskResources(cores: cores, memoryMiB: memoryMiB), timeoutSeconds: 60, retry: retry,
                cacheSalt: salt, problem: problem))
        return tasks.count - 1
    }

    static func file(_ content: String) -> FileReference {
        FileReference(
            path: "/data/\(content).nii.gz", name: "\(content).nii.gz", metadata: ["EchoTime": .number(0.02)],
            digest: ArtifactDigest(of: Data(content.utf8)), sizeBytes: Int64(content.utf8.count))
    }

    static let request = RunRequest(
        name: "a run", workflowText: "steps: []", workflowPath: "/workflows/test.yaml", dataset: "/data")
}

extension StoreFixture {
    func create(_ graph: GraphBuilder, request: RunRequest = GraphBuilder.request) async throws -> RunCreated {
        try await store.createRun(
            request: request, workflow: "test", dataset: nil, tasks: graph.tasks, requestedBy: "tester")
    }
}
