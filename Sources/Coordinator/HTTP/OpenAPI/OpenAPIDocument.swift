import BIDS
import HTTPTypes
import Wire

/// The OpenAPI 3.1 document, made from the routes.
package enum OpenAPIDocument {
    package static func make(routes: [APIRoute], version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for route in routes {
            var path = paths[route.path] ?? .object([:])
            path[route.method.rawValue.lowercased()] = operation(route)
            paths[route.path] = path
        }
        return .object([
            "openapi": "3.1.0",
            "info": .object([
                "title": "qsmflow coordinator",
                "version": .string(version),
                "summary": "Cohorts of quantitative susceptibility mapping, from BIDS datasets to results in SQL.",
                "license": .object(["name": "Apache-2.0", "identifier": "Apache-2.0"]),
            ]),
            "servers": .array([.object(["url": "/"])]),
            "tags": .array(Set(routes.map(\.tag)).sorted().map { .object(["name": .string($0)]) }),
            "paths": .object(paths),
            "components": .object([
                "schemas": .object(WireSchemas.all.mapValues(\.json)),
                "securitySchemes": .object([
                    "token": .object(["type": "http", "scheme": "bearer"])
                ]),
            ]),
        ])
    }

    private static func operation(_ route: APIRoute) -> JSONValue {
        var operation: JSONValue = .object([
            "operationId": .string(route.operation),
            "summary": .string(route.summary),
            "tags": .array([.string(route.tag)]),
            "responses": .object(responses(route)),
        ])
        switch route.access {
        case .everybody:
            operation["security"] = .array([])
        case .roles(let roles):
            operation["security"] = .array([.object(["token": .array([])])])
            let names = roles.union([.operator]).map(\.rawValue).sorted().joined(separator: ", ")
            operation["description"] = .string("Roles: \(names).")
        }
        if !route.parameters.isEmpty {
            operation["parameters"] = .array(
                route.parameters.map { parameter in
                    .object([
                        "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
                        "required": .bool(parameter.isRequired), "schema": parameter.schema.json,
                    ])
                })
        }
        if let content = content(route.body) {
            operation["requestBody"] = .object(["required": true, "content": content])
        }
        return operation
    }

    private static func responses(_ route: APIRoute) -> [String: JSONValue] {
        var responses: [String: JSONValue] = [:]
        for answer in route.answers {
            var response: JSONValue = .object(["description": .string(answer.summary)])
            if route.method != .head, let content = content(answer.content) { response["content"] = content }
            responses["\(answer.status)"] = response
        }
        for status in errorStatuses(of: route) where responses["\(status)"] == nil {
            var response: JSONValue = .object(["description": .string(Self.errorSummaries[status] ?? "Refused.")])
            if route.method != .head, let content = content(.json("Error")) { response["content"] = content }
            responses["\(status)"] = response
        }
        return responses
    }

    /// Statuses that a route may answer with besides its own.
    private static func errorStatuses(of route: APIRoute) -> Set<Int> {
        var statuses = Set(route.errors).union([500, 503])
        if route.access != .everybody { statuses.formUnion([401, 403]) }
        if !route.parameters.isEmpty || route.body != .nothing { statuses.insert(400) }
        if route.body != .nothing { statuses.insert(413) }
        return statuses
    }

    private static let errorSummaries: [Int: String] = [
        400: "The request is not valid; the details name the field.", 401: "A token is needed.",
        403: "The token's role may not do this.", 404: "There is no such thing.",
        409: "It does not fit the present state; look again and repeat.", 410: "It is gone.",
        413: "The body is too large.", 416: "The range lies outside the file.",
        422: "The content is not what it says it is.", 500: "A fault of the coordinator.",
        503: "Not possible at the moment; try again.", 507: "The disk is full.",
    ]

    private static func content(_ content: APIRoute.Content) -> JSONValue? {
        switch content {
        case .json(let name): .object(["application/json": .object(["schema": Schema.reference(name).json])])
        case .bytes: .object(["application/octet-stream": .object([:])])
        case .text(let mediaType): .object([mediaType: .object(["schema": Schema.string().json])])
        case .table:
            .object([
                "application/json": .object(["schema": Schema.list(of: .map(of: .anything("A cell."))).json]),
                "text/csv": .object(["schema": Schema.string().json]),
                "text/tab-separated-values": .object(["schema": Schema.string().json]),
            ])
        case .nothing: nil
        }
    }
}
