import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: artifacts, tokens, workers, index")
struct StoreRecordsTests {
    private func digest(_ text: String) -> ArtifactDigest { ArtifactDigest(of: Data(text.utf8)) }

    // MARK: Artifacts

    @Test func garbageIsWhatNobodyNeeds() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        var graph = GraphBuilder()
        graph.add("a", file: "input made by the coordinator")
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        let report = Report.success(lease)
        _ = try await fixture.finish(session, [report])
        let needed = report.outputs[0].digest
        let input = digest("input made by the coordinator")
        for text in ["old", "young"] {
            try await store.recordArtifact(digest: digest(text), sizeBytes: 3, mediaType: "x")
        }
        try await store.recordArtifact(digest: input, sizeBytes: 29, mediaType: "x")
        try await fixture.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
        #expect(try await store.missing([digest("young"), digest("absent")]) == [digest("absent")])

        #expect(try await store.liveDigests() == [needed, input, digest("young")])
        let forgotten = try await store.forgetArtifacts(
            [needed, input, digest("old"), digest("young"), digest("unknown bytes")])
        #expect(Set(forgotten) == [digest("old"), digest("unknown bytes")])
        #expect(try await store.missing([digest("old"), needed]) == [digest("old")])
        #expect(try await store.artifact(needed)?.sizeBytes == report.outputs[0].sizeBytes)
        #expect(try await store.artifact(digest("old")) == nil)
        #expect(try await store.fsck() == [])
    }

    /// A completion and a collection of garbage meet on the same bytes: either they stay, or the worker sends them again.
    @Test func garbageCollectionCannotTakeWhatACompletionNames() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        var graph = GraphBuilder()
        for index in 0..<20 { graph.add("a", subject: "\(index)", file: "\(index)") }
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let reports = try await fixture.claim(session, 20).map { Report.success($0) }
        for output in reports.flatMap(\.outputs) {
            try await fixture.store.recordArtifact(
                digest: output.digest, sizeBytes: output.sizeBytes, mediaType: output.mediaType)
        }
        try await fixture.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
        let all = reports.flatMap(\.outputs).map(\.digest)
        let verdicts = try await withThrowingTaskGroup(of: [CompletionVerdict].self) { group in
            for report in reports { group.addTask { try await fixture.complete(session, [report]) } }
            for _ in 0..<3 {
                group.addTask {
                    _ = try await fixture.store.forgetArtifacts(all)
                    return []
                }
            }
            return try await group.reduce(into: [CompletionVerdict]()) { $0 += $1 }
        }
        #expect(verdicts.allSatisfy { $0 == .accepted || $0 == .missingArtifact })
        #expect(try await fixture.store.fsck() == [])
        let rest = reports.map(\.lease.task.rawValue).count
        #expect(verdicts.count == rest)
        // Those told so send again.
        let again = try await fixture.finish(session, reports)
        #expect(again.allSatisfy { $0 == .accepted || $0 == .duplicate })
        #expect(again.filter { $0 == .accepted }.count == verdicts.filter { $0 == .missingArtifact }.count)
        #expect(try await fixture.store.fsck() == [])
    }

    // MARK: Tokens

    @Test func tokensAreKnownByTheirSecretOnly() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let grant = try await store.createToken(name: "site A", role: .worker)
        let other = try await store.createToken(name: "anna", role: .analyst)
        #expect(grant.secret != other.secret && grant.secret.count > 40)
        let found = try #require(try await store.role(ofSecret: grant.secret))
        #expect(found.name == "site A" && found.role == .worker)
        #expect(try await store.role(ofSecret: "site A") == nil)
        #expect(try await store.role(ofSecret: "") == nil)
        await #expect(throws: StoreError.tokenExists("anna")) {
            try await store.createToken(name: "anna", role: .worker)
        }
        await #expect(throws: StoreError.emptyTokenName) { try await store.createToken(name: "", role: .worker) }
        #expect(try await store.tokens().map(\.name) == ["anna", "site A"])
        let leaks = try await fixture.count(
            "SELECT count(*) FROM token t WHERE strpos(t::text, $1) > 0", [.text(grant.secret)])
        #expect(leaks == 0)
        #expect(try await store.revokeToken(name: "site A"))
        #expect(try await !store.revokeToken(name: "site A"))
        #expect(try await store.role(ofSecret: grant.secret) == nil)
    }

    // MARK: Workers

    @Test func aRestartedWorkerEndsItsOldSession() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        let run = try await fixture.create(graph).run
        let boot = UUID()
        let first = try await fixture.openSession("w", boot: boot)
        let lease = try #require(try await fixture.claim(first).first)
        // The same process says that it has lost its session: it has stopped its attempts.
        let second = try await fixture.openSession("w", boot: boot)
        #expect(try await fixture.store.heartbeat(session: first, request: HeartbeatRequest(held: [])) == nil)
        #expect(try await fixture.store.reapExpired() == 1)
        let again = try #require(try await fixture.claim(second).first)
        #expect(again.task == lease.task && again.token.attempt == 2)
        // Another process of the same name is another worker.
        _ = try await fixture.openSession("w")
        #expect(try await fixture.store.heartbeat(session: second, request: HeartbeatRequest(held: [])) != nil)
        let workers = try await fixture.store.workers()
        #expect(workers.map(\.state) == ["active", "active"])
        #expect(workers.map(\.running).sorted() == [0, 1])
        #expect(try await fixture.states(run) == [.ready])
    }

    @Test func aDrainingWorkerGetsNothingMore() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let lease = try #require(try await fixture.claim(session).first)
        let held = [HeartbeatRequest.Held(lease: LeaseName(task: lease.task, token: lease.token))]
        _ = try await fixture.store.heartbeat(session: session, request: HeartbeatRequest(held: held, draining: true))
        #expect(try await fixture.claim(session).isEmpty)
        #expect(try await fixture.finish(session, [Report.success(lease)]) == [.accepted])
        #expect(try await fixture.store.workers().map(\.state) == ["draining"])
    }

    /// How far an attempt is, and what it said last, as long as it is this attempt of a worker that is heard of.
    @Test func whatAnAttemptSaysIsShownWhileItRuns() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = [
            try #require(try await fixture.claim(session).first), try #require(try await fixture.claim(session).first),
        ]
        func told() async throws -> [String] {
            try await fixture.store.tasks(TaskFilter(run: run)).map {
                "\($0.progress.map { "\($0)" } ?? "-") \($0.lastLine ?? "-")"
            }
        }
        #expect(try await told() == ["- -", "- -"])
        func heartbeat(_ line: String) async throws {
            let held = leases.enumerated().map { place, lease in
                HeartbeatRequest.Held(
                    lease: LeaseName(task: lease.task, token: lease.token), progress: place == 0 ? 0.25 : nil,
                    lastLine: place == 0 ? line : nil)
            }
            _ = try await fixture.store.heartbeat(session: session, request: HeartbeatRequest(held: held))
        }
        try await heartbeat("epoch 1/4")
        try await heartbeat("epoch 2/4")
        #expect(try await told() == ["0.25 epoch 2/4", "- -"])
        #expect(try await fixture.store.task(leases[0].task)?.summary.lastLine == "epoch 2/4")
        // Another session has not said it.
        try await fixture.store.closeSession(session)
        let next = try await fixture.openSession()
        _ = try #require(try await fixture.claim(next).first)
        #expect(try await told() == ["- -", "- -"])
    }

    /// The time limit is for the process: what it made in time may take long on its way.
    @Test func aLeaseWhoseOutputsAreOnTheirWayOutlivesItsDeadline() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", file: "1")
        graph.add("a", subject: "2", file: "2")
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let first = try #require(try await fixture.claim(session).first)
        let leases = [first, try #require(try await fixture.claim(session).first)]
        try await fixture.execute("UPDATE lease SET deadline_at = now() - interval '1 s'")
        let held = leases.enumerated().map { place, lease in
            HeartbeatRequest.Held(
                lease: LeaseName(task: lease.task, token: lease.token), sending: place == 0 ? true : nil)
        }
        _ = try await fixture.store.heartbeat(session: session, request: HeartbeatRequest(held: held))
        #expect(try await fixture.store.reapExpired() == 1)
        #expect(try await fixture.finish(session, [Report.success(leases[0])]) == [.accepted])
        #expect(try await fixture.finish(session, [Report.success(leases[1])]) == [.stale])
    }

    @Test func readyTasksSayWhatTheyWaitFor() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("big", file: "1", cores: 8, memoryMiB: 24_000)
        graph.add("program", kind: "command", parameters: ["program": "ants"], file: "2")
        graph.add("newer", kind: "test", version: 7, file: "3")
        graph.add("fine", file: "4")
        let run = try await fixture.create(graph).run
        func why(_ ordinal: Int) async throws -> [String] {
            try #require(try await fixture.store.explain(TaskID(run: run, ordinal: ordinal))).reasons
        }
        #expect(try await why(0) == ["No worker is connected; start one with \"qsmflow worker\"."])
        _ = try await fixture.openSession(kinds: ["test": 1, "command": 1], cores: 4, memoryMiB: 16_000)
        #expect(
            try await why(0) == ["It needs 24064 MiB of memory, but the largest worker offers 16000 MiB."])
        #expect(try await why(1).first?.contains("allows the program \"ants\"") == true)
        #expect(try await why(2).first?.contains("version 7 of test") == true)
        #expect(try await why(3).first?.contains("is the next of its kind") == true)
        #expect(try await fixture.store.explain(TaskID(run: run, ordinal: 99)) == nil)
    }

    @Test func aRepeatedStepSaysWhatChanged() async throws {
        let fixture = try await StoreFixture.make()
        let session = try await fixture.openSession()
        var graph = GraphBuilder()
        graph.add("a", subject: "1", parameters: ["x": 1], file: "one")
        let first = try await fixture.create(graph).run
        try await fixture.drain(session)
        #expect(
            try await fixture.store.explain(TaskID(run: first, ordinal: 0))?.reasons.last
                == "No earlier run has done this step for it.")
        let copy = try await fixture.create(graph).run
        #expect(
            try await fixture.store.explain(TaskID(run: copy, ordinal: 0))?.reasons.first?
                .hasPrefix("It did not have to run: task \(first).0 computed the same") == true)

        var changed = GraphBuilder()
        changed.add("a", subject: "1", parameters: ["x": 2], file: "another", salt: "s")
        let second = try await fixture.create(changed).run
        try await fixture.drain(session)
        let reasons = try #require(try await fixture.store.explain(TaskID(run: second, ordinal: 0))).reasons
        #expect(reasons.contains { $0.contains("had other parameters") })
        #expect(reasons.contains { $0.contains("read other bytes at port file") })
        #expect(reasons.contains { $0.contains("computed anew") })
        #expect(!reasons.contains { $0.contains("another version") })
    }

    // MARK: Runs and tasks

    @Test func listingsFilterAndPage() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        for index in 0..<10 { graph.add(index % 2 == 0 ? "even" : "odd", subject: "\(index)", file: "\(index)") }
        let run = try await fixture.create(graph).run
        let session = try await fixture.openSession()
        let leases = try await fixture.claim(session, 4)
        _ = try await fixture.finish(session, [Report.success(leases[0]), Report.failure(leases[1], .permanent)])
        func tasks(_ filter: TaskFilter) async throws -> [Int] {
            try await fixture.store.tasks(filter).map(\.task.ordinal)
        }
        #expect(try await tasks(TaskFilter(run: run, steps: ["odd"])) == [1, 3, 5, 7, 9])
        #expect(try await tasks(TaskFilter(run: run, states: [.succeeded, .failed])) == [0, 1])
        #expect(try await tasks(TaskFilter(run: run, outcomes: [.permanent])) == [1])
        #expect(try await tasks(TaskFilter(run: run, subjects: ["7"])) == [7])
        #expect(try await tasks(TaskFilter(run: run, limit: 3)) == [0, 1, 2])
        #expect(try await tasks(TaskFilter(run: run, limit: 3, after: TaskID(run: run, ordinal: 2))) == [3, 4, 5])
        #expect(try await tasks(TaskFilter(run: RunID(rawValue: run.rawValue + 1))) == [])
        let summary = try #require(try await fixture.store.runs().first)
        #expect(summary.run == run && summary.name == "a run" && summary.steps == nil)
        #expect(summary.counts.running == 2 && summary.counts.ready == 6 && summary.counts.total == 10)
        // Nothing is known yet of how long odd ones take; then it is.
        let rest = try #require(summary.remainingSeconds)
        #expect(rest > 0 && summary.remainingIsLowerBound == true)
        _ = try await fixture.finish(session, [Report.success(leases[3])])
        let later = try #require(try await fixture.store.runs().first)
        #expect(later.remainingIsLowerBound == nil)
        let more = try #require(later.remainingSeconds)
        #expect(more > rest)
        let request = try #require(try await fixture.store.request(of: run))
        #expect(request.workflowPath == GraphBuilder.request.workflowPath)
        #expect(try await fixture.store.request(of: RunID(rawValue: 77)) == nil)
        #expect(try await fixture.store.run(RunID(rawValue: 77)) == nil)
    }

    @Test func fsckFindsWhatIsWrong() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let a = graph.add("a", file: "1")
        graph.add("b", after: [a])
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        try await fixture.drain(session, measured: true)
        #expect(try await fixture.store.fsck() == [])
        // Each damage is found under its name.
        let damages = [
            ("I1", "UPDATE task SET pending = 1 WHERE task_id & 1 = 1"),
            ("I3", "UPDATE attempt SET outcome = 'lost'"),
            ("I4", "INSERT INTO delayed SELECT task_id, now() FROM task LIMIT 1"),
            ("I5", "UPDATE task SET state = 3, result_id = NULL WHERE task_id & 1 = 0"),
            ("I6", "UPDATE artifact SET size_bytes = size_bytes + 1"),
            ("I7", "DELETE FROM attempt"),
            ("I8", "UPDATE task SET attempts = 7"),
            ("I9", "UPDATE task SET state = 4, result_id = NULL, blocked_by = 5"),
            ("I10", "UPDATE run SET finished_at = NULL"),
        ]
        for (name, damage) in damages {
            struct Undo: Error {}
            let found = try await fixture.store.pool.run { session -> [String] in
                var found: [String] = []
                do {
                    try session.transaction { session in
                        try session.execute(damage)
                        for invariant in Store.invariants where !(try session.query(invariant.violations)).isEmpty {
                            found.append(invariant.name)
                        }
                        throw Undo()
                    }
                } catch is Undo {}
                return found
            }
            #expect(found.contains(name), "\(damage) is not found; only \(found)")
        }
        #expect(try await fixture.store.fsck() == [])
    }
}
