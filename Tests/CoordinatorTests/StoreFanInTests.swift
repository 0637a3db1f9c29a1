import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: tasks that gather")
struct StoreFanInTests {
    @Test func aTaskThatCannotRunBlocksWhatNeedsIt() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", subject: "01", problem: "sub-01 has no T1w image; add one.")
        let b = graph.add("b", subject: "01", after: [a])
        let good = graph.add("a", subject: "02", file: "t2")
        let also = graph.add("b", subject: "02", after: [good])
        graph.add("cohort", after: [b, also], fanIn: .atLeast(0.5))
        let created = try await fixture.create(graph)
        #expect(created.problems == ["sub-01, step a: sub-01 has no T1w image; add one."])
        #expect(try await fixture.states(created.run) == [.failed, .blocked, .ready, .waiting, .waiting])
        #expect(try await fixture.store.fsck() == [])
        let session = try await fixture.openSession()
        #expect(try await fixture.drain(session) == 3)
        let cohort = try #require(try await fixture.store.task(TaskID(run: created.run, ordinal: 4)))
        #expect(cohort.summary.state == .succeeded && cohort.inputs.count == 1)
        // No retry can help: nothing to do.
        #expect(try await fixture.store.retry(TaskFilter(run: created.run), by: "tester") == 0)
    }

    @Test func fanInGoesOnWithoutTheMissingAndNamesThem() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let people = (1...10).map { graph.add("measure", subject: "\($0)", file: "\($0)") }
        graph.add("strict", after: people)
        graph.add("most", after: people, fanIn: .atLeast(0.8))
        graph.add("all but one", after: people, fanIn: .atLeast(0.9))
        graph.add("some", after: people, fanIn: .any)
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = try await fixture.claim(session, 10)
        _ = try await fixture.finish(
            session,
            leases.map { lease in
                ["1", "2"].contains(lease.context.subject)
                    ? Report.failure(lease, .permanent, "sub-\(lease.context.subject!) moved") : Report.success(lease)
            })
        #expect(try await fixture.store.fsck() == [])
        let cohort = try await fixture.store.tasks(TaskFilter(run: run)).suffix(4)
        #expect(cohort.map(\.state) == [.blocked, .ready, .failed, .ready])
        let short = try #require(cohort.first { $0.step == "all but one" })
        #expect(short.message?.contains("2 of the 10 inputs “in” are missing") == true)
        #expect(short.message?.contains("sub-1 moved") == true)
        let last = try await fixture.claim(session, 10)
        #expect(last.map(\.step).sorted() == ["most", "some"])
        for lease in last {
            #expect(lease.inputs.count == 8)
            #expect(
                lease.missing == [
                    MissingInput(port: "in", context: TaskContext(subject: "1"), reason: "sub-1 moved"),
                    MissingInput(port: "in", context: TaskContext(subject: "2"), reason: "sub-2 moved"),
                ])
        }
    }

    @Test func aFanInWithNothingAtAllIsBlockedAndFollowsTheRetry() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        var aggregates: [Int] = []
        for subject in ["1", "2"] {
            let check = graph.add("check", subject: subject, file: subject)
            let measure = graph.add("measure", subject: subject, after: [check])
            aggregates.append(graph.add("aggregate", subject: subject, after: [measure], fanIn: .any))
        }
        let picture = graph.add("picture", subject: "2", after: [aggregates[1]])
        let model = graph.add("model", after: aggregates, fanIn: .atLeast(0.5))
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let checks = try await fixture.claim(session, 2)
        _ = try await fixture.finish(
            session,
            checks.map { lease in
                lease.context.subject == "2"
                    ? Report.failure(lease, .permanent, "The image of sub-2 is empty; copy it again.")
                    : Report.success(lease)
            })
        #expect(try await fixture.drain(session) == 3)
        #expect(
            try await fixture.states(run) == [
                .succeeded, .succeeded, .succeeded, .failed, .blocked, .blocked, .blocked, .succeeded,
            ])
        #expect(try await fixture.store.fsck() == [])
        let counts = try #require(try await fixture.store.run(run)).counts
        #expect(counts.failed == 1 && counts.blocked == 3)
        // One failure, which knows all that it keeps from running.
        let failures = try await fixture.store.pool.run { session in
            try session.query("SELECT task, blocked_tasks, blocked_steps FROM failures") {
                try $0.decode(String.self, Int.self, String.self)
            }
        }
        #expect(failures.map(\.0) == ["\(run).3"])
        #expect(failures.map(\.1) == [3] && failures.map(\.2) == ["measure, aggregate, picture"])
        let why = try #require(try await fixture.store.explain(TaskID(run: run, ordinal: aggregates[1])))
        #expect(why.state == .blocked && why.upstream.map(\.task) == [TaskID(run: run, ordinal: 3)])
        #expect(why.reasons[0].contains("check of sub-2 (task \(run).3) failed"))
        #expect(why.reasons[1] == "The image of sub-2 is empty; copy it again.")

        // It cannot be retried by itself; with its root it follows, and so does what had gone on without it.
        let alone = TaskFilter(run: run, tasks: [TaskID(run: run, ordinal: aggregates[1])])
        #expect(try await fixture.store.retry(alone, by: "tester") == 0)
        #expect(try await fixture.store.retry(TaskFilter(run: run), by: "tester") == 1)
        #expect(try await fixture.store.fsck() == [])
        #expect(try await fixture.state(run, aggregates[1]) == .waiting)
        #expect(try await fixture.state(run, model) == .waiting)
        #expect(try await fixture.drain(session) == 5)
        #expect(try await fixture.state(run, picture) == .succeeded)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aFanInBelowSeveralFailuresNamesThemAll() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let people = (1...3).map { graph.add("measure", subject: "\($0)", problem: "sub-\($0) has no image; add one.") }
        let fraction = graph.add("most", after: people, fanIn: .atLeast(0.5))
        graph.add("report", after: [fraction], fanIn: .any)
        // Nothing failed before this one, so the reason is its own.
        let silent = graph.add("silent", file: "x")
        let deaf = graph.add("deaf", after: [silent], fanIn: .any)
        let run = try await fixture.create(graph).run
        #expect(try await fixture.states(run) == [.failed, .failed, .failed, .blocked, .blocked, .ready, .waiting])
        let why = try #require(try await fixture.store.explain(TaskID(run: run, ordinal: fraction)))
        #expect(why.upstream.map(\.task.ordinal) == people)
        #expect(why.reasons.contains("So did 2 more above it: \(run).1, \(run).2."))
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        _ = try await fixture.finish(session, [Report.success(lease, outputs: false)])
        let last = try #require(try await fixture.store.task(TaskID(run: run, ordinal: deaf))?.summary)
        #expect(last.state == .failed)
        #expect(last.message?.contains("step silent made no output") == true)
        #expect(try await fixture.store.run(run)?.finishedAt != nil)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func retryResetsTolerantTasksThatRanWithoutTheInput() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let people = (1...4).map { graph.add("measure", subject: "\($0)", file: "\($0)") }
        let cohort = graph.add("model", after: people, fanIn: .any)
        let report = graph.add("report", after: [cohort])
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = try await fixture.claim(session, 10)
        _ = try await fixture.finish(
            session, leases.map { $0.context.subject == "3" ? Report.failure($0, .permanent) : Report.success($0) })
        #expect(try await fixture.drain(session, measured: true) == 2)
        let before = try await fixture.store.measurementDigest(run: run)
        #expect(try await fixture.store.run(run)?.state == .finishedWithFailures)

        #expect(try await fixture.store.retry(TaskFilter(run: run, subjects: ["3"]), by: "tester") == 1)
        #expect(try await fixture.store.fsck() == [])
        #expect(
            try await fixture.states(run) == [
                .succeeded, .succeeded, .ready, .succeeded, .waiting, .waiting,
            ])
        #expect(try await fixture.drain(session, measured: true) == 3)
        let detail = try #require(try await fixture.store.task(TaskID(run: run, ordinal: cohort)))
        #expect(detail.inputs.count == 4 && detail.attempts.map(\.outcome) == [.succeeded, .succeeded])
        #expect(try await fixture.state(run, report) == .succeeded)
        #expect(try await fixture.store.measurementDigest(run: run) != before)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func retryTakesBackARunningTolerantTask() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let people = (1...2).map { graph.add("measure", subject: "\($0)", file: "\($0)") }
        graph.add("model", after: people, fanIn: .any)
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = try await fixture.claim(session, 10)
        _ = try await fixture.finish(
            session, leases.map { $0.context.subject == "1" ? Report.failure($0, .permanent) : Report.success($0) })
        let model = try #require(try await fixture.claim(session).first)
        #expect(model.step == "model")
        #expect(try await fixture.store.retry(TaskFilter(run: run), by: "tester") == 1)
        #expect(try await fixture.store.fsck() == [])
        // The worker learns of it with its heartbeat, and what it sends is too late.
        let beat = try await fixture.store.heartbeat(
            session: session,
            request: HeartbeatRequest(held: [.init(lease: LeaseName(task: model.task, token: model.token))]))
        #expect(beat?.cancel == [model.task])
        #expect(try await fixture.finish(session, [Report.success(model)]) == [.stale])
        #expect(try await fixture.drain(session) == 2)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        #expect(try await fixture.store.task(model.task)?.attempts.map(\.outcome) == [.cancelled, .succeeded])
    }
}
