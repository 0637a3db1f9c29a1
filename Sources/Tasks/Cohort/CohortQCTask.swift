import BIDS
import Foundation
import Statistics
import Workflow

/// Robust z score, 0.6745 (x − median) / MAD, of every quality number over the cohort (Iglewicz and Hoaglin 1993).
enum CohortQCTask: TaskImplementation {
    static let kind = "cohort.qc"

    /// Fewer values say nothing about who stands out.
    private static let fewestValues = 5
    /// Differences from the median below these are of no consequence, however rare: a registration whose inverse is off
    /// by a hundredth of a millimetre is not worse than one off by less.
    private static let negligible = [
        "inverse_error": 0.01, "folded_fraction": 1e-5, "jacobian_minimum": 0.01, "registration_similarity": 0.005,
    ]

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let items = environment.inputs("reports")
        var metrics: [String] = []
        var values: [[String: Double]] = []
        for item in items {
            let report = try item.readJSON()
            var numbers: [String: Double] = [:]
            for (name, value) in report["numbers"]?.objectValue ?? [:] {
                if let number = value.doubleValue { numbers[name] = number }
            }
            for name in numbers.keys.sorted() where !metrics.contains(name) { metrics.append(name) }
            values.append(numbers)
        }
        metrics.sort()

        let threshold = environment.number("threshold")
        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for metric in metrics {
            let series = values.map { $0[metric] }
            let known = series.compactMap { $0 }
            let scores =
                known.count >= fewestValues
                ? RobustScores.medianZ(series) : [Double?](repeating: nil, count: series.count)
            let median = RobustScores.median(known) ?? 0
            for (n, item) in items.enumerated() {
                guard let value = series[n] else { continue }
                let z = scores[n]
                let differs = abs(value - median) >= negligible[metric] ?? 0
                let flagged = differs && (z.map { abs($0) >= threshold } ?? false)
                let context = item.input.context
                rows.append([
                    context.subject.map { "sub-\($0)" } ?? "n/a", context.session.map { "ses-\($0)" } ?? "n/a", metric,
                    TabSeparatedTable.cell(value), TabSeparatedTable.cell(z), flagged ? "1" : "0",
                ])
                measured.append(
                    MeasuredValue(context: context, term: metric, metric: "robust_z", value: z, unit: "1"))
                measured.append(
                    MeasuredValue(context: context, term: metric, metric: "flag", value: flagged ? 1 : 0, unit: "1"))
            }
        }
        let table = TabSeparatedTable(
            columns: ["participant_id", "session_id", "metric", "value", "robust_z", "flag"], rows: rows)
        return TaskResult(outputs: [try environment.writeTable(table, to: "table")], measurements: measured)
    }
}
