import BIDS
import Foundation
import Report
import Workflow

/// What a report shows of the evaluations of a run: plots from its result views, tables and curves from what its steps
/// wrote.
struct EvaluationReport {
    let reader: ResultReader
    let files: RunFiles
    /// Bytes of a file that a task made.
    let bytes: (MadeFile) async throws -> [UInt8]

    static let kinds: Set<String> = [
        "evaluate.segmentation", "evaluate.detection", "evaluate.classification", "evaluate.summary",
    ]

    /// Views that hold figures of how good something is.
    static let views: Set<String> = [
        "segmentation_metrics", "detection_metrics", "classification_metrics", "classification_decisions",
        "evaluation_summary", "published_figures",
    ]

    func evaluations() async throws -> [ReportInput.Evaluation] {
        guard files.made.contains(where: { Self.kinds.contains($0.kind) }) else { return [] }
        let published = try await published()
        return try await segmentations(published) + detections() + summaries() + classifications()
    }

    /// What the dataset of a run says that it is of.
    static func dataKind(_ reader: ResultReader) async throws -> DataKind {
        let row = try await reader.table("datasets").rows(needing: ["dataset", "description"]).first
        guard let text = row?["description"] else { return .unstated }
        return DataKind(DatasetDescription.read(try JSONValue.parse(text), path: "").0)
    }

    private func published() async throws -> PublishedFigures {
        let rows = try await reader.table("published_figures").rows(needing: PublishedFigures.columns)
        return PublishedFigures(rows, files)
    }

    private static func person(_ row: CommaSeparatedTable.Row) -> String {
        row.text("participant_id") + (row["session"].map { " ses-\($0)" } ?? "")
    }

    /// In the order met.
    private static func grouped(
        _ rows: [CommaSeparatedTable.Row], by key: (CommaSeparatedTable.Row) -> String
    ) -> [(key: String, rows: [CommaSeparatedTable.Row])] {
        var order: [String] = []
        var groups: [String: [CommaSeparatedTable.Row]] = [:]
        for row in rows {
            let name = key(row)
            if groups[name] == nil { order.append(name) }
            groups[name, default: []].append(row)
        }
        return order.map { ($0, groups[$0]!) }
    }

    // MARK: Regions

    private func segmentations(_ published: PublishedFigures) async throws -> [ReportInput.Evaluation] {
        let rows = try await reader.table("segmentation_metrics").rows(needing: [
            "step", "participant_id", "session", "structure", "dice", "hd95_mm", "reference_mm3", "prediction_mm3",
        ])
        return Self.grouped(rows) { $0.text("step") }.map { step, rows in
            let structures = Self.grouped(rows) { $0.text("structure") }
            func strips(
                _ column: String, _ title: String, _ axis: String, _ range: ClosedRange<Double>?, metric: String
            )
                -> ReportInput.Plot
            {
                .strips(
                    ReportInput.Strips(
                        title: title, axis: axis, range: range,
                        rows: structures.map { name, rows in
                            ReportInput.Strips.Row(
                                name: name,
                                values: rows.compactMap { row in row.number(column).map { (Self.person(row), $0) } },
                                published: published.figures(of: name, metric, from: step).map { ($0.source, $0.value) }
                            )
                        }))
            }
            return ReportInput.Evaluation(
                step: step, title: "Segmentation",
                notes: [
                    "Dice is 1 where both sides are empty and 0 where one is. HD95: 95th percentile of the surface distances of "
                        + "both directions pooled."
                ],
                plots: [
                    strips("dice", "Dice by structure", "Dice", 0...1, metric: "dice"),
                    strips("hd95_mm", "HD95 by structure", "HD95, mm", nil, metric: "hd95"),
                ]
                    + structures.prefix(Self.maximumAgreements).map { name, rows in
                        Self.agreement(
                            "\(name): volume", "mm³", rows, reference: "reference_mm3", predicted: "prediction_mm3")
                    })
        }
    }

