import BIDS
import Workflow

/// Brings the region tables of a person's sessions together.
///
/// Tables are those of `roi.statistics`: columns region, reference, and one per statistic. Means over sessions are plain
/// means of the sessions that have the value; a change is the last session minus the first, in the order of the labels.
enum SubjectAggregateTask: TaskImplementation {
    static let kind = "subject.aggregate"

    private struct Key: Hashable { var region: String, reference: String }

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        var order: [Key] = []
        var values: [Key: [String: [Double?]]] = [:]
        let tables = environment.inputs("tables")
        let statistics = ["mean", "median", "volume"]
        for (session, item) in tables.enumerated() {
            let table = try item.readTable()
            let name = item.input.name
            let region = try table.column("region", of: name)
            let reference = try table.column("reference", of: name)
            let columns = try statistics.map { try table.column($0, of: name) }
            for row in table.rows {
                let key = Key(region: row[region], reference: row[reference])
                if values[key] == nil { order.append(key) }
                for (statistic, column) in zip(statistics, columns) {
                    var series = values[key, default: [:]][statistic] ?? []
                    while series.count < session { series.append(nil) }
                    series.append(TabSeparatedTable.number(row[column]))
                    values[key, default: [:]][statistic] = series
                }
            }
        }

        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for key in order {
            let series = values[key] ?? [:]
            func present(_ statistic: String) -> [Double] { (series[statistic] ?? []).compactMap { $0 } }
            func mean(_ statistic: String) -> Double? {
                let known = present(statistic)
                return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
            }
            let means = present("mean")
            let change = means.count > 1 ? means[means.count - 1] - means[0] : nil
            let reference = key.reference
            func add(_ metric: String, _ value: Double?, _ unit: String) {
                measured.append(
                    MeasuredValue(region: key.region, reference: reference, metric: metric, value: value, unit: unit))
            }
            add("mean", mean("mean"), "ppm")
            add("volume", mean("volume"), "mm3")
            add("sessions", Double(means.count), "1")
            if let change { add("change", change, "ppm") }
            let cells = [mean("mean"), mean("median"), mean("volume"), change, Double(means.count)]
            rows.append([key.region, reference] + cells.map(TabSeparatedTable.cell))
        }
        let table = TabSeparatedTable(
            columns: ["region", "reference", "mean", "median", "volume", "change", "sessions"], rows: rows)
        return TaskResult(outputs: [try environment.writeTable(table, to: "table")], measurements: measured)
    }
}
