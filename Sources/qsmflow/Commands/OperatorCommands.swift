import ArgumentParser
import CoordinatorClient
import Wire
import Workflow

struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Put failed tasks back to work, with all that they block. Finished work stays.")

    @OptionGroup var selection: RunSelection
    @OptionGroup var which: TaskSelection
    @Option(name: .long, parsing: .upToNextOption, help: "Only these tasks, e.g. 3.17.") var task: [TaskID] = []
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let number = try await selection.resolve(client)
            let affected = try await client.retry(
                run: number, which.filter(run: number, tasks: task.isEmpty ? nil : task))
            if try output.printed(affected) { return }
            Console.print(
                affected.tasks == 1
                    ? "1 task of run \(number) is back to work."
                    : "\(Counted.text(affected.tasks, "task of run \(number) is", "tasks of run \(number) are")) back to work."
            )
            if let stuck = affected.cannotRun, stuck > 0 {
                Console.note(
                    "\(Counted.tasks(stuck)) cannot run with the files that run \(number) was submitted with, and "
                        + "\(stuck == 1 ? "stays" : "stay") failed: see `qsmflow tasks \(number) --task-state failed`, repair "
                        + "what is missing, and run the same command again.")
            }
            let changes = try await client.changes(since: number)
            if changes.files > 0 {
                Console.note(
                    "\(changes.text) since run \(number) was submitted, and a run keeps to the files that it was submitted "
                        + "with: for these, run the same command again (`qsmflow run` or `submit`). The new run takes over "
                        + "what is finished.")
            }
            if affected.tasks > 0, connection.coordinator == nil, connection.stateFolder.worksElsewhere == false {
                Console.note("Nothing works on them now: go on with `qsmflow run --resume \(number)`.")
            }
        }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Stop a run: running attempts end, finished results stay.")

    @OptionGroup var selection: RunSelection
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let number = try await selection.resolve(client)
            let affected = try await client.cancel(run: number)
            if try output.printed(affected) { return }
            Console.print(
                affected.tasks == 0
                    ? "Nothing of run \(number) was left to cancel: it stays as it is."
                    : "Run \(number) is cancelled; tasks that will not run: \(affected.tasks).")
        }
    }
}

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the attempts of a task: how each ended, what it used, the tail of its log."
    )

    @Argument(help: "Number of the task, e.g. 3.17.") var task: TaskID
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let detail = try await client.task(task)
            if try output.printed(detail) { return }
            let summary = detail.summary
            Console.print(
                "\(summary.task)  \(summary.step) (\(summary.kind))  \(summary.context): \(summary.stateText)")
            for warning in detail.warnings { Console.print("warning: \(warning)") }
            for attempt in detail.attempts {
                var line = "attempt \(attempt.attempt): \(attempt.outcome.rawValue)"
                if let worker = attempt.worker { line += " on \(worker)" }
                if let usage = attempt.usage {
                    line +=
                        ", \(Durations.text(Double(usage.wallMilliseconds) / 1000)), peak \(usage.peakResidentMiB) MiB"
                    if let signal = usage.signal { line += ", signal \(signal)" }
                }
                Console.print(Console.coloured(line, .bold))
                if let message = attempt.message { Console.print("  \(message)") }
                for text in (attempt.logTail ?? "").split(separator: "\n") { Console.print("  | \(text)") }
            }
            if summary.running {
                let place = summary.worker.map { " on \($0)" } ?? ""
                Console.print(Console.coloured("an attempt is at work\(place)", .bold))
                if let line = summary.lastLine { Console.print("  | \(line)") }
            } else if detail.attempts.isEmpty {
                Console.print("No attempt yet; see `qsmflow explain \(task)`.")
            }
        }
    }
}

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say why a task waits, failed, ran or was taken over from an earlier run.")

    @Argument(help: "Number of the task, e.g. 3.17.") var task: TaskID
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let explanation = try await client.explain(task)
            if try output.printed(explanation) { return }
            Console.print("\(explanation.task) is \(explanation.state).")
            for reason in explanation.reasons { Console.print(reason) }
            for parent in explanation.upstream {
                Console.print(
                    "  \(parent.task)  \(parent.step)  \(parent.context): \(parent.running ? "running" : "\(parent.state)")"
                )
            }
        }
    }
}

struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "List the workers that are there.")

    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let workers = try await client.workers()
            if try output.printed(workers) { return }
            var table = TextTable(
                ["worker", "state", "cores", "MiB", "running", "last heard of", "version"], rightAligned: [2, 3, 4, 5])
            for worker in workers {
                table.add([
                    worker.worker, worker.state, "\(worker.cores)", "\(worker.memoryMiB)", "\(worker.running)",
                    Durations.text(worker.secondsSinceHeartbeat), worker.version,
                ])
            }
            table.printed()
            if workers.isEmpty { Console.note("No worker is there; start one with `qsmflow worker`.") }
        }
    }
}

struct GarbageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove artifacts that no result refers to any more.")

    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let report = try await client.collectGarbage()
            if try output.printed(report) { return }
            Console.print("Removed \(report.removed) artifacts, \(Durations.text(bytes: report.bytes)).")
        }
    }
}

struct FsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck", abstract: "Check the invariants of the database; each violation is a line.")

    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let violations = try await client.check()
            if try output.printed(violations) == false {
                for violation in violations { Console.print(violation) }
                if violations.isEmpty { Console.print("All invariants hold.") }
            }
            if !violations.isEmpty { throw CommandFailure.silent(ExitStatus.failed) }
        }
    }
}

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke the tokens that workers, operators and analysts show.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a token; its secret is shown this once.")
        @Argument(help: "Whose it is, e.g. node-7.") var name: String
        @Option(name: .long, help: "worker, operator or analyst.") var role: TokenRole
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.withClient(creating: true) { client in
                let grant = try await client.createToken(TokenRequest(name: name, role: role))
                if try output.printed(grant) { return }
                Console.print(grant.secret)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tokens, without their secrets.")
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.withClient { client in
                let tokens = try await client.tokens()
                if try output.printed(tokens) { return }
                var table = TextTable(["name", "role", "made"])
                for token in tokens { table.add([token.name, token.role.rawValue, token.createdAt ?? ""]) }
                table.printed()
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a token worthless at once.")
        @Argument(help: "Name it was made under.") var name: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.withClient { try await $0.revokeToken(name: name) }
        }
    }
}
