import CoordinatorClient
import Foundation
import Wire
import Workflow

/// What to ask the coordinator for, and what is in hand. Pure: ids, times and random numbers are passed in.
///
///     idle ──room──► asking ──leases──► idle        a failed claim is sent again under the same id
///       └──────────────┴──drain──► draining ──nothing in hand──► drained
///
/// An attempt occupies cores and memory from its claim until its process has ended; while it publishes it counts only
/// against `publishingLimit`, so that the next task computes meanwhile.
package struct PullLoop: Sendable {
    package enum Step: Sendable {
        case claim(ClaimRequest)
        /// A claim failed: not before then.
        case wait(until: ContinuousClock.Instant)
        /// Nothing to ask for until something changes.
        case idle
        /// Draining, and nothing is left in hand.
        case drained
    }

    private struct Holding: Sendable {
        var resources: TaskResources
        var isComputing: Bool
    }

    package let cores: Int
    package let memoryMiB: Int
    package private(set) var isDraining = false
    private var holdings: [LeaseName: Holding] = [:]
    private var pending: ClaimRequest?
    private var isAsking = false
    private var notBefore: ContinuousClock.Instant?
    private var backoff = Backoff(base: .milliseconds(100), limit: .seconds(5))
    private var pausedUntil: ContinuousClock.Instant?
    /// How long a worker without room on a disk asks for nothing.
    static let pause = Duration.seconds(30)

    /// Longest waits of a claim at the coordinator. With attempts in hand it is short, because what becomes free
    /// meanwhile can only be offered by the next claim.
    static let idleWaitMilliseconds = 20_000
    static let busyWaitMilliseconds = 2_000
    /// A task below this would be no use to offer memory for.
    static let smallestMemoryMiB = 64

    package init(cores: Int, memoryMiB: Int) {
        precondition(cores > 0 && memoryMiB > 0, "a worker offers at least one core and some memory")
        (self.cores, self.memoryMiB) = (cores, memoryMiB)
    }

    package var freeCores: Int {
        cores - holdings.values.reduce(0) { $0 + ($1.isComputing ? $1.resources.cores : 0) }
    }

    package var freeMemoryMiB: Int {
        memoryMiB - holdings.values.reduce(0) { $0 + ($1.isComputing ? $1.resources.memoryMiB : 0) }
    }

    package var held: Set<LeaseName> { Set(holdings.keys) }
    package var isIdle: Bool { holdings.isEmpty }

    /// Finished processes whose results are still on their way: more would only pile up.
    private var publishingLimit: Int { max(4, 2 * cores) }

    /// - Parameter newClaim: id of the claim, should one be made.
    package mutating func next(at now: ContinuousClock.Instant, newClaim: UUID) -> Step {
        guard !isAsking else { return .idle }
        if isDraining {
            // A claim without an answer may have been granted; leaving the session returns what it brought.
            return holdings.isEmpty ? .drained : .idle
        }
        if let pausedUntil, now < pausedUntil { return .wait(until: pausedUntil) }
        if let notBefore, now < notBefore { return .wait(until: notBefore) }
        if pending == nil {
            let publishing = holdings.values.filter { !$0.isComputing }.count
            let tasks = min(freeCores, publishingLimit - publishing)
            guard tasks > 0, freeMemoryMiB >= Self.smallestMemoryMiB else { return .idle }
            pending = ClaimRequest(
                claim: newClaim, freeCores: freeCores, freeMemoryMiB: freeMemoryMiB, maximumTasks: tasks,
                waitMilliseconds: holdings.isEmpty ? Self.idleWaitMilliseconds : Self.busyWaitMilliseconds)
        }
        guard let pending else { return .idle }
        isAsking = true
        return .claim(pending)
    }

    /// The claim was answered.
    /// - Returns: leases to run, and leases to hand back at once.
    package mutating func answered(_ leases: [LeaseGrant]) -> (run: [LeaseGrant], handBack: [LeaseName]) {
        (pending, isAsking, notBefore) = (nil, false, nil)
        backoff.reset()
        // A claim answered twice brings leases that are in hand already.
        let new = leases.filter { holdings[$0.name] == nil }
        if isDraining { return ([], new.map(\.name)) }
        for lease in new { holdings[lease.name] = Holding(resources: lease.resources, isComputing: true) }
        return (new, [])
    }

    /// The claim failed: it may or may not have been granted, so it is sent again as it was.
    package mutating func failed(at now: ContinuousClock.Instant, jitter: Double) {
        isAsking = false
        notBefore = now.advanced(by: backoff.next(jitter: jitter))
    }

    /// There is no room for work: not before a while. What is in hand goes on.
    package mutating func ranOutOfRoom(at now: ContinuousClock.Instant) { pausedUntil = now.advanced(by: Self.pause) }

    /// The attempt's process has ended; its cores and memory are free.
    package mutating func computed(_ lease: LeaseName) { holdings[lease]?.isComputing = false }

    /// Nothing of the attempt is left.
    package mutating func finished(_ lease: LeaseName) { holdings[lease] = nil }

    package mutating func drain() { isDraining = true }
}

extension LeaseGrant {
    package var name: LeaseName { LeaseName(task: task, token: token) }
}
