import ServiceLifecycle

/// Makes tasks ready whose backoff is over.
struct DelayedRelease: Service {
    let store: Store
    let periodically: Periodically

    func run() async {
        await periodically.run {
            let count = try await store.promoteDelayed()
            guard count > 0 else { return }
            periodically.telemetry.update { $0.promoted += count }
        }
    }
}
