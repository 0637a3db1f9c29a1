import HTTPTypes
import Hummingbird
import Wire

/// Liveness, readiness, metrics and the description of the API itself: open to all, and free of anything private.
func healthRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    [
        APIRoute(
            .get, "/health", .everybody, operation: "health", tag: "health", summary: "The process is alive.",
            answers: [.init(200, .json("Status"), "It is.")]
        ) { _, _ in try .json(StatusBody(status: "alive")) },
        APIRoute(
            .get, "/ready", .everybody, operation: "ready", tag: "health",
            summary: "The database is reachable and has the schema of this version.",
            answers: [.init(200, .json("Status"), "It can serve requests.")]
        ) { _, _ in
            try await parts.store.ping()
            return try .json(StatusBody(status: "ready"))
        },
        APIRoute(
            .get, "/metrics", .everybody, operation: "metrics", tag: "health", summary: "Metrics for Prometheus.",
            answers: [.init(200, .text(mediaType: "text/plain"), "Text format 0.0.4.")]
        ) { _, _ in
            let text = await MetricsPage.text(parts)
            return .text(text, mediaType: "text/plain; version=0.0.4; charset=utf-8")
        },
    ]
}

package struct StatusBody: Codable, Sendable {
    package var status: String
    package init(status: String) { self.status = status }
}
