/// Why a coordinator does not start.
package enum CoordinatorError: Error, Hashable, Sendable, CustomStringConvertible {
    case openWithoutToken(host: String)
    case unusableSetting(name: String, value: String, expected: String)

    package var description: String {
        switch self {
        case .openWithoutToken(let host):
            "Serving callers without a token is refused on \(host), which other machines can reach; listen on 127.0.0.1, "
                + "or give every caller a token."
        case .unusableSetting(let name, let value, let expected):
            "The setting \(name) is \(value); it must be \(expected)."
        }
    }

    static func check(_ configuration: CoordinatorConfiguration) throws(CoordinatorError) {
        let host = configuration.host
        let isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        if configuration.allowLoopbackWithoutToken, configuration.socketPath == nil, !isLoopback {
            throw .openWithoutToken(host: host)
        }
        guard (0...65535).contains(configuration.port) else {
            throw .unusableSetting(name: "port", value: "\(configuration.port)", expected: "between 0 and 65535")
        }
        guard configuration.sessionTTL >= .seconds(1) else {
            throw .unusableSetting(
                name: "sessionTTL", value: "\(configuration.sessionTTL)", expected: "at least a second")
        }
    }
}
