/// Waiting times between tries: exponential with full jitter, so that many clients cut off together do not come back
/// together. Pure: the caller supplies the random number.
package struct Backoff: Sendable, Hashable {
    package var base: Duration
    package var limit: Duration
    /// Tries that have failed so far.
    package private(set) var failures = 0

    package init(base: Duration = .milliseconds(50), limit: Duration = .seconds(5)) {
        (self.base, self.limit) = (base, limit)
    }

    /// - Parameter jitter: uniform in [0, 1).
    /// - Returns: how long to wait now: `jitter` times base·2ⁿ, at most `limit`, after the n-th failure in a row.
    package mutating func next(jitter: Double) -> Duration {
        let ceiling = min(limit, base * (1 << min(failures, 20)))
        failures += 1
        return ceiling * jitter
    }

    package mutating func reset() { failures = 0 }
}
