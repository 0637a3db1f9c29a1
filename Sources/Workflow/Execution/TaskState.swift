/// Where a task stands. The number is what the database stores.
///
///     waiting ──all inputs there──► ready ──completion accepted──► succeeded
///        │                            │ ──out of retries─────────► failed
///        │                            └──cancel──────────────────► cancelled
///        ├──an upstream task failed──► blocked ──that one retried──► waiting
///        └──cancel───────────────────► cancelled
///
/// A tolerant fan-in goes on without what failed; it is blocked when nothing of what it gathers came to be.
///
/// A `ready` task is in exactly one of the tables ready, delayed and lease; being leased is the existence of a lease row.
package enum TaskState: Int16, Codable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case waiting = 0
    case ready = 1
    case succeeded = 2
    case failed = 3
    case blocked = 4
    case cancelled = 5

    package var isTerminal: Bool { self == .succeeded || self == .failed || self == .cancelled }

    /// Nothing more will come of this task by itself; a tolerant fan-in counts it as settled.
    package var isSettled: Bool { isTerminal || self == .blocked }

    package var description: String {
        switch self {
        case .waiting: "waiting"
        case .ready: "ready"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .blocked: "blocked"
        case .cancelled: "cancelled"
        }
    }
}

/// How one attempt ended. The text is what the database and the wire carry.
package enum AttemptOutcome: String, Codable, Hashable, Sendable, CaseIterable {
    /// Outputs and measurements are stored.
    case succeeded
    /// Not run: an earlier result for the same inputs, parameters and code was taken over.
    case cached
    /// Failed in a way that may pass: input/output error, unreachable service. Retried with backoff.
    case transient
    /// Failed because of its input or parameters: the same again would fail again. Not retried.
    case permanent
    /// Ended by the memory limit. Retried with more memory.
    case outOfMemory = "out_of_memory"
    /// Ended by its time limit.
    case timedOut = "timed_out"
    /// Died of a signal (crash, abort) that was not ours.
    case crashed
    /// The worker disappeared or could not renew its lease. Counted apart from failures.
    case lost
    /// Cancelled by an operator.
    case cancelled
    /// Handed back unharmed by a draining worker. No penalty.
    case released
}
