import Logging
import ServiceLifecycle

/// Takes back the leases of sessions that went silent. Safe to run on every coordinator at once.
struct LeaseExpiry: Service {
    let store: Store
    let periodically: Periodically

    func run() async {
        await periodically.run {
            let count = try await store.reapExpired()
            guard count > 0 else { return }
            periodically.telemetry.update { $0.expiredLeases += count }
            periodically.logger.warning("Leases expired; their tasks are ready again", metadata: ["leases": "\(count)"])
        }
    }
}
