import Artifacts
import BIDS
import Foundation
import TestSupport
import Testing
import Wire
import Workflow

@testable import Worker

/// The decisions about leases and claims, on a clock that only the test moves.
@Suite struct WorkerLeaseTests {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    private func keeper(ttl: Int = 30_000, beat: Int = 5_000) -> LeaseKeeper {
        LeaseKeeper(
            openedAt: start,
            grant: SessionGrant(session: UUID(), ttlMilliseconds: ttl, heartbeatMilliseconds: beat))
    }

    // MARK: LeaseKeeper

    @Test func trustEndsTwoBeatsBeforeTheSession() {
        let keeper = keeper()
        #expect(keeper.nextBeat == at(5))
        #expect(keeper.isTrusted(at: at(19.999)))
        #expect(!keeper.isTrusted(at: at(20)))
    }

    @Test func anAnswerCountsFromWhenItsRequestWasSent() {
        var keeper = keeper()
        // Sent at 5 s, answered at 18 s: the session was alive at 5 s, nothing more is known.
        keeper.answered(sentAt: at(5), ttlMilliseconds: 30_000)
        #expect(keeper.trustedUntil == at(25))
        #expect(keeper.nextBeat == at(10))
    }

    @Test func answersOutOfOrderNeverShortenTrust() {
        var keeper = keeper()
        keeper.answered(sentAt: at(10), ttlMilliseconds: 30_000)
        keeper.answered(sentAt: at(5), ttlMilliseconds: 30_000)
        #expect(keeper.trustedUntil == at(30))
    }

    @Test func aProcessStoppedPastItsLeaseNoticesAtOnce() {
        var keeper = keeper()
        keeper.answered(sentAt: at(5), ttlMilliseconds: 30_000)
        // The clock went on while the process stood still; no event had to be handled to know it.
        #expect(!keeper.isTrusted(at: at(600)))
        // An answer that lay in the socket all the while changes nothing.
        keeper.answered(sentAt: at(10), ttlMilliseconds: 30_000)
        #expect(!keeper.isTrusted(at: at(600)))
    }

    @Test func failedBeatsAreRepeatedSoonerThanABeat() {
        var keeper = keeper()
        var now = at(5)
        for _ in 0..<20 {
            keeper.failed(at: now, jitter: 0.999)
            #expect(keeper.nextBeat > now)
            #expect(keeper.nextBeat <= now.advanced(by: .seconds(5)))
            now = keeper.nextBeat
        }
        #expect(keeper.trustedUntil == at(20))
        #expect(keeper.timeout(at: at(19)) == .seconds(1))
        #expect(keeper.timeout(at: at(6)) == .seconds(10))
    }

    @Test func aShortTtlKeepsHalfOfItself() {
        #expect(keeper(ttl: 1_000, beat: 400).trustedUntil == at(0.5))
        #expect(keeper(ttl: 1_000, beat: 5_000).trustedUntil == at(0.5))
    }

    // MARK: PullLoop

    @Test func withoutRoomItAsksForNothingForAWhile() {
        var loop = PullLoop(cores: 4, memoryMiB: 1000)
        let now = ContinuousClock.now
        loop.ranOutOfRoom(at: now)
        guard case .wait(let until) = loop.next(at: now, newClaim: UUID()) else {
            Issue.record("it claims at once")
            return
        }
        #expect(until > now)
        guard case .claim = loop.next(at: until, newClaim: UUID()) else {
            Issue.record("it never claims again")
            return
        }
    }

