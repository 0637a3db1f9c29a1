import ArgumentParser
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct BIDSAppCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bids", abstract: "The same in the form of a BIDS App.",
        discussion: """
            `participant` runs the steps of each person (several such calls may share one output folder, each with its \
            own --work-dir); `group` runs everything, taking over what participant runs in the same --work-dir computed. \
            Both export a BIDS derivative dataset to OUTPUT_DIR/qsmflow.
            """)

    enum Level: String, ExpressibleByArgument, CaseIterable { case participant, group }

    @Argument(help: "BIDS dataset.", completion: .directory) var bidsDir: String
    @Argument(help: "Folder for the results.", completion: .directory) var outputDir: String
    @Argument(help: "participant or group.") var level: Level
    @Option(name: .long, help: "Workflow file.", completion: .file(extensions: ["yaml", "yml"])) var workflow: String
    @Option(
        name: [.short, .customLong("work-dir"), .customLong("work_dir")],
        help: "State folder. Default: OUTPUT_DIR/.qsmflow.", completion: .directory)
    var workDir: String?
    @Flag(
        name: [.customLong("skip-bids-validation"), .customLong("skip_bids_validation")],
        help: "Accepted for compatibility: only what a run needs is checked.")
    var skipValidation = false
    @OptionGroup var selection: CohortSelection
    @OptionGroup var workers: LocalWorkerOptions
    @Option(name: .long, help: "Connection string of a PostgreSQL server to use instead of a private one.")
    var database: String?

    func run() async throws {
        let state = StateFolder(workDir ?? outputDir + "/.qsmflow")
        try await LocalCoordinator.during(state, database: ConnectionOptions.databaseOfUser(database)) { local in
            let client = try local.client()
            var request = try selection.request(workflow: workflow, dataset: bidsDir)
            request.participantLevelOnly = level == .participant
            let programs = try workers.programDigests()
            request.programs = programs.isEmpty ? nil : programs
            let run: RunID
            if let unfinished = try await Submission.unfinished(request, client) {
                run = unfinished
            } else {
                run = try await Submission.submit(request, client).run
            }
            let summary = try await LocalRun(run: run, local: local, workers: workers).untilSettled(client)
            RunReport.show(summary)
            try await RunReport.showFailures(of: summary, client)
            try await DerivativeExport(client: client, run: run).write(
                to: CohortSelection.absolute(outputDir) + "/qsmflow", adding: true)
            if summary.state != .succeeded { throw CommandFailure.silent(ExitStatus.finishedWithFailures) }
        }
    }
}
