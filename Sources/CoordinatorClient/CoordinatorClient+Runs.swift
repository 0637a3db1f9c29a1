import Foundation
import Wire
import Workflow

// Datasets, runs, tasks and results, as operators and analysts ask for them.
extension CoordinatorClient {
    package func index(_ request: IndexRequest) async throws -> IndexReport {
        // Reading and hashing a cohort takes as long as its disk does; indexing again finds nothing new.
        try await call(.post, Self.target(["datasets"]), body: request, mayRepeat: true, timeout: .seconds(24 * 3600))
    }

    package func plan(_ request: RunRequest) async throws -> PlanReport {
        try await call(.post, Self.target(["plans"]), body: request, mayRepeat: true, timeout: .seconds(3600))
    }

    /// What is wrong with a workflow file; empty when nothing is.
    package func validate(workflowText: String, path: String) async throws -> [String] {
        struct Body: Encodable, Sendable { var text: String, path: String }
        struct Answer: Decodable { var problems: [String] }
        let answer: Answer = try await call(
            .post, Self.target(["workflows", "validate"]), body: Body(text: workflowText, path: path), mayRepeat: true)
        return answer.problems
    }

    /// Submits a run. Not repeated once it may have arrived: twice would be two runs.
    package func createRun(_ request: RunRequest) async throws -> RunCreated {
        try await call(.post, Self.target(["runs"]), body: request, mayRepeat: false, timeout: .seconds(24 * 3600))
    }

    package func runs() async throws -> [RunSummary] {
        struct Answer: Decodable { var runs: [RunSummary] }
        return try await get(Self.target(["runs"]), as: Answer.self).runs
    }

    package func run(_ run: RunID) async throws -> RunSummary { try await get(Self.run(run)) }

    /// What a run was asked for with, to ask for it again.
    package func definition(of run: RunID) async throws -> RunRequest { try await get(Self.run(run, "definition")) }

    /// Files that are no longer what a run was submitted with; indexes its datasets anew.
    package func changes(since run: RunID) async throws -> SourceChanges {
        try await call(.post, Self.run(run, "changes"), mayRepeat: true, timeout: .seconds(24 * 3600))
    }

    package func cancel(run: RunID) async throws -> Affected {
        try await call(.post, Self.run(run, "cancel"), mayRepeat: true)
    }

    package func retry(run: RunID, _ filter: TaskFilter) async throws -> Affected {
        try await call(.post, Self.run(run, "retry"), body: filter, mayRepeat: true)
    }

    /// One page of tasks, in the order of their numbers.
    package func tasks(_ filter: TaskFilter) async throws -> [TaskSummary] {
        struct Answer: Decodable { var tasks: [TaskSummary] }
        func list<Element>(_ elements: [Element]?, _ text: (Element) -> String) -> String? {
            elements.map { $0.map(text).joined(separator: ",") }
        }
        let query: [(String, String?)] = [
            ("run", filter.run.map { "\($0)" }),
            ("state", list(filter.states) { "\($0)" }),
            ("step", list(filter.steps) { $0 }),
            ("subject", list(filter.subjects) { $0 }),
            ("fold", list(filter.folds) { "\($0)" }),
            ("outcome", list(filter.outcomes) { $0.rawValue }),
            ("task", list(filter.tasks) { "\($0)" }),
            ("limit", "\(filter.limit)"),
            ("after", filter.after.map { "\($0)" }),
        ]
        return try await get(Self.target(["tasks"], query: query), as: Answer.self).tasks
    }

    package func task(_ task: TaskID) async throws -> TaskDetail { try await get(Self.target(["tasks", "\(task)"])) }

    package func explain(_ task: TaskID) async throws -> Explanation {
        try await get(Self.target(["tasks", "\(task)", "why"]))
    }

    /// Rows of a result view, handed on as they arrive.
    ///
    /// - Parameters:
    ///   - format: `json`, `csv` or `tsv`.
    ///   - receive: called in order, on the transport's thread; what it throws ends the exchange and is thrown here.
    package func results(
        run: RunID, view: String, format: String,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        let target = Self.target(["runs", "\(run)", "results", view], query: [("format", format)])
        var request = HTTPRequest(method: .get, target: target)
        request.receive = { _, piece in try receive(piece) }
        let answer = try await send(request, on: data, mayRepeat: true)
        guard answer.isSuccess else { throw refusal(answer, target: target) }
    }

    /// Digest over all measurements of a run: equal for equal results, whichever way they came about.
    package func resultDigest(run: RunID) async throws -> ArtifactDigest {
        let answer: ResultDigest = try await call(
            .get, Self.run(run, "digest"), mayRepeat: true, timeout: .seconds(600))
        return answer.digest
    }

    private static func run(_ run: RunID, _ action: String? = nil) -> String {
        target(["runs", "\(run)"] + (action.map { [$0] } ?? []))
    }
}
