import BIDS
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: many at once")
struct StoreConcurrencyTests {
    @Test func oneCompletionOfManyIsAccepted() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        let report = Report.success(lease, measured: true)
        try await fixture.store.recordArtifact(
            digest: report.outputs[0].digest, sizeBytes: report.outputs[0].sizeBytes, mediaType: "x")
        let other = fixture.another()
        let verdicts = try await withThrowingTaskGroup(of: [CompletionVerdict].self) { group in
            for index in 0..<24 {
                group.addTask {
                    // Alone, and twice in one message.
                    let items = index % 3 == 0 ? [report, report] : [report]
                    return try await fixture.complete(session, items, by: index % 2 == 0 ? other : nil)
                }
            }
            return try await group.reduce(into: [CompletionVerdict]()) { $0 += $1 }
        }
        #expect(verdicts.filter { $0 == .accepted }.count == 1)
        #expect(verdicts.filter { $0 == .duplicate }.count == verdicts.count - 1)
        #expect(try await fixture.count("SELECT count(*) FROM attempt") == 1)
        #expect(try await fixture.count("SELECT count(*) FROM measurement") == 2)
        #expect(try await fixture.states(run) == [.succeeded])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func whoComesBackTooLateIsRefused() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let zombie = try await fixture.openSession("zombie")
        let old = try #require(try await fixture.claim(zombie).first)
        try await fixture.expire(zombie)
        // Expired, but not yet collected: refused already, by the database's clock.
        #expect(try await fixture.finish(zombie, [Report.success(old, measured: true)]) == [.stale])
        #expect(try await fixture.store.heartbeat(session: zombie, request: HeartbeatRequest(held: [])) == nil)
        #expect(try await fixture.store.reapExpired() == 1)
        #expect(try await fixture.store.reapExpired() == 0)
        #expect(try await fixture.store.fsck() == [])

