import Artifacts
import ServiceLifecycle
import Wire
import Workflow

/// Removes bytes that nothing names any more: mark from the database, sweep the store, spare what is young.
///
/// The grace period covers what is uploaded before its completion arrives, so it must be longer than any lease. An
/// artifact is forgotten in the database before its file goes: a completion that arrives in between is told that the
/// artifact is missing and uploads again.
struct Retention: Service {
    let store: Store
    let artifacts: ArtifactStore
    let graceSeconds: Double
    let periodically: Periodically

    func run() async {
        await periodically.run {
            _ = try await collect()
            try await store.forgetOldSessions()
            try await store.analyzeIfNeeded()
        }
    }

    /// One collection.
    func collect() async throws -> CollectionReport {
        var report = CollectionReport(removed: 0, bytes: 0)
        report.bytes += try artifacts.removeAbandonedUploads(olderThanSeconds: graceSeconds)
        let old = try await artifacts.entries().filter { $0.ageSeconds > graceSeconds }
        guard !old.isEmpty else { return report }
        let grace = Duration.seconds(graceSeconds)
        let live = try await store.liveDigests(grace: grace)
        let dead = old.filter { !live.contains($0.digest) }
        for start in stride(from: 0, to: dead.count, by: 1000) {
            let batch = dead[start..<min(start + 1000, dead.count)]
            let forgotten = Set(try await store.forgetArtifacts(batch.map(\.digest), grace: grace))
            for entry in batch where forgotten.contains(entry.digest) {
                guard try artifacts.remove(entry.digest, olderThanSeconds: graceSeconds) else { continue }
                report.removed += 1
                report.bytes += entry.sizeBytes
            }
        }
        periodically.telemetry.update { counts in
            counts.collectedArtifacts += report.removed
            counts.collectedBytes += report.bytes
        }
        return report
    }
}

package struct CollectionReport: Codable, Sendable {
    package var removed: Int
    package var bytes: Int64
}
