import BIDS
import HTTPTypes
import Hummingbird
import Wire

/// One operation of the API: what answers it, and all that the OpenAPI document says of it.
///
/// The router and the document are made from the same list, so neither can know an operation that the other lacks.
package struct APIRoute: Sendable {
    package enum Access: Hashable, Sendable {
        case everybody
        /// These roles; operators always.
        case roles(Set<TokenRole>)

        static let operators = Access.roles([.operator])
        static let readers = Access.roles([.operator, .analyst])
        static let workers = Access.roles([.operator, .worker])
        static let anyRole = Access.roles([.operator, .worker, .analyst])
    }

    /// What a body holds.
    package enum Content: Hashable, Sendable {
        /// JSON of the named schema.
        case json(String)
        case bytes
        case text(mediaType: String)
        /// One result in several forms.
        case table
        case nothing
    }

    package struct Parameter: Hashable, Sendable {
        package enum Place: String, Sendable { case path, query, header }

        package var name: String
        package var place: Place
        package var schema: Schema
        package var isRequired: Bool

        static func path(_ name: String, _ schema: Schema) -> Parameter {
            Parameter(name: name, place: .path, schema: schema, isRequired: true)
        }
        static func query(_ name: String, _ schema: Schema) -> Parameter {
            Parameter(name: name, place: .query, schema: schema, isRequired: false)
        }
        static func header(_ name: String, _ schema: Schema, isRequired: Bool = false) -> Parameter {
            Parameter(name: name, place: .header, schema: schema, isRequired: isRequired)
        }
    }

    package struct Answer: Hashable, Sendable {
        package var status: Int
        package var content: Content
        package var summary: String

        init(_ status: Int, _ content: Content, _ summary: String) {
            (self.status, self.content, self.summary) = (status, content, summary)
        }
    }

    package typealias Handler = @Sendable (Request, APIContext) async throws -> Response

    package var method: HTTPRequest.Method
    /// As OpenAPI and the router write it: `/v1/runs/{run}`.
    package var path: String
    package var access: Access
    /// Stable name of the operation, for generated clients.
    package var operation: String
    package var tag: String
    package var summary: String
    package var parameters: [Parameter]
    package var body: Content
    package var answers: [Answer]
    /// Statuses answered with an `APIError`, besides those that every route may answer with.
    package var errors: [Int]
    package var handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, operation: String, tag: String,
        summary: String, parameters: [Parameter] = [], body: Content = .nothing, answers: [Answer],
        errors: [Int] = [], handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.operation = operation
        self.tag = tag
        self.summary = summary
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.errors = errors
        self.handler = handler
    }
}
