import Foundation
import HTTPTypes
import Hummingbird
import Wire

/// The worker protocol.
func sessionRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let session = APIRoute.Parameter.path("session", WireSchemas.uuid)
    let tag = "worker protocol"
    return [
        APIRoute(
            .post, "/v1/sessions", .workers, operation: "openSession", tag: tag, summary: "Opens a worker session.",
            body: .json("SessionRequest"), answers: [.init(201, .json("SessionGrant"), "The session.")]
        ) { request, _ in
            let body = try await request.decoded(as: SessionRequest.self)
            try body.check()
            return try .json(try await parts.claims.open(body), status: .created)
        },
        APIRoute(
            .delete, "/v1/sessions/{session}", .workers, operation: "closeSession", tag: tag,
            summary: "Ends a session; its leases go back at once.", parameters: [session],
            answers: [.init(200, .json("Status"), "It is closed, or was not open.")]
        ) { _, context in
            try await parts.claims.close(try context.session())
            return try .json(StatusBody(status: "closed"))
        },
        APIRoute(
            .post, "/v1/sessions/{session}/claim", .workers, operation: "claim", tag: tag,
            summary: "Takes tasks to run, waiting for some when there are none.", parameters: [session],
            body: .json("ClaimRequest"),
            answers: [.init(200, .json("ClaimResponse"), "Leases; none when nothing came within the wait.")],
            errors: [410]
        ) { request, context in
            let body = try await request.decoded(as: ClaimRequest.self)
            try body.check()
            let leases = try await parts.claims.claim(
                session: try context.session(), body, isConnected: { context.isConnected })
            return try .json(ClaimResponse(leases: leases))
        },
        APIRoute(
            .post, "/v1/sessions/{session}/heartbeat", .workers, operation: "heartbeat", tag: tag,
            summary: "Keeps the session, and with it all its leases, alive.", parameters: [session],
            body: .json("HeartbeatRequest"), answers: [.init(200, .json("HeartbeatResponse"), "What to stop.")],
            errors: [410]
        ) { request, context in
            let body = try await request.decoded(as: HeartbeatRequest.self)
            try body.check()
            guard let response = try await parts.store.heartbeat(session: try context.session(), request: body) else {
                throw APIFailure.sessionExpired
            }
            return try .json(response)
        },
        APIRoute(
            .post, "/v1/sessions/{session}/complete", .workers, operation: "complete", tag: tag,
            summary: "Hands in finished attempts; each is accepted once.", parameters: [session],
            body: .json("CompletionRequest"), answers: [.init(200, .json("CompletionResponse"), "One verdict each.")],
            errors: [410]
        ) { request, context in
            let body = try await request.decoded(as: CompletionRequest.self, limitBytes: 256 << 20)
            try body.check()
            let verdicts = try await parts.claims.complete(session: try context.session(), body.items)
            return try .json(CompletionResponse(items: verdicts))
        },
        APIRoute(
            .post, "/v1/sessions/{session}/release", .workers, operation: "release", tag: tag,
            summary: "Hands leases back unharmed.", parameters: [session], body: .json("ReleaseRequest"),
            answers: [.init(200, .json("Status"), "The tasks are ready again.")], errors: [410]
        ) { request, context in
            let body = try await request.decoded(as: ReleaseRequest.self)
            try body.check()
            try await parts.claims.release(session: try context.session(), body.leases)
            return try .json(StatusBody(status: "released"))
        },
    ]
}