    @Test func aFullDiskIsNoFaultOfTheTask() {
        let full = WorkerError.system(doing: "writing", path: "/scratch", errorNumber: ENOSPC)
        #expect(AttemptFailure.isWithoutRoom(full))
        #expect(AttemptFailure.isWithoutRoom(ArtifactError.storageFull(path: "/store")))
        #expect(AttemptFailure.isWithoutRoom(APIError(code: "storage_full", message: "no space")))
        #expect(!AttemptFailure.isWithoutRoom(APIError(code: "internal", message: "?")))
        // Others read what fills the cache: there will be room. What never fits is a failure.
        let crowded = ArtifactError.cacheFull(neededBytes: 10, limitBytes: 100, pinnedBytes: 95)
        #expect(AttemptFailure.isWithoutRoom(crowded, inputBytes: 60))
        #expect(!AttemptFailure.isWithoutRoom(crowded, inputBytes: 101))
        #expect(
            !AttemptFailure.isWithoutRoom(
                ArtifactError.cacheFull(neededBytes: 101, limitBytes: 100, pinnedBytes: 0)))
        #expect(!AttemptFailure.isWithoutRoom(WorkerError.system(doing: "a", path: "b", errorNumber: EIO)))
    }

    private func lease(_ ordinal: Int, cores: Int = 1, memoryMiB: Int = 100) -> LeaseGrant {
        LeaseGrant(
            task: TaskID(run: RunID(rawValue: 1), ordinal: ordinal), token: FencingToken(attempt: 1, nonce: UUID()),
            step: "s", kind: "k", kindVersion: 1, context: .cohort, parameters: .object([:]), inputs: [], missing: [],
            resources: TaskResources(cores: cores, memoryMiB: memoryMiB), timeLimitMilliseconds: 1000)
    }

    private func claim(_ loop: inout PullLoop, at seconds: Double = 0, id: UUID = UUID()) -> ClaimRequest? {
        if case .claim(let request) = loop.next(at: at(seconds), newClaim: id) { request } else { nil }
    }

    @Test func whatIsFreeIsOfferedOnceAtATime() throws {
        var loop = PullLoop(cores: 4, memoryMiB: 1000)
        let first = try #require(claim(&loop))
        #expect((first.freeCores, first.freeMemoryMiB, first.maximumTasks) == (4, 1000, 4))
        #expect(claim(&loop) == nil)
        let leases = [lease(0, cores: 3, memoryMiB: 600)]
        #expect(loop.answered(leases).run.count == 1)
        let second = try #require(claim(&loop))
        #expect((second.freeCores, second.freeMemoryMiB, second.maximumTasks) == (1, 400, 1))
        // With something in hand a claim does not wait for long: what becomes free must be offered soon.
        #expect(second.waitMilliseconds < first.waitMilliseconds)
        _ = loop.answered([lease(1)])
        #expect(claim(&loop) == nil)
        // While it publishes, its cores are free again.
        loop.computed(leases[0].name)
        #expect(try #require(claim(&loop)).freeCores == 3)
    }

    @Test func aFailedClaimIsSentAgainUnderItsId() throws {
        var loop = PullLoop(cores: 4, memoryMiB: 1000)
        let id = UUID()
        _ = claim(&loop, id: id)
        loop.failed(at: at(1), jitter: 0.5)
        guard case .wait(let until) = loop.next(at: at(1), newClaim: UUID()) else {
            Issue.record("a failed claim is repeated at once")
            return
        }
        #expect(until == at(1).advanced(by: .milliseconds(50)))
        let again = try #require(claim(&loop, at: 1.1))
        #expect(again.claim == id)
        _ = loop.answered([])
        #expect(try #require(claim(&loop, at: 2)).claim != id)
    }

    @Test func aLeaseThatIsInHandIsNotRunTwice() {
        var loop = PullLoop(cores: 4, memoryMiB: 1000)
        let lease = lease(0)
        _ = claim(&loop)
        #expect(loop.answered([lease]).run.count == 1)
        _ = claim(&loop)
        #expect(loop.answered([lease]).run.isEmpty)
        #expect(loop.freeCores == 3)
    }

    @Test func publishingIsBounded() {
        var loop = PullLoop(cores: 1, memoryMiB: 1000)
        var publishing = 0
        while claim(&loop) != nil {
            let lease = lease(publishing)
            _ = loop.answered([lease])
            loop.computed(lease.name)
            publishing += 1
            #expect(publishing < 100)
        }
        #expect(publishing == 4)
    }

    @Test func aDrainingWorkerFinishesAndHandsBackWhatStillComes() {
        var loop = PullLoop(cores: 4, memoryMiB: 1000)
        let (first, second) = (lease(0), lease(1))
        _ = claim(&loop)
        _ = loop.answered([first])
        _ = claim(&loop)
        loop.drain()
        let answer = loop.answered([second])
        #expect(answer.run.isEmpty)
        #expect(answer.handBack == [second.name])
        #expect(claim(&loop) == nil)
        loop.finished(first.name)
        guard case .drained = loop.next(at: at(0), newClaim: UUID()) else {
            Issue.record("nothing is in hand, yet it is not drained")
            return
        }
    }

    /// Any order of events: never more than the machine has, every lease run once, all freed in the end.
    @Test(arguments: 0..<50) func capacityIsNeverExceeded(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var loop = PullLoop(cores: 6, memoryMiB: 4000)
        var asked: ClaimRequest?
        var computing: [LeaseGrant] = []
        var publishing: [LeaseName] = []
        var ordinal = 0
        for step in 0..<1000 {
            switch Int.random(in: 0..<5, using: &generator) {
            case 0:
                if case .claim(let request) = loop.next(at: at(Double(step)), newClaim: UUID()) { asked = request }
            case 1:
                guard let request = asked else { continue }
                asked = nil
                var (cores, memory) = (request.freeCores, request.freeMemoryMiB)
                var leases: [LeaseGrant] = []
                while leases.count < request.maximumTasks, Bool.random(using: &generator) {
                    let lease = lease(
                        ordinal, cores: .random(in: 1...3, using: &generator),
                        memoryMiB: .random(in: 100...2000, using: &generator))
                    guard lease.resources.cores <= cores, lease.resources.memoryMiB <= memory else { break }
                    (cores, memory) = (cores - lease.resources.cores, memory - lease.resources.memoryMiB)
                    leases.append(lease)
                    ordinal += 1
                }
                computing += loop.answered(leases).run
            case 2:
                guard asked != nil else { continue }
                asked = nil
                loop.failed(at: at(Double(step)), jitter: generator.uniform())
            case 3:
                guard let index = computing.indices.randomElement(using: &generator) else { continue }
                let lease = computing.remove(at: index)
                loop.computed(lease.name)
                publishing.append(lease.name)
            default:
                guard let index = publishing.indices.randomElement(using: &generator) else { continue }
                loop.finished(publishing.remove(at: index))
            }
            let cores = computing.reduce(0) { $0 + $1.resources.cores }
            let memory = computing.reduce(0) { $0 + $1.resources.memoryMiB }
            #expect(loop.freeCores == 6 - cores && loop.freeCores >= 0, "seed \(seed), step \(step)")
            #expect(loop.freeMemoryMiB == 4000 - memory && loop.freeMemoryMiB >= 0, "seed \(seed), step \(step)")
            #expect(loop.held == Set(computing.map(\.name) + publishing), "seed \(seed), step \(step)")
        }
        #expect(ordinal > 10, "seed \(seed): the test hardly did anything")
    }

    // MARK: Latch

    @Test func aLatchReleasesEverybodyOnceAndForAll() async throws {
        let latch = Latch()
        async let first: Void = latch.wait()
        async let second: Int? = latch.orElse {
            try await Task.sleep(for: .seconds(600))
            return 1
        }
        latch.set()
        await first
        #expect(try await second == nil)
        await latch.wait()
        #expect(latch.isSet)
        let open = Latch()
        #expect(try await open.orElse { 7 } == 7)
    }
}
