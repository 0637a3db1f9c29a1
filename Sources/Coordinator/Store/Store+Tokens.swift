import Crypto
import Foundation
import Postgres
import Wire

/// A token as an operator sees it; its secret is known to its bearer only.
package struct TokenSummary: Sendable, Hashable, Codable {
    package var name: String
    package var role: TokenRole
    /// ISO 8601, UTC.
    package var createdAt: String

    package init(name: String, role: TokenRole, createdAt: String) {
        (self.name, self.role, self.createdAt) = (name, role, createdAt)
    }
}

extension Store {
    /// Makes a token. The secret is in the answer and nowhere else: the database keeps its SHA-256, which for 256 random
    /// bits needs no salt.
    package func createToken(name: String, role: TokenRole) async throws -> TokenGrant {
        guard !name.isEmpty else { throw StoreError.emptyTokenName }
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        let secret =
            "qsm_"
            + Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
        let stored = try await pool.run { session in
            try session.execute(
                "INSERT INTO token (name, role, secret_sha256) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
                [.text(name), .text(role.rawValue), .bytea(Self.hash(secret))])
        }
        guard stored == 1 else { throw StoreError.tokenExists(name) }
        return TokenGrant(name: name, role: role, secret: secret)
    }

    private static func hash(_ secret: String) -> [UInt8] {
        Array(SHA256.hash(data: Data(secret.utf8)))
    }

    /// Who bears a secret; nil when nobody does.
    package func role(ofSecret secret: String) async throws -> (name: String, role: TokenRole)? {
        try await pool.run { session in
            try session.first("SELECT name, role FROM token WHERE secret_sha256 = $1", [.bytea(Self.hash(secret))]) {
                let (name, role) = try $0.decode(String.self, String.self)
                guard let known = TokenRole(rawValue: role) else {
                    throw StoreError.damagedRow(table: "token", what: "role \"\(role)\" is unknown")
                }
                return (name, known)
            }
        }
    }

    /// - Returns: false when there is no such token.
    package func revokeToken(name: String) async throws -> Bool {
        try await pool.run { try $0.execute("DELETE FROM token WHERE name = $1", [.text(name)]) } > 0
    }

    package func tokens() async throws -> [TokenSummary] {
        try await pool.run { session in
            try session.query("SELECT name, role, \(iso8601("created_at")) FROM token ORDER BY name") { row in
                let (name, role, created) = try row.decode(String.self, String.self, String.self)
                guard let known = TokenRole(rawValue: role) else {
                    throw StoreError.damagedRow(table: "token", what: "role \"\(role)\" is unknown")
                }
                return TokenSummary(name: name, role: known, createdAt: created)
            }
        }
    }
}
