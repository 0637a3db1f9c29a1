/// What the bearer of a token may do. Each role may also do what the ones before it may not only where listed:
/// worker: the worker protocol and artifacts; operator: everything; analyst: read runs, tasks and results.
package enum TokenRole: String, Codable, Sendable, CaseIterable {
    case worker, `operator`, analyst
}

/// `POST /v1/tokens`
package struct TokenRequest: Codable, Sendable {
    package var name: String
    package var role: TokenRole
    package init(name: String, role: TokenRole) { (self.name, self.role) = (name, role) }
}

/// The only time the secret is shown: the database keeps its SHA-256.
package struct TokenGrant: Codable, Sendable {
    package var name: String
    package var role: TokenRole
    package var secret: String
    package init(name: String, role: TokenRole, secret: String) {
        (self.name, self.role, self.secret) = (name, role, secret)
    }
}
