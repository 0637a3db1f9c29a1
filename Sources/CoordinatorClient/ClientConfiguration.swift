import Foundation

/// Where the coordinator is, who we are to it, and how long we are patient.
package struct ClientConfiguration: Sendable {
    /// Base address: `http://…`, `https://…` (a path prefix is kept), or `unix:/path/to/socket`.
    package var baseURL: String
    /// Secret of the bearer token; nil where the coordinator asks for none.
    package var token: String?
    package var connectTimeout = Duration.seconds(5)
    /// For one exchange of JSON, on top of what a long poll was told to wait.
    package var requestTimeout = Duration.seconds(30)
    /// A transfer of bytes that makes no progress for this long is broken off and resumed.
    package var stallTimeout = Duration.seconds(30)
    /// How long transient failures of requests that may be repeated are tried again; zero: never.
    package var retryFor = Duration.seconds(10)
    package var backoff = Backoff()

    package init(baseURL: String, token: String? = nil) {
        self.baseURL = baseURL
        self.token = token
    }

    /// The secret would cross a network in the clear.
    package var sendsTokenInClear: Bool {
        // A bad address is reported where it is used.
        guard token != nil, let address = try? CoordinatorAddress(baseURL) else { return false }
        return address.scheme == "http" && !address.isLocal
    }
}

/// A base address taken apart.
struct CoordinatorAddress: Sendable {
    var scheme: String
    /// Scheme, authority and prefix without a trailing slash: what targets are appended to.
    var prefix: String
    var unixSocket: String?
    /// The peer is this machine: no proxy may come in between.
    var isLocal: Bool

    init(_ text: String) throws(ClientError) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst("unix:".count)
            guard path.hasPrefix("/") else { throw .badURL(text) }
            (scheme, prefix, unixSocket, isLocal) = ("http", "http://localhost", String(path), true)
            return
        }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let host = parts.host, !host.isEmpty, parts.query == nil,
            parts.fragment == nil, parts.user == nil
        else { throw .badURL(text) }
        self.scheme = scheme
        var prefix = text
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.prefix = prefix
        unixSocket = nil
        isLocal = host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127.")
    }
}
