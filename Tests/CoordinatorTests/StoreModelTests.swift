import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store against its model")
struct StoreModelTests {
    /// A seeded generator: a failure is a number that anybody can replay.
    struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    @Test(arguments: (1...24).map { UInt64($0) })
    func randomEventsAgree(seed: UInt64) async throws {
        let fixture = try await StoreFixture.make(connections: 2)
        var walk = Walk(fixture: fixture, seed: seed)
        try await walk.begin()
        for step in 0..<120 {
            let event = try await walk.event()
            try await walk.compare("seed \(seed), step \(step), \(event)")
            if step % 20 == 19 {
                let broken = try await fixture.store.fsck()
                #expect(broken == [], "seed \(seed), step \(step), \(event)")
            }
        }
        try await walk.finish()
        try await walk.compare("seed \(seed), at the end")
        #expect(try await fixture.store.fsck() == [], "seed \(seed)")
        #expect(try await fixture.store.run(walk.run)?.finishedAt != nil, "seed \(seed)")
    }

    private struct Walk {
        let fixture: StoreFixture
        var random: Seeded
        var model = StoreModel()
        var run = RunID(rawValue: 0)
        var sessions: [UUID] = []
        var grants: [LeaseGrant] = []

        init(fixture: StoreFixture, seed: UInt64) {
            self.fixture = fixture
            random = Seeded(state: seed)
        }

        mutating func begin() async throws {
            var graph = GraphBuilder()
            graph.retry = RetryPolicy(maximumFailures: StoreModel.limit, maximumLosses: StoreModel.limit)
            for index in 0..<Int.random(in: 8...18, using: &random) {
                let count = Int.random(in: 0...min(index, 4), using: &random)
                let parents = Array((0..<index).shuffled(using: &random).prefix(count)).sorted()
                let fanIn: FanInPolicy =
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: .any
                    case 1: .atLeast(0.5)
                    default: .all
                    }
                let problem = parents.isEmpty && Int.random(in: 0..<8, using: &random) == 0 ? "no file" : nil
                graph.add(
                    "s\(index)", subject: "\(index)", after: parents, fanIn: fanIn,
                    parameters: ["task": .integer(Int64(index))], problem: problem)
                var task = StoreModel.Task(parents: parents, fanIn: fanIn, unrunnable: problem != nil)
                if problem != nil {
                    task.own = .failed
                    task.attempts = 1
                }
                model.tasks.append(task)
            }
            run = try await fixture.create(graph).run
            model.settle()
            for _ in 0..<2 { sessions.append(try await fixture.openSession()) }
            try await compare("at the start")
        }

