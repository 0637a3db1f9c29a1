import BIDS
import Statistics
import Workflow

/// Tables of `evaluate.segmentation` or `evaluate.detection` over people.
enum SummaryTask: TaskImplementation {
    static let kind = "evaluate.summary"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let published = try PublishedFigures(environment)
        let people = try EvaluatedPeople(environment)
        var rows: [SummaryRow] = []
        var curves = TabSeparatedTable(columns: ["label", "rule", "threshold", "fp_per_image", "sensitivity"])
        for group in people.groups {
            rows += SummaryMetrics(group, people).rows
        }
        let lesions = try EvaluatedLesions(environment, people)
        for curve in lesions.curves {
            rows += curve.rows
            curves.rows += curve.points
        }
        let table = TabSeparatedTable(columns: SummaryRow.columns, rows: rows.map { $0.cells(published.lone(of: $0)) })
        let warnings =
            people.warnings + nothingAskedFor(people) + nothingFound(people) + lesions.warnings
            + published.warnings(rows)
        let missing = environment.request.missing.map { item in
            JSONValue.object(["context": .string(item.context.description), "reason": .string(item.reason)])
        }
        let report: JSONValue = [
            "kind": .string(people.isDetection ? "detection" : "segmentation"),
            "people": .array(people.people.map { .string($0) }), "missing": .array(missing),
        ]
        return TaskResult(
            outputs: [
                try environment.writeTable(table, to: "table"), try environment.writeTable(people.table, to: "people"),
                try environment.writeTable(curves, to: "froc"),
                try environment.writeTable(published.table(beside: rows), to: "published"),
                try environment.writeJSON(report, to: "report"),
            ], measurements: rows.flatMap { $0.measurements(published) }, warnings: warnings)
    }

    /// Classes of which all lesions that there are were too small to be asked for.
    private static func nothingAskedFor(_ people: EvaluatedPeople) -> [String] {
        var labels: [String: Int] = [:]
        for group in people.groups where labels[group.label] == nil && sum(group, "references") == 0 {
            let ignored = Int(sum(group, "ignored_references"))
            if ignored > 0 { labels[group.label] = ignored }
        }
        return labels.sorted { $0.key < $1.key }.map {
            "No \($0.key) was asked for: \($0.value) \($0.value == 1 ? "is" : "are") smaller than “ignored_below_mm3”, so sensitivity does not exist; is that "
                + "in mm³?"
        }
    }

    private static func sum(_ group: EvaluatedPeople.Group, _ column: String) -> Double {
        group.entries.reduce(0) { $0 + (($1.values[column] ?? nil) ?? 0) }
    }

    /// Classes of lesions that there are and of which nobody's prediction has one, whatever the rule.
    private static func nothingFound(_ people: EvaluatedPeople) -> [String] {
        guard people.isDetection else { return [] }
        let labels = people.groups.filter { sum($0, "references") > 0 && sum($0, "predictions") == 0 }.map(\.label)
        return Set(labels).sorted().map {
            "Nobody has a predicted \($0), so its precision does not exist: was what finds them trained for long enough, and is "
                + "its threshold low enough?"
        }
    }
}

/// One metric of one structure, or of one class under one rule, over people.
struct SummaryRow {
    static let columns = [
        "label", "rule", "metric", "unit", "people", "mean", "sd", "sem", "median", "min", "max", "empty", "pooled",
        "ci_low", "ci_high", "folds", "fold_mean", "fold_sd", "published", "published_source",
    ]

    var label: String
    var rule: String?
    var metric: String
    var unit: String
    /// Over people who have the value; nil for what only exists over all.
    var spread: Spread?
    /// People without it.
    var empty: Int?
    /// Over all people together.
    var pooled: Double?
    var interval: ClosedRange<Double>?
    var folds: Spread?

    func isMetBy(_ figure: PublishedFigure) -> Bool { figure.fits(label: label, rule: rule, metric: metric) }

    func cells(_ published: PublishedFigure?) -> [String] {
        let cell = TabSeparatedTable.cell
        func count(_ number: Int?) -> String { number.map { "\($0)" } ?? "n/a" }
        return [
            label, rule ?? "n/a", metric, unit, count(spread?.count), cell(spread?.mean),
            cell(spread?.standardDeviation), cell(spread?.standardError), cell(spread?.median), cell(spread?.minimum),
            cell(spread?.maximum), count(empty), cell(pooled), cell(interval?.lowerBound), cell(interval?.upperBound),
            count(folds?.count), cell(folds?.mean), cell(folds?.standardDeviation), cell(published?.value),
            published?.source ?? "n/a",
        ]
    }

    func measurements(_ published: PublishedFigures) -> [MeasuredValue] {
        let values: [(String, Double?, String)] =
            [
                ("people", spread.map { Double($0.count) }, "1"), ("mean", spread?.mean, unit),
                ("sd", spread?.standardDeviation, unit), ("sem", spread?.standardError, unit),
                ("median", spread?.median, unit), ("min", spread?.minimum, unit), ("max", spread?.maximum, unit),
                ("empty", empty.map(Double.init), "1"), ("pooled", pooled, unit),
                ("ci_low", interval?.lowerBound, unit),
                ("ci_high", interval?.upperBound, unit), ("folds", folds.map { Double($0.count) }, "1"),
                ("fold_mean", folds?.mean, unit), ("fold_sd", folds?.standardDeviation, unit),
                ("published", published.lone(of: self)?.value, unit),
            ] + published.all(of: self).map { (PublishedFigures.term($0.source), $0.value, unit) }
        return values.compactMap { term, value, unit in
            value.map {
                MeasuredValue(
                    region: label, reference: rule, term: term, metric: metric, value: $0, unit: unit)
            }
        }
    }
}
