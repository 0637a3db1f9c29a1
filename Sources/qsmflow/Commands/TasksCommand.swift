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

    func run() async throws {
        try await connection.withClient { client in
            let number = try await selection.resolve(client)
            var filter = which.filter(run: number, limit: limit)
            filter.after = after
            let tasks = try await client.tasks(filter)
            if try output.printed(tasks) { return }
            var table = TextTable(
                ["task", "step", "for", "state", "attempts", "took", "worker", "message"], rightAligned: [4, 5])
            for task in tasks {
                table.add([
                    "\(task.task)", task.step, "\(task.context)", task.running ? "running" : "\(task.state)",
                    "\(task.attempts)",
                    task.wallMilliseconds.map { Durations.text(Double($0) / 1000) } ?? "", task.worker ?? "",
                    task.message ?? "",
                ])
            }
            table.printed()
            if tasks.count == limit, let last = tasks.last { Console.note("More: --after \(last.task)") }
        }
    }
}
