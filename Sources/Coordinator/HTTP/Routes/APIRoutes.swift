import Artifacts
import BIDS
import HTTPTypes
import Hummingbird
import Workflow

/// Every operation of the API.
enum APIRoutes {
    static func all(_ parts: CoordinatorParts) -> [APIRoute] {
        let routes =
            healthRoutes(parts) + sessionRoutes(parts) + artifactRoutes(parts) + uploadRoutes(parts)
            + datasetRoutes(parts) + runRoutes(parts) + taskRoutes(parts) + resultRoutes(parts)
            + modelRoutes(parts) + administrationRoutes(parts)
        return routes + [documentRoute(describing: routes)]
    }

    /// The document describes itself too.
    private static func documentRoute(describing routes: [APIRoute]) -> APIRoute {
        var route = APIRoute(
            .get, "/v1/openapi.json", .everybody, operation: "describeAPI", tag: "health", summary: "This document.",
            answers: [.init(200, .json("OpenAPI"), "OpenAPI 3.1.")]
        ) { _, _ in throw APIFailure.notFound("The document is not made yet.") }
        let document = OpenAPIDocument.make(routes: routes + [route], version: CoordinatorServer.version)
        let bytes = document.canonicalData
        route.handler = { _, _ in .json(bytes: bytes) }
        return route
    }
}
