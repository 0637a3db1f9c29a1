import ArgumentParser
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the results of a run to a folder: a BIDS derivative dataset, or tables.",
        discussion: """
            --format bids writes images, tables, pictures and reports with their sidecars. An earlier export in the \
            folder is replaced as a whole once the new one is complete; a folder that holds anything else is refused.

            The other formats write one file per result view, with a description of every column in documentation; they \
            replace an earlier export of tables in the same way.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case bids, csv, tsv, json }

    @Argument(help: "Number of the run.") var run: RunID
    @Argument(help: "Folder to write to.", completion: .directory) var folder: String
    @Option(name: .long, help: "bids, csv, tsv or json.") var format: Format = .bids
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            let folder = CohortSelection.absolute(folder)
            if format == .bids {
                let summary = try await DerivativeExport(client: client, run: run).write(to: folder) { done, total in
                    if Console.errorIsTerminal { Console.write("\r\(done)/\(total) files\u{1b}[K", to: STDERR_FILENO) }
                }
                if Console.errorIsTerminal { Console.write("\r\u{1b}[K", to: STDERR_FILENO) }
                if try output.printed(summary) { return }
                Console.print("\(folder): \(summary.files) files, \(summary.kept) of them already there")
                return
            }
            let reader = ResultReader(client: client, run: run)
            let views = Set(
                try await reader.table("documentation").rows(needing: ["view_name"]).map { $0.text("view_name") })
            let target = try ExportFolder(replacing: folder) { try ExportFolder.checkTables($0, views: views) }
            for view in views.sorted() {
                try await reader.write(
                    view, format: format.rawValue, to: target.place("\(view).\(format.rawValue)"))
            }
            try target.publish()
            if try output.printed(views.sorted()) { return }
            Console.print("\(folder): \(views.count) tables")
        }
    }
}
