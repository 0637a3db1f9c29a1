import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Wire

/// Makes the router from the list of routes: authentication before every handler, one error shape and one request
/// identifier around all.
enum APIRouter {
    static func make(routes: [APIRoute], authentication: Authentication, telemetry: Telemetry) -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: Surroundings(routes: routes, telemetry: telemetry))
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                var context = context
                context.principal = try await authentication.authenticate(request, context, access: route.access)
                return try await route.handler(request, context)
            }
        }
        return router
    }
}

/// What surrounds every handler: errors in one shape, the request's identifier in the answer, the time it took.
private struct Surroundings: RouterMiddleware {
    let routes: [APIRoute]
    let telemetry: Telemetry

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            response = answer(to: error, request, context)
        }
        response.headers[.requestID] = context.requestID
        if request.method == .head { response = response.createHeadResponse() }
        let elapsed = start.duration(to: .now)
        telemetry.request(
            method: request.method.rawValue, route: context.endpointPath ?? "unknown", status: response.status.code,
            seconds: elapsed / .seconds(1))
        return response
    }

    private func answer(to error: any Error, _ request: Request, _ context: APIContext) -> Response {
        var failure = ErrorMapping.failure(for: error, request: context.requestID)
        if (error as? HTTPError)?.status == .notFound, let allowed = allowedMethods(request.uri.path) {
            failure = APIFailure(
                .methodNotAllowed, "method_not_allowed",
                "\(request.method.rawValue) is not possible here; possible: \(allowed).", headers: [.allow: allowed])
        }
        if ErrorMapping.isWorthLogging(failure) {
            context.logger.error(
                "\(request.method.rawValue) \(request.uri.path) failed",
                metadata: ["error": "\(error)", "status": "\(failure.status.code)"])
        }
        do {
            return try .json(ErrorBody(error: failure.error), status: failure.status, headers: failure.headers)
        } catch {
            preconditionFailure("an error body of texts cannot be encoded: \(error)")
        }
    }

    private func allowedMethods(_ path: String) -> String? {
        let segments = path.split(separator: "/")
        let methods = routes.filter { route in
            let pattern = route.path.split(separator: "/")
            return pattern.count == segments.count
                && zip(pattern, segments).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }.map(\.method.rawValue)
        return methods.isEmpty ? nil : methods.sorted().joined(separator: ", ")
    }
}

package struct ErrorBody: Codable, Sendable {
    package var error: APIError
    package init(error: APIError) { self.error = error }
}
