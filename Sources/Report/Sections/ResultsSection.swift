extension ReportInput {
    /// Cohort effects: a forest plot and a table per term, the first term unfolded.
    func effectsSection(_ options: ReportOptions) -> HTML {
        guard !effects.isEmpty || !effectNotes.isEmpty else { return .empty }
        let notes = effectNotes.html { "<p>\($0)</p>" }
        var order: [String] = []
        var byTerm: [String: [Effect]] = [:]
        for effect in effects {
            // Contrasts of one term (several sites) are told apart.
            let key = "\(effect.term): \(effect.contrast)"
            if byTerm[key] == nil { order.append(key) }
            byTerm[key, default: []].append(effect)
        }
        let blocks = order.enumerated().html { place, key in
            let effects = byTerm[key] ?? []
            let found = effects.count { ($0.qValue ?? 1) < options.significance }
            let tested = effects.count { $0.qValue != nil }
            return """
                <details\(place == 0 ? " open" as HTML : .empty)><summary><b>\(key)</b> <span class="quiet">\(found) of \(tested) regions \
                below q = \(Numbers.plain(options.significance))</span></summary>
                <figure class="forest">\(ForestPlot(effects: effects, significance: options.significance).html())\
                <figcaption>Estimates with 95 % confidence intervals; filled where q is below \
                \(Numbers.plain(options.significance)).</figcaption></figure>
                \(Self.effectTable(effects, options))</details>
                """
        }
        return "<section id=\"effects\"><h2>Cohort effects</h2>\(notes)\(blocks)</section>"
    }

    private static func effectTable(_ effects: [Effect], _ options: ReportOptions) -> HTML {
        let unit = effects.first?.unit ?? ""
        // One number of decimals for the whole table: two significant digits of a typical interval's half width.
        let widths = effects.map { abs($0.upper - $0.lower) / 2 }.filter { $0.isFinite && $0 > 0 }.sorted()
        let decimals = Numbers.decimals(showing: widths.isEmpty ? 1 : widths[widths.count / 2])
        let rows = effects.html { effect in
            let isFound = (effect.qValue ?? 1) < options.significance
            return """
                <tr\(isFound ? " class=\"found\"" as HTML : .empty)><th scope="row">\(effect.region)</th><td class="n">\(effect.observations)</td>\
                <td class="n">\(Numbers.fixed(effect.estimate, decimals))</td>\
                <td class="n">\(Numbers.fixed(effect.lower, decimals)) to \(Numbers.fixed(effect.upper, decimals))</td>\
                <td class="n">\(Numbers.probability(effect.pValue))</td><td class="n">\(Numbers.probability(effect.qValue))</td></tr>
                """
        }
        return """
            <table class="sortable"><thead><tr><th scope="col">Region</th><th scope="col" class="n">n</th>\
            <th scope="col" class="n">Estimate, \(unit)</th><th scope="col" class="n">95 % interval</th>\
            <th scope="col" class="n">p</th><th scope="col" class="n">q</th></tr></thead><tbody>\(rows)</tbody></table>
            """
    }

    /// Plots of every region.
    func regionsSection(_ options: ReportOptions) -> HTML {
        guard !regions.isEmpty else { return .empty }
        let groups = Series(participants.map(\.group))
        let sites = Series(participants.map(\.site))
        let figures = regions.map { region -> HTML in
            let plots = RegionPlots(region: region, participants: participants, groups: groups, sites: sites)
            let values = region.values.count { $0 != nil }
            // Only susceptibility has a zero that could be another.
            let isReferenced = region.unit == "ppb" || region.unit == "ppm"
            let measure = [
                region.measure, region.reference.map { "against \($0)" } ?? (isReferenced ? "not referenced" : nil),
                "\(values) of \(participants.count)",
            ].compactMap { $0 }.joined(separator: ", ")
            let drawings = [plots.againstAge(), plots.bySite()].compactMap { $0 }
            let body: HTML =
                drawings.isEmpty
                ? "<p class=\"quiet\">too few values to draw</p>" : "<div class=\"pair\">\(drawings)</div>"
            return """
                <figure class="region"><figcaption><b>\(region.name)</b> <span class="quiet">\(measure)</span></figcaption>\(body)</figure>
                """
        }
        let shown = figures.prefix(options.maximumOpenRegions).html { $0 }
        let rest = figures.dropFirst(options.maximumOpenRegions)
        let more: HTML =
            rest.isEmpty
            ? .empty
            : "<details><summary>\(rest.count) more regions</summary><div class=\"regions\">\(rest.html { $0 })</div></details>"
        return """
            <section id="regions"><h2>Regions</h2>\(groups.legend)
            <p class="quiet">Lines: linear fit on age and group with its 95 % confidence band. Bars: medians.</p>
            <div class="regions">\(shown)</div>\(more)</section>
            """
    }

    /// Further tables.
    var tablesSection: HTML {
        guard !tables.isEmpty else { return .empty }
        let blocks = tables.html { Self.block($0) }
        return "<section id=\"tables\"><h2>Tables</h2>\(blocks)</section>"
    }

    /// A table with its title.
    ///
    /// - Parameters:
    ///   - limit: rows shown at most; the count is said where there are more.
    ///   - level: of the heading.
    static func block(_ table: Table, rows limit: Int = .max, level: Int = 3) -> HTML {
        let head = table.columns.html { "<th scope=\"col\">\($0)</th>" }
        let rows = table.rows.prefix(limit).html { row in
            let cells = row.enumerated().html { place, cell in
                place == 0
                    ? "<th scope=\"row\">\(cell)</th>"
                    : isNumber(cell) ? "<td class=\"n\">\(cell)</td>" : "<td>\(cell)</td>"
            }
            return "<tr>\(cells)</tr>"
        }
        let cut = table.rows.count > limit ? "The first \(limit) of \(table.rows.count) rows." : nil
        let note: HTML = [table.note, cut].compactMap { $0 }.html { "<p class=\"quiet\">\($0)</p>" }
        return
            "<h\(level)>\(table.title)</h\(level)>\(note)<div class=\"wide\" tabindex=\"0\"><table class=\"sortable\"><thead><tr>\(head)</tr></thead><tbody>\(rows)</tbody></table></div>"
    }

    private static func isNumber(_ text: String) -> Bool {
        let first = text.first ?? "x"
        return first.isNumber || (("−-+±".contains(first)) && text.dropFirst().first?.isNumber == true)
    }
}
