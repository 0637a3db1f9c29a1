/// Published figures that steps which summarise name, for the evaluation steps whose tables they read.
struct PublishedFigures {
    /// What is read of the view published_figures.
    static let columns = ["step", "label", "metric", "source", "published"]

    struct Figure: Hashable {
        var source: String
        var value: Double
    }

    private struct Key: Hashable { var evaluation: String, label: String, metric: String }

    private var figures: [Key: [Figure]] = [:]

    init(_ rows: [CommaSeparatedTable.Row], _ files: RunFiles) {
        var evaluations: [String: Set<String>] = [:]
        for file in files.made where file.kind == "evaluate.summary" {
            for input in files.inputs(of: file) where input.port == "tables" {
                if let origin = files.origin(of: input) { evaluations[file.step, default: []].insert(origin.step) }
            }
        }
        for row in rows {
            guard let value = row.number("published") else { continue }
            let figure = Figure(source: row.text("source"), value: value)
            for evaluation in evaluations[row.text("step")] ?? [] {
                let key = Key(evaluation: evaluation, label: row.text("label"), metric: row.text("metric"))
                // Every fold of a summary names the same, and so may several summaries.
                if figures[key]?.contains(figure) != true { figures[key, default: []].append(figure) }
            }
        }
    }

    /// In the order of the rows.
    func figures(of label: String, _ metric: String, from evaluation: String) -> [Figure] {
        figures[Key(evaluation: evaluation, label: label, metric: metric)] ?? []
    }
}
