import Foundation
import Synchronization

/// Holds the claims that found nothing until something is released: waiting workers cost no queries.
///
/// The coordinator that commits a release knows of it and says so here. What another coordinator released, and what was
/// missed, is found by a sweep once a second, so a lost signal costs latency and nothing else.
package final class ReadyTasks: Sendable {
    private let state = Mutex(ReadyTasksState<CheckedContinuation<Bool, Never>>())

    package init() {}

    /// Take this before asking the database, and give it to `wait`: a release in between is then not missed.
    package var generation: UInt64 { state.withLock { $0.generation } }

    package var waiting: Int { state.withLock { $0.waiting } }

    /// Waits for a release.
    ///
    /// - Parameters:
    ///   - group: claims of one group can take the same tasks, so what is in vain for one is in vain for all.
    ///   - generation: from before the claim that found nothing.
    /// - Returns: true when it is worth asking the database again, false when the time is over or the server stops.
    package func wait(group: String, since generation: UInt64, timeout: Duration) async -> Bool {
        let id = UUID()
        return await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask { [self] in
                await withTaskCancellationHandler {
                    await withCheckedContinuation { continuation in
                        let refused = state.withLock { state -> Bool? in
                            if Task.isCancelled { return false }
                            return state.enter(id, group: group, since: generation, continuation)
                        }
                        if let refused { continuation.resume(returning: refused) }
                    }
                } onCancel: {
                    state.withLock { $0.leave(id, group: group) }?.resume(returning: false)
                }
            }
            tasks.addTask {
                // Ends early only by cancellation, when the answer is already there.
                try? await Task.sleep(for: timeout)
                return false
            }
            let answer = await tasks.next() ?? false
            tasks.cancelAll()
            return answer
        }
    }

    /// Something may have been released: wakes one claim of every group.
    package func released() { resume(state.withLock { $0.wakeAllGroups() }) }

    /// A claim found tasks, so there may be more: wakes two of its kind, which doubles with every round.
    package func found(group: String) { resume(state.withLock { $0.wake(group: group, count: 2) }) }

    /// Ends all waiting, for good.
    package func close() {
        for continuation in state.withLock({ $0.close() }) { continuation.resume(returning: false) }
    }

    private func resume(_ continuations: [CheckedContinuation<Bool, Never>]) {
        for continuation in continuations { continuation.resume(returning: true) }
    }
}

/// Who waits, in order of arrival within each group. `Waiter` is whatever is to be told.
struct ReadyTasksState<Waiter: Sendable>: Sendable {
    private var groups: [String: [(id: UUID, waiter: Waiter)]] = [:]
    private(set) var generation: UInt64 = 0
    private(set) var isClosed = false

    var waiting: Int { groups.values.reduce(0) { $0 + $1.count } }

    /// - Returns: nil when it now waits; else what to tell it at once.
    mutating func enter(_ id: UUID, group: String, since: UInt64, _ waiter: Waiter) -> Bool? {
        if isClosed { return false }
        if since != generation { return true }
        groups[group, default: []].append((id, waiter))
        return nil
    }

    mutating func leave(_ id: UUID, group: String) -> Waiter? {
        guard let index = groups[group]?.firstIndex(where: { $0.id == id }) else { return nil }
        let waiter = groups[group]?.remove(at: index).waiter
        if groups[group]?.isEmpty == true { groups[group] = nil }
        return waiter
    }

    mutating func wakeAllGroups() -> [Waiter] {
        generation += 1
        return groups.keys.flatMap { wake(group: $0, count: 1) }
    }

    mutating func wake(group: String, count: Int) -> [Waiter] {
        guard let waiters = groups[group] else { return [] }
        let rest = waiters.dropFirst(count)
        groups[group] = rest.isEmpty ? nil : Array(rest)
        return waiters.prefix(count).map(\.waiter)
    }

    mutating func close() -> [Waiter] {
        isClosed = true
        defer { groups = [:] }
        return groups.values.flatMap { $0.map(\.waiter) }
    }
}