    /// Structures whose volumes are drawn against each other; more are in the tables.
    private static let maximumAgreements = 12

    private static func agreement(
        _ title: String, _ unit: String, _ rows: [CommaSeparatedTable.Row], reference: String, predicted: String
    ) -> ReportInput.Plot {
        .agreement(
            ReportInput.AgreementPlot(
                title: title, unit: unit,
                pairs: rows.compactMap { row in
                    guard let a = row.number(reference), let b = row.number(predicted) else { return nil }
                    return (person(row), a, b)
                }))
    }

    // MARK: Lesions

    private func detections() async throws -> [ReportInput.Evaluation] {
        let rows = try await reader.table("detection_metrics").rows(needing: [
            "step", "participant_id", "session", "class", "rule", "reference_lesions", "predicted_lesions",
            "sensitivity",
            "precision", "reference_mm3", "prediction_mm3",
        ])
        return Self.grouped(rows) { $0.text("step") }.map { step, rows in
            let groups = Self.grouped(rows) { "\($0.text("class")), \($0.text("rule"))" }
            func strips(_ column: String, _ title: String) -> ReportInput.Plot {
                .strips(
                    ReportInput.Strips(
                        title: title, axis: column, range: 0...1,
                        rows: groups.map { name, rows in
                            ReportInput.Strips.Row(
                                name: name,
                                values: rows.compactMap { row in row.number(column).map { (Self.person(row), $0) } })
                        }))
            }
            var plots = [
                strips("sensitivity", "Sensitivity by class and rule, people with a lesion"),
                strips("precision", "Precision by class and rule, people with a prediction"),
            ]
            for (name, members) in Self.grouped(rows, by: { $0.text("class") }) {
                let rule = members.first?.text("rule")
                let own = members.filter { $0.text("rule") == rule }
                plots.append(
                    Self.agreement(
                        "\(name): number", "1", own, reference: "reference_lesions", predicted: "predicted_lesions"))
                plots.append(
                    Self.agreement(
                        "\(name): volume", "mm³", own, reference: "reference_mm3", predicted: "prediction_mm3"))
            }
            return ReportInput.Evaluation(step: step, title: "Detection of lesions", plots: plots)
        }
    }

    // MARK: Over the cohort

    /// What one task over people made.
    struct Made {
        var step: String
        /// nil for steps without one task per fold.
        var fold: Int?
        var byPort: [String: MadeFile]

        func title(_ text: String) -> String { fold.map { "\(text), fold \($0)" } ?? text }
    }

    /// By step and then by fold.
    static func tasks(of kind: String, _ files: RunFiles) -> [Made] {
        let tasks = Dictionary(grouping: files.made.filter { $0.kind == kind }, by: \.ordinal)
        return tasks.sorted { a, b in
            let (x, y) = (a.value[0], b.value[0])
            return (x.step, x.context.fold ?? 0, a.key) < (y.step, y.context.fold ?? 0, b.key)
        }.map { _, own in
            Made(
                step: own[0].step, fold: own[0].context.fold,
                byPort: Dictionary(own.map { ($0.port, $0) }) { first, _ in first })
        }
    }

    private func table(_ file: MadeFile?) async throws -> TabularFile? {
        guard let file else { return nil }
        return try TabularFile.parse(String(decoding: try await bytes(file), as: UTF8.self), path: file.name).0
    }

    private func summaries() async throws -> [ReportInput.Evaluation] {
        var evaluations: [ReportInput.Evaluation] = []
        for made in Self.tasks(of: "evaluate.summary", files) {
            guard let table = try await table(made.byPort["table"]) else { continue }
            var plots: [ReportInput.Plot] = []
            if let froc = try await self.table(made.byPort["froc"]) { plots += Self.freeResponse(froc) }
            evaluations.append(
                ReportInput.Evaluation(
                    step: made.step, title: made.title("Over people"),
                    notes: [
                        "Means over people who have the value, ± standard deviation and, in brackets, standard error; pooled: over "
                            + "everybody together. Published figures are named as such and are not results of this run."
                    ], plots: plots,
                    tables: [
                        Self.summaryTable(table), try await Self.publishedTable(self.table(made.byPort["published"])),
                    ].compactMap { $0 }))
        }
        return evaluations
    }

