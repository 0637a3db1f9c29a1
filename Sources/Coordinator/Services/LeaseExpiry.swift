import Logging
import ServiceLifecycle
import Synchronization

/// Takes back the leases of sessions that went silent. Safe to run on every coordinator at once.
struct LeaseExpiry: Service {
    let store: Store
    let periodically: Periodically

    func run() async {
        let rounds = Rounds(allowed: periodically.interval * 3 + .seconds(2))
        await periodically.run {
            if rounds.hadGap() { store.presence.returned() }
            let count = try await store.reapExpired()
            rounds.completed()
            guard count > 0 else { return }
            periodically.telemetry.update { $0.expiredLeases += count }
            periodically.logger.warning("Leases expired; their tasks are ready again", metadata: ["leases": "\(count)"])
        }
    }
}

/// When expiry was last looked for with success: longer ago than its rhythm says, and nobody was there to hear workers.
private final class Rounds: Sendable {
    private let last = Mutex(ContinuousClock.now)
    private let allowed: Duration

    init(allowed: Duration) { self.allowed = allowed }

    func hadGap() -> Bool { last.withLock { $0.duration(to: .now) > allowed } }
    func completed() { last.withLock { $0 = .now } }
}
