import Statistics

/// Differences of predicted and true numbers against their means, with the bias and the limits of agreement.
struct BlandAltmanPlot {
    private let plot: ReportInput.AgreementPlot
    private let agreement: Agreement.BlandAltman

    /// nil for fewer than two people.
    init?(_ plot: ReportInput.AgreementPlot) {
        // Fewer than two pairs have no limits: there is then nothing to draw.
        guard
            let agreement = try? Agreement.blandAltman(
                first: plot.pairs.map(\.reference), second: plot.pairs.map(\.predicted))
        else { return nil }
        (self.plot, self.agreement) = (plot, agreement)
    }

    func html() -> HTML {
        let points = plot.pairs.map {
            ($0, mean: ($0.reference + $0.predicted) / 2, difference: $0.predicted - $0.reference)
        }
        let x = Axis(points.map(\.mean), pixels: (PlotFrame.left, PlotFrame.right))
        let y = Axis(
            points.map(\.difference) + [agreement.limitLower, agreement.limitUpper],
            pixels: (PlotFrame.bottom, PlotFrame.top), includesZero: true)
        let unit = plot.unit == "1" ? "" : ", \(plot.unit)"
        var body =
            PlotFrame.yAxis(y, title: "predicted − true\(unit)")
            + PlotFrame.xAxis(x, title: "mean of both\(unit)")
        for (value, style) in [
            (agreement.bias, "median"), (agreement.limitLower, "zero"), (agreement.limitUpper, "zero"),
        ] {
            let at = y.pixel(value)
            body +=
                "<line class=\"\(style)\" x1=\"\(PlotFrame.left)\" x2=\"\(PlotFrame.right)\" y1=\"\(at)\" y2=\"\(at)\"/>"
        }
        body += points.html { pair, mean, difference in
            "<use class=\"s0\" href=\"#m0\" x=\"\(x.pixel(mean))\" y=\"\(y.pixel(difference))\"><title>\(pair.participant): \(Numbers.short(pair.predicted)) predicted, \(Numbers.short(pair.reference)) true</title></use>"
        }
        return PlotFrame.svg(body, description: "\(plot.title): differences of \(points.count) people against means")
    }

    /// `bias −0.7 (limits −15.3 to 13.8), r 0.98`.
    var caption: String {
        let correlation = try? Correlation(plot.pairs.map(\.reference), plot.pairs.map(\.predicted))
        let unit = plot.unit == "1" ? "" : " \(plot.unit)"
        return
            "bias \(Numbers.short(agreement.bias))\(unit) (limits of agreement \(Numbers.short(agreement.limitLower)) to "
            + "\(Numbers.short(agreement.limitUpper))), r \(correlation.map { Numbers.fixed($0.coefficient, 2) } ?? "–"), "
            + "n = \(agreement.pairs)"
    }
}