        let session = try await fixture.openSession("other")
        let new = try #require(try await fixture.claim(session).first)
        #expect(new.task == old.task && new.token.attempt == 2 && new.token.nonce != old.token.nonce)
        // With the old token, with the new attempt's number, from the old session with the new token.
        var forged = Report.success(old, measured: true)
        #expect(try await fixture.complete(zombie, [forged]) == [.stale])
        #expect(try await fixture.complete(session, [forged]) == [.stale])
        forged.lease.token.attempt = 2
        #expect(try await fixture.complete(session, [forged]) == [.stale])
        #expect(try await fixture.complete(zombie, [Report.success(new)]) == [.stale])
        #expect(try await fixture.count("SELECT count(*) FROM measurement") == 0)
        #expect(try await fixture.count("SELECT count(*) FROM result") == 0)
        #expect(try await fixture.complete(session, [Report.success(new)]) == [.accepted])
        let detail = try #require(try await fixture.store.task(new.task))
        #expect(detail.attempts.map(\.outcome) == [.lost, .succeeded])
        #expect(detail.attempts.map(\.worker) == ["zombie", "other"])
        #expect(try await fixture.states(run) == [.succeeded])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aTaskThatLosesItsWorkersIsTakenOut() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        let run = try await fixture.create(graph).run
        for _ in 0..<3 {
            let session = try await fixture.openSession("victim")
            let lease = try #require(try await fixture.claim(session).first)
            // In front of its peers: it has waited once already.
            #expect(lease.task.ordinal == 0)
            try await fixture.expire(session)
            try await fixture.store.reapExpired()
        }
        let task = try #require(try await fixture.store.tasks(TaskFilter(run: run)).first)
        #expect(task.state == .failed && task.outcome == .lost)
        #expect(task.message?.contains("its worker was lost (3 times in all)") == true)
        #expect(try await fixture.store.fsck() == [])
    }

    /// A machine that sleeps now and then, and a coordinator that was away: the task is not to blame.
    @Test func lossesThatSayNothingAboutATaskAreNotCounted() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let boot = UUID()
        func lose(boot: UUID, heardAgo: Int = 0) async throws -> TaskSummary? {
            let session = try await fixture.openSession("victim", boot: boot)
            _ = try #require(try await fixture.claim(session).first)
            try await fixture.execute(
                "UPDATE worker_session SET heartbeat_at = heartbeat_at - $2 * interval '1 s' WHERE session_id = $1",
                [.uuid(session), .int(heardAgo)])
            try await fixture.expire(session)
            try await fixture.store.reapExpired()
            return try await fixture.store.tasks(TaskFilter(run: run)).first
        }
        for _ in 0..<4 { #expect(try await lose(boot: boot)?.state == .ready) }
        // Last heard before this coordinator came to listen.
        for _ in 0..<3 { #expect(try await lose(boot: UUID(), heardAgo: 3600)?.state == .ready) }
        #expect(try await lose(boot: UUID())?.state == .ready)
        #expect(try await lose(boot: UUID())?.state == .failed, "with the first, workers of three processes")
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aHungAttemptEndsAtItsDeadline() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        try await fixture.execute("UPDATE lease SET deadline_at = now() - interval '1 s'")
        #expect(try await fixture.store.reapExpired() == 1)
        // The worker lives and is told; its session goes on.
        let beat = try await fixture.store.heartbeat(
            session: session,
            request: HeartbeatRequest(held: [.init(lease: LeaseName(task: lease.task, token: lease.token))]))
        #expect(beat?.unknown == [lease.task] && beat?.cancel == [])
        let task = try #require(try await fixture.store.tasks(TaskFilter(run: run)).first)
        #expect(task.outcome == .timedOut && task.state == .ready)
    }

    @Test func grantsThatNeverArrivedComeBack() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession(ttl: .seconds(30))
        let leases = try await fixture.claim(session, 2)
        let held = leases.prefix(1).map { HeartbeatRequest.Held(lease: LeaseName(task: $0.task, token: $0.token)) }
        // Young: the grant may be on its way.
        _ = try await fixture.store.heartbeat(session: session, request: HeartbeatRequest(held: held))
        #expect(try await fixture.count("SELECT count(*) FROM lease") == 2)
        try await fixture.execute("UPDATE lease SET started_at = now() - interval '2 min'")
        let beat = try await fixture.store.heartbeat(session: session, request: HeartbeatRequest(held: held))
        #expect(beat?.unknown == [])
        #expect(try await fixture.count("SELECT count(*) FROM lease") == 1)
        #expect(try await fixture.states(run) == [.ready, .ready])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func everyTaskIsGivenOnce() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        var graph = GraphBuilder()
        for index in 0..<300 { graph.add("a", subject: "\(index)", file: "\(index)") }
        _ = try await fixture.create(graph)
        let stores = [fixture.store, fixture.another()]
        let tasks = try await withThrowingTaskGroup(of: [TaskID].self) { group in
            for index in 0..<8 {
                group.addTask {
                    let session = try await fixture.openSession("w\(index)")
                    var mine: [TaskID] = []
                    while true {
                        let leases = try await fixture.claim(session, 7, by: stores[index % 2])
                        if leases.isEmpty { return mine }
                        mine += leases.map(\.task)
                    }
                }
            }
            return try await group.reduce(into: [TaskID]()) { $0 += $1 }
        }
        // A claim may come away empty-handed beside others; what is left is there for the next.
        let rest = try await fixture.count("SELECT count(*) FROM ready")
        #expect(Set(tasks).count == tasks.count)
        #expect(tasks.count + rest == 300)
        #expect(try await fixture.store.fsck() == [])
    }

    /// The last parents of a task finish together, again and again.
    @Test func theLastTwoParentsReleaseTheirChildOnce() async throws {
        let fixture = try await StoreFixture.make(connections: 6)
        var graph = GraphBuilder()
        for index in 0..<40 {
            let left = graph.add("left", subject: "\(index)", file: "l\(index)")
            let right = graph.add("right", subject: "\(index)", file: "r\(index)")
            graph.add("join", subject: "\(index)", after: [left, right])
        }
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession(cores: 200, memoryMiB: 1 << 20)
        let leases = try await fixture.claim(session, 100, cores: 100, memoryMiB: 1 << 20)
        #expect(leases.count == 80)
        for lease in leases {
            let output = Report.output(of: lease)
            try await fixture.store.recordArtifact(
                digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
        }
        let other = fixture.another()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for pair in Dictionary(grouping: leases, by: { $0.context.subject }).values {
                for (index, lease) in pair.enumerated() {
                    group.addTask {
                        let verdicts = try await fixture.complete(
                            session, [Report.success(lease)], by: index == 0 ? other : nil)
                        #expect(verdicts == [.accepted])
                    }
                }
            }
            for try await _ in group {}
        }
        let states = try await fixture.states(run)
        #expect(states.filter { $0 == .ready }.count == 40)
        #expect(try await fixture.count("SELECT count(*) FROM ready") == 40)
        #expect(try await fixture.store.fsck() == [])
    }

    /// Many completers over shared children, in random batches: nobody may wait for another in a circle.
    @Test func randomBatchesOverSharedChildrenDoNotDeadlock() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        let database = fixture.database.name
        try await fixture.store.pool.run {
            try $0.script("ALTER DATABASE \"\(database)\" SET deadlock_timeout = '10ms'")
        }
        // Two runs, so that batches cross runs; every child hangs on many parents.
        var runs: [RunID] = []
        for salt in ["x", "y"] {
            var graph = GraphBuilder()
            let parents = (0..<60).map { graph.add("p", subject: "\($0)", file: "\($0)", salt: salt) }
            for child in 0..<30 {
                graph.add("c", subject: "c\(child)", after: parents.filter { ($0 + child) % 3 == 0 }, salt: salt)
            }
            runs.append(try await fixture.create(graph).run)
        }
        let session = try await fixture.openSession(cores: 1000, memoryMiB: 1 << 20)
        let leases = try await fixture.claim(session, 128, cores: 1000, memoryMiB: 1 << 20)
        #expect(leases.count == 120)
        for lease in leases {
            let output = Report.output(of: lease)
            try await fixture.store.recordArtifact(
                digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
        }
        let shuffled = leases.shuffled()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in stride(from: 0, to: shuffled.count, by: 6) {
                let batch = shuffled[start..<start + 6].map { Report.success($0) }
                group.addTask {
                    let verdicts = try await fixture.complete(session, batch)
                    #expect(verdicts.allSatisfy { $0 == .accepted })
                }
            }
            for try await _ in group {}
        }
        let deadlocks = try await fixture.count(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        #expect(deadlocks == 0)
        for run in runs {
            #expect(try await fixture.states(run).filter { $0 == .ready }.count == 30)
        }
        #expect(try await fixture.store.fsck() == [])
    }

    /// Completion, loss, cancelling and retrying of the same tasks at once: one of them wins, and the books balance.
    @Test(arguments: 0..<6)
    func completionLossCancelAndRetryRace(round: Int) async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        var graph = GraphBuilder()
        let people = (0..<12).map { graph.add("a", subject: "\($0)", file: "\(round) \($0)") }
        let joined = people.map { graph.add("b", subject: "\($0)", after: [$0]) }
        graph.add("model", after: joined, fanIn: .any)
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession("doomed")
        let leases = try await fixture.claim(session, 12)
        let reports = leases.enumerated().map { index, lease in
            index % 4 == 3 ? Report.failure(lease, .permanent) : Report.success(lease)
        }
        for output in reports.flatMap(\.outputs) {
            try await fixture.store.recordArtifact(
                digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
        }
        let other = fixture.another()
        let verdicts = try await withThrowingTaskGroup(of: [CompletionVerdict].self) { group in
            for report in reports {
                group.addTask { try await fixture.complete(session, [report]) }
                group.addTask { try await fixture.complete(session, [report], by: other) }
            }
            if round % 2 == 0 {
                group.addTask {
                    try await fixture.expire(session)
                    _ = try await other.reapExpired()
                    return []
                }
            }
            if round % 3 == 0 {
                group.addTask {
                    _ = try await other.cancel(run: run, by: "tester")
                    return []
                }
            }
            group.addTask {
                _ = try await fixture.store.retry(TaskFilter(run: run), by: "tester")
                return []
            }
            group.addTask {
                let second = try await fixture.openSession("second")
                _ = try await fixture.claim(second, 5, by: other)
                _ = try await other.promoteDelayed()
                return []
            }
            return try await group.reduce(into: [CompletionVerdict]()) { $0 += $1 }
        }
        #expect(verdicts.filter { $0 == .accepted }.count <= 12)
        #expect(try await fixture.store.fsck() == [])
        // Whatever happened, an operator can bring it to its end.
        _ = try await fixture.store.retry(TaskFilter(run: run), by: "tester")
        #expect(try await fixture.store.fsck() == [])
        try await fixture.execute("UPDATE worker_session SET expires_at = now() - interval '1 s'")
        try await fixture.store.reapExpired()
        let last = try await fixture.openSession("last")
        try await fixture.store.sweepReady()
        try await fixture.drain(last)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func equalTasksOfTwoRunsShareOneResult() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", file: "1")
        graph.add("b", after: [a])
        let runs = [try await fixture.create(graph).run, try await fixture.create(graph).run]
        let session = try await fixture.openSession()
        // Both are computed at the same time; the second to end takes the result of the first.
        let leases = try await fixture.claim(session, 2)
        #expect(leases.count == 2)
        _ = try await fixture.finish(session, leases.map { Report.success($0, measured: true) })
        #expect(try await fixture.count("SELECT count(*) FROM result") == 1)
        #expect(try await fixture.count("SELECT count(*) FROM event WHERE kind = 'result.differs'") == 0)
        let next = try await fixture.claim(session, 2)
        var second = Report.success(next[1])
        second.outputs[0].digest = ArtifactDigest(of: Data("something else".utf8))
        _ = try await fixture.finish(session, [Report.success(next[0])])
        #expect(try await fixture.finish(session, [second]) == [.accepted])
        // Equal keys must give equal bytes: that they did not is told.
        #expect(try await fixture.count("SELECT count(*) FROM event WHERE kind = 'result.differs'") == 1)
        for run in runs { #expect(try await fixture.store.run(run)?.state == .succeeded) }
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func workGoesOnWhileTheServerEndsConnections() async throws {
        let fixture = try await StoreFixture.make(connections: 4)
        var graph = GraphBuilder()
        for index in 0..<60 {
            let a = graph.add("a", subject: "\(index)", file: "\(index)")
            graph.add("b", subject: "\(index)", after: [a])
        }
        let run = try await fixture.create(graph).run
        let killer = Pool(fixture.database.target, limit: 1)
        defer { killer.close() }
        let flag = Flag()
        // One at a time and not without end: however busy the machine, the workers get through.
        async let kills: Int = {
            var count = 0
            while !flag.isSet, count < 60 {
                count += try await killer.run { session in
                    try session.execute(
                        """
                        SELECT pg_terminate_backend(pid), pg_sleep(0.02) FROM (
                            SELECT pid FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) p
                        """)
                }
            }
            return count
        }()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<3 {
                group.addTask {
                    let session = try await Self.insist { try await fixture.openSession("w\(worker)") }
                    var idle = 0
                    while idle < 3 {
                        let id = UUID()
                        let leases = try await Self.insist { try await fixture.claim(session, 4, id: id) }
                        idle = leases.isEmpty ? idle + 1 : 0
                        if leases.isEmpty { _ = try await Self.insist { try await fixture.store.sweepReady() } }
                        let verdicts = try await Self.insist {
                            try await fixture.finish(session, leases.map { Report.success($0) })
                        }
                        // Repeated after a lost answer, an accepted completion is a duplicate; never stale.
                        #expect(verdicts.allSatisfy { $0 == .accepted || $0 == .duplicate })
                    }
                }
            }
            for try await _ in group {}
        }
        flag.set()
        #expect(try await kills > 0)
        // Connections that were ended while idle show it at their next use.
        let session = try await Self.insist { try await fixture.openSession("last") }
        _ = try await Self.insist { try await fixture.store.sweepReady() }
        _ = try await Self.insist { try await fixture.drain(session) }
        #expect(try await fixture.store.run(run)?.counts.succeeded == 120)
        #expect(try await fixture.store.fsck() == [])
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        func set() { value.store(true, ordering: .releasing) }
        var isSet: Bool { value.load(ordering: .acquiring) }
    }

    /// Repeats what failed because the connection did, as a worker repeats its requests.
    private static func insist<Value>(_ body: () async throws -> Value) async throws -> Value {
        for _ in 0..<500 {
            do {
                return try await body()
            } catch let error as PostgresError where error.isConnectionFailure || error.isTransient {
                continue
            }
        }
        return try await body()
    }
}
