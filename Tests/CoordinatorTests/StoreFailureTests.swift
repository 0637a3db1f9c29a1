import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: what becomes of failures")
struct StoreFailureTests {
    @Test func failuresAreRetriedThenBlockWhatFollows() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", subject: "01", file: "t1")
        let b = graph.add("b", subject: "01", after: [a])
        graph.add("c", after: [b])
        graph.add("free", subject: "02", file: "t2")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        for attempt in 1...3 {
            let leases = try await fixture.claim(session, 10)
            let lease = try #require(leases.first { $0.step == "a" })
            #expect(lease.token.attempt == Int32(attempt))
            #expect(
                try await fixture.complete(session, [Report.failure(lease, .transient, "disk unplugged")])
                    == [.accepted])
            #expect(try await fixture.store.fsck() == [])
            for free in leases where free.step == "free" {
                _ = try await fixture.finish(session, [Report.success(free)])
            }
            try await fixture.endBackoffs()
        }
        #expect(try await fixture.states(run) == [.failed, .blocked, .blocked, .succeeded])
        let blocked = try #require(try await fixture.store.task(TaskID(run: run, ordinal: 2)))
        #expect(blocked.summary.message == "disk unplugged")
        #expect(try await fixture.store.run(run)?.state == .finishedWithFailures)
        let why = try #require(try await fixture.store.explain(TaskID(run: run, ordinal: 2)))
        #expect(why.upstream.map(\.task) == [TaskID(run: run, ordinal: 0)])
        #expect(why.reasons.contains("disk unplugged."))

        // The operator retries: attempt numbers go on, what was blocked follows.
        #expect(try await fixture.store.retry(TaskFilter(run: run), by: "tester") == 1)
        #expect(try await fixture.store.fsck() == [])
        #expect(try await fixture.store.run(run)?.state == .running)
        let leases = try await fixture.claim(session, 10)
        #expect(leases.map(\.token.attempt) == [4])
        _ = try await fixture.finish(session, leases.map { Report.success($0) })
        #expect(try await fixture.drain(session) == 2)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func permanentFailuresAreNotRetried() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "t1")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        _ = try await fixture.complete(session, [Report.failure(lease, .permanent, "2-D image")])
        #expect(try await fixture.states(run) == [.failed])
        #expect(try await fixture.count("SELECT count(*) FROM delayed") == 0)
        let failures = try await fixture.store.pool.run { try $0.table("SELECT reason, log_tail FROM failures") }
        #expect(failures.rows == [["2-D image", "…"]])
    }

    @Test func outOfMemoryComesBackWithMoreMemory() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "t1", memoryMiB: 1000)
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession(memoryMiB: 2000)
        var sizes: [Int] = []
        while let lease = try await fixture.claim(session, memoryMiB: 2000).first {
            sizes.append(lease.resources.memoryMiB)
            _ = try await fixture.complete(session, [Report.failure(lease, .outOfMemory, "killed")])
        }
        // The largest class below 2000: a limit of 2000 itself would count as 2048, which this worker never takes.
        #expect(sizes == [1000, 1600, 1792])
        #expect(try await fixture.states(run) == [.failed])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func cancelEndsARunAndRetryRevivesIt() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", file: "1")
        graph.add("b", after: [a])
        graph.add("d", file: "2")
        graph.add("e", file: "3")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let held = try await fixture.claim(session, 2)
        _ = try await fixture.complete(session, [Report.failure(held[1], .transient)])
        #expect(try await fixture.store.cancel(run: run, by: "tester") == 4)
        #expect(try await fixture.store.cancel(run: RunID(rawValue: 999), by: "tester") == nil)
        #expect(try await fixture.states(run) == [.cancelled, .cancelled, .cancelled, .cancelled])
        #expect(try await fixture.store.run(run)?.state == .cancelled)
        #expect(try await fixture.store.fsck() == [])
        let beat = try await fixture.store.heartbeat(
            session: session,
            request: HeartbeatRequest(held: [.init(lease: LeaseName(task: held[0].task, token: held[0].token))]))
        #expect(beat?.cancel == [held[0].task])
        #expect(try await fixture.finish(session, [Report.success(held[0])]) == [.stale])
        #expect(try await fixture.claim(session, 10).isEmpty)

        #expect(try await fixture.store.retry(TaskFilter(run: run), by: "tester") == 4)
        #expect(try await fixture.store.fsck() == [])
        #expect(try await fixture.drain(session) == 4)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aReportThatCannotBeStoredFailsItsTaskOnly() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        for index in 0..<3 { graph.add("a", subject: "\(index)", file: "\(index)") }
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = try await fixture.claim(session, 3)
        var reports = leases.map { Report.success($0) }
        let twice = MeasuredValue(region: "x", metric: "mean", value: 1, unit: "1")
        reports[0].measurements = [twice, twice]
        reports[1].logTail = "zero \0 byte"
        reports[1].message = String(repeating: "m", count: 20_000)
        reports[1].warnings = ["a \0 warning"]
        reports[1].outputs[0].metadata = ["note": "zero \0"]
        reports[2].measurements = [
            MeasuredValue(metric: "tab\tnewline\n\\", value: .infinity, unit: "1"),
            MeasuredValue(metric: "tiny", value: 1e-300, unit: "1"),
        ]
        #expect(try await fixture.finish(session, reports) == [.accepted, .accepted, .accepted])
        #expect(try await fixture.states(run) == [.failed, .succeeded, .succeeded])
        #expect(try await fixture.state(run, 0) == .failed)
        #expect(try await fixture.complete(session, [reports[0]]) == [.duplicate])
        let values = try await fixture.store.pool.run { session in
            try session.query("SELECT metric, value FROM measurement ORDER BY metric") {
                try $0.decode(String.self, Double?.self)
            }
        }
        #expect(values.map(\.0) == ["tab\tnewline\n\\", "tiny"])
        #expect(values.map(\.1) == [nil, 1e-300])
        #expect(try await fixture.store.fsck() == [])
    }

    /// A run whose tasks all end well, each with what `warnings` says of its place.
    private func warned(
        _ graph: GraphBuilder, _ warnings: (_ place: Int) -> [String]
    ) async throws -> RunSummary {
        let fixture = try await StoreFixture.make()
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let reports = try await fixture.claim(session, 30).map { lease in
            var report = Report.success(lease)
            report.warnings = warnings(lease.task.ordinal)
            return report
        }
        #expect(try await fixture.finish(session, reports).allSatisfy { $0 == .accepted })
        return try #require(try await fixture.store.run(run))
    }

    /// What a step says of hundreds in the same words would hide what it says of one.
    @Test func equalWarningsOfAStepAreGathered() async throws {
        var graph = GraphBuilder()
        for index in 0..<20 { graph.add("a", subject: "\(10 + index)", file: "\(index)") }
        for index in 0..<2 { graph.add("b", subject: "\(10 + index)", file: "b\(index)") }
        // The last of a has something of its own to say, before what all say.
        let summary = try await warned(graph) { $0 == 19 ? ["Its own.", "The same."] : $0 == 3 ? [] : ["The same."] }
        #expect(summary.warnedTasks == 21 && summary.otherWarnings == 0)
        let (first, own, other) = (
            TaskID(run: summary.run, ordinal: 0), TaskID(run: summary.run, ordinal: 19),
            TaskID(run: summary.run, ordinal: 20)
        )
        #expect(
            summary.warnings == [
                "\(first)  a  sub-10 (and 18 more tasks of this step): The same.",
                "\(other)  b  sub-10 (and 1 more task of this step): The same.", "\(own)  a  sub-29: Its own.",
            ], "\(summary.warnings ?? [])")
    }

    /// Of more than there is room for, the others are counted.
    @Test func warningsBeyondTheRoomAreCounted() async throws {
        var graph = GraphBuilder()
        for index in 0..<20 { graph.add("a", subject: "\(10 + index)", file: "\(index)") }
        let summary = try await warned(graph) { ["The same.", "Number \($0)."] }
        #expect(summary.warnings?.count == 12 && summary.warnedTasks == 20 && summary.otherWarnings == 9)
    }

    @Test func handedBackTasksHaveNoPenalty() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.retry.maximumFailures = 1
        graph.retry.maximumLosses = 1
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        for round in 1...4 {
            let leases = try await fixture.claim(session, 2)
            #expect(leases.map(\.token.attempt) == [Int32(round), Int32(round)])
            try await fixture.store.release(
                session: session, leases: leases.map { LeaseName(task: $0.task, token: $0.token) })
        }
        let leases = try await fixture.claim(session, 2)
        try await fixture.store.closeSession(session)
        #expect(try await fixture.states(run) == [.ready, .ready])
        #expect(try await fixture.count("SELECT count(*) FROM lease") == 0)
        #expect(try await fixture.store.fsck() == [])
        #expect(try await fixture.finish(session, leases.map { Report.success($0) }) == [.stale, .stale])
        let request = ClaimRequest(
            claim: UUID(), freeCores: 1, freeMemoryMiB: 8192, maximumTasks: 1, waitMilliseconds: 0)
        #expect(try await fixture.store.claim(session: session, request: request) == nil)
    }
}