    /// One plot per class, one curve per rule.
    private static func freeResponse(_ table: TabularFile) -> [ReportInput.Plot] {
        guard let label = table.columns.firstIndex(of: "label") else { return [] }
        var classes: [String] = []
        for row in table.rows where !classes.contains(row.fields[label]) { classes.append(row.fields[label]) }
        return classes.map { name in
            var own = table
            own.rows = table.rows.filter { $0.fields[label] == name }
            let lines = lines(own, name: ["rule"], x: "fp_per_image", y: "sensitivity", start: (0, 0))
            let most = lines.flatMap { $0.points.map(\.x) }.max() ?? 1
            return .curves(
                ReportInput.Curves(
                    title: "\(name): free response", xAxis: "false alarms per image", yAxis: "sensitivity",
                    xRange: 0...min(max(1, most.rounded(.up)), 16), lines: lines, isStepped: true))
        }
    }

    /// Lines by the columns that name them, in the order met.
    private static func lines(
        _ table: TabularFile, name columns: [String], x: String, y: String, start: (Double, Double)? = nil
    ) -> [ReportInput.Curves.Line] {
        guard let xs = table.columns.firstIndex(of: x), let ys = table.columns.firstIndex(of: y) else { return [] }
        let names = columns.compactMap { table.columns.firstIndex(of: $0) }
        var lines: [ReportInput.Curves.Line] = []
        for row in table.rows {
            guard let px = Double(row.fields[xs]), let py = Double(row.fields[ys]) else { continue }
            let name = names.map { row.fields[$0] }.filter { $0 != "n/a" }.joined(separator: ", ")
            if lines.last?.name != name {
                lines.append(ReportInput.Curves.Line(name: name, points: start.map { [(x: $0.0, y: $0.1)] } ?? []))
            }
            lines[lines.count - 1].points.append((px, py))
        }
        return lines
    }

    private static func summaryTable(_ table: TabularFile) -> ReportInput.Table {
        let place = Dictionary(table.columns.enumerated().map { ($1, $0) }) { first, _ in first }
        func text(_ row: TabularFile.Row, _ column: String) -> String? {
            place[column].map { row.fields[$0] }.flatMap { $0 == "n/a" ? nil : $0 }
        }
        func number(_ row: TabularFile.Row, _ column: String) -> String? {
            text(row, column).flatMap { Double($0) }.map(short)
        }
        let hasRules = table.rows.contains { text($0, "rule") != nil }
        let hasFolds = table.rows.contains { text($0, "folds") != nil }
        let hasPublished = table.rows.contains { text($0, "published") != nil }
        let rows = table.rows.map { row -> [String] in
            let mean = number(row, "mean").map { mean in
                mean + (number(row, "sd").map { " ± \($0)" } ?? "") + (number(row, "sem").map { " (\($0))" } ?? "")
            }
            let pooled = number(row, "pooled").map { pooled in
                guard let low = number(row, "ci_low"), let high = number(row, "ci_high") else { return pooled }
                return "\(pooled) (\(low) to \(high))"
            }
            let folds = number(row, "fold_mean").map { $0 + (number(row, "fold_sd").map { " ± \($0)" } ?? "") }
            let unit = text(row, "unit").flatMap { $0 == "1" ? nil : $0 } ?? ""
            var cells = [text(row, "label") ?? ""]
            if hasRules { cells.append(text(row, "rule") ?? "") }
            cells += [
                (text(row, "metric") ?? "").replacing("_", with: " "), unit, text(row, "people") ?? "–", mean ?? "–",
                number(row, "median") ?? "–", text(row, "empty") ?? "–", pooled ?? "–",
            ]
            if hasFolds { cells.append(folds ?? "–") }
            if hasPublished {
                cells.append(
                    number(row, "published").map { "\($0) – \(text(row, "published_source") ?? "")" } ?? "")
            }
            return cells
        }
        return ReportInput.Table(
            title: "Metrics",
            columns: ["Label"] + (hasRules ? ["Rule"] : []) + [
                "Metric", "Unit", "People", "Mean ± SD (SEM)", "Median", "Without", "Pooled",
            ] + (hasFolds ? ["Over folds"] : []) + (hasPublished ? ["Published (not ours)"] : []), rows: rows)
    }

