import BIDS
import Foundation
import LocalPostgres
import Postgres
import Synchronization
import Testing
import Wire
import Workflow

@testable import Coordinator

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Store: the server dies")
struct StoreRestartTests {
    private struct Worker: Sendable {
        let store: Store

        /// Works until the run has ended, repeating whatever fails because the database is away.
        func work(on run: RunID, name: String) async throws {
            var session = try await open(name)
            while try await insist({ try await store.run(run)?.finishedAt }) == nil {
                let request = ClaimRequest(
                    claim: UUID(), freeCores: 4, freeMemoryMiB: 8192, maximumTasks: 4, waitMilliseconds: 0)
                let leases = try await insist { try await store.claim(session: session, request: request) }
                guard let leases else {
                    session = try await open(name)
                    continue
                }
                if leases.isEmpty {
                    _ = try await insist { try await store.sweepReady() }
                    _ = try await insist { try await store.reapExpired() }
                    continue
                }
                for lease in leases {
                    let report = Report.success(lease, measured: true)
                    let output = report.outputs[0]
                    try await insist {
                        try await store.recordArtifact(
                            digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
                    }
                    let current = session
                    let verdicts = try await insist { try await store.complete(session: current, items: [report]) }
                    // Accepted, or accepted before the answer was lost. Nobody's lease expires here: never stale.
                    #expect([.accepted, .duplicate].contains(verdicts[0].verdict))
                }
            }
        }

        private func open(_ name: String) async throws -> UUID {
            let request = SessionRequest(
                worker: name, bootID: UUID(), cores: 4, memoryMiB: 8192, kinds: ["test": 1], commands: [],
                instructionSet: "x86-64-v3", version: "0")
            return try await insist { try await store.openSession(request, ttl: .seconds(600)).session }
        }

        func insist<Value>(_ body: () async throws -> Value) async throws -> Value {
            let deadline = ContinuousClock.now + .seconds(120)
            while true {
                do {
                    return try await body()
                } catch let error as PostgresError where error.isConnectionFailure || error.isTransient {
                    // The pool itself waits for the server; this only bounds a server that never comes back.
                    guard ContinuousClock.now < deadline else { throw error }
                }
            }
        }
    }

    private static var graph: GraphBuilder {
        var graph = GraphBuilder()
        var ends: [Int] = []
        for person in 0..<40 {
            let first = graph.add("first", subject: "\(person)", file: "f\(person)")
            let second = graph.add("second", subject: "\(person)", after: [first])
            ends.append(graph.add("third", subject: "\(person)", after: [first, second]))
        }
        graph.add("cohort", after: ends)
        return graph
    }

    /// PostgreSQL is killed again and again while workers work: nothing acknowledged is lost, nothing is there twice, and
    /// the numbers are those of a quiet run.
    @Test func killedServersChangeNoResult() async throws {
        let folder = NSTemporaryDirectory() + "/qsmflow-restart-\(UUID().uuidString.prefix(8))"
        // Left over in the temporary folder at worst.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = LocalServerConfiguration(stateFolder: folder)
        configuration.endsWithStarter = true
        configuration.sharedBuffersMebibytes = 16
        let counter = Counter()
        let server = try await LocalServer.start(configuration) { event in
            if case .restarted = event { counter.add() }
        }
        let pool = Store.pool(ConnectionTarget(server.connectionString), limit: 4, patience: .seconds(60))
        try await Migrator().migrate(pool)
        let store = Store(pool: pool)
        let run = try await store.createRun(
            request: GraphBuilder.request, workflow: "test", dataset: nil, tasks: Self.graph.tasks,
            requestedBy: "tester"
        ).run
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<2 { group.addTask { try await Worker(store: store).work(on: run, name: "w\(index)") } }
            group.addTask {
                for share in [0.2, 0.5, 0.8] {
                    // At a moment of the work, not of the clock.
                    var done = 0.0
                    while done < share {
                        let counts = try await Worker(store: store).insist { try await store.run(run)?.counts }
                        done = counts.map { Double($0.succeeded) / Double($0.total) } ?? 1
                    }
                    let before = server.process
                    kill(before, SIGKILL)
                    while server.process == before { try await Task.sleep(for: .milliseconds(5)) }
                }
            }
            for try await _ in group {}
        }
        #expect(counter.value == 3)
        let digest = try await store.measurementDigest(run: run)
        #expect(try await store.fsck() == [])
        let lost = try await pool.run { session in
            try session.first("SELECT count(*) FROM attempt WHERE outcome <> 'succeeded'") { try $0[0] as Int }
        }
        #expect(lost == 0)
        pool.close()
        try await server.stop()

        let quiet = try await StoreFixture.make()
        let same = try await quiet.create(Self.graph).run
        try await quiet.drain(try await quiet.openSession(), measured: true)
        #expect(try await quiet.store.measurementDigest(run: same) == digest)
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        func add() { count.withLock { $0 += 1 } }
        var value: Int { count.withLock { $0 } }
    }
}
