/// Writes metrics in the text format of Prometheus, version 0.0.4.
struct PrometheusText {
    private(set) var text = ""

    enum Kind: String { case counter, gauge, histogram }

    /// One metric with its series.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ series: [(labels: [(String, String)], value: Double)]
    ) {
        header(name, kind, help)
        for item in series { line(name, item.labels, item.value) }
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        add(name, kind, help, [([], value)])
    }

    mutating func addHistogram(
        _ name: String, _ help: String, bounds: [Double],
        _ series: [(labels: [(String, String)], counts: [Int], sum: Double)]
    ) {
        header(name, .histogram, help)
        for item in series {
            var total = 0
            for (index, count) in item.counts.enumerated() {
                total += count
                let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
                line(name + "_bucket", item.labels + [("le", bound)], Double(total))
            }
            line(name + "_sum", item.labels, item.sum)
            line(name + "_count", item.labels, Double(total))
        }
    }

    private mutating func header(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        text += value == value.rounded() && abs(value) < 1e15 ? " \(Int64(value))\n" : " \(value)\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
