import ArgumentParser
import CoordinatorClient
import Wire
import Workflow

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tasks", abstract: "List the tasks of a run.")

    @OptionGroup var selection: RunSelection
    @OptionGroup var which: TaskSelection
    @Option(name: .long, help: "Show at most this many.") var limit = 1000
    @Option(name: .long, help: "Only tasks after this one, to go on where a list ended.") var after: TaskID?
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    /// A task as JSON: as the interface gives it, with the number that people use and the state in a word.
    private struct Listed: Encodable {
        var task: TaskID, id: String, step: String, kind: String, context: TaskContext, state: String, running: Bool
        var attempts: Int, outcome: AttemptOutcome?, message: String?, wallMilliseconds: Int?, worker: String?
        var progress: Double?, lastLine: String?

        init(_ task: TaskSummary) {
            (self.task, id, step, kind, context) = (task.task, "\(task.task)", task.step, task.kind, task.context)
            (state, running, attempts, outcome) = ("\(task.state)", task.running, task.attempts, task.outcome)
            (message, wallMilliseconds, worker) = (task.message, task.wallMilliseconds, task.worker)
            (progress, lastLine) = (task.progress, task.lastLine)
        }
    }

    func run() async throws {
        try await connection.withClient { client in
            let number = try await selection.resolve(client)
            var filter = which.filter(run: number, limit: limit)
            filter.after = after
            let tasks = try await client.tasks(filter)
            if try output.printed(tasks.map(Listed.init)) { return }
            var table = TextTable(
                ["task", "step", "for", "state", "attempts", "took", "worker", "message"], rightAligned: [4, 5])
            for task in tasks {
                table.add([
                    "\(task.task)", task.step, "\(task.context)", task.stateText,
                    "\(task.attempts)",
                    task.wallMilliseconds.map { Durations.text(Double($0) / 1000) } ?? "", task.worker ?? "",
                    (task.running ? task.lastLine : nil) ?? task.message ?? "",
                ])
            }
            table.printed()
            if tasks.count == limit, let last = tasks.last { Console.note("More: --after \(last.task)") }
        }
    }
}
