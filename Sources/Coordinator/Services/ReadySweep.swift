import ServiceLifecycle

/// Looks once a second what is ready, for all waiting claims at once: what another coordinator released, and any missed
/// signal, is found within one interval. Nobody waiting, no query.
struct ReadySweep: Service {
    let store: Store
    let ready: ReadyTasks
    let periodically: Periodically

    func run() async {
        await periodically.run {
            if ready.waiting > 0, try await store.sweepReady() { ready.released() }
        }
    }
}
