import Foundation
import Wire

/// The coordinator's API, one method per route.
///
/// Every method throws `APIError` (the coordinator says no), `ClientError` (it could not be asked) or
/// `CancellationError`. Requests that may be repeated are tried again after transient failures, for as long as the
/// configuration says; a request that may not is repeated only when it never left this machine.
package struct CoordinatorClient: Sendable {
    package let configuration: ClientConfiguration
    let address: CoordinatorAddress
    /// Bytes of artifacts have a thread of their own, so that a slow disk never delays a heartbeat.
    let control: CurlLoop
    let data: CurlLoop

    /// - Throws: `ClientError.badURL`.
    package init(
        _ configuration: ClientConfiguration, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ClientError) {
        self.configuration = configuration
        address = try CoordinatorAddress(configuration.baseURL)
        let settings = CurlSettings(address: address, configuration: configuration, environment: environment)
        control = CurlLoop(settings: settings, name: "http-control")
        data = CurlLoop(settings: settings, name: "http-data")
    }

    /// What error messages call the coordinator.
    package var displayURL: String { configuration.baseURL }

    // MARK: JSON calls

    func get<Answer: Decodable>(_ target: String, as type: Answer.Type = Answer.self) async throws -> Answer {
        try await call(.get, target, mayRepeat: true)
    }

    func call<Answer: Decodable>(
        _ method: HTTPRequest.Method, _ target: String, body: (any Encodable & Sendable)? = nil, mayRepeat: Bool,
        patience: Duration? = nil, timeout: Duration? = nil, mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws -> Answer {
        let answer = try await exchange(
            method, target, body: body, mayRepeat: mayRepeat, patience: patience, timeout: timeout,
            mayContinue: mayContinue)
        do {
            return try JSONDecoder().decode(Answer.self, from: answer.body)
        } catch {
            throw ClientError.undecodable(url: displayURL + target, reason: Self.words(error))
        }
    }

    /// A JSON exchange whose answer is successful.
    @discardableResult
    func exchange(
        _ method: HTTPRequest.Method, _ target: String, body: (any Encodable & Sendable)? = nil, mayRepeat: Bool,
        patience: Duration? = nil, timeout: Duration? = nil, mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws -> HTTPAnswer {
        var request = HTTPRequest(method: method, target: target)
        request.mayContinue = mayContinue
        request.headers.append(("Accept", "application/json"))
        request.timeout = timeout ?? configuration.requestTimeout
        if let body {
            request.body = .bytes(try JSONEncoder().encode(body))
            request.headers.append(("Content-Type", "application/json"))
        }
        let answer = try await send(request, on: control, mayRepeat: mayRepeat, patience: patience)
        guard answer.isSuccess else { throw refusal(answer, target: target) }
        return answer
    }

    // MARK: Sending with patience

    /// Sends a request, again after transient failures where that is safe.
    ///
    /// - Parameter patience: how long to try again; nil: as configured.
    /// - Returns: the first answer that is not a passing condition of the server, of any status.
    func send(
        _ request: HTTPRequest, on loop: CurlLoop, mayRepeat: Bool, patience: Duration? = nil
    ) async throws -> HTTPAnswer {
        var request = request
        if let token = configuration.token { request.headers.append(("Authorization", "Bearer \(token)")) }
        let giveUp = ContinuousClock.now.advanced(by: patience ?? configuration.retryFor)
        var backoff = configuration.backoff
        while true {
            let wait = { () -> Duration? in
                let wait = backoff.next(jitter: .random(in: 0..<1))
                return ContinuousClock.now.advanced(by: wait) < giveUp ? wait : nil
            }
            // Before every try: this process may have been stopped since the last one.
            if let mayContinue = request.mayContinue, !mayContinue() { throw ClientError.abandoned(url: displayURL) }
            do {
                let answer = try await loop.perform(request)
                guard mayRepeat, Self.isPassing(answer.status), answer.receivedBytes == 0, let wait = wait() else {
                    return answer
                }
                try await Task.sleep(for: wait)
            } catch let failure as TransportFailure {
                let isSafe =
                    switch failure.cause {
                    case .unreachable: true
                    case .timedOut, .interrupted: mayRepeat && failure.receivedBytes == 0
                    case .untrusted, .unusable: false
                    }
                guard isSafe, let wait = wait() else { throw ClientError(failure, url: displayURL) }
                try await Task.sleep(for: wait)
            }
        }
    }

    /// Too many requests, or a server or proxy without its backend: worth asking again.
    private static func isPassing(_ status: Int) -> Bool { [429, 502, 503, 504].contains(status) }

    private struct ErrorBody: Decodable { var error: APIError }

    /// The error that an unsuccessful answer states.
    func refusal(_ answer: HTTPAnswer, target: String) -> any Error {
        // A body of another shape is not the coordinator's: said below.
        if let body = try? JSONDecoder().decode(ErrorBody.self, from: answer.body) { return body.error }
        let excerpt = String(decoding: answer.body.prefix(120), as: UTF8.self)
            .split(whereSeparator: \.isNewline).joined(separator: " ")
        return ClientError.unexpectedAnswer(url: displayURL + target, status: answer.status, excerpt: excerpt)
    }

    private static func words(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): "\(path(context.codingPath)) lacks “\(key.stringValue)”"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(path(context.codingPath)): \(context.debugDescription)"
        case .dataCorrupted(let context): "\(path(context.codingPath)): \(context.debugDescription)"
        default: "\(error)"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.isEmpty ? "the body" : keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }

    /// `/v1` and the path's segments, percent-encoded, with a query of the pairs whose value is not nil.
    static func target(_ segments: [String], query: [(String, String?)] = []) -> String {
        let path = ([WireVersion.current] + segments).map { "/" + escaped($0) }.joined()
        let pairs = query.compactMap { name, value in value.map { "\(escaped(name))=\(escaped($0))" } }
        return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
    }
}
