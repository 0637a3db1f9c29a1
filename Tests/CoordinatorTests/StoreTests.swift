import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: life of tasks")
struct StoreTests {
    @Test func aChainRunsInOrder() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", subject: "01", file: "t1")
        let b = graph.add("b", subject: "01", after: [a])
        graph.add("c", after: [a, b])
        let created = try await fixture.create(graph)
        #expect(created.tasks == 3 && created.cached == 0 && created.problems.isEmpty)
        #expect(try await fixture.states(created.run) == [.ready, .waiting, .waiting])
        let session = try await fixture.openSession()

        for (ordinal, step) in ["a", "b", "c"].enumerated() {
            let leases = try await fixture.claim(session, 10)
            #expect(leases.map(\.step) == [step])
            let lease = try #require(leases.first)
            #expect(lease.task == TaskID(run: created.run, ordinal: ordinal))
            #expect(lease.token.attempt == 1)
            #expect(lease.timeLimitMilliseconds == 60_000)
            #expect(try await fixture.claim(session, 10).isEmpty)
            #expect(try await fixture.store.fsck() == [])
            if step == "a" {
                let input = try #require(lease.inputs.first)
                #expect(input.digest == ArtifactDigest(of: Data("t1".utf8)))
                #expect(input.sourcePath == "/data/t1.nii.gz" && input.name == "t1.nii.gz")
                #expect(input.metadata == ["EchoTime": .number(0.02)])
            } else {
                #expect(lease.inputs.count == (step == "b" ? 1 : 2))
                #expect(lease.inputs.allSatisfy { $0.sourcePath == nil })
            }
            #expect(try await fixture.finish(session, [Report.success(lease)]) == [.accepted])
        }
        let summary = try #require(try await fixture.store.run(created.run))
        #expect(summary.state == .succeeded && summary.counts.succeeded == 3 && summary.finishedAt != nil)
        #expect(summary.steps?.map(\.step) == ["a", "b", "c"])
        #expect(summary.steps?.first?.meanSeconds == 1.2 && summary.steps?.first?.peakResidentMiB == 300)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aSecondRunTakesEverythingOver() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", file: "t1")
        let b = graph.add("b", after: [a], parameters: ["x": 1])
        graph.add("c", after: [b])
        let first = try await fixture.create(graph)
        let session = try await fixture.openSession()
        #expect(try await fixture.drain(session, measured: true) == 3)

