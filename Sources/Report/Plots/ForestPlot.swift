/// Estimates of one term over the regions, with their confidence intervals, against zero.
struct ForestPlot {
    private let effects: [ReportInput.Effect]
    private let significance: Double

    /// Effects without a finite estimate and interval stay in the table only.
    init(effects: [ReportInput.Effect], significance: Double) {
        self.effects = effects.filter { $0.estimate.isFinite && $0.lower.isFinite && $0.upper.isFinite }
        self.significance = significance
    }

    private static let rowHeight = 19.0
    private static let left = 190.0
    private static let right = 560.0

    func html() -> HTML {
        guard let first = effects.first else { return .empty }
        let x = Axis(
            effects.flatMap { [$0.lower, $0.upper, $0.estimate] }, pixels: (Self.left, Self.right), includesZero: true,
            tickCount: 7)
        let bottom = 8 + Self.rowHeight * Double(effects.count)
        var body = x.ticks.html { tick in
            let at = x.pixel(tick)
            return
                "<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"6\" y2=\"\(bottom)\"/><text x=\"\(at)\" y=\"\(bottom + 14)\" class=\"mid\">\(x.label(tick))</text>"
        }
        let zero = x.pixel(0)
        body += "<line class=\"zero\" x1=\"\(zero)\" x2=\"\(zero)\" y1=\"6\" y2=\"\(bottom)\"/>"
        for (row, effect) in effects.enumerated() {
            let y = 8 + Self.rowHeight * (Double(row) + 0.5)
            let isMarked = (effect.qValue ?? 1) < significance
            let text =
                "\(effect.region): \(Numbers.short(effect.estimate)) (\(Numbers.short(effect.lower)) to \(Numbers.short(effect.upper)))"
            body += """
                <g class="\(isMarked ? "found" : "open")"><title>\(text)</title>\
                <text x="\(Self.left - 8)" y="\(y + 3.5)" class="end">\(effect.region)</text>\
                <line x1="\(x.pixel(effect.lower))" x2="\(x.pixel(effect.upper))" y1="\(y)" y2="\(y)"/>\
                <circle cx="\(x.pixel(effect.estimate))" cy="\(y)" r="4"/></g>
                """
        }
        let middle = (Self.left + Self.right) / 2
        body +=
            "<text class=\"axis mid\" x=\"\(middle)\" y=\"\(bottom + 32)\">\(first.contrast), \(first.unit)</text>"
        return PlotFrame.svg(
            body, description: "Estimates of \(first.term) (\(first.contrast)) for \(effects.count) regions",
            width: 580, height: bottom + 40)
    }
}
