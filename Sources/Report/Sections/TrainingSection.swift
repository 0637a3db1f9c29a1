extension ReportInput {
    /// Networks that the run trained: what they are, how the training went, and how well they do.
    var trainingSection: HTML {
        guard !trainings.isEmpty else { return .empty }
        let blocks = trainings.html { training in
            let facts = training.facts.html { "<tr><th scope=\"row\">\($0.name)</th><td>\($0.value)</td></tr>" }
            let curve = LearningCurve(training: training)
            let drawings = [curve.loss(), curve.metric()].compactMap { $0 }
            let plots: HTML =
                drawings.isEmpty
                ? "<p class=\"quiet\">too few epochs to draw</p>"
                : "\(LearningCurve.legend)<figure class=\"region\"><div class=\"pair\">\(drawings)</div>\(Self.keptCaption(training))</figure>"
            return """
                <h3>Step \(training.step)</h3><table class="facts"><tbody>\(facts)</tbody></table>\(plots)\(Self.scoreTable(training))
                """
        }
        return "<section id=\"training\"><h2>Training</h2>\(blocks)</section>"
    }

    private static func keptCaption(_ training: Training) -> HTML {
        guard let best = training.bestEpoch else { return .empty }
        return "<figcaption class=\"quiet\">Dashed: epoch \(best), whose weights were kept.</figcaption>"
    }

    private static func scoreTable(_ training: Training) -> HTML {
        guard !training.scores.isEmpty else { return .empty }
        let rows = training.scores.html {
            "<tr><th scope=\"row\">\($0.name)</th><td class=\"n\">\(Numbers.short($0.value))</td></tr>"
        }
        return """
            <table class="sortable"><thead><tr><th scope="col">On people not trained on</th><th scope="col" class="n">Value</th></tr></thead>\
            <tbody>\(rows)</tbody></table>
            """
    }
}
