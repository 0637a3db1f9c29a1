import ArgumentParser
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how runs stand: counts, rate, time to go, and reasons of failures.")

    @OptionGroup var selection: RunSelection
    @Flag(name: .long, help: "List all runs, a line each.") var all = false
    @Flag(name: .long, help: "Keep showing until the run is settled.") var watch = false
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            if all {
                let runs = try await client.runs()
                if try output.printed(runs) { return }
                var table = TextTable(
                    ["run", "name", "workflow", "state", "done", "failed", "started", "took"], rightAligned: [0, 4, 5])
                for run in runs {
                    table.add([
                        "\(run.run)", run.name, run.workflow, run.stateText,
                        "\(run.counts.done)/\(run.counts.total)",
                        "\(run.counts.failed)", run.createdAt, Durations.text(run.elapsedSeconds),
                    ])
                }
                table.printed()
                if runs.isEmpty { Console.note("No run yet.") }
                return
            }
            let number = try await selection.resolve(client)
            var summary = try await client.run(number)
            if watch {
                var progress = RunProgress()
                while summary.state == .running {
                    progress.show(summary)
                    try await Task.sleep(for: .seconds(1))  // a person watches: once a second is enough
                    summary = try await client.run(number)
                }
                progress.finish()
            }
            if try output.printed(summary) { return }
            RunReport.show(summary)
            try await RunReport.showWork(of: summary, client)
            if summary.waitsForWorker == true {
                Console.note(
                    connection.coordinator == nil && !connection.stateFolder.worksElsewhere
                        ? "Nothing works on it: go on with `qsmflow run --resume \(number)`."
                        : "No worker is connected: start one with `qsmflow worker`.")
            }
            try await RunReport.showFailures(of: summary, client)
            if summary.state == .finishedWithFailures { throw CommandFailure.silent(ExitStatus.finishedWithFailures) }
        }
    }
}

/// A run in a few lines and a table.
enum RunReport {
    static func show(_ run: RunSummary) {
        let colour: Console.Colour =
            switch run.state {
            case .succeeded: .green
            case .running: .blue
            case .finishedWithFailures: .yellow
            case .cancelled: .red
            }
        Console.print(
            "\(Console.coloured(run.stateText, colour))  \(RunProgress.line(run))")
        Console.print("\(run.name), workflow \(run.workflow), dataset \(run.dataset)")
        var table = TextTable(
            ["step", "kind", "done", "cached", "running", "failed", "blocked", "mean", "peak MiB"],
            rightAligned: [2, 3, 4, 5, 6, 7, 8])
        for step in run.steps ?? [] {
            let c = step.counts
            table.add([
                step.step, step.kind, "\(c.succeeded)/\(c.total)", "\(c.cached)", "\(c.running)", "\(c.failed)",
                "\(c.blocked)",
                step.meanSeconds.map(Durations.text) ?? "", step.peakResidentMiB.map { "\($0)" } ?? "",
            ])
        }
        table.printed()
        showWarnings(run)
    }

    private static func showWarnings(_ run: RunSummary) {
        guard let count = run.warnedTasks, count > 0, let warnings = run.warnings else {
            return
        }
        Console.print("")
        Console.print(
            Console.coloured("Warnings", .bold)
                + " of \(Counted.tasks(count)); `qsmflow results \(run.run) warnings` lists all")
        for warning in warnings { Console.print("  \(warning)") }
        if let others = run.otherWarnings, others > 0 {
            Console.print("  … and \(Counted.text(others, "other", "others"))")
        }
    }

    /// Tasks that say how far they are: those that take long.
    static func showWork(of run: RunSummary, _ client: CoordinatorClient, limit: Int = 10) async throws {
        guard run.counts.running > 0 else { return }
        // Leased tasks are still ready in the graph.
        let tasks = try await client.tasks(TaskFilter(run: run.run, states: [.ready], limit: 1000))
        let telling = tasks.filter { $0.running && $0.lastLine != nil }
        guard !telling.isEmpty else { return }
        Console.print("")
        Console.print(Console.coloured("At work", .bold))
        for task in telling.prefix(limit) {
            Console.print("  \(task.task)  \(task.step)  \(task.context), \(task.stateText): \(task.lastLine ?? "")")
        }
        if telling.count > limit { Console.print("  … and \(telling.count - limit) more: qsmflow tasks \(run.run)") }
    }

    /// The reasons, most frequent first, each with those it befell.
    static func showFailures(of run: RunSummary, _ client: CoordinatorClient, limit: Int = 40) async throws {
        guard run.counts.failed > 0 else { return }
        let failed = try await client.tasks(TaskFilter(run: run.run, states: [.failed], limit: 1000))
        Console.print("")
        Console.print(Console.coloured("Failed", .bold))
        for task in failed.prefix(limit) {
            Console.print("  \(task.task)  \(task.step)  \(task.context): \(task.message ?? "no reason was given")")
        }
        if run.counts.failed > limit {
            Console.print("  … and \(run.counts.failed - limit) more: qsmflow tasks \(run.run) --task-state failed")
        }
        if run.counts.blocked > 0 {
            Console.print(
                "  \(Counted.text(run.counts.blocked, "further task is", "further tasks are")) blocked by these. Repair, then "
                    + "run the same command again, or try the same files once more: qsmflow retry \(run.run)")
        }
    }
}
