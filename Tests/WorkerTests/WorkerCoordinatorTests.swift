import Artifacts
import BIDS
import Coordinator
import CoordinatorClient
import Foundation
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing
import Wire
import Worker
import Workflow

/// Workers and client with a real coordinator on a real PostgreSQL.
@Suite struct WorkerCoordinatorTests {
    private let folder: WorkerTestFolder

    init() throws { folder = try WorkerTestFolder() }

    // MARK: - Set-up

    /// A coordinator on a free port, with a store beside it for what the API does not do.
    private struct Site: Sendable {
        var url: String
        var store: Store
        var client: CoordinatorClient
    }

    private static func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func withCoordinator(
        sessionTTL: Duration = .seconds(30), _ body: @escaping @Sendable (Site) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.make()
        var configuration = CoordinatorConfiguration(host: "127.0.0.1", port: 0)
        configuration.ownerToken = "owner"
        configuration.sessionTTL = sessionTTL
        configuration.sweepInterval = .milliseconds(50)
        let (ports, portSink) = AsyncStream<Int>.makeStream()
        let server = try await CoordinatorServer(
            configuration: configuration, database: database.target,
            artifacts: try ArtifactStore(folder: folder.path + "/artifacts"), logger: Self.quiet()
        ) { portSink.yield($0) }
        let pool = Store.pool(database.target, limit: 2)
        defer { pool.close() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask {
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                let url = "http://127.0.0.1:\(port)"
                try await body(Site(url: url, store: Store(pool: pool), client: Self.client(url)))
            }
            // The server runs for ever: the body ends first, well or not.
            defer { group.cancelAll() }
            try await group.next()
        }
        withExtendedLifetime(database) {}
    }

    private static func client(_ url: String) throws -> CoordinatorClient {
        try CoordinatorClient(ClientConfiguration(baseURL: url, token: "owner"), environment: [:])
    }

