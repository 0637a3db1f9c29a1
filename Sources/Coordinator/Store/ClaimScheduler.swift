// Which ready tasks a claim is offered first, decided in memory.
//
// The database keeps ready tasks in groups (lane, run, priority). This is what a coordinator remembers of them: which
// groups have something, how far each has been read, and how much every run has been served. None of it is truth: a
// sweep over the table corrects it once a second, so that forgetting it costs latency and nothing else.
//
//   cursor    rows of a group are claimed in the order of `seq`; the scan starts behind the last one claimed instead of
//             walking the index entries of dead rows, which a long-lived snapshot keeps from being removed. A row whose
//             insertion committed late lies behind the cursor, and is found when a sweep sets the cursors back.
//   passes    stride scheduling: a run that got work moves on by work over weight, and the run that lies furthest back
//             is served first. A run that comes new starts level with the furthest back, not at zero.

import Foundation
import Synchronization

/// A group of ready tasks that are interchangeable to a worker.
struct ClaimGroup: Hashable, Sendable {
    var lane: Int32
    var run: Int64
    var priority: Int16
}

/// What a task needs of a worker.
struct Lane: Hashable, Sendable {
    var kind: String
    var kindVersion: Int
    var cores: Int
    var memoryMiB: Int
    /// Empty unless the kind is "command".
    var command: String
}

/// What a worker offers.
struct WorkerCapability: Sendable {
    var kinds: [String: Int]
    var commands: Set<String>

    func fits(_ lane: Lane) -> Bool {
        kinds[lane.kind] == lane.kindVersion && (lane.command.isEmpty || commands.contains(lane.command))
    }
}

/// What a claim may still take.
struct ClaimAllowance: Sendable, Equatable {
    var cores: Int
    var memoryMiB: Int
    var tasks: Int

    func count(of lane: Lane) -> Int {
        max(0, min(tasks, cores / max(lane.cores, 1), memoryMiB / max(lane.memoryMiB, 1)))
    }

    mutating func take(_ count: Int, of lane: Lane) {
        cores -= count * lane.cores
        memoryMiB -= count * lane.memoryMiB
        tasks -= count
    }
}

/// The state behind `ClaimScheduler`: a value without lock or clock.
struct ClaimSchedule: Sendable {
    private(set) var lanes: [Int32: Lane] = [:]
    /// Groups that may have rows.
    private(set) var filled: Set<ClaimGroup> = []
    private var cursors: [ClaimGroup: Int64] = [:]
    private var weights: [Int64: Double] = [:]
    private var passes: [Int64: Double] = [:]

    struct Offer: Equatable {
        var group: ClaimGroup
        var lane: Lane
        var cursor: Int64
        var count: Int
    }

    /// Takes over what a sweep found: exactly these groups have rows, and every cursor goes back to the start.
    mutating func swept(_ groups: [(group: ClaimGroup, weight: Double)], lanes: [Int32: Lane]) {
        self.lanes = lanes
        filled = Set(groups.map(\.group))
        cursors = [:]
        let runs = Set(groups.map(\.group.run))
        weights = Dictionary(groups.map { ($0.group.run, $0.weight) }) { first, _ in first }
        let level = passes.filter { runs.contains($0.key) }.values.min() ?? 0
        // Counted from the furthest back, so that the numbers stay small for ever.
        passes = Dictionary(uniqueKeysWithValues: runs.map { ($0, (passes[$0] ?? level) - level) })
    }

    /// This coordinator put rows into groups. Returns false when it does not know their lanes and must sweep.
    mutating func released(_ groups: Set<ClaimGroup>) -> Bool {
        guard groups.allSatisfy({ lanes[$0.lane] != nil && weights[$0.run] != nil }) else { return false }
        for group in groups {
            if !filled.contains(where: { $0.run == group.run }) {
                let level = filled.compactMap { passes[$0.run] }.min() ?? 0
                passes[group.run] = max(passes[group.run] ?? level, level)
            }
            filled.insert(group)
        }
        return true
    }

    /// The next group to try; nil when nothing fits.
    func offer(_ capability: WorkerCapability, _ allowance: ClaimAllowance, except tried: Set<ClaimGroup>) -> Offer? {
        var best: (offer: Offer, pass: Double)?
        for group in filled where !tried.contains(group) {
            guard let lane = lanes[group.lane], capability.fits(lane) else { continue }
            let count = allowance.count(of: lane)
            guard count > 0 else { continue }
            let pass = passes[group.run] ?? 0
            if let best {
                // Run furthest back; then depth in the graph; then numbers, for a fixed order.
                let mine = (pass, Double(group.run), Double(group.priority), Double(group.lane))
                let other = best.offer.group
                guard mine < (best.pass, Double(other.run), Double(other.priority), Double(other.lane)) else {
                    continue
                }
            }
            best = (Offer(group: group, lane: lane, cursor: cursors[group] ?? 0, count: count), pass)
        }
        return best?.offer
    }

    /// A claim took `count` rows of a group, the last of them `lastSequence`; fewer than asked for means it is empty.
    mutating func served(_ offer: Offer, count: Int, lastSequence: Int64?) {
        if let lastSequence { cursors[offer.group] = max(cursors[offer.group] ?? 0, lastSequence) }
        if count < offer.count { filled.remove(offer.group) }
        passes[offer.group.run, default: 0] += Double(count * offer.lane.cores) / (weights[offer.group.run] ?? 1)
    }
}

final class ClaimScheduler: Sendable {
    private struct State {
        var schedule = ClaimSchedule()
        var sweptAt: ContinuousClock.Instant?
        var capabilities: [UUID: WorkerCapability] = [:]
        /// Claims that were served nothing so far, the oldest first.
        var claims: [UUID] = []
        var claimSet: Set<UUID> = []
    }

    private let state = Mutex(State())
    private static let sweepInterval: Duration = .seconds(1)
    private static let remembered = 8192

    func with<Value>(_ body: (inout ClaimSchedule) -> Value) -> Value {
        state.withLock { body(&$0.schedule) }
    }

    /// Whether it is time to sweep; the caller that is told so sweeps.
    func beginSweep(at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            if let swept = state.sweptAt, now - swept < Self.sweepInterval { return false }
            state.sweptAt = now
            return true
        }
    }

    /// The next claim sweeps.
    func sweepSoon() { state.withLock { $0.sweptAt = nil } }

    /// Whether a claim is known to hold no lease, so that its repetition need not be looked for in the database.
    func isEmpty(claim: UUID) -> Bool { state.withLock { $0.claimSet.contains(claim) } }

    /// A claim was looked for and served nothing.
    func remember(emptyClaim claim: UUID) {
        state.withLock { state in
            guard state.claimSet.insert(claim).inserted else { return }
            state.claims.append(claim)
            if state.claims.count > Self.remembered {
                for old in state.claims.prefix(Self.remembered / 2) { state.claimSet.remove(old) }
                state.claims.removeFirst(Self.remembered / 2)
            }
        }
    }

    /// A claim is about to be served: its repetition must look.
    func forget(claim: UUID) { state.withLock { _ = $0.claimSet.remove(claim) } }

    func capability(of session: UUID) -> WorkerCapability? { state.withLock { $0.capabilities[session] } }

    func remember(_ capability: WorkerCapability, of session: UUID) {
        state.withLock { state in
            if state.capabilities.count > Self.remembered { state.capabilities.removeAll() }
            state.capabilities[session] = capability
        }
    }

    func forget(session: UUID) { state.withLock { $0.capabilities[session] = nil } }
}
