import ArgumentParser
import Foundation
import Report
import Workflow

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Write a run as one HTML page that needs nothing else.",
        discussion: """
            Overview, effects over the cohort, a plot per region, pictures for quality control with those that stand out \
            first, failures with their reasons, provenance and methods.
            """)

    @OptionGroup var selection: RunSelection
    @Option(name: .shortAndLong, help: "File to write.", completion: .file(extensions: ["html"])) var output =
        "report.html"
    @Option(name: .long, help: "People whose pictures are embedded at most; those that stand out come first.")
    var pictures = 60
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard pictures >= 0 else { throw ValidationError("--pictures takes 0 or more.") }
    }

    func run() async throws {
        try await connection.withClient { client in
            let run = try await selection.resolve(client)
            let input = try await RunReportBuilder(client: client, run: run, maximumPictures: pictures).build()
            var options = ReportOptions()
            options.maximumPictures = max(1, input.pictures.count)
            let page = ReportDocument(input, options: options).html()
            try OutputFile.write(Data(page.utf8), to: output)
            Console.print("\(CohortSelection.absolute(output)): \(Durations.text(bytes: Int64(page.utf8.count)))")
        }
    }
}
