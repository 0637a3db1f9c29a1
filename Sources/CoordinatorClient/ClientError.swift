/// What can go wrong between here and the coordinator. An error that the coordinator itself states is thrown as
/// `APIError`.
package enum ClientError: Error, Sendable, CustomStringConvertible {
    case badURL(String)
    /// Nobody answers at the address.
    case unreachable(url: String, reason: String)
    case timedOut(url: String, reason: String)
    case interrupted(url: String, reason: String)
    case untrusted(url: String, reason: String)
    /// Something answers, but not a coordinator of our version.
    case unexpectedAnswer(url: String, status: Int, excerpt: String)
    /// An answer whose JSON does not have the agreed shape.
    case undecodable(url: String, reason: String)
    case digestMismatch(name: String, expected: String, found: String)
    case fileFailed(path: String, doing: String, reason: String)
    /// The caller's condition to go on no longer holds.
    case abandoned(url: String)
    case unusable(url: String, reason: String)

    package var description: String {
        switch self {
        case .badURL(let text):
            "“\(text)” is no coordinator address; write http://host:port, https://host:port or unix:/path/to/socket"
        case .unreachable(let url, let reason):
            "no coordinator answers at \(url) (\(reason)); start one with `qsmflow coordinator` or correct the address"
        case .timedOut(let url, let reason):
            "the coordinator at \(url) did not answer in time (\(reason)); see whether it is overloaded or stopped"
        case .interrupted(let url, let reason):
            "the connection to the coordinator at \(url) broke (\(reason)); try again"
        case .untrusted(let url, let reason):
            "the certificate of \(url) is not trusted (\(reason)); name its authority's file in SSL_CERT_FILE"
        case .unexpectedAnswer(let url, let status, let excerpt):
            "\(url) answered status \(status)\(excerpt.isEmpty ? "" : " “\(excerpt)”"), which no qsmflow coordinator does; "
                + "check the address and any proxy in between"
        case .undecodable(let url, let reason):
            "the answer of \(url) cannot be read (\(reason)); coordinator and client must have the same protocol version"
        case .digestMismatch(let name, let expected, let found):
            "\(name) arrived damaged: its SHA-256 is \(found), not \(expected); the copy was discarded, try again"
        case .fileFailed(let path, let doing, let reason):
            "\(doing) \(path) failed: \(reason)"
        case .abandoned(let url):
            "the exchange with \(url) was given up because its result is no longer wanted"
        case .unusable(let url, let reason):
            "the request to \(url) cannot be made: \(reason)"
        }
    }

    /// The same request may succeed later.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .timedOut, .interrupted: true
        default: false
        }
    }

    init(_ failure: TransportFailure, url: String) {
        self =
            switch failure.cause {
            case .unreachable: .unreachable(url: url, reason: failure.reason)
            case .timedOut: .timedOut(url: url, reason: failure.reason)
            case .interrupted: .interrupted(url: url, reason: failure.reason)
            case .untrusted: .untrusted(url: url, reason: failure.reason)
            case .unusable: .unusable(url: url, reason: failure.reason)
            }
    }
}