        mutating func event() async throws -> String {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<30: return try await claim()
            case 30..<72: return try await complete()
            case 72..<80: return try await promote()
            case 80..<86: return try await expire()
            case 86..<91: return try await reap()
            case 91..<94: return try await release()
            case 94..<95: return try await cancel()
            default: return try await retry()
            }
        }

        private mutating func claim() async throws -> String {
            let session = Int.random(in: 0..<sessions.count, using: &random)
            let count = Int.random(in: 1...4, using: &random)
            let leases = try await fixture.claim(sessions[session], count)
            let ready = model.tasks.indices.filter { model.tasks[$0].place == .ready }
            let expected = model.expiredSessions.contains(session) ? 0 : min(count, ready.count)
            #expect(leases.count == expected)
            for lease in leases {
                #expect(model.tasks[lease.task.ordinal].place == .ready)
                #expect(Int(lease.token.attempt) == model.tasks[lease.task.ordinal].attempts + 1)
                let task = model.tasks[lease.task.ordinal]
                let absent = task.parents.filter { model.tasks[$0].own != .succeeded }
                #expect(lease.inputs.count == task.parents.count - absent.count)
                #expect(lease.missing.map(\.context.subject) == absent.map { "\($0)" })
                #expect(model.claimed(lease.task.ordinal, session: session) == grants.count)
                grants.append(lease)
            }
            return "claim of \(leases.map(\.task.ordinal)) by session \(session)"
        }

        /// Any lease ever granted, so that old tokens come back too.
        private mutating func complete() async throws -> String {
            guard !grants.isEmpty else { return "nothing to complete" }
            let held = model.leases.indices.filter { model.leases[$0].isHeld }
            let pickOld = held.isEmpty || Int.random(in: 0..<6, using: &random) == 0
            let index = pickOld ? Int.random(in: 0..<grants.count, using: &random) : held.randomElement(using: &random)!
            let outcomes: [AttemptOutcome] = [
                .succeeded, .succeeded, .succeeded, .succeeded, .succeeded, .transient, .transient, .timedOut, .crashed,
                .permanent,
            ]
            var outcome = outcomes.randomElement(using: &random)!
            if pickOld, let recorded = model.leases[index].recorded, outcomes.contains(recorded),
                Bool.random(using: &random)
            {
                outcome = recorded
            }
            let report =
                outcome == .succeeded
                ? Report.success(grants[index], measured: true) : Report.failure(grants[index], outcome)
            let expected = model.completed(index, outcome)
            let verdicts = try await fixture.finish(sessions[model.leases[index].session], [report])
            #expect(verdicts.map(\.rawValue) == [expected.rawValue], "lease \(index)")
            return "completion of task \(grants[index].task.ordinal) as \(outcome)"
        }

        private mutating func promote() async throws -> String {
            try await fixture.endBackoffs()
            model.promoted()
            return "end of backoffs"
        }

        private mutating func expire() async throws -> String {
            let session = Int.random(in: 0..<sessions.count, using: &random)
            guard !model.expiredSessions.contains(session) else { return "no expiry" }
            try await fixture.expire(sessions[session])
            model.expiredSessions.insert(session)
            sessions.append(try await fixture.openSession())
            return "expiry of session \(session)"
        }

        private mutating func reap() async throws -> String {
            let expected = model.reaped()
            #expect(try await fixture.store.reapExpired() == expected)
            return "reaping of \(expected)"
        }

        private mutating func release() async throws -> String {
            guard let index = grants.indices.randomElement(using: &random) else { return "nothing to release" }
            let lease = grants[index]
            try await fixture.store.release(
                session: sessions[model.leases[index].session],
                leases: [LeaseName(task: lease.task, token: lease.token)])
            model.released(index)
            return "release of task \(lease.task.ordinal)"
        }

        private mutating func cancel() async throws -> String {
            let expected = model.cancelled()
            #expect(try await fixture.store.cancel(run: run, by: "tester") == expected)
            return "cancelling"
        }

        private mutating func retry() async throws -> String {
            let run = run
            let all = Bool.random(using: &random)
            let some = model.tasks.indices.filter { _ in all || Bool.random(using: &random) }
            let filter = TaskFilter(run: run, tasks: some.map { TaskID(run: run, ordinal: $0) })
            let expected = model.retried(Set(some))
            #expect(try await fixture.store.retry(filter, by: "tester") == expected)
            return "retry of \(some)"
        }

        /// Retries what failed and runs everything, so that every walk ends with a finished run.
        mutating func finish() async throws {
            let run = run
            for session in sessions.indices where !model.expiredSessions.contains(session) {
                try await fixture.expire(sessions[session])
                model.expiredSessions.insert(session)
            }
            _ = model.reaped()
            _ = try await fixture.store.reapExpired()
            let retried = model.retried(Set(model.tasks.indices))
            #expect(try await fixture.store.retry(TaskFilter(run: run), by: "tester") == retried)
            try await fixture.endBackoffs()
            model.promoted()
            sessions.append(try await fixture.openSession())
            let last = sessions.count - 1
            while true {
                let leases = try await fixture.claim(sessions[last], 8)
                if leases.isEmpty { break }
                for lease in leases {
                    let index = model.claimed(lease.task.ordinal, session: last)
                    grants.append(lease)
                    #expect(model.completed(index, .succeeded) == .accepted)
                }
                let verdicts = try await fixture.finish(
                    sessions[last], leases.map { Report.success($0, measured: true) })
                #expect(verdicts.allSatisfy { $0 == .accepted })
            }
        }

        func compare(_ moment: String) async throws {
            let rows = try await fixture.store.pool.run { session in
                try session.query(
                    """
                    SELECT t.task_id, t.state, t.attempts, t.failures, t.losses,
                           CASE WHEN EXISTS (SELECT FROM ready q WHERE q.task_id = t.task_id) THEN 'ready'
                                WHEN EXISTS (SELECT FROM delayed q WHERE q.task_id = t.task_id) THEN 'delayed'
                                WHEN EXISTS (SELECT FROM lease q WHERE q.task_id = t.task_id) THEN 'leased' END
                    FROM task t ORDER BY t.task_id
                    """
                ) { try $0.decode(Int64.self, Int16.self, Int.self, Int.self, Int.self, String?.self) }
            }
            #expect(rows.count == model.tasks.count)
            for (index, row) in rows.enumerated() {
                let task = model.tasks[index]
                let place: String? =
                    switch task.place {
                    case .ready?: "ready"
                    case .delayed?: "delayed"
                    case .leased?: "leased"
                    case nil: nil
                    }
                #expect(TaskState(rawValue: row.1) == model.state(index), "task \(index) after \(moment)")
                #expect(row.2 == task.attempts, "attempts of task \(index) after \(moment)")
                #expect(row.3 == task.failures, "failures of task \(index) after \(moment)")
                #expect(row.4 == task.losses, "losses of task \(index) after \(moment)")
                #expect(row.5 == place, "place of task \(index) after \(moment)")
            }
        }
    }
}
