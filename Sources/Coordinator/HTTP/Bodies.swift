import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

// JSON in and out.

extension Request {
    /// The body as JSON of a type.
    ///
    /// - Parameter limitBytes: larger bodies are refused with 413.
    /// - Throws: `DecodingError`, which the error mapping turns into the name of the field.
    func decoded<Body: Decodable>(as type: Body.Type, limitBytes: Int = 32 << 20) async throws -> Body {
        let buffer = try await body.collect(upTo: limitBytes)
        guard buffer.readableBytes > 0 else {
            throw APIFailure.invalid("The request has no body; send a JSON object.")
        }
        return try JSONDecoder().decode(Body.self, from: Data(buffer.readableBytesView))
    }
}

extension Request {
    /// A header that counts bytes; nil when it is absent.
    func byteCount(_ name: HTTPField.Name) throws -> Int64? {
        guard let text = headers[name] else { return nil }
        guard let count = Int64(text), count >= 0 else {
            throw APIFailure.invalid(
                "The header \(name) is not a number of bytes, but “\(text)”.", details: ["\(name)"])
        }
        return count
    }
}

extension RequestBody {
    /// The body as it arrives, in pieces that are not copied. Asking for the next is what lets the client send more.
    var views: some AsyncSequence<ByteBufferView, any Error> & Sendable { BodyViews(body: self) }
}

private struct BodyViews: AsyncSequence, Sendable {
    let body: RequestBody

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator
        mutating func next() async throws -> ByteBufferView? { try await base.next()?.readableBytesView }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator()) }
}

extension Response {
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return json(bytes: try encoder.encode(value), status: status, headers: headers)
    }

    static func json(bytes: Data, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func text(_ text: String, mediaType: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: mediaType],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
