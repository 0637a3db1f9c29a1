import ArgumentParser
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a workflow over a dataset on this machine, from start to end.",
        discussion: """
            Starts what is needed (a private PostgreSQL unless one is named, a coordinator, workers), submits the \
            workflow, shows how it goes, and stops what it started. When it is interrupted, or killed, the same command \
            goes on where it was: finished tasks stay finished, and results computed by earlier runs are taken over.
            """)

    @Argument(help: "Workflow file (YAML).", completion: .file(extensions: ["yaml", "yml"])) var workflow: String?
    @Argument(help: "BIDS dataset.", completion: .directory) var dataset: String?
    @OptionGroup var selection: CohortSelection
    @Option(name: .long, help: "Go on with this run instead of submitting one.") var resume: RunID?
    @Flag(name: .long, help: "Submit anew even where the same run is unfinished.") var new = false
    @OptionGroup var workers: LocalWorkerOptions
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard resume != nil || (workflow != nil && dataset != nil) else {
            throw ValidationError("Name a workflow file and a dataset, or a run to go on with (--resume).")
        }
    }

    func run() async throws {
        if connection.coordinator != nil || ConnectionOptions.variable("QSMFLOW_COORDINATOR") != nil {
            throw CommandFailure(
                "`run` works on this machine; to hand a run to a coordinator use `qsmflow submit`", code: 64)
        }
        try await connection.withLocalCoordinator { local in
            let client = try local.client()
            let run = try await submitOrResume(client)
            try await Self.tellOfOthers(beside: run, client)
            let summary = try await LocalRun(run: run, local: local, workers: workers).untilSettled(client)
            if try output.printed(summary) == false {
                RunReport.show(summary)
                try await RunReport.showFailures(of: summary, client)
                LocalRun.showWhereThingsAre(local, summary, state: connection.state)
                if summary.state == .succeeded { LocalRun.showReuse(of: run, try await client.definition(of: run)) }
            }
            if summary.state != .succeeded { throw CommandFailure.silent(ExitStatus.finishedWithFailures) }
        }
    }

    /// Work that was begun before comes first, which without a word looks like standing still.
    private static func tellOfOthers(beside run: RunID, _ client: CoordinatorClient) async throws {
        let others = try await client.runs().filter { $0.state == .running && $0.run != run }.map(\.run).sorted()
            .map { "\($0)" }
        guard let first = others.first else { return }
        Console.note(
            (others.count == 1
                ? "Run \(first) is unfinished, too, and shares"
                : "Runs \(others.joined(separator: ", ")) are unfinished, too, and share")
                + " the workers with this one; `qsmflow cancel \(first)` ends it, and what it has finished is kept.")
    }

    private func submitOrResume(_ client: CoordinatorClient) async throws -> RunID {
        let programs = try workers.programDigests()
        if let resume {
            let before = try await client.definition(of: resume).programs ?? [:]
            if let name = before.keys.sorted().first(where: { programs[$0] != nil && programs[$0] != before[$0] }) {
                throw CommandFailure(
                    "Run \(resume) was submitted with another program under the name “\(name)”; give the whole command again "
                        + "without --resume: the new run takes over what the other steps have finished")
            }
            return resume
        }
        var request = try selection.request(workflow: workflow ?? "", dataset: dataset ?? "")
        request.programs = programs.isEmpty ? nil : programs
        if !new, let unfinished = try await Submission.unfinished(request, client) { return unfinished }
        return try await Submission.submit(request, client).run
    }
}

/// Handing a request to a coordinator, and telling about it.
enum Submission {
    static func submit(_ request: RunRequest, _ client: CoordinatorClient) async throws -> RunCreated {
        Console.note("Indexing \(request.dataset) …")
        let created = try await client.createRun(request)
        Console.note(
            "Run \(created.run): \(Counted.tasks(created.tasks)), \(created.cached) of them done by earlier runs.")
        for problem in created.problems.prefix(20) { Console.note("  problem: \(problem)") }
        if created.problems.count > 20 {
            Console.note("  … and \(created.problems.count - 20) more: qsmflow tasks --task-state failed")
        }
        return created
    }

    /// The latest run that is not settled, was asked for with the very same words, and reads files that are still the
    /// same. One whose files have changed is cancelled: a new run takes over what it finished and still holds.
    static func unfinished(_ request: RunRequest, _ client: CoordinatorClient) async throws -> RunID? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        func words(_ request: RunRequest) throws -> Data {
            var request = request
            request.programs = nil
            return try encoder.encode(request)
        }
        let wanted = try words(request)
        for run in try await client.runs().sorted(by: { $0.run > $1.run }) where run.state == .running {
            let before = try await client.definition(of: run.run)
            guard try words(before) == wanted else { continue }
            let changes = try await client.changes(since: run.run)
            if changes.files == 0, before.programs == request.programs {
                Console.note("Going on with run \(run.run), which asked for the same.")
                return run.run
            }
            _ = try await client.cancel(run: run.run)
            Console.note(
                "\(changes.files == 0 ? "The programs allowed have changed" : changes.text) since run \(run.run) was submitted. It is cancelled; a new run takes over what is finished."
            )
        }
        return nil
    }
}

extension SourceChanges {
    /// "3 files have changed (a, b, c)".
    var text: String {
        let names = examples.joined(separator: ", ") + (files > examples.count ? ", …" : "")
        return files == 1 ? "A file has changed (\(names))" : "\(files) files have changed (\(names))"
    }
}

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Hand a workflow over a dataset to a coordinator and return.")

    @OptionGroup var arguments: WorkflowArguments
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let request = try arguments.request()
        try await connection.withClient(creating: true) { client in
            let created = try await Submission.submit(request, client)
            if try output.printed(created) { return }
            Console.print("\(created.run)")
        }
    }
}

struct RerunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun",
        abstract: "Run again from a step on, with other parameters if wanted. The earlier run stays as it is.",
        discussion: """
            Makes a new run of the same workflow over the same people. Steps before the one named are taken over; that \
            step and all after it are computed anew. With --set alone, whatever the new values touch is computed anew.
            """)

    @OptionGroup var selection: RunSelection
    @Option(name: .long, parsing: .upToNextOption, help: "Steps to compute anew, with everything after them.") var from:
        [String] = []
    @Option(name: .long, parsing: .upToNextOption, help: "STEP.PARAMETER=VALUE.") var set: [String] = []
    @Option(name: .long, help: "Name of the new run.") var name: String?
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard !from.isEmpty || !set.isEmpty else {
            throw ValidationError("Name a step (--from) or a new value (--set).")
        }
    }

    func run() async throws {
        try await connection.withClient { client in
            let number = try await selection.resolve(client)
            var request = try await client.definition(of: number)
            request.parameters.merge(try CohortSelection.parameters(set)) { _, new in new }
            request.rerunFrom = from
            request.name = name ?? request.name
            let created = try await Submission.submit(request, client)
            if try output.printed(created) { return }
            Console.print("\(created.run)")
            if connection.coordinator == nil, connection.stateFolder.worksElsewhere == false {
                Console.note("Nothing works on it now: go on with `qsmflow run --resume \(created.run)`.")
            }
        }
    }
}
