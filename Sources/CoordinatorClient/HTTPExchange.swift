import Foundation

/// One request, as the transport sends it.
struct HTTPRequest: Sendable {
    enum Body: Sendable {
        case none
        case bytes(Data)
        /// `length` bytes of a file from `offset`, read as they are sent.
        case file(path: String, offset: Int64, length: Int64)
    }

    enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    var method: Method
    /// Percent-encoded path and query, from the leading `/`.
    var target: String
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// Longest time for the whole exchange; nil where only a stall ends it.
    var timeout: Duration?
    /// Asked before each piece is sent or taken in; false ends the exchange with `ClientError.abandoned`.
    var mayContinue: (@Sendable () -> Bool)?
    /// Takes the body of a successful answer piece by piece, on the transport's thread: it must not wait for long.
    /// Beside each piece it gets the head, whose `receivedBytes` counts the pieces before. Nil gathers the body in memory.
    var receive: (@Sendable (_ head: HTTPAnswer, _ piece: UnsafeRawBufferPointer) throws -> Void)?
}

/// The answer. `body` is empty where `receive` took it.
struct HTTPAnswer: Sendable {
    var status = 0
    /// Names in lower case; the last of several values.
    var headers: [String: String] = [:]
    var body = Data()
    /// Bytes handed to `receive`.
    var receivedBytes: Int64 = 0

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// How an exchange failed without a complete answer.
struct TransportFailure: Error, Sendable {
    enum Cause: Sendable {
        /// Not one byte of the request left this machine: sending it again cannot do anything twice.
        case unreachable
        case timedOut
        /// The connection broke somewhere between sending and the end of the answer.
        case interrupted
        /// The server's certificate or the TLS set-up; the same again fails again.
        case untrusted
        /// A fault of ours or of the URL.
        case unusable
    }

    var cause: Cause
    /// libcurl's words.
    var reason: String
    /// Bytes of the body that `receive` had taken.
    var receivedBytes: Int64
}
