import Foundation
import Wire

// The worker protocol. All of it may be repeated: claims carry an id, completions a fencing token.
extension CoordinatorClient {
    /// Opens a session. A lost answer leaves a session without a holder, which ends by itself.
    package func openSession(_ request: SessionRequest, patience: Duration? = nil) async throws -> SessionGrant {
        try await call(.post, Self.target(["sessions"]), body: request, mayRepeat: true, patience: patience)
    }

    /// Says goodbye: the coordinator takes every lease of the session back at once.
    package func closeSession(_ session: UUID, patience: Duration? = nil) async throws {
        try await exchange(.delete, Self.session(session), mayRepeat: true, patience: patience)
    }

    package func claim(
        session: UUID, _ request: ClaimRequest, patience: Duration? = nil
    ) async throws -> ClaimResponse {
        try await call(
            .post, Self.session(session, "claim"), body: request, mayRepeat: true, patience: patience,
            timeout: configuration.requestTimeout + .milliseconds(request.waitMilliseconds))
    }

    /// One heartbeat, never repeated here: what it proves is anchored to when *this* request began.
    ///
    /// - Parameter timeout: an answer later than this is worth nothing.
    package func heartbeat(
        session: UUID, _ request: HeartbeatRequest, timeout: Duration
    ) async throws -> HeartbeatResponse {
        try await call(
            .post, Self.session(session, "heartbeat"), body: request, mayRepeat: false, patience: .zero,
            timeout: timeout)
    }

    /// - Parameter mayContinue: asked before every try; false gives up with `ClientError.abandoned`.
    package func complete(
        session: UUID, _ request: CompletionRequest, patience: Duration? = nil,
        mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws -> CompletionResponse {
        try await call(
            .post, Self.session(session, "complete"), body: request, mayRepeat: true, patience: patience,
            mayContinue: mayContinue)
    }

    package func release(session: UUID, _ request: ReleaseRequest, patience: Duration? = nil) async throws {
        try await exchange(
            .post, Self.session(session, "release"), body: request, mayRepeat: true, patience: patience)
    }

    private static func session(_ session: UUID, _ action: String? = nil) -> String {
        target(["sessions", session.uuidString.lowercased()] + (action.map { [$0] } ?? []))
    }
}