        let second = try await fixture.create(graph)
        #expect(second.cached == 3)
        #expect(try await fixture.states(second.run) == [.succeeded, .succeeded, .succeeded])
        #expect(try await fixture.claim(session, 10).isEmpty)
        let digest = try await fixture.store.measurementDigest(run: first.run)
        #expect(try await fixture.store.measurementDigest(run: second.run) == digest)
        #expect(
            try await fixture.count(
                "SELECT count(*) FROM measurements WHERE run = $1", [.bigint(second.run.rawValue)]) == 6)

        // Another parameter in the middle: the first step is known, the rest is computed.
        graph.tasks[b].parameters = ["x": 2]
        let third = try await fixture.create(graph)
        #expect(third.cached == 1)
        #expect(try await fixture.drain(session) == 2)
        // A salt computes anew, and an equal salt then shares.
        graph.tasks[a].cacheSalt = "again"
        #expect(try await fixture.create(graph).cached == 0)
        #expect(try await fixture.drain(session) == 1, "equal bytes downstream are taken over")
        #expect(try await fixture.create(graph).cached == 3)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func oneRunFinishesWhileOthersWait() async throws {
        let fixture = try await StoreFixture.make()
        var quick = GraphBuilder()
        quick.add("a", file: "1")
        let first = try await fixture.create(quick).run
        var slow = GraphBuilder()
        slow.add("b", kind: "other", file: "2")
        slow.add("b", subject: "2", kind: "other", file: "3")
        let second = try await fixture.create(slow).run
        let session = try await fixture.openSession()
        let other = try await fixture.openSession(kinds: ["other": 1])
        // One of the other run's tasks is ready, one is leased.
        #expect(try await fixture.claim(other).count == 1)
        try await fixture.drain(session)
        #expect(try await fixture.store.run(first)?.finishedAt != nil)
        #expect(try await fixture.store.run(second)?.finishedAt == nil)
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func claimsRespectWhatAWorkerOffers() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        for index in 0..<6 { graph.add("small", subject: "\(index)", file: "s\(index)", cores: 1, memoryMiB: 1000) }
        graph.add("large", file: "l", cores: 4, memoryMiB: 8000)
        graph.add("other", kind: "other", file: "o")
        graph.add("newer", version: 2, file: "n")
        graph.add("program", kind: "command", parameters: ["program": "fsl"], file: "p")
        _ = try await fixture.create(graph)

        let session = try await fixture.openSession(kinds: ["test": 1, "command": 1])
        #expect(try await fixture.claim(session, 10, cores: 2, memoryMiB: 65_536).map(\.step) == ["small", "small"])
        // 1000 MiB are counted as the class of 1024.
        #expect(try await fixture.claim(session, 10, cores: 64, memoryMiB: 3000).map(\.step) == ["small", "small"])
        #expect(try await fixture.claim(session, 10, cores: 0).isEmpty)
        #expect(try await fixture.claim(session, 1).count == 1)
        #expect(Set(try await fixture.claim(session, 10).map(\.step)) == ["small", "large"])
        #expect(try await fixture.claim(session, 10).isEmpty)

        let able = try await fixture.openSession(kinds: ["command": 1], commands: ["fsl"])
        #expect(try await fixture.claim(able, 10).map(\.step) == ["program"])
        let newer = try await fixture.openSession(kinds: ["test": 2, "other": 1])
        #expect(Set(try await fixture.claim(newer, 10).map(\.step)) == ["other", "newer"])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aClaimSentAgainGetsTheSameLeases() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        for index in 0..<5 { graph.add("a", subject: "\(index)", file: "\(index)") }
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let id = UUID()
        let first = try await fixture.claim(session, 2, id: id)
        #expect(first.count == 2)
        // The same coordinator, and one that has never heard of the claim.
        for store in [fixture.store, fixture.another()] {
            let again = try await fixture.claim(session, 2, id: id, by: store)
            #expect(again.map(\.task) == first.map(\.task) && again.map(\.token) == first.map(\.token))
        }
        #expect(try await fixture.claim(session, 10).count == 3)
        // Also when nothing is left to claim.
        let late = try await fixture.claim(session, 2, id: id)
        #expect(late.map(\.token) == first.map(\.token))
    }

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

    /// Scrubbing found an artifact rotten: the next run computes it anew.
    @Test func aResultWithoutItsBytesIsNotTakenOver() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "t1")
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        #expect(try await fixture.finish(session, [Report.success(lease)]) == [.accepted])
        #expect(try await fixture.create(graph).cached == 1)
        try await fixture.store.disown(artifact: ArtifactDigest(of: Data("another".utf8)))
        #expect(try await fixture.create(graph).cached == 1)
        try await fixture.store.disown(artifact: Report.output(of: lease).digest)
        let run = try await fixture.create(graph)
        #expect(run.cached == 0)
        #expect(try await fixture.states(run.run) == [.ready])
        #expect(try await fixture.store.fsck() == [])
    }

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

    @Test func aSuccessWithoutItsBytesMustSendThemFirst() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        let report = Report.success(lease)
        #expect(try await fixture.complete(session, [report]) == [.missingArtifact])
        #expect(try await fixture.states(run) == [.ready])
        #expect(try await fixture.store.missing(report.outputs.map(\.digest)) == report.outputs.map(\.digest))
        #expect(try await fixture.finish(session, [report]) == [.accepted])
        #expect(try await fixture.store.missing(report.outputs.map(\.digest)) == [])
        #expect(try await fixture.complete(session, [report]) == [.duplicate])
        #expect(try await fixture.count("SELECT count(*) FROM attempt") == 1)
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

    @Test func aBrokenGraphIsRefusedWhole() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.tasks[0].inputs = [
            InputBinding(port: "in", context: .cohort, source: .output(ordinal: 0, port: "out"))
        ]
        let broken = graph
        await #expect(throws: StoreError.brokenGraph(step: "a", ordinal: 0)) { try await fixture.create(broken) }
        graph.tasks[0].inputs = [
            InputBinding(port: "in", context: .cohort, source: .file(FileReference(path: "/x", name: "x")))
        ]
        let undigested = graph
        await #expect(throws: StoreError.missingDigest(step: "a", path: "/x")) { try await fixture.create(undigested) }
        #expect(try await fixture.count("SELECT count(*) FROM run") == 0)
        let empty = try await fixture.create(GraphBuilder())
        #expect(try await fixture.store.run(empty.run)?.state == .succeeded)
    }
}