    /// Every published figure with what was found here beside it; nil where there is none.
    private static func publishedTable(_ table: TabularFile?) -> ReportInput.Table? {
        guard let table, !table.rows.isEmpty else { return nil }
        let place = Dictionary(table.columns.enumerated().map { ($1, $0) }) { first, _ in first }
        func text(_ row: TabularFile.Row, _ column: String) -> String? {
            place[column].map { row.fields[$0] }.flatMap { $0 == "n/a" ? nil : $0 }
        }
        func number(_ row: TabularFile.Row, _ column: String) -> String? {
            text(row, column).flatMap { Double($0) }.map(short)
        }
        let hasRules = table.rows.contains { text($0, "rule") != nil }
        return ReportInput.Table(
            title: "Beside published figures",
            columns: ["Label"] + (hasRules ? ["Rule"] : []) + [
                "Metric", "Unit", "This run, mean ± SD", "People", "Pooled", "Published (not ours)", "Published by",
            ],
            rows: table.rows.map { row in
                let mean = number(row, "mean").map { $0 + (number(row, "sd").map { " ± \($0)" } ?? "") }
                return [text(row, "label") ?? ""] + (hasRules ? [text(row, "rule") ?? ""] : []) + [
                    (text(row, "metric") ?? "").replacing("_", with: " "),
                    text(row, "unit").flatMap { $0 == "1" ? nil : $0 } ?? "", mean ?? "–", text(row, "people") ?? "–",
                    number(row, "pooled") ?? "–", number(row, "published") ?? "–",
                    text(row, "published_source") ?? "",
                ]
            })
    }

    /// Three significant digits.
    private static func short(_ value: Double) -> String {
        guard value != 0 else { return "0" }
        let digits = max(0, 2 - Int(floor(log10(abs(value)))))
        return String(format: "%.\(min(6, digits))f", value).replacing("-", with: "−")
    }

    private func classifications() async throws -> [ReportInput.Evaluation] {
        var evaluations: [ReportInput.Evaluation] = []
        for made in Self.tasks(of: "evaluate.classification", files) {
            let files = made.byPort
            guard let metrics = try await table(files["metrics"]) else { continue }
            let (roc, pr) = (try await table(files["roc"]), try await table(files["pr"]))
            let calibration = try await table(files["calibration"])
            var plots: [ReportInput.Plot] = []
            func add(
                _ table: TabularFile?, _ title: String, _ x: (String, String), _ y: (String, String),
                diagonal: Bool = false, markers: Bool = false, start: (Double, Double)? = nil
            ) {
                guard let table, !table.rows.isEmpty else { return }
                plots.append(
                    .curves(
                        ReportInput.Curves(
                            title: title, xAxis: x.1, yAxis: y.1,
                            lines: Self.lines(table, name: ["level", "class"], x: x.0, y: y.0, start: start),
                            hasDiagonal: diagonal, hasMarkers: markers)))
            }
            add(
                roc, "ROC", ("false_positive_rate", "1 − specificity"), ("true_positive_rate", "sensitivity"),
                diagonal: true)
            add(pr, "Precision and recall", ("recall", "recall"), ("precision", "precision"), start: (0, 1))
            add(
                calibration, "Calibration", ("stated", "probability stated"), ("observed", "share observed"),
                diagonal: true, markers: true)
            plots += Self.counts(try await table(files["people"]))
            evaluations.append(
                ReportInput.Evaluation(
                    step: made.step, title: made.title("Classification"),
                    notes: [
                        "Intervals are percentiles of a bootstrap that draws people with everything that is theirs, given what was "
                            + "predicted: what other training data or another seed would change is not in them. That of "
                            + "count r fisher is Fisher's. Published figures are named as such and are not results of this run."
                    ], plots: plots,
                    tables: [
                        Self.metricsTable(metrics), try await Self.confusionTable(table(files["confusion"])),
                    ].compactMap { $0 }))
        }
        return evaluations
    }

