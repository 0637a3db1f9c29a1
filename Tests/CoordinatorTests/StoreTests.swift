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

    /// Cores are a wish, as results do not depend on them: without a worker that has so many, one gives all it has.
    @Test func aTaskWiderThanAnyWorkerGetsAllOfTheLargest() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("wide", subject: "1", file: "w1", cores: 8, memoryMiB: 2000)
        graph.add("wide", subject: "2", file: "w2", cores: 8, memoryMiB: 2000)
        graph.add("heavy", file: "h", cores: 8, memoryMiB: 32_000)
        let run = try await fixture.create(graph).run
        let small = try await fixture.openSession("small", cores: 2, memoryMiB: 8000)
        #expect(try await fixture.claim(small, 10, cores: 1, memoryMiB: 8000).isEmpty, "not all of it is free")
        let leases = try await fixture.claim(small, 10, cores: 2, memoryMiB: 8000)
        #expect(leases.map(\.step) == ["wide"] && leases.map(\.resources.cores) == [2])
        // A worker that has more is the largest now, and takes what is wide whole.
        let large = try await fixture.openSession("large", cores: 16, memoryMiB: 8000)
        #expect(try await fixture.claim(small, 10, cores: 2, memoryMiB: 8000).isEmpty)
        let whole = try await fixture.claim(large, 10, cores: 16, memoryMiB: 8000)
        #expect(whole.map(\.step) == ["wide"] && whole.map(\.resources.cores) == [8])
        // Memory is no wish.
        #expect(try await fixture.claim(large, 10, cores: 8, memoryMiB: 6000).isEmpty)
        let why = try #require(try await fixture.store.explain(TaskID(run: run, ordinal: 2)))
        #expect(why.fitsNoWorker == true && why.reasons.allSatisfy { !$0.contains("cores") }, "\(why.reasons)")
    }

    /// A worker that has taken over the cache of another knows that it is gone: nobody waits for its leases to expire.
    @Test func theLeasesOfAPredecessorAreTakenBackAtOnce() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        graph.add("a", subject: "1", file: "1")
        graph.add("a", subject: "2", file: "2")
        _ = try await fixture.create(graph)
        let boot = UUID()
        let killed = try await fixture.openSession("local-1", boot: boot)
        let other = try await fixture.openSession("local-2")
        let lost = try await fixture.claim(killed)
        #expect(lost.count == 1)
        #expect(try await fixture.claim(other).count == 1)
        #expect(try await fixture.store.reapExpired() == 0)
        let next = try await fixture.store.openSession(
            SessionRequest(
                worker: "local-1", bootID: UUID(), cores: 4, memoryMiB: 8192, kinds: ["test": 1], commands: [],
                instructionSet: "i", version: "v", predecessor: boot), ttl: .seconds(3600)
        ).session
        #expect(try await fixture.store.reapExpired() == 1)
        #expect(try await fixture.finish(killed, [Report.success(lost[0])]) == [.stale])
        try await fixture.endBackoffs()
        #expect(try await fixture.claim(next).map(\.task) == lost.map(\.task))
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
