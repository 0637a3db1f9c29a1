import CoordinatorClient
import Foundation
import Synchronization
import Wire

/// What an attempt may know of the session it runs under.
struct SessionContact: Sendable {
    let id: UUID
    let client: CoordinatorClient
    let completions: CompletionBatcher
    /// Whether leases may be believed in at this very moment; asked before anything is sent.
    let isTrusted: @Sendable () -> Bool
    /// How much longer they may be if no heartbeat is answered.
    let remainingTrust: @Sendable () -> Duration
    /// The coordinator said that the session has ended.
    let expired: @Sendable () -> Void

    /// Passes an error on, after drawing the consequence of a session's end.
    func noting<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let error as APIError where error.endsSession {
            expired()
            throw error
        }
    }
}

extension APIError {
    var endsSession: Bool { code == "session_expired" }

    /// The same request may succeed later.
    var isPassing: Bool {
        ["database_unavailable", "stopping", "internal", "storage_full", "damaged", "upload_in_progress"].contains(code)
    }
}
