import HTTPTypes
import Hummingbird
import Wire
import Workflow

/// Plans, runs and what operators do to them.
func runRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let run = APIRoute.Parameter.path("run", WireSchemas.run)
    let tag = "runs"
    return [
        APIRoute(
            .post, "/v1/workflows/validate", .readers, operation: "validateWorkflow", tag: tag,
            summary: "Checks a workflow file without looking at any dataset.", body: .json("ValidationRequest"),
            answers: [.init(200, .json("ValidationReport"), "Problems, with line and column.")]
        ) { request, _ in
            let body = try await request.decoded(as: ValidationRequest.self)
            return try .json(ValidationReport(problems: Submission.problems(inText: body.text, path: body.path)))
        },
        APIRoute(
            .post, "/v1/plans", .operators, operation: "plan", tag: tag,
            summary: "What a run would do; nothing is stored but the index.", body: .json("RunRequest"),
            answers: [.init(200, .json("PlanReport"), "The plan.")], errors: [422]
        ) { request, _ in
            let body = try await request.decoded(as: RunRequest.self)
            try body.check()
            return try .json(try await parts.submission.plan(body))
        },
        APIRoute(
            .get, "/v1/runs", .readers, operation: "listRuns", tag: tag, summary: "The runs, newest first.",
            parameters: [.query("limit", .integer(minimum: 1, maximum: 1000))],
            answers: [.init(200, .json("RunList"), "At most limit of them, 100 when not stated.")]
        ) { request, _ in
            let query = try QueryValues(request, known: ["limit"])
            let limit = try query.count("limit", in: 1...1000) ?? 100
            return try .json(RunList(runs: try await parts.store.runs(limit: limit)))
        },
        APIRoute(
            .post, "/v1/runs", .operators, operation: "createRun", tag: tag,
            summary: "Indexes the dataset, expands the workflow over it and starts it.", body: .json("RunRequest"),
            answers: [.init(201, .json("RunCreated"), "The run.")], errors: [422]
        ) { request, context in
            let body = try await request.decoded(as: RunRequest.self)
            try body.check()
            let created = try await parts.submission.submit(body, requestedBy: context.actor)
            return try .json(created, status: .created, headers: [.location: "/v1/runs/\(created.run)"])
        },
        APIRoute(
            .get, "/v1/runs/{run}", .readers, operation: "showRun", tag: tag, summary: "A run with its steps.",
            parameters: [run], answers: [.init(200, .json("RunSummary"), "The run.")], errors: [404]
        ) { _, context in
            try .json(try await parts.existing(run: context.run()))
        },
        APIRoute(
            .get, "/v1/runs/{run}/definition", .readers, operation: "showRunDefinition", tag: tag,
            summary: "What the run was asked for with, to ask for it again.", parameters: [run],
            answers: [.init(200, .json("RunRequest"), "The request.")], errors: [404]
        ) { _, context in
            let run = try context.run()
            guard let request = try await parts.store.request(of: run) else { throw APIFailure.unknown(run) }
            return try .json(request)
        },
        APIRoute(
            .post, "/v1/runs/{run}/changes", .operators, operation: "findChanges", tag: tag,
            summary: "Indexes the run's datasets anew and names files that are not what the run was submitted with.",
            parameters: [run], answers: [.init(200, .json("SourceChanges"), "What changed.")], errors: [404, 422]
        ) { _, context in
            let run = try context.run()
            guard let request = try await parts.store.request(of: run) else { throw APIFailure.unknown(run) }
            return try .json(try await parts.submission.changes(since: run, request))
        },
        APIRoute(
            .post, "/v1/runs/{run}/cancel", .operators, operation: "cancelRun", tag: tag,
            summary: "Cancels every task that is not settled; running attempts are told at their next heartbeat.",
            parameters: [run], answers: [.init(200, .json("Affected"), "Tasks cancelled.")], errors: [404]
        ) { _, context in
            let run = try context.run()
            guard let count = try await parts.store.cancel(run: run, by: context.actor) else {
                throw APIFailure.unknown(run)
            }
            return try .json(Affected(tasks: count))
        },
        APIRoute(
            .post, "/v1/runs/{run}/retry", .operators, operation: "retryTasks", tag: tag,
            summary: "Puts failed and cancelled tasks back in line, with those they block.", parameters: [run],
            body: .json("TaskFilter"), answers: [.init(200, .json("Affected"), "Tasks put back.")], errors: [404, 422]
        ) { request, context in
            let run = try context.run()
            _ = try await parts.existing(run: run)
            var filter = try await request.decoded(as: TaskFilter.self)
            guard filter.run == nil || filter.run == run else {
                throw APIFailure.invalid("“run” differs from the run in the path.", details: ["run"])
            }
            filter.run = run
            if let unknown = try await parts.store.unknownNames(filter, of: run) {
                throw APIFailure(.unprocessableContent, "invalid_filter", unknown)
            }
            let stuck = try await parts.store.unrunnable(filter)
            let count = try await parts.store.retry(filter, by: context.actor)
            return try .json(Affected(tasks: count, cannotRun: stuck))
        },
    ]
}

package struct ValidationRequest: Codable, Sendable { package var text: String, path: String }
package struct ValidationReport: Codable, Sendable { package var problems: [String] }
package struct RunList: Codable, Sendable { package var runs: [RunSummary] }

extension APIFailure {
    static func unknown(_ run: RunID) -> APIFailure {
        .notFound("There is no run \(run); `qsmflow status` lists those there are.")
    }

    static func unknown(_ task: TaskID) -> APIFailure {
        .notFound("There is no task \(task); `qsmflow tasks` lists those there are.")
    }
}
