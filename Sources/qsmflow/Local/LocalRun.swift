import BIDS
import CoordinatorClient
import Foundation
import Wire
import Workflow

/// Works on one run with worker processes of its own until it is settled.
struct LocalRun {
    let run: RunID
    let local: LocalCoordinator
    let workers: LocalWorkerOptions

    func untilSettled(_ client: CoordinatorClient) async throws -> RunSummary {
        let pool = try WorkerProcesses(local: local, options: workers)
        var progress = RunProgress()
        let outcome: Result<RunSummary, any Error>
        do {
            outcome = .success(try await watch(client, pool, &progress))
        } catch {
            outcome = .failure(error)
        }
        progress.finish()
        await pool.stop()
        if case .failure = outcome, Task.isCancelled {
            Console.note("Interrupted. Finished work is kept; the same command goes on with run \(run).")
            throw CancellationError()
        }
        return try outcome.get()
    }

    private func watch(
        _ client: CoordinatorClient, _ pool: WorkerProcesses, _ progress: inout RunProgress
    ) async throws -> RunSummary {
        var lastAnswer = ContinuousClock.now
        var lastMove = ContinuousClock.now
        var settled = -1
        while true {
            do {
                let summary = try await client.run(run)
                lastAnswer = .now
                if summary.state != .running { return summary }
                progress.show(summary)
                if summary.counts.running > 0 || summary.counts.settled != settled {
                    (settled, lastMove) = (summary.counts.settled, .now)
                } else if lastMove.duration(to: .now) > Self.stillness, summary.counts.ready > 0 {
                    try await refuseToWait(client)
                    lastMove = .now
                }
            } catch let error where Self.isPassing(error) && lastAnswer.duration(to: .now) < Self.patience {
                // The database recovers from a crash: workers wait for it, and so do we.
            }
            try pool.restartTheDead()
            try await Task.sleep(for: .milliseconds(500))  // how often a person sees the numbers change
        }
    }

    /// Time without work after which it is asked why.
    private static let stillness = Duration.seconds(10)

    /// - Throws: `CommandFailure` when nothing that is ready fits any worker: waiting would be for ever.
    private func refuseToWait(_ client: CoordinatorClient) async throws {
        let ready = try await client.tasks(TaskFilter(run: run, states: [.ready], limit: 1000))
        var reasons: [String] = []
        // One of each step says it for the others.
        for (_, tasks) in Dictionary(grouping: ready, by: \.step).sorted(by: { $0.key < $1.key }) {
            let why = try await client.explain(tasks[0].task)
            guard why.fitsNoWorker == true else { return }
            reasons.append(
                "\(tasks.count == 1 ? "one task" : "\(tasks.count) tasks") of step \(tasks[0].step): "
                    + why.reasons.joined(separator: " "))
        }
        guard !reasons.isEmpty else { return }
        throw CommandFailure(
            "Run \(run) cannot go on, as nothing that is left fits the workers. \(reasons.joined(separator: " ")) "
                + "Finished work is kept: give the same command what it needs (--memory-mib, fewer --workers, --allow-command), or "
                + "let the step want less (resources: {memory: 4GiB} in the workflow file)")
    }

