/// One row per structure: a point per person, the quartiles as a box, the mean as a line, published figures as diamonds.
struct StripPlot {
    private let strips: ReportInput.Strips

    init(_ strips: ReportInput.Strips) {
        self.strips = strips
    }

    private static let rowHeight = 26.0
    private static let left = 190.0
    private static let right = 560.0
    /// With more points than this in a row they lose their tooltips, or the page would not load.
    private static let manyPoints = 400

    func html() -> HTML {
        let rows = strips.rows.map { row in
            (row, row.values.filter { $0.value.isFinite }.sorted { $0.value < $1.value })
        }
        let all = rows.flatMap { $0.1.map(\.value) } + rows.flatMap { $0.0.published.map(\.value) }
        guard !all.isEmpty else { return .empty }
        let pixels = (from: Self.left, to: Self.right)
        let x =
            strips.range.map { Axis(range: $0, pixels: pixels) } ?? Axis(all, pixels: pixels, tickCount: 7)
        let bottom = 8 + Self.rowHeight * Double(rows.count)
        var body = x.ticks.html { tick in
            let at = x.pixel(tick)
            return
                "<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"6\" y2=\"\(bottom)\"/><text x=\"\(at)\" y=\"\(bottom + 14)\" class=\"mid\">\(x.label(tick))</text>"
        }
        for (place, (row, values)) in rows.enumerated() {
            body += Self.drawing(row, values, x, y: 8 + Self.rowHeight * (Double(place) + 0.5))
        }
        let middle = (Self.left + Self.right) / 2
        body += "<text class=\"axis mid\" x=\"\(middle)\" y=\"\(bottom + 32)\">\(strips.axis)</text>"
        return PlotFrame.svg(
            body, description: "\(strips.title): \(strips.axis) of \(rows.count) structures", width: 580,
            height: bottom + 40)
    }

    private static func drawing(
        _ row: ReportInput.Strips.Row, _ values: [(participant: String, value: Double)], _ x: Axis, y: Double
    ) -> HTML {
        let name = row.name.count <= 26 ? row.name : row.name.prefix(25) + "…"
        var body: HTML =
            "<text x=\"\(left - 8)\" y=\"\(y + 3.5)\" class=\"end\">\(name)<title>\(row.name)</title></text>"
        if !values.isEmpty {
            let sorted = values.map(\.value)
            if sorted.count > 3 {
                let (low, high) = (x.pixel(quantile(sorted, 0.25)), x.pixel(quantile(sorted, 0.75)))
                body +=
                    "<rect class=\"box\" x=\"\(low)\" width=\"\(max(1, high - low))\" y=\"\(y - 8)\" height=\"16\" rx=\"2\"/>"
            }
            if values.count <= manyPoints {
                body += values.enumerated().html { rank, item in
                    // Spread by rank, so that near points do not hide each other.
                    let shift = (Double(rank * 7 % 11) / 10 - 0.5) * 11
                    return
                        "<use class=\"s0\" href=\"#m0\" x=\"\(x.pixel(item.value))\" y=\"\(y + shift)\"><title>\(item.participant): \(Numbers.short(item.value))</title></use>"
                }
            } else {
                let dots = values.enumerated().html { rank, item in
                    "M\(x.pixel(item.value)) \(y + (Double(rank * 7 % 11) / 10 - 0.5) * 11)h0"
                }
                body += "<path class=\"dots s0\" d=\"\(dots)\"/>"
            }
            let mean = sorted.reduce(0, +) / Double(sorted.count)
            body += """
                <line class="median" x1="\(x.pixel(mean))" x2="\(x.pixel(mean))" y1="\(y - 9)" y2="\(y + 9)">\
                <title>mean of \(values.count): \(Numbers.short(mean))</title></line>
                """
        }
        for published in row.published {
            let at = x.pixel(published.value)
            body += """
                <path class="published" d="M\(at) \(y - 7)L\(at + 7) \(y)L\(at) \(y + 7)L\(at - 7) \(y)Z">\
                <title>published, \(published.source): \(Numbers.short(published.value))</title></path>
                """
        }
        return body
    }

    /// Linear between order statistics.
    private static func quantile(_ sorted: [Double], _ fraction: Double) -> Double {
        let place = fraction * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
}