    /// Runs a worker beside the body, asks it to leave afterwards, and waits for it.
    private func withWorker(
        _ site: Site, name: String = "w", cores: Int = 2, child: String, drainGrace: Duration = .seconds(30),
        _ body: (_ drain: Latch) async throws -> Void
    ) async throws {
        let program = try folder.write("#!/bin/sh\n" + child, to: "child-\(name).sh", executable: true)
        var configuration = WorkerConfiguration(
            name: name, cores: cores, memoryMiB: 2048, kinds: ["k": 1], instructionSet: "none", version: "0",
            attemptExecutable: program, environment: ["PATH": "/usr/bin:/bin"], scratchFolder: folder.path + "/scratch")
        configuration.drainGrace = drainGrace
        configuration.terminationGrace = .milliseconds(100)
        configuration.listensForSecondSignal = false
        let worker = try WorkerService(
            configuration: configuration, client: Self.client(site.url), logger: Self.quiet())
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

    /// A task of kind `k` that reads the outputs `out` of others.
    private func task(
        _ ordinal: Int, from parents: [Int] = [], files: [FileReference] = [], seconds: Double = 600,
        memoryMiB: Int = 128
    ) -> ExpandedTask {
        let context = TaskContext(subject: "\(ordinal)")
        return ExpandedTask(
            ordinal: ordinal, step: "step\(ordinal)", kind: "k", kindVersion: 1, context: context,
            parameters: .object(["n": .integer(Int64(ordinal))]),
            inputs: parents.map {
                InputBinding(
                    port: "in", context: TaskContext(subject: "\($0)"), source: .output(ordinal: $0, port: "out"))
            } + files.map { InputBinding(port: "file", context: context, source: .file($0)) },
            fanIn: .all, resources: TaskResources(cores: 1, memoryMiB: memoryMiB), timeoutSeconds: seconds,
            retry: RetryPolicy(backoffBaseSeconds: 0.01))
    }

    private func submit(_ site: Site, _ tasks: [ExpandedTask]) async throws -> RunID {
        let request = RunRequest(workflowText: "", workflowPath: "/w.yaml", dataset: "/d")
        return try await site.store.createRun(
            request: request, workflow: "test", dataset: nil, tasks: tasks, requestedBy: "test"
        ).run
    }

    private func settled(_ site: Site, _ run: RunID) async throws -> RunSummary {
        let giveUp = ContinuousClock.now.advanced(by: .seconds(60))
        while true {
            let summary = try await site.client.run(run)
            if summary.state != .running || ContinuousClock.now > giveUp { return summary }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// One output made of all inputs and the task's number, one measurement.
    private let joiningChild = """
        cat "$2"/inputs/*/* > "$2/outputs/out.txt" 2>/dev/null
        n=$(grep -o '"n":[0-9]*' "$2/task.json" | head -n 1 | tr -dc 0-9)
        echo "task $n" >> "$2/outputs/out.txt"
        printf '{"outputs":[{"port":"out","file":"out.txt","mediaType":"text/plain"}],"measurements":\
        [{"metric":"size","value":%d,"unit":"1"}],"warnings":[]}' "$(wc -c < "$2/outputs/out.txt")" > "$2/result.part"
        mv "$2/result.part" "$2/result.json"
        """

    private func sessionRequest(_ name: String) -> SessionRequest {
        SessionRequest(
            worker: name, bootID: UUID(), cores: 4, memoryMiB: 4096, kinds: ["k": 1], commands: [],
            instructionSet: "none", version: "0")
    }

    private func claim(_ site: Site, _ session: UUID, tasks: Int = 1) async throws -> [LeaseGrant] {
        try await site.client.claim(
            session: session,
            ClaimRequest(
                claim: UUID(), freeCores: 4, freeMemoryMiB: 4096, maximumTasks: tasks, waitMilliseconds: 20_000)
        ).leases
    }

    private func completion(_ lease: LeaseGrant, value: Double) -> CompletionItem {
        CompletionItem(
            lease: lease.name, outcome: .succeeded, message: nil, outputs: [],
            measurements: [MeasuredValue(metric: "size", value: value, unit: "1")], warnings: [],
            usage: AttemptUsage(wallMilliseconds: 1, userMilliseconds: 1, systemMilliseconds: 0, peakResidentMiB: 1),
            logTail: "")
    }

    // MARK: - Tests

    @Test func aGraphIsComputedByTwoWorkers() async throws {
        try await withCoordinator { site in
            let source = try folder.write("größe\n", to: "an input.txt")
            let data = Data("größe\n".utf8)
            let file = FileReference(
                path: source, name: "an input.txt", digest: ArtifactDigest(of: data), sizeBytes: Int64(data.count))
            let run = try await submit(
                site, [task(0, files: [file]), task(1), task(2, from: [0, 1]), task(3, from: [2])])
            try await withWorker(site, name: "a", child: joiningChild) { _ in
                try await withWorker(site, name: "b", child: joiningChild) { _ in
                    let summary = try await settled(site, run)
                    #expect(summary.state == .succeeded)
                    #expect(summary.counts.succeeded == 4)
                }
            }
            let last = try await site.client.task(TaskID(run: run, ordinal: 3))
            let output = try #require(last.outputs.first)
            let text = Mutex("")
            try await site.client.read(output.digest) { piece in
                text.withLock { $0 += String(decoding: piece, as: UTF8.self) }
            }
            #expect(text.withLock { $0 } == "größe\ntask 0\ntask 1\ntask 2\ntask 3\n")
            #expect(last.attempts.map(\.outcome) == [.succeeded])
            #expect(try await site.client.check() == [])
        }
    }

    @Test func aZombieIsRefusedAndNothingItSendsIsStored() async throws {
        try await withCoordinator(sessionTTL: .seconds(1)) { site in
            let run = try await submit(site, [task(0)])
            let zombie = try await site.client.openSession(sessionRequest("zombie"))
            let old = try #require(try await claim(site, zombie.session).first)
            // It says nothing for so long that its lease is given to another.
            let other = try await site.client.openSession(sessionRequest("other"))
            let renewing = Task {
                while true {
                    _ = try await site.client.heartbeat(
                        session: other.session, HeartbeatRequest(held: []), timeout: .seconds(10))
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            defer { renewing.cancel() }
            let new = try #require(try await claim(site, other.session).first)
            #expect(new.task == old.task)
            #expect(new.token.attempt == old.token.attempt + 1)
            let refused = try await site.client.complete(
                session: zombie.session, CompletionRequest(items: [completion(old, value: 666)]))
            #expect(refused.items.map(\.verdict) == [.stale])
            let gone = await #expect(throws: APIError.self) {
                try await site.client.heartbeat(
                    session: zombie.session, HeartbeatRequest(held: []), timeout: .seconds(10))
            }
            #expect(gone?.code == "session_expired")
            // Also under a session that lives: the token decides, not the session.
            let stale = try await site.client.complete(
                session: other.session, CompletionRequest(items: [completion(old, value: 666)]))
            #expect(stale.items.map(\.verdict) == [.stale])
            #expect(try await site.client.run(run).counts.succeeded == 0)

            let good = CompletionRequest(items: [completion(new, value: 1)])
            #expect(
                try await site.client.complete(session: other.session, good).items.map(\.verdict) == [.accepted])
            #expect(
                try await site.client.complete(session: other.session, good).items.map(\.verdict) == [.duplicate])
            #expect(try await site.client.run(run).counts.succeeded == 1)
            let detail = try await site.client.task(old.task)
            #expect(detail.attempts.map(\.outcome) == [.lost, .succeeded])
            let rows = Mutex("")
            try await site.client.results(run: run, view: "measurements", format: "csv") { piece in
                rows.withLock { $0 += String(decoding: piece, as: UTF8.self) }
            }
            #expect(!rows.withLock { $0 }.contains("666"))
            #expect(try await site.client.check() == [])
        }
    }

    @Test func whatADrainingWorkerHandsBackGoesToAnother() async throws {
        try await withCoordinator { site in
            let run = try await submit(site, [task(0)])
            try await withWorker(
                site, name: "leaving", child: "touch '\(folder.path)/begun'; exec sleep 1000",
                drainGrace: .milliseconds(10)
            ) { _ in
                #expect(await eventually { FileManager.default.fileExists(atPath: folder.path + "/begun") })
            }
            #expect(try await site.client.run(run).counts.ready == 1)
            try await withWorker(site, name: "staying", child: joiningChild) { _ in
                let state = try await settled(site, run).state
                #expect(state == .succeeded)
            }
            let detail = try await site.client.task(TaskID(run: run, ordinal: 0))
            #expect(detail.attempts.map(\.outcome) == [.released, .succeeded])
            #expect(try await site.client.check() == [])
        }
    }

    @Test func aCrashEndsOneAttemptAndIsKept() async throws {
        try await withCoordinator { site in
            let run = try await submit(site, [task(0), task(1)])
            // Task 0 crashes at its first attempt, task 1 always fails for good.
            let child = """
                echo "attempt begins"
                if grep -q '"n":1' "$2/task.json"; then
                  echo '{"outputs":[],"measurements":[],"warnings":[],"failure":{"outcome":"permanent","message":"sub-1: no T1w"}}' > "$2/result.json"
                  exit 1
                fi
                if [ ! -e '\(folder.path)/crashed' ]; then touch '\(folder.path)/crashed'; kill -SEGV $$; fi
                \(joiningChild)
                """
            try await withWorker(site, child: child) { _ in
                let state = try await settled(site, run).state
                #expect(state == .finishedWithFailures)
            }
            let crashed = try await site.client.task(TaskID(run: run, ordinal: 0))
            #expect(crashed.attempts.map(\.outcome) == [.crashed, .succeeded])
            let first = try #require(crashed.attempts.first)
            #expect(first.usage?.signal == Int(SIGSEGV))
            #expect(first.message?.contains("SIGSEGV") == true)
            #expect(first.logTail == "attempt begins\n")
            let failed = try await site.client.task(TaskID(run: run, ordinal: 1))
            #expect(failed.summary.state == .failed)
            #expect(failed.attempts.map(\.message) == ["sub-1: no T1w"])
        }
    }

    @Test func anAttemptThatUsesTooMuchGetsMoreTheNextTime() async throws {
        try await withCoordinator { site in
            let run = try await submit(site, [task(0, memoryMiB: 64)])
            let child = """
                if grep -q '"memoryMiB":64' "$2/task.json"; then cat /dev/zero | tail -c 2000000000; fi
                \(joiningChild)
                """
            try await withWorker(site, child: child) { _ in
                let state = try await settled(site, run).state
                #expect(state == .succeeded)
            }
            let attempts = try await site.client.task(TaskID(run: run, ordinal: 0)).attempts
            #expect(attempts.map(\.outcome) == [.outOfMemory, .succeeded])
            #expect((attempts.first?.usage?.peakResidentMiB ?? 0) > 64)
        }
    }

    @Test func aBrokenUploadGoesOnWhereTheCoordinatorIs() async throws {
        try await withCoordinator { site in
            var generator = SeededGenerator(seed: 11)
            let bytes = Data((0..<6_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
            let digest = ArtifactDigest(of: bytes)
            let path = folder.path + "/big"
            try bytes.write(to: URL(fileURLWithPath: path))
            let pieces = Mutex(0)
            await #expect(throws: ClientError.self) {
                try await site.client.upload(
                    path, digest: digest, sizeBytes: Int64(bytes.count), mediaType: "x/y",
                    mayContinue: {
                        pieces.withLock { pieces in
                            pieces += 1
                            return pieces < 12
                        }
                    })
            }
            #expect(try await site.client.artifactSize(digest) == nil)
            // The coordinator may still be writing what arrived.
            var kept: Int64 = 0
            while kept == 0 { kept = try await site.client.uploadedBytes(of: digest) }
            #expect(kept < Int64(bytes.count))
            try await site.client.upload(
                path, digest: digest, sizeBytes: Int64(bytes.count), mediaType: "x/y")
            #expect(try await site.client.artifactSize(digest) == Int64(bytes.count))
            #expect(try await site.client.missing([digest]) == [])
            let copy = folder.path + "/copy"
            try await site.client.download(digest, to: copy)
            #expect(try Data(contentsOf: URL(fileURLWithPath: copy)) == bytes)
        }
    }

    @Test func wrongBytesAreRefusedByTheCoordinator() async throws {
        try await withCoordinator { site in
            let path = try folder.write("these bytes", to: "file")
            let digest = ArtifactDigest(of: Data("other bytes".utf8))
            let error = await #expect(throws: APIError.self) {
                try await site.client.upload(path, digest: digest, sizeBytes: 11, mediaType: "x/y")
            }
            #expect(error?.code == "digest_mismatch")
            #expect(try await site.client.missing([digest]) == [digest])
        }
    }

    @Test func tokensAreAskedForAndListed() async throws {
        try await withCoordinator { site in
            let grant = try await site.client.createToken(TokenRequest(name: "lab größe", role: .worker))
            #expect(try await site.client.tokens().map(\.name) == ["lab größe"])
            var configuration = ClientConfiguration(baseURL: site.url, token: grant.secret)
            let worker = try CoordinatorClient(configuration, environment: [:])
            _ = try await worker.openSession(sessionRequest("w"))
            #expect(try await site.client.workers().map(\.worker) == ["w"])
            let forbidden = await #expect(throws: APIError.self) { try await worker.runs() }
            #expect(forbidden?.code == "forbidden")
            try await site.client.revokeToken(name: "lab größe")
            configuration.token = nil
            let anonymous = try CoordinatorClient(configuration, environment: [:])
            for client in [worker, anonymous] {
                let refusal = await #expect(throws: APIError.self) { try await client.tokens() }
                #expect(refusal?.code == "unauthorized")
            }
        }
    }

    @Test func theEngineAddsLittleToATask() async throws {
        try await withCoordinator { site in
            let count = 40
            let run = try await submit(site, (0..<count).map { task($0) })
            let child = """
                echo '{"outputs":[],"measurements":[{"metric":"one","value":1,"unit":"1"}],"warnings":[]}' > "$2/result.json"
                """
            let begin = ContinuousClock.now
            try await withWorker(site, cores: 1, child: child) { _ in
                let summary = try await settled(site, run)
                #expect(summary.counts.succeeded == count)
            }
            // Printed, not asserted: the machine may be busy.
            let each = begin.duration(to: .now) / .milliseconds(1) / Double(count)
            print("engine overhead: \(String(format: "%.1f", each)) ms per task, one core, one after the other")
        }
    }
}