    /// Predicted against true numbers of a class per person.
    private static func counts(_ table: TabularFile?) -> [ReportInput.Plot] {
        guard let table, let person = table.columns.firstIndex(of: "participant_id"),
            let level = table.columns.firstIndex(of: "level"), let name = table.columns.firstIndex(of: "class"),
            let truth = table.columns.firstIndex(of: "true_count"),
            let predicted = table.columns.firstIndex(of: "predicted_count")
        else { return [] }
        var plots: [ReportInput.AgreementPlot] = []
        for row in table.rows where row.fields[level] == "count" {
            guard let a = Double(row.fields[truth]), let b = Double(row.fields[predicted]) else { continue }
            let title = "\(row.fields[name]): number per person"
            if plots.last?.title != title {
                plots.append(ReportInput.AgreementPlot(title: title, unit: "1", pairs: []))
            }
            plots[plots.count - 1].pairs.append((row.fields[person], a, b))
        }
        return plots.map { .agreement($0) }
    }

    /// Of an evaluation of classes.
    static func metricsTable(_ table: TabularFile) -> ReportInput.Table {
        let place = Dictionary(table.columns.enumerated().map { ($1, $0) }) { first, _ in first }
        func text(_ row: TabularFile.Row, _ column: String) -> String { place[column].map { row.fields[$0] } ?? "n/a" }
        func number(_ row: TabularFile.Row, _ column: String) -> String? { Double(text(row, column)).map(short) }
        let whole = table.rows.filter { text($0, "fold") == "all" }
        let hasFolds = whole.contains { text($0, "folds") != "n/a" }
        let hasPublished = whole.contains { text($0, "published") != "n/a" }
        return ReportInput.Table(
            title: "Metrics",
            columns: ["Level", "Class", "Metric", "Value", "Interval"] + (hasFolds ? ["Mean ± SD over folds"] : []) + [
                "Cases", "Positive", "People",
            ] + (hasPublished ? ["Published (not ours)"] : []),
            rows: whole.map { row in
                let interval = number(row, "ci_low").flatMap { low in
                    number(row, "ci_high").map { "\(low) to \($0)" }
                }
                let folds = number(row, "fold_mean").map { $0 + (number(row, "fold_sd").map { " ± \($0)" } ?? "") }
                var cells = [
                    text(row, "level").replacing("_", with: " "), text(row, "class"),
                    text(row, "metric").replacing("_", with: " "), number(row, "value") ?? "–", interval ?? "–",
                ]
                if hasFolds { cells.append(folds ?? "–") }
                cells += ["cases", "positives", "people"].map { text(row, $0) == "n/a" ? "–" : text(row, $0) }
                if hasPublished {
                    cells.append(number(row, "published").map { "\($0) – \(text(row, "published_source"))" } ?? "")
                }
                return cells
            })
    }

    private static func confusionTable(_ table: TabularFile?) -> ReportInput.Table? {
        guard let table, !table.rows.isEmpty else { return nil }
        return ReportInput.Table(
            title: "Decisions", columns: ["Level", "Class", "Truth", "Decision", "Cases"],
            rows: table.rows.map(\.fields))
    }
}
