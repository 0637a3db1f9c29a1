import HTTPTypes
import Wire

/// An error on its way out: the shape every client sees, and the status that goes with it.
package struct APIFailure: Error, Sendable, CustomStringConvertible {
    package var status: HTTPResponse.Status
    package var error: APIError
    package var headers: HTTPFields

    init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String, details: [String]? = nil,
        headers: HTTPFields = [:]
    ) {
        self.status = status
        error = APIError(code: code, message: message, details: details)
        self.headers = headers
    }

    package var description: String { error.description }

    static func invalid(_ message: String, details: [String]? = nil) -> APIFailure {
        APIFailure(.badRequest, "invalid", message, details: details)
    }

    static func notFound(_ message: String) -> APIFailure { APIFailure(.notFound, "not_found", message) }

    static let sessionExpired = APIFailure(
        .gone, "session_expired",
        "This worker session has expired or was closed; stop its attempts and open a new session.")
}
