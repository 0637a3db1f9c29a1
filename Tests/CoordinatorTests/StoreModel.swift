// A small pure model of the store: what each state *means*, worked out anew from scratch after every event.
//
// The store keeps counters, queues and flags up to date step by step; the model keeps only what happened to each task
// itself and derives the rest from the definitions. That the two agree after random events is the point of the test.

import Workflow

struct StoreModel {
    enum Own: Equatable { case open, succeeded, failed, cancelled }

    /// Where an open task that can run stands.
    enum Place: Equatable { case ready, delayed, leased(lease: Int) }

    struct Task {
        var parents: [Int]
        var fanIn: FanInPolicy
        var unrunnable: Bool
        var own: Own = .open
        var place: Place?
        var attempts = 0
        var failures = 0
        var losses = 0
        /// Names the result that the task has now.
        var result: String?
        /// Names the result it would have, once it can run.
        var key: String?
    }

    struct Lease {
        var task: Int
        var attempt: Int
        var session: Int
        var isHeld = true
        /// How the attempt is on record; nil while it is held.
        var recorded: AttemptOutcome?
    }

    var tasks: [Task] = []
    var leases: [Lease] = []
    var expiredSessions: Set<Int> = []
    var knownResults: Set<String> = []
    static let limit = 3

    // MARK: Definitions

    func state(_ index: Int) -> TaskState {
        let task = tasks[index]
        switch task.own {
        case .succeeded: return .succeeded
        case .failed: return .failed
        case .cancelled: return .cancelled
        case .open: break
        }
        let parents = task.parents.map(state)
        if task.fanIn == .all {
            if parents.contains(where: { $0.isSettled && $0 != .succeeded }) { return .blocked }
            return parents.allSatisfy { $0 == .succeeded } ? .ready : .waiting
        }
        guard parents.allSatisfy(\.isSettled) else { return .waiting }
        return isShort(index) && !parents.contains(.succeeded) ? .blocked : .ready
    }

    private func isShort(_ index: Int) -> Bool {
        let task = tasks[index]
        let present = task.parents.filter { tasks[$0].own == .succeeded }.count
        switch task.fanIn {
        case .all: return false
        case .any: return !task.parents.isEmpty && present == 0
        case .atLeast(let fraction): return Double(present) < fraction * Double(task.parents.count) - 1e-9
        }
    }

    /// Lets everything happen that follows by itself, in the order of the graph.
    mutating func settle() {
        for index in tasks.indices {
            guard tasks[index].own == .open, state(index) == .ready else {
                tasks[index].place = nil
                continue
            }
            if tasks[index].place != nil { continue }
            if isShort(index) {
                tasks[index].own = .failed
                tasks[index].attempts += 1
                continue
            }
            let inputs = tasks[index].parents.map { tasks[$0].result ?? "-" }
            let key = "\(index)(\(inputs.joined(separator: ",")))"
            tasks[index].key = key
            if knownResults.contains(key) {
                tasks[index].own = .succeeded
                tasks[index].result = key
                tasks[index].attempts += 1
            } else {
                tasks[index].place = .ready
            }
        }
    }

    // MARK: Events

    mutating func claimed(_ index: Int, session: Int) -> Int {
        leases.append(Lease(task: index, attempt: tasks[index].attempts + 1, session: session))
        tasks[index].place = .leased(lease: leases.count - 1)
        return leases.count - 1
    }

    mutating func completed(_ lease: Int, _ outcome: AttemptOutcome) -> CompletionVerdictModel {
        let held = leases[lease]
        guard held.isHeld, !expiredSessions.contains(held.session) else {
            return held.recorded == outcome ? .duplicate : .stale
        }
        end(lease, outcome)
        settle()
        return .accepted
    }

    mutating func reaped() -> Int {
        let due = leases.indices.filter { leases[$0].isHeld && expiredSessions.contains(leases[$0].session) }
        for lease in due { end(lease, .lost) }
        settle()
        return due.count
    }

    mutating func promoted() {
        for index in tasks.indices where tasks[index].place == .delayed { tasks[index].place = .ready }
    }

    mutating func released(_ lease: Int) {
        guard leases[lease].isHeld else { return }
        end(lease, .released)
        settle()
    }

    mutating func cancelled() -> Int {
        let open = tasks.indices.filter { tasks[$0].own == .open }
        for index in open {
            takeOut(index)
            tasks[index].own = .cancelled
        }
        return open.count
    }

    mutating func retried(_ wanted: Set<Int>) -> Int {
        let chosen = wanted.filter {
            !tasks[$0].unrunnable && (tasks[$0].own == .failed || tasks[$0].own == .cancelled)
        }
        guard !chosen.isEmpty else { return 0 }
        var affected = chosen
        for index in tasks.indices where tasks[index].own != .cancelled && !tasks[index].unrunnable {
            if tasks[index].parents.contains(where: affected.contains) { affected.insert(index) }
        }
        for index in affected {
            takeOut(index)
            tasks[index].own = .open
            tasks[index].result = nil
            tasks[index].failures = 0
            tasks[index].losses = 0
        }
        settle()
        return chosen.count
    }

    /// Out of the queue; a running attempt ends as cancelled.
    private mutating func takeOut(_ index: Int) {
        if case .leased(let lease)? = tasks[index].place {
            leases[lease].isHeld = false
            leases[lease].recorded = .cancelled
            tasks[index].attempts += 1
        }
        tasks[index].place = nil
    }

    private mutating func end(_ lease: Int, _ outcome: AttemptOutcome) {
        let index = leases[lease].task
        leases[lease].isHeld = false
        leases[lease].recorded = outcome
        tasks[index].attempts += 1
        switch outcome {
        case .succeeded:
            tasks[index].own = .succeeded
            tasks[index].result = tasks[index].key
            knownResults.insert(tasks[index].key!)
            tasks[index].place = nil
        case .lost, .crashed:
            tasks[index].losses += 1
            tasks[index].place = outcome == .lost ? .ready : .delayed
            if tasks[index].losses >= Self.limit { fail(index) }
        case .transient, .timedOut:
            tasks[index].failures += 1
            tasks[index].place = .delayed
            if tasks[index].failures >= Self.limit { fail(index) }
        case .released:
            tasks[index].place = .ready
        default:
            tasks[index].failures += 1
            fail(index)
        }
    }

    private mutating func fail(_ index: Int) {
        tasks[index].own = .failed
        tasks[index].place = nil
    }
}

enum CompletionVerdictModel: String { case accepted, duplicate, stale }
