import HTTPTypes
import Hummingbird
import Wire

/// Workers, tokens and upkeep.
func administrationRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let tag = "administration"
    return [
        APIRoute(
            .get, "/v1/workers", .readers, operation: "listWorkers", tag: tag, summary: "The workers.",
            answers: [.init(200, .json("WorkerList"), "Those seen lately.")]
        ) { _, _ in try .json(WorkerList(workers: try await parts.store.workers())) },
        APIRoute(
            .post, "/v1/tokens", .operators, operation: "createToken", tag: tag,
            summary: "Makes a token; its secret is shown this once.", body: .json("TokenRequest"),
            answers: [.init(201, .json("TokenGrant"), "The token.")], errors: [409]
        ) { request, context in
            let body = try await request.decoded(as: TokenRequest.self)
            try body.check()
            return try .json(try await parts.store.createToken(name: body.name, role: body.role), status: .created)
        },
        APIRoute(
            .get, "/v1/tokens", .operators, operation: "listTokens", tag: tag, summary: "The tokens in force.",
            answers: [.init(200, .json("TokenList"), "Never with their secrets.")]
        ) { _, _ in try .json(TokenList(tokens: try await parts.store.tokens())) },
        APIRoute(
            .delete, "/v1/tokens/{name}", .operators, operation: "revokeToken", tag: tag, summary: "Revokes a token.",
            parameters: [.path("name", .string())], answers: [.init(200, .json("Status"), "It works no longer.")],
            errors: [404]
        ) { _, context in
            let name = try context.name("name")
            guard try await parts.store.revokeToken(name: name) else {
                throw APIFailure.notFound("There is no token “\(name)” in force.")
            }
            parts.authentication.forget()
            return try .json(StatusBody(status: "revoked"))
        },
        APIRoute(
            .post, "/v1/gc", .operators, operation: "collectGarbage", tag: tag,
            summary: "Removes artifacts that no task names and that are older than the grace period.",
            answers: [.init(200, .json("CollectionReport"), "What was freed.")]
        ) { _, _ in try .json(try await parts.retention.collect()) },
        APIRoute(
            .get, "/v1/fsck", .operators, operation: "checkInvariants", tag: tag,
            summary: "Looks for broken invariants, and for artifacts that are named but not there.",
            parameters: [.query("scrub", .choice(["true", "false"], "Also digest every artifact."))],
            answers: [.init(200, .json("CheckReport"), "Empty when all hold.")]
        ) { request, _ in
            let query = try QueryValues(request, known: ["scrub"])
            let scrub = try query.value("scrub", "true or false") { Bool($0) } ?? false
            return try .json(CheckReport(violations: try await parts.check(scrub: scrub)))
        },
    ]
}

package struct WorkerList: Codable, Sendable { package var workers: [WorkerSummary] }
package struct TokenList: Codable, Sendable { package var tokens: [TokenSummary] }
package struct CheckReport: Codable, Sendable { package var violations: [String] }
