import BIDS
import Workflow

/// The published figures of a step: those of its parameter, and those of a table that it is given.
struct PublishedFigures {
    private let figures: [PublishedFigure]

    /// Of a measurement that is the figure of a source.
    static func term(_ source: String) -> String { "published: \(source)" }

    init(_ environment: TaskEnvironment) throws {
        let step = environment.request.step
        var figures = try PublishedFigure.named(environment, label: "label", rule: "rule")
        if let item = environment.optionalInput("published") { figures += try Self.read(item) }
        // Whose a figure is tells it from others; two of one source would be told apart by nothing.
        for (place, figure) in figures.enumerated() {
            guard let other = figures[..<place].first(where: { $0.source == figure.source && figure.meets($0) }) else {
                continue
            }
            throw TaskResult.Failure.permanent(
                "Step \(step): two published figures for the \(figure.metric) of \(figure.label) are both of “\(figure.source)”, "
                    + "\(other.value) and \(figure.value); keep one, or say in the source what tells them apart")
        }
        self.figures = figures
    }

    private static func read(_ item: TaskRequest.StagedInput) throws -> [PublishedFigure] {
        let (table, name) = (try item.readTable(), item.input.name)
        let columns = try ["label", "metric", "value", "source"].map { try table.column($0, of: name) }
        let rule = table.columns.firstIndex(of: "rule")
        return try table.rows.map { row in
            guard let value = TabSeparatedTable.number(row[columns[2]]), value.isFinite, !row[columns[3]].isEmpty else {
                throw TaskResult.Failure.permanent(
                    "\(name): the \(row[columns[1]]) of \(row[columns[0]]) needs a number as its value and a source; it has "
                        + "“\(row[columns[2]])” and “\(row[columns[3]])”")
            }
            return PublishedFigure(
                label: row[columns[0]], rule: rule.map { row[$0] }.flatMap { $0 == "n/a" ? nil : $0 },
                metric: row[columns[1]], value: value, source: row[columns[3]], isOfStep: false)
        }
    }

    /// In the order they are named in.
    func all(of row: SummaryRow) -> [PublishedFigure] { figures.filter(row.isMetBy) }

    /// The figure of a row that has one and no other: a column of figures has room for one.
    func lone(of row: SummaryRow) -> PublishedFigure? {
        let own = all(of: row)
        return own.count == 1 ? own[0] : nil
    }

    /// Figures named for the step that nothing here stands beside, and a table of which that holds for all.
    func warnings(_ rows: [SummaryRow]) -> [String] {
        let isMet = figures.map { figure in rows.contains { $0.isMetBy(figure) } }
        let own = zip(figures, isMet).filter { $0.0.isOfStep && !$0.1 }.map(\.0.withoutCounterpart)
        let ofTable = zip(figures, isMet).filter { !$0.0.isOfStep }
        guard let first = ofTable.first?.0, !ofTable.contains(where: \.1) else { return own }
        return own + [
            "No figure of the published table has a counterpart here; its rows are such as \(first.metric) of \(first.label)"
                + "\(first.rule.map { " by rule \($0)" } ?? ""), those of this step such as "
                + (rows.first.map { row in
                    "\(row.metric) of \(row.label)\(row.rule.map { " by rule \($0)" } ?? "")"
                } ?? "none") + "."
        ]
    }

    /// Every figure that has a counterpart, beside it.
    func table(beside rows: [SummaryRow]) -> TabSeparatedTable {
        let cell = TabSeparatedTable.cell
        return TabSeparatedTable(
            columns: [
                "label", "rule", "metric", "unit", "people", "mean", "sd", "pooled", "published", "published_source",
            ],
            rows: rows.flatMap { row in
                all(of: row).map { figure in
                    [
                        row.label, row.rule ?? "n/a", row.metric, row.unit, row.spread.map { "\($0.count)" } ?? "n/a",
                        cell(row.spread?.mean), cell(row.spread?.standardDeviation), cell(row.pooled),
                        cell(figure.value), figure.source,
                    ]
                }
            })
    }
}
