import ArgumentParser
import Foundation
import Workflow

/// The one program: coordinator, worker and everything an operator, analyst or researcher types.
@main
struct QSMFlow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "qsmflow",
        abstract: "Takes a BIDS cohort of QSM MRI to results that can be queried in SQL.",
        discussion: """
            On one machine, `qsmflow run WORKFLOW BIDS_DIR` does everything: it starts a private PostgreSQL in the \
            state folder, indexes the dataset, runs every task and stops what it started. Interrupt it whenever you \
            like; the same command goes on where it was.

            On a cluster, start `qsmflow coordinator` once, `qsmflow worker` on every node, and use the other commands \
            with --coordinator or the variable QSMFLOW_COORDINATOR.

            EXIT CODES
              0   all went well
              1   the command failed; the message says why
              2   the run ended, but some tasks failed or are blocked
              64  wrong usage
              65  the workflow file or the dataset is wrong
              69  the coordinator or the database cannot be reached
              77  the token does not allow this
              130 interrupted (Ctrl-C); 143 told to end (SIGTERM), 129 hung up (SIGHUP)

            ENVIRONMENT
              QSMFLOW_COORDINATOR, QSMFLOW_TOKEN, QSMFLOW_STATE   defaults of the options of these names
              PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSERVICE, …   as every PostgreSQL program reads them
              NO_COLOR   no colours
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Run a cohort",
                subcommands: [
                    RunCommand.self, BIDSAppCommand.self, SubmitCommand.self, StatusCommand.self, TasksCommand.self,
                    RetryCommand.self, RerunCommand.self, CancelCommand.self, LogsCommand.self, ExplainCommand.self,
                ]),
            CommandGroup(
                name: "Read results",
                subcommands: [ResultsCommand.self, SQLCommand.self, ExportCommand.self, ReportCommand.self]),
            CommandGroup(
                name: "Prepare",
                subcommands: [
                    IndexCommand.self, ValidateCommand.self, PlanCommand.self, KindsCommand.self, FeaturesCommand.self,
                    ModelsCommand.self, PhantomCommand.self,
                ]),
            CommandGroup(
                name: "Serve",
                subcommands: [
                    CoordinatorCommand.self, WorkerCommand.self, WorkersCommand.self, TokenCommand.self,
                    GarbageCommand.self, FsckCommand.self, DoctorCommand.self,
                ]),
        ],
        defaultSubcommand: nil)

    static func main() async {
        // A reader that goes away (`qsmflow tasks | head`) is no reason to die with a signal in the middle of cleaning up.
        signal(SIGPIPE, SIG_IGN)
        do {
            if CommandLine.arguments.count > 1, CommandLine.arguments[1] == RunTaskCommand.name {
                RunTaskCommand.runAndExit(Array(CommandLine.arguments.dropFirst(2)))
            }
            let words = CommandLine.arguments.dropFirst()
            try Self.checkCommand(words.first)
            if words.first == "help" { try Self.checkCommand(words.dropFirst().first) }
            // A task of its own, awaited right here, so that a signal can cancel it.
            let work = Task {
                var command = try parseAsRoot()
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            }
            Interruption.cancels(work)
            try await work.value
        } catch {
            ExitStatus.end(with: error)
        }
    }
}

extension QSMFlow {
    /// - Throws: `CommandFailure` for a word that is no command, with the one that was probably meant.
    private static func checkCommand(_ word: String?) throws {
        guard let word, !word.hasPrefix("-") else { return }
        let names = configuration.groupedSubcommands.flatMap(\.subcommands).map { $0._commandName } + ["help"]
        guard !names.contains(word), !word.hasPrefix("__") else { return }
        let meant = Suggestion.nearest(to: word, among: names).map { "did you mean '\($0)'?" }
        throw CommandFailure(
            "There is no command '\(word)'; \(meant ?? "`qsmflow --help` lists those there are")", code: 64)
    }
}
