import ArgumentParser
import BIDS
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct ResultsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "results",
        abstract: "Print a result view of a run: region statistics, effects, quality, failures.",
        discussion: """
            Without VIEW it lists the views and what they hold; `qsmflow results RUN documentation` explains every \
            column. The same views are there in SQL (`qsmflow sql`), over all runs at once.

            --digest prints one SHA-256 over all measurements of the run: two runs with equal digests computed the same \
            numbers, bit for bit.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, csv, tsv, json }

    @Argument(help: "Number of the run (default: the latest), the name of a view, or both.") var what: [String] = []
    @Option(name: .long, help: "table, csv, tsv or json.") var format: Format?
    @Flag(name: .long, help: "As --format json.") var json = false
    @Flag(name: .long, help: "Print the digest of all measurements instead.") var digest = false
    @Option(name: .shortAndLong, help: "File to write, instead of printing.", completion: .file()) var output: String?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard what.count <= 2, (try? parsed()) != nil else {
            throw ValidationError("Name a run by its number and a view by its name: qsmflow results 3 roi_statistics.")
        }
        if json, let format, format != .json {
            throw ValidationError("--json and --format \(format.rawValue) exclude each other.")
        }
    }

    private func parsed() throws -> (run: RunID?, view: String?) {
        let numbers = what.compactMap { Int64($0) }.map { RunID(rawValue: $0) }
        let names = what.filter { Int64($0) == nil }
        guard numbers.count <= 1, names.count <= 1 else { throw ValidationError("one run, one view") }
        return (numbers.first, names.first)
    }

    func run() async throws {
        let (number, view) = try parsed()
        try await connection.withClient { client in
            var selection = RunSelection()
            selection.run = number
            let run = try await selection.resolve(client)
            if digest { return Console.print(try await client.resultDigest(run: run).hex) }
            let reader = ResultReader(client: client, run: run)
            let format = json ? .json : self.format ?? (output == nil ? .table : .csv)
            guard let view else { return try await listViews(reader, format) }
            switch format {
            case .table:
                let table = TextTable(
                    try await reader.table(view), cuts: output == nil && Console.outputIsTerminal)
                if let output {
                    let text = table.lines().map { $0 + "\n" }.joined()
                    try OutputFile.write(Data(text.utf8), to: output)
                } else {
                    if EvaluationReport.views.contains(view), !table.rows.isEmpty {
                        Console.note(try await EvaluationReport.dataKind(reader).heading)
                    }
                    table.printed()
                    if table.rows.isEmpty { Console.note("Run \(run) has no rows in \(view).") }
                }
            case .csv, .tsv, .json:
                if let output {
                    try await reader.write(view, format: format.rawValue, to: output)
                } else {
                    try await client.results(run: run, view: view, format: format.rawValue) { piece in
                        Console.write(bytes: piece, to: STDOUT_FILENO)
                    }
                }
            }
        }
    }

    private func listViews(_ reader: ResultReader, _ format: Format) async throws {
        struct Note: Encodable { var view: String, holds: String }
        let notes = try await reader.table("documentation").rows(needing: ["view_name", "column_name", "description"])
            .filter { $0["column_name"] == nil }
            .map { Note(view: $0.text("view_name"), holds: $0.text("description")) }
        var option = JSONOption()
        option.json = format == .json
        if try option.printed(notes) { return }
        var table = TextTable(["view", "holds"])
        for note in notes { table.add([note.view, note.holds]) }
        table.printed()
    }
}

extension TextTable {
    /// Cells that are read to their end, however long.
    private static let reasons: Set<String> = ["reason", "message", "warning", "description"]

    /// For people: numbers short and to the right.
    ///
    /// - Parameter cuts: whether long texts other than reasons are cut, as on a terminal.
    init(_ table: CommaSeparatedTable, cuts: Bool) {
        var numeric: Set<Int> = []
        for (column, name) in table.columns.enumerated() where !Self.namesTasks(name) {
            let cells = table.rows.compactMap { $0[column] }
            if !cells.isEmpty, cells.allSatisfy({ Double($0) != nil }) { numeric.insert(column) }
        }
        self.init(table.columns, rightAligned: numeric)
        for row in table.rows {
            add(
                row.enumerated().map { column, cell in
                    Self.cell(
                        cell, isNumber: numeric.contains(column),
                        cuts: cuts && !Self.reasons.contains(table.columns[column]))
                })
        }
    }

    /// Task 1.10 is another than task 1.1: these are names and no decimals.
    private static func namesTasks(_ column: String) -> Bool { column == "task" || column.hasSuffix("_task") }

    private static func cell(_ text: String?, isNumber: Bool, cuts: Bool) -> String {
        guard let text else { return "" }
        if isNumber {
            guard text.contains("."), let value = Double(text) else { return text }
            return String(format: "%.6g", value)
        }
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return cuts && line.count > 80 ? line.prefix(79) + "…" : line
    }
}
