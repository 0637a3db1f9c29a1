import HTTPTypes
import Hummingbird
import Wire
import Workflow

/// Tasks, and why they are as they are.
func taskRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let task = APIRoute.Parameter.path(
        "task", .string("run.ordinal, or the number.", pattern: "^[0-9]{1,11}(\\.[0-9]{1,7})?$"))
    let tag = "tasks"
    return [
        APIRoute(
            .get, "/v1/tasks", .readers, operation: "listTasks", tag: tag,
            summary: "Tasks in the order of their numbers. Several values are separated by commas.",
            parameters: [
                .query("run", WireSchemas.run), .query("state", .string("Names or numbers of states.")),
                .query("step", .string()), .query("subject", .string()),
                .query("fold", .string("Numbers of folds.")), .query("outcome", .string()),
                .query("task", .string()), .query("limit", .integer(minimum: 1, maximum: 100_000)),
                .query("after", .string("Only tasks after this one, for paging.")),
            ], answers: [.init(200, .json("TaskList"), "At most limit of them, 1000 when not stated.")]
        ) { request, _ in try .json(TaskList(tasks: try await parts.store.tasks(try TaskFilter(query: request)))) },
        APIRoute(
            .get, "/v1/tasks/{task}", .readers, operation: "showTask", tag: tag,
            summary: "A task with its inputs, outputs and attempts.", parameters: [task],
            answers: [.init(200, .json("TaskDetail"), "The task.")], errors: [404]
        ) { _, context in
            let task = try context.task()
            guard let detail = try await parts.store.task(task) else { throw APIFailure.unknown(task) }
            return try .json(detail)
        },
        APIRoute(
            .get, "/v1/tasks/{task}/why", .readers, operation: "explainTask", tag: tag,
            summary: "Why it waits, failed, ran or was taken over.", parameters: [task],
            answers: [.init(200, .json("Explanation"), "The answer first, then what led to it.")], errors: [404]
        ) { _, context in
            let task = try context.task()
            guard let explanation = try await parts.store.explain(task) else { throw APIFailure.unknown(task) }
            return try .json(explanation)
        },
    ]
}

package struct TaskList: Codable, Sendable { package var tasks: [TaskSummary] }

extension TaskFilter {
    init(query request: Request) throws {
        let query = try QueryValues(
            request, known: ["run", "state", "step", "subject", "fold", "outcome", "task", "limit", "after"])
        let states = TaskState.allCases.map { "\($0)" }.joined(separator: ", ")
        let outcomes = AttemptOutcome.allCases.map(\.rawValue).joined(separator: ", ")
        self.init(
            run: try query.value("run", "the number of a run") { RunID(path: $0) },
            states: try query.list("state", "a list of \(states)") { text in
                TaskState.allCases.first { "\($0)" == text || "\($0.rawValue)" == text }
            },
            steps: try query.list("step", "a list of steps") { $0 },
            subjects: try query.list("subject", "a list of participants") {
                $0.hasPrefix("sub-") ? String($0.dropFirst(4)) : $0
            },
            folds: try query.list("fold", "a list of numbers from 1 on") { text in
                Int(text).flatMap { (1...Int(WireSchemas.largestCount)).contains($0) ? $0 : nil }
            },
            outcomes: try query.list("outcome", "a list of \(outcomes)") { AttemptOutcome(rawValue: $0) },
            tasks: try query.list("task", "a list of tasks") { TaskID(path: $0) },
            limit: try query.count("limit", in: 1...100_000) ?? 1000,
            after: try query.value("after", "a task") { TaskID(path: $0) })
    }
}

extension QueryValues {
    func count(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        try value(name, "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}
