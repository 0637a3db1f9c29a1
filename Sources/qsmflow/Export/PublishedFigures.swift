/// Published figures that steps which summarise name, for the evaluation steps whose tables they read.
struct PublishedFigures {
    /// What is read of the view evaluation_summary.
    static let columns = ["step", "label", "metric", "published"]

    private struct Key: Hashable { var evaluation: String, label: String, metric: String }

    /// What each summary names.
    private var figures: [Key: [(summary: String, value: Double)]] = [:]

    init(_ rows: [CommaSeparatedTable.Row], _ files: RunFiles) {
        var evaluations: [String: Set<String>] = [:]
        for file in files.made where file.kind == "evaluate.summary" {
            for input in files.inputs(of: file) where input.port == "tables" {
                if let origin = files.origin(of: input) { evaluations[file.step, default: []].insert(origin.step) }
            }
        }
        for row in rows {
            guard let value = row.number("published") else { continue }
            let summary = row.text("step")
            for evaluation in evaluations[summary] ?? [] {
                let key = Key(evaluation: evaluation, label: row.text("label"), metric: row.text("metric"))
                // Every fold of a summary names the same.
                if figures[key]?.contains(where: { $0 == (summary, value) }) != true {
                    figures[key, default: []].append((summary, value))
                }
            }
        }
    }

    /// nil where nobody names one, or two summaries name different ones.
    func figure(of label: String, _ metric: String, from evaluation: String) -> Double? {
        let values = Set((figures[Key(evaluation: evaluation, label: label, metric: metric)] ?? []).map(\.value))
        return values.count == 1 ? values.first : nil
    }

    /// Why figures of an evaluation step are not drawn.
    func notes(from evaluation: String) -> [String] {
        figures.filter { $0.key.evaluation == evaluation && Set($0.value.map(\.value)).count > 1 }
            .sorted { ($0.key.label, $0.key.metric) < ($1.key.label, $1.key.metric) }
            .map { key, named in
                let summaries = Set(named.map(\.summary)).sorted().joined(separator: " and ")
                return "The published \(key.metric) of \(key.label) is another in \(summaries); see their tables."
            }
    }
}
