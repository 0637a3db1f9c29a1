import Artifacts
import HTTPTypes
import Hummingbird
import Wire
import Workflow

/// Networks with their weights. Their bytes go through the routes of the artifacts.
func modelRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let model = APIRoute.Parameter.path(
        "model", .string("A name, a digest, or at least six digits that one digest begins with.", minLength: 1))
    let tag = "models"
    return [
        APIRoute(
            .get, "/v1/models", .readers, operation: "listModels", tag: tag, summary: "The models, newest first.",
            parameters: [
                .query("name", .string("Only those whose name begins so.")),
                .query("limit", .integer(minimum: 1, maximum: 10_000)),
                .query("after", .string("Digest: only models after this one, for paging.")),
            ], answers: [.init(200, .json("ModelList"), "At most limit of them, 1000 when not stated.")]
        ) { request, _ in
            let query = try QueryValues(request, known: ["name", "limit", "after"])
            let after = try query.value("after", "a SHA-256 of 64 lower-case hexadecimal digits") {
                ArtifactDigest(hex: $0)
            }
            let limit = try query.count("limit", in: 1...10_000) ?? 1000
            return try .json(
                ModelList(models: try await parts.store.models(name: query.text("name"), after: after, limit: limit)))
        },
        APIRoute(
            .get, "/v1/models/{model}", .readers, operation: "showModel", tag: tag, summary: "A model with its card.",
            parameters: [model], answers: [.init(200, .json("ModelDetail"), "The model.")], errors: [404, 409]
        ) { _, context in try .json(try await parts.store.model(try context.name("model"))) },
        APIRoute(
            .put, "/v1/models/{model}", .operators, operation: "putModel", tag: tag,
            summary: "Registers an artifact as a model, or names one; here the path has the whole digest.",
            parameters: [model], body: .json("ModelRequest"),
            answers: [
                .init(201, .json("ModelDetail"), "It is a model now."),
                .init(200, .json("ModelDetail"), "It was one already."),
            ], errors: [409]
        ) { request, context in
            let digest = try context.digest("model")
            let body = try await request.decoded(as: ModelRequest.self)
            try body.check()
            let (detail, isNew) = try await parts.store.putModel(
                digest, body, hasBytes: try parts.artifacts.contains(digest), by: context.actor)
            return try .json(detail, status: isNew ? .created : .ok, headers: [.location: "/v1/models/\(digest)"])
        },
        APIRoute(
            .put, "/v1/runs/{run}/models", .operators, operation: "nameFolds", tag: tag,
            summary: "Names the models that a step of the run trained over the folds of a cross-validation.",
            parameters: [.path("run", WireSchemas.run)], body: .json("FoldNaming"),
            answers: [.init(200, .json("ModelList"), "They, in the order of the folds.")], errors: [404, 409, 422]
        ) { request, context in
            let run = try context.run()
            _ = try await parts.existing(run: run)
            let naming = try await request.decoded(as: FoldNaming.self)
            return try .json(
                ModelList(models: try await parts.store.nameFolds(of: run, naming, by: context.actor)))
        },
        APIRoute(
            .delete, "/v1/models/{model}", .operators, operation: "removeModel", tag: tag,
            summary:
                "Takes a model's name away (of a name that stands for folds, theirs), and what an import brought; what a run "
                + "trained stays with the run.",
            parameters: [model],
            answers: [.init(200, .json("Status"), "removed; or unnamed: it stays with the run that trained it.")],
            errors: [404, 409]
        ) { _, context in
            let isGone = try await parts.store.removeModel(try context.name("model"), by: context.actor)
            return try .json(StatusBody(status: isGone ? "removed" : "unnamed"))
        },
    ]
}
