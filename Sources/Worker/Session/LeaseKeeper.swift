import CoordinatorClient
import Wire

/// How long this worker may believe in its leases, and when it must renew them. Pure: the clock is passed in.
///
/// The database's clock decides when a session ends; all a worker knows is that it had not ended when a heartbeat was
/// *sent*. So a lease is trusted until that moment + ttl − 2 beats, measured on a clock that goes on while the process
/// or the machine is stopped (`ContinuousClock`). The margin covers the time a last upload or completion is under way.
///
///     trusted ──no heartbeat answered until `trustedUntil`──► distrusted: stop every attempt, send nothing
package struct LeaseKeeper: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package let beat: Duration
    /// Attempts may go on and send their results only before this.
    package private(set) var trustedUntil: Instant
    package private(set) var nextBeat: Instant
    private var backoff: Backoff

    /// - Parameter start: when the request that opened the session was sent.
    package init(openedAt start: Instant, grant: SessionGrant) {
        beat = .milliseconds(max(1, grant.heartbeatMilliseconds))
        backoff = Backoff(base: min(.milliseconds(100), beat), limit: beat)
        trustedUntil = start.advanced(by: Self.trust(ttlMilliseconds: grant.ttlMilliseconds, beat: beat))
        nextBeat = start.advanced(by: beat)
    }

    /// A ttl of few beats still leaves half of itself.
    private static func trust(ttlMilliseconds: Int, beat: Duration) -> Duration {
        let ttl = Duration.milliseconds(ttlMilliseconds)
        return max(ttl - beat * 2, ttl / 2)
    }

    package func isTrusted(at now: Instant) -> Bool { now < trustedUntil }

    /// How long a heartbeat sent now is worth waiting for.
    package func timeout(at now: Instant) -> Duration {
        max(.milliseconds(100), min(beat * 2, now.duration(to: trustedUntil)))
    }

    /// The heartbeat sent at `start` was answered: the session was alive then.
    package mutating func answered(sentAt start: Instant, ttlMilliseconds: Int) {
        backoff.reset()
        trustedUntil = max(trustedUntil, start.advanced(by: Self.trust(ttlMilliseconds: ttlMilliseconds, beat: beat)))
        nextBeat = start.advanced(by: beat)
    }

    /// No answer. - Parameter jitter: uniform in [0, 1).
    package mutating func failed(at now: Instant, jitter: Double) {
        nextBeat = now.advanced(by: backoff.next(jitter: jitter))
    }
}
