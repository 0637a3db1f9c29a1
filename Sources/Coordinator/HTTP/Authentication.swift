import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Wire

/// Finds out who sends a request, and refuses who may not.
///
/// A token is looked up by its SHA-256, so the comparison takes the same time whatever the secret, and the database
/// never sees one. What was found is remembered for some seconds: a thousand polling workers then cost no queries. A
/// token revoked on another coordinator may work for that long; one revoked here stops at once.
struct Authentication: Sendable {
    /// Role and name of a secret; nil when no token has it.
    typealias Lookup = @Sendable (_ secret: String) async throws -> Principal?

    private let allowsLoopbackWithoutToken: Bool
    /// Digest of the secret of the process that owns this coordinator.
    private let owner: SHA256Digest?
    private let remembered: RememberedTokens
    private let lookUp: Lookup

    init(
        allowsLoopbackWithoutToken: Bool, ownerToken: String? = nil, rememberFor: Duration = .seconds(10),
        lookUp: @escaping Lookup
    ) {
        self.allowsLoopbackWithoutToken = allowsLoopbackWithoutToken
        owner = ownerToken.map { SHA256.hash(data: Data($0.utf8)) }
        self.lookUp = lookUp
        remembered = RememberedTokens(lifetime: rememberFor)
    }

    /// - Throws: `APIFailure` 401 or 403.
    func authenticate(_ request: Request, _ context: APIContext, access: APIRoute.Access) async throws -> Principal? {
        guard case .roles(let roles) = access else { return nil }
        guard let principal = try await principal(request, context) else {
            throw APIFailure(
                .unauthorized, "unauthorized",
                "This needs a token: send the header “Authorization: Bearer SECRET” with a secret made by "
                    + "`qsmflow token create`, or one that has not been revoked.",
                headers: [.wwwAuthenticate: "Bearer realm=\"qsmflow\""])
        }
        guard principal.role == .operator || roles.contains(principal.role) else {
            let wanted = roles.map(\.rawValue).sorted().joined(separator: " or ")
            throw APIFailure(
                .forbidden, "forbidden",
                "The token “\(principal.name)” has the role \(principal.role.rawValue), but this needs \(wanted).")
        }
        return principal
    }

    /// Forgets what was remembered, after a token was revoked.
    func forget() { remembered.clear() }

    private func principal(_ request: Request, _ context: APIContext) async throws -> Principal? {
        guard let header = request.headers[.authorization] else {
            return isTrustedLoopback(request, context) ? Principal(name: "loopback", role: .operator) : nil
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let secret = parts[1].trimmingCharacters(in: .whitespaces)
        let key = SHA256.hash(data: Data(secret.utf8))
        // Digests compare in constant time.
        if let owner, owner == key { return Principal(name: "owner", role: .operator) }
        if let known = remembered[key] { return known }
        guard let found = try await lookUp(secret) else { return nil }
        remembered[key] = found
        return found
    }

    /// A process of this machine that is no web page: browsers state an `Origin`, and address a name of their choice.
    private func isTrustedLoopback(_ request: Request, _ context: APIContext) -> Bool {
        guard allowsLoopbackWithoutToken, request.headers[.origin] == nil else { return false }
        guard let address = context.remoteAddress else { return true }
        switch address {
        case .v4, .v6:
            guard let ip = address.ipAddress else { return false }
            let host = request.head.authority.map(Self.hostName) ?? ""
            return (ip.hasPrefix("127.") || ip == "::1" || ip.hasPrefix("::ffff:127."))
                && (host == "localhost" || host == "::1" || host.hasPrefix("127."))
        case .unixDomainSocket:
            return true
        }
    }

    private static func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" }).lowercased()
    }
}

/// What recent look-ups found, by the digest of the secret.
private final class RememberedTokens: Sendable {
    private struct Entry: Sendable {
        var principal: Principal
        var ends: ContinuousClock.Instant
    }

    private static let limit = 10_000
    private let entries = Mutex<[SHA256Digest: Entry]>([:])
    private let lifetime: Duration

    init(lifetime: Duration) { self.lifetime = lifetime }

    subscript(key: SHA256Digest) -> Principal? {
        get {
            entries.withLock { entries in
                guard let entry = entries[key], entry.ends > .now else { return nil }
                return entry.principal
            }
        }
        set {
            entries.withLock { entries in
                if entries.count >= Self.limit { entries.removeAll() }
                entries[key] = newValue.map { Entry(principal: $0, ends: .now + lifetime) }
            }
        }
    }

    func clear() { entries.withLock { $0.removeAll() } }
}