    /// How long a run may stay without an answer.
    private static let patience = Duration.seconds(600)

    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case let error as ClientError: error.isTransient
        case let error as APIError: error.code == "database_unavailable"
        default: false
        }
    }

    /// The view that says most of a run, of those that have rows for it; nil when no step has written any.
    static func view(of summary: RunSummary) -> String? {
        let kinds = Set((summary.steps ?? []).filter { $0.counts.succeeded > 0 }.map(\.kind))
        let views = [
            ("evaluate.summary", "evaluation_summary"), ("evaluate.classification", "classification_metrics"),
            ("evaluate.segmentation", "segmentation_metrics"), ("evaluate.detection", "detection_metrics"),
            ("lesions.components", "lesions"), ("roi.statistics", "roi_statistics"),
            ("cohort.linear-model", "cohort_effects"),
            ("network.classify", "measurements"), ("radiomics.extract", "measurements"), ("network.train", "models"),
        ]
        if let view = views.first(where: { kinds.contains($0.0) })?.1 { return view }
        let measuring = kinds.contains { TaskKindCatalog.kind($0)?.measurements.isEmpty == false }
        return measuring ? "measurements" : kinds.isEmpty ? nil : "outputs"
    }

    static func showWhereThingsAre(_ local: LocalCoordinator, _ summary: RunSummary, state: String?) {
        let option = state.map { " --state \($0)" } ?? ""
        let run = summary.run
        Console.print("")
        if let view = view(of: summary) {
            Console.print("Results:  qsmflow results \(run) \(view)\(option)    qsmflow sql\(option)")
        } else {
            Console.print("Failures: qsmflow results \(run) failures\(option)    qsmflow sql\(option)")
        }
        Console.print("Report:   qsmflow report \(run) -o report.html\(option)")
        Console.print("Export:   qsmflow export \(run) FOLDER --format bids\(option)")
        Console.print("Database: \(local.databaseDescription)")
    }

    /// How to apply what the folds of a run trained to other people.
    static func showReuse(of run: RunID, _ request: RunRequest) {
        let definition = WorkflowFile.parse(
            request.workflowText, path: request.workflowPath, parameters: request.parameters, atlases: request.atlases
        ).definition
        guard let lines = definition.map({ reuse(of: run, $0, request) }), !lines.isEmpty else {
            return
        }
        Console.print("")
        for line in lines { Console.print(line) }
    }

    /// One line for every step that trains models by folds, and one that applies them all; none where none does.
    static func reuse(of run: RunID, _ definition: WorkflowDefinition, _ request: RunRequest) -> [String] {
        let steps = definition.steps.filter { $0.isPerFold && $0.trainsModels }.map(\.name)
        // Each has a name of its own.
        func name(_ step: String) -> String { steps.count == 1 ? "NAME" : "NAME-\(step)" }
        var lines = steps.enumerated().map { n, step in
            let option = steps.count == 1 ? "" : " --step \(step)"
            return (n == 0 ? "Models:   " : "          ") + "qsmflow models name-folds \(run) \(name(step))\(option)"
                + (n == 0 ? " names those of the folds; \(name(step)) then stands for all" : "")
        }
        let reuses = definition.reuses.filter { steps.contains($0.step) }
        if !reuses.isEmpty {
            let kept = settingsOfUse(request, reuses)
            var settings: [String] = []
            for reuse in reuses where !settings.contains("\(reuse.condition)=false") {
                settings.append("\(reuse.condition)=false")
            }
            settings += reuses.map { "\($0.models)=\(name($0.step))" }
            settings += kept.map { "\($0.key)=\(ParameterText.text($0.value))" }
            let derivatives =
                request.derivatives == CohortSelection.derivativesInside(request.dataset)
                ? "" : " --derivatives ITS_DERIVATIVES"
            let atlases = request.atlases.sorted { $0.key < $1.key }.map { ShellWord.quoted("\($0.key)=\($0.value)") }
            lines.append(
                "Apply:    qsmflow run \(ShellWord.quoted(request.workflowPath)) OTHER_DATASET\(derivatives)"
                    + (atlases.isEmpty ? "" : " --atlas " + atlases.joined(separator: " ")) + " --set "
                    + settings.map(ShellWord.quoted).joined(separator: " "))
        } else if !steps.isEmpty {
            lines.append("Apply:    {model: NAME} as an input of a step that takes several models")
        }
        return lines
    }

    /// Of what was set for a run, what matters where its models are applied; how they were trained does not. A setting is
    /// left out when the workflow without it, the trainings left out, is the same. By name.
    private static func settingsOfUse(_ request: RunRequest, _ reuses: [FoldReuse]) -> [(key: String, value: JSONValue)]
    {
        var parameters = request.parameters
        for reuse in reuses {
            parameters[reuse.condition] = false
            parameters[reuse.models] = .string("any")
        }
        func applied(_ parameters: [String: JSONValue]) -> WorkflowDefinition? {
            WorkflowFile.parse(
                request.workflowText, path: request.workflowPath, parameters: parameters, atlases: request.atlases
            ).definition
        }
        let own = Set(reuses.flatMap { [$0.condition, $0.models] })
        guard let wanted = applied(parameters) else {
            return parameters.filter { !own.contains($0.key) }.sorted { $0.key < $1.key }
        }
        // One after another, from those that are left, until all of them stay: two may be valid only together.
        var isShorter = true
        while isShorter {
            isShorter = false
            for name in parameters.keys.sorted() where !own.contains(name) {
                var fewer = parameters
                fewer[name] = nil
                guard applied(fewer) == wanted else { continue }
                parameters = fewer
                isShorter = true
            }
        }
        return parameters.filter { !own.contains($0.key) }.sorted { $0.key < $1.key }
    }
}

extension StepDefinition {
    fileprivate var trainsModels: Bool { TaskKindCatalog.kind(kind)?.outputs.contains { $0.format == .model } == true }
}
