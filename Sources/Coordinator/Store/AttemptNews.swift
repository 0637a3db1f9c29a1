import Synchronization
import Wire
import Workflow

import struct Foundation.UUID

/// What workers last said of the attempts they are at: how far, and the last line of the log. Kept in memory, as it is old
/// with the next sign of life; a coordinator that starts anew hears of it again within seconds.
final class AttemptNews: Sendable {
    struct Item: Sendable {
        /// 0…1.
        var progress: Double?
        var lastLine: String?
    }

    private struct Told {
        /// By the nonce of the lease.
        var items: [UUID: Item]
        var until: ContinuousClock.Instant
    }

    private let told = Mutex<[UUID: Told]>([:])

    /// Takes the place of what the session said before.
    ///
    /// - Parameter ttl: after which a session that is not heard of has ended.
    func heard(_ held: [HeartbeatRequest.Held], from session: UUID, ttl: Duration) {
        let now = ContinuousClock.now
        let items = held.filter { $0.progress != nil || $0.lastLine != nil }.map {
            ($0.lease.token.nonce, Item(progress: $0.progress, lastLine: WorkerText.clean($0.lastLine, limit: 500)))
        }
        told.withLock { told in
            for (session, old) in told where old.until < now { told[session] = nil }
            told[session] =
                items.isEmpty ? nil : Told(items: Dictionary(items) { first, _ in first }, until: now.advanced(by: ttl))
        }
    }

    func forget(_ session: UUID) { told.withLock { $0[session] = nil } }

    /// Of one attempt, named by its lease.
    func item(session: UUID, nonce: UUID) -> Item? { told.withLock { $0[session]?.items[nonce] } }
}
