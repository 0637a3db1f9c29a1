import Foundation
import Wire

/// What a collection of unreferenced artifacts freed.
package struct CollectionReport: Codable, Sendable {
    package var removed: Int
    package var bytes: Int64
    package init(removed: Int, bytes: Int64) { (self.removed, self.bytes) = (removed, bytes) }
}

/// A token as it is listed: never its secret.
package struct TokenSummary: Codable, Sendable {
    package var name: String
    package var role: TokenRole
    /// ISO 8601, UTC.
    package var createdAt: String?
    package init(name: String, role: TokenRole, createdAt: String?) {
        (self.name, self.role, self.createdAt) = (name, role, createdAt)
    }
}

// Upkeep: what the operator of an installation asks for.
extension CoordinatorClient {
    /// Returns when the coordinator is up and its database reachable.
    package func ready(patience: Duration? = nil) async throws {
        try await exchange(.get, "/ready", mayRepeat: true, patience: patience)
    }

    package func health(patience: Duration? = nil) async throws {
        try await exchange(.get, "/health", mayRepeat: true, patience: patience)
    }

    package func workers() async throws -> [WorkerSummary] {
        struct Answer: Decodable { var workers: [WorkerSummary] }
        return try await get(Self.target(["workers"]), as: Answer.self).workers
    }

    /// Makes a token. Not repeated: the secret of a lost answer is lost.
    package func createToken(_ request: TokenRequest) async throws -> TokenGrant {
        try await call(.post, Self.target(["tokens"]), body: request, mayRepeat: false)
    }

    package func tokens() async throws -> [TokenSummary] {
        struct Answer: Decodable { var tokens: [TokenSummary] }
        return try await get(Self.target(["tokens"]), as: Answer.self).tokens
    }

    package func revokeToken(name: String) async throws {
        try await exchange(.delete, Self.target(["tokens", name]), mayRepeat: true)
    }

    /// Removes artifacts that no task names.
    package func collectGarbage() async throws -> CollectionReport {
        try await call(.post, Self.target(["gc"]), mayRepeat: true, timeout: .seconds(3600))
    }

    /// Broken invariants of the database, one sentence each; empty when all hold.
    package func check() async throws -> [String] {
        struct Answer: Decodable { var violations: [String] }
        let answer: Answer = try await call(.get, Self.target(["fsck"]), mayRepeat: true, timeout: .seconds(3600))
        return answer.violations
    }

    package func datasets() async throws -> [IndexReport.Dataset] {
        struct Answer: Decodable { var datasets: [IndexReport.Dataset] }
        return try await get(Self.target(["datasets"]), as: Answer.self).datasets
    }
}
