import Logging
import ServiceLifecycle

/// Does something again and again until the server stops. A failure is logged and counted, and the next round comes
/// after a growing pause: an unreachable database must neither end the server nor fill its log.
struct Periodically: Sendable {
    var name: String
    var interval: Duration
    var telemetry: Telemetry
    var logger: Logger

    func run(_ work: @escaping @Sendable () async throws -> Void) async {
        // Cancelled by the graceful shutdown: nothing here needs more than that, as every step is a transaction.
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await work()
                    if failures > 0 { logger.notice("\(name) works again", metadata: ["failures": "\(failures)"]) }
                    failures = 0
                } catch {
                    if Task.isCancelled { return }
                    failures += 1
                    telemetry.update { $0.serviceFailures[name, default: 0] += 1 }
                    // The first of a series, then ever fewer.
                    if failures & (failures - 1) == 0 {
                        logger.error("\(name) failed", metadata: ["error": "\(error)", "failures": "\(failures)"])
                    }
                }
                // Ends early only by cancellation, which the loop asks about next.
                try? await Task.sleep(for: min(interval * (1 << min(failures, 5)), max(interval, .seconds(30))))
            }
        }
    }
}
