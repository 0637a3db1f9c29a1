import Foundation

/// A timed right to try one task. A completion is accepted only with the token of the lease that is in force.
///
/// The attempt number alone is not enough: after a failover a lost claim could be issued again under the same number.
package struct FencingToken: Codable, Hashable, Sendable {
    /// 1, 2, … per task.
    package var attempt: Int32
    /// Random, drawn by the database with the lease.
    package var nonce: UUID

    package init(attempt: Int32, nonce: UUID) {
        (self.attempt, self.nonce) = (attempt, nonce)
    }
}
