extension ReportInput {
    /// Failures grouped by what went wrong, commonest first.
    var failuresSection: HTML {
        guard !failures.isEmpty else {
            return "<section id=\"failures\"><h2>Failures</h2><p>No task failed.</p></section>"
        }
        // The reason usually names a file, so kinds of failure are step and class.
        let groups = Dictionary(grouping: failures) { "\($0.step) · \($0.failureClass)" }
            .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
        let blocks = groups.html { name, members in
            let rows = members.html { failure in
                let log: HTML =
                    failure.logTail.map { "<details><summary>log</summary><pre>\($0)</pre></details>" } ?? .empty
                return """
                    <tr><th scope="row">\(failure.participant ?? "cohort")</th><td>\(failure.reason)\(log)</td>\
                    <td class="n">\(failure.attempts)</td></tr>
                    """
            }
            return """
                <h3>\(name) <span class="quiet">\(members.count)</span></h3>
                <table class="sortable"><thead><tr><th scope="col">Participant</th><th scope="col">Reason</th>\
                <th scope="col" class="n">Attempts</th></tr></thead><tbody>\(rows)</tbody></table>
                """
        }
        return "<section id=\"failures\"><h2>Failures</h2>\(blocks)</section>"
    }

    /// Who is missing from which result, and why.
    func missingSection(_ options: ReportOptions) -> HTML {
        guard !missing.isEmpty else { return .empty }
        let rows = missing.prefix(options.maximumRows).html { item in
            "<tr><th scope=\"row\">\(item.participant)</th><td>\(item.step)</td><td>\(item.reason)</td></tr>"
        }
        return """
            <section id="missing"><h2>Missing participants</h2>
            <p>Missing from at least one result: \(Set(missing.map(\.participant)).count).\
            \(Self.cutNote(missing.count, options))</p>
            <table class="sortable"><thead><tr><th scope="col">Participant</th><th scope="col">Missing from</th>\
            <th scope="col">Reason</th></tr></thead><tbody>\(rows)</tbody></table></section>
            """
    }

    /// What tasks that succeeded warn of: a result may be there, and still not be what it seems.
    func warningsSection(_ options: ReportOptions) -> HTML {
        guard !warnings.isEmpty else { return .empty }
        let rows = warnings.prefix(options.maximumRows).html { warning in
            let named = warning.participants.prefix(3).joined(separator: ", ")
            let others = warning.participants.count - 3
            let people = warning.participants.isEmpty ? "cohort" : named + (others > 0 ? " and \(others) more" : "")
            return "<tr><th scope=\"row\">\(warning.step)</th><td>\(people)</td><td>\(warning.text)</td></tr>"
        }
        return """
            <section id="warnings"><h2>Warnings</h2>
            <p>Of tasks that succeeded.\(Self.cutNote(warnings.count, options))</p>
            <table class="sortable"><thead><tr><th scope="col">Step</th><th scope="col">Participants</th>\
            <th scope="col">Warning</th></tr></thead><tbody>\(rows)</tbody></table></section>
            """
    }

    /// Software, parameters and inputs.
    func provenanceSection(_ options: ReportOptions) -> HTML {
        let software = provenance.software.html {
            "<tr><th scope=\"row\">\($0.name)</th><td><code>\($0.value)</code></td></tr>"
        }
        let parameters = provenance.parameters.html { step, facts in
            let rows = facts.html { "<tr><th scope=\"row\">\($0.name)</th><td><code>\($0.value)</code></td></tr>" }
            return "<h4>\(step)</h4><table class=\"facts\">\(rows)</table>"
        }
        let inputs = provenance.inputs.prefix(options.maximumRows).html {
            "<tr><td>\($0.name)</td><td><code>\($0.value)</code></td></tr>"
        }
        var body: HTML = "<table class=\"facts\">\(software)</table>"
        if !provenance.parameters.isEmpty {
            body +=
                "<details><summary>Parameters by step</summary>\(parameters)</details>"
        }
        if !provenance.inputs.isEmpty {
            body += """
                <details><summary>Input files with their SHA-256 (\(provenance.inputs.count))</summary>\
                <p>\(Self.cutNote(provenance.inputs.count, options))</p><table><thead><tr><th scope="col">File</th>\
                <th scope="col">SHA-256</th></tr></thead><tbody>\(inputs)</tbody></table></details>
                """
        }
        return "<section id=\"provenance\"><h2>Provenance</h2>\(body)</section>"
    }

    /// Prose and references.
    var methodsSection: HTML {
        guard !methods.isEmpty || !citations.isEmpty else { return .empty }
        let items = citations.html { citation in
            let link: HTML =
                citation.doi.map { " <a href=\"https://doi.org/\($0)\">doi:\($0)</a>" } ?? .empty
            return "<li>\(citation.text)\(link)</li>"
        }
        let list: HTML = citations.isEmpty ? .empty : "<h3>References</h3><ol>\(items)</ol>"
        return "<section id=\"methods\"><h2>Methods</h2>\(methods.html { "<p>\($0)</p>" })\(list)</section>"
    }

    private static func cutNote(_ count: Int, _ options: ReportOptions) -> String {
        count > options.maximumRows ? " The first \(options.maximumRows) of \(count) rows are shown." : ""
    }
}
