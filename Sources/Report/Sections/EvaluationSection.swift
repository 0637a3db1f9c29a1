extension ReportInput {
    /// Predictions against references, step by step, headed with what the data is.
    func evaluationSection(_ options: ReportOptions) -> HTML {
        guard !evaluations.isEmpty else { return .empty }
        let blocks = evaluations.html { evaluation in
            let notes = evaluation.notes.html { "<p class=\"quiet\">\($0)</p>" }
            let wide = evaluation.plots.html { plot in
                if case .strips(let strips) = plot { Self.strips(strips) } else { HTML.empty }
            }
            let small = evaluation.plots.html { plot in
                switch plot {
                case .strips: HTML.empty
                case .curves(let curves): Self.curves(curves)
                case .agreement(let plot): Self.agreement(plot)
                }
            }
            let grid: HTML = small.text.isEmpty ? .empty : "<div class=\"plots\">\(small)</div>"
            let tables = evaluation.tables.html { Self.block($0, rows: options.maximumRows, level: 4) }
            return """
                <h3>\(evaluation.title) <span class="quiet">\(evaluation.step)</span></h3>\(notes)\(wide)\(grid)\(tables)
                """
        }
        return """
            <section id="evaluation"><h2>Evaluation</h2><p class="notice">\(dataStatement)</p>\(blocks)</section>
            """
    }

    private static func strips(_ strips: Strips) -> HTML {
        let published: HTML =
            strips.rows.contains { !$0.published.isEmpty }
            ? " Diamonds are published figures, which are not results of this run." : .empty
        return """
            <figure class="forest strips"><figcaption><b>\(strips.title)</b> <span class="quiet">one point per person; box: \
            quartiles, line: mean.\(published)</span></figcaption>\(StripPlot(strips).html())</figure>
            """
    }

    private static func curves(_ curves: Curves) -> HTML {
        let plot = CurvePlot(curves)
        return """
            <figure><figcaption><b>\(curves.title)</b></figcaption>\(plot.html())\(plot.legend)</figure>
            """
    }

    private static func agreement(_ plot: AgreementPlot) -> HTML {
        guard let drawing = BlandAltmanPlot(plot) else { return .empty }
        return """
            <figure><figcaption><b>\(plot.title)</b> <span class="quiet">\(drawing.caption)</span></figcaption>\
            \(drawing.html())</figure>
            """
    }
}
