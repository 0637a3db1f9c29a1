/// A run as one HTML page that needs nothing else: styles, drawings and pictures are inside.
package struct ReportDocument: Sendable {
    private let input: ReportInput
    private let options: ReportOptions

    package init(_ input: ReportInput, options: ReportOptions = ReportOptions()) {
        (self.input, self.options) = (input, options)
    }

    /// The page. Equal input gives equal text: it holds no time of its own.
    package func html() -> String {
        let sections: [(id: String, title: String, body: HTML)] = [
            ("overview", "Overview", input.overview), ("effects", "Cohort effects", input.effectsSection(options)),
            ("regions", "Regions", input.regionsSection(options)),
            ("evaluation", "Evaluation", input.evaluationSection(options)), ("tables", "Tables", input.tablesSection),
            ("training", "Training", input.trainingSection),
            ("quality", "Quality control", input.qualitySection(options)),
            ("failures", "Failures", input.failuresSection), ("missing", "Missing", input.missingSection(options)),
            ("warnings", "Warnings", input.warningsSection(options)),
            ("provenance", "Provenance", input.provenanceSection(options)),
            ("methods", "Methods", input.methodsSection),
        ].filter { !$0.2.text.isEmpty }
        let links = sections.html { "<li><a href=\"#\(HTML(escaping: $0.id))\">\($0.title)</a></li>" }
        let page: HTML = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(input.title)</title><style>\(Stylesheet.css)</style></head>
            <body>\(Series.markers)
            <header><h1>\(input.title) <span class="state">\(input.run.state)</span></h1>
            \(input.notices.html { "<p class=\"notice\">\($0)</p>" })</header>
            <nav aria-label="Sections"><ul>\(links)</ul></nav>
            <main>
            \(sections.html { $0.body + "\n" })</main>
            <footer>Values are as stored by the run; nothing on this page is loaded from elsewhere.</footer>
            <script>\(Stylesheet.script)</script></body></html>

            """
        return page.text
    }
}
