extension ReportInput {
    /// What ran, on what, how it went.
    var overview: HTML {
        let failed = Set(failures.compactMap(\.participant)).count
        let flagged = Set(pictures.filter { !$0.flags.isEmpty }.map(\.participant)).count
        // Of a run over the cohort alone nobody is known by name, and it is not about nobody.
        let people = [
            ("\(participants.count)", "participants"), ("\(failed)", "participants with a failure"),
            ("\(flagged)", "flagged in quality control"),
        ]
        let cards: [(String, String)] =
            (participants.isEmpty ? [] : people) + (regions.isEmpty ? [] : [("\(regions.count)", "regional measures")])
            + [(Numbers.duration(run.wallSeconds), "wall time")]
        let facts: [(String, String?)] = [
            ("Run", run.identifier), ("Workflow", run.workflow), ("Dataset", run.dataset), ("Started", run.started),
            ("Finished", run.finished), ("Groups", Self.tally(participants.map(\.group))),
            ("Sites", Self.tally(participants.map(\.site))), ("Sex", Self.tally(participants.map(\.sex))),
            ("Age", ageSummary),
        ]
        let rows = facts.html { name, value in
            value.map { "<tr><th scope=\"row\">\(name)</th><td>\($0)</td></tr>" } ?? .empty
        }
        return """
            <section id="overview"><h2>Overview</h2>
            <ul class="cards">\(cards.html { "<li><b>\($0.0)</b> \($0.1)</li>" })</ul>
            <table class="facts">\(rows)</table>
            \(stepTable)</section>
            """
    }

    private var stepTable: HTML {
        guard !steps.isEmpty else { return .empty }
        let rows = steps.html { step in
            """
            <tr><th scope="row">\(step.name)</th><td><code>\(step.kind)</code></td>\(Self.count(step.succeeded))\
            \(Self.count(step.failed, isBad: true))\(Self.count(step.notRun))\(Self.count(step.unfinished))\
            <td class="n">\(Numbers.duration(step.medianSeconds))</td><td class="n">\(Numbers.bytes(step.peakMemoryBytes))</td></tr>
            """
        }
        return """
            <table class="sortable"><caption>Tasks by step</caption><thead><tr><th scope="col">Step</th><th scope="col">Kind</th>\
            <th scope="col" class="n">Succeeded</th><th scope="col" class="n">Failed</th><th scope="col" class="n">Not run</th>\
            <th scope="col" class="n">Unfinished</th><th scope="col" class="n">Median time</th>\
            <th scope="col" class="n">Peak memory</th></tr></thead><tbody>\(rows)</tbody></table>
            """
    }

    private static func count(_ number: Int, isBad: Bool = false) -> HTML {
        isBad && number > 0 ? "<td class=\"n bad\">\(number)</td>" : "<td class=\"n\">\(number)</td>"
    }

    /// `control 6, HH 6`; nil when nobody has a value.
    private static func tally(_ values: [String?]) -> String? {
        let given = values.compactMap { $0 }
        guard !given.isEmpty else { return nil }
        let counts = Dictionary(given.map { ($0, 1) }, uniquingKeysWith: +)
        var parts = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        if given.count < values.count { parts.append("not given \(values.count - given.count)") }
        return parts.joined(separator: ", ")
    }

    private var ageSummary: String? {
        let ages = participants.compactMap(\.age)
        guard let low = ages.min(), let high = ages.max() else { return nil }
        let mean = ages.reduce(0, +) / Double(ages.count)
        return "mean \(Numbers.fixed(mean, 1)), \(Numbers.fixed(low, 1)) to \(Numbers.fixed(high, 1)) years"
    }
}
