/// Two drawings per region: its value against age, and by site and group.
struct RegionPlots {
    let region: ReportInput.Region
    let participants: [ReportInput.Participant]
    let groups: Series
    let sites: Series

    /// With more points than this, markers lose their tooltips and shapes, or the page would not load.
    static let manyPoints = 400

    private var title: String { "\(region.measure), \(region.unit)" }

    private var points: [(participant: ReportInput.Participant, value: Double)] {
        zip(participants, region.values).compactMap { participant, value in
            value.flatMap { $0.isFinite ? (participant, $0) : nil }
        }
    }

    private func y(_ extra: [Double] = []) -> Axis {
        Axis(points.map(\.value) + extra, pixels: (PlotFrame.bottom, PlotFrame.top))
    }

    /// Value against age, coloured by group, with a common slope and its 95 % band.
    func againstAge() -> HTML? {
        let dated = points.filter { $0.participant.age?.isFinite ?? false }
        guard dated.count >= 2 else { return nil }
        let fit = AgeFit(
            ages: participants.map(\.age), values: region.values, groups: participants.map(\.group), series: groups)
        let x = Axis(dated.compactMap(\.participant.age), pixels: (PlotFrame.left, PlotFrame.right))
        let y = y(fit?.bands.flatMap { $0.points.flatMap { [$0.lower, $0.upper] } } ?? [])
        var body = PlotFrame.yAxis(y, title: title) + PlotFrame.xAxis(x, title: "age, years")
        for band in fit?.bands ?? [] {
            let style = Series.style(band.series)
            let upper = band.points.map { (x.pixel($0.age), y.pixel($0.upper)) }
            let lower = band.points.reversed().map { (x.pixel($0.age), y.pixel($0.lower)) }
            let line = band.points.map { (x.pixel($0.age), y.pixel($0.value)) }
            body += "<path class=\"band s\(style)\" d=\"\(Self.path(upper + lower))Z\"/>"
            body += "<path class=\"fit s\(style)\" d=\"\(Self.path(line))\"/>"
        }
        body += Self.markers(
            dated.map { item in
                Marker(
                    x: x.pixel(item.participant.age ?? 0), y: y.pixel(item.value),
                    series: groups.place(item.participant.group),
                    tooltip: "\(item.participant.label): \(Numbers.short(item.value)) \(region.unit)")
            })
        return PlotFrame.svg(
            body, description: "\(region.name): \(title) against age for \(dated.count) participants")
    }

    /// One strip per site, groups side by side, with medians.
    func bySite() -> HTML? {
        let points = points
        guard points.count >= 2 else { return nil }
        let y = y()
        let columns = sites.count * groups.count
        let step = (PlotFrame.right - PlotFrame.left) / Double(columns)
        var body = PlotFrame.yAxis(y, title: title) + PlotFrame.base
        var cells = [[(participant: ReportInput.Participant, value: Double)]](repeating: [], count: columns)
        for point in points {
            let column = sites.place(point.participant.site) * groups.count + groups.place(point.participant.group)
            cells[column].append(point)
        }
        var markers: [Marker] = []
        for (column, cell) in cells.enumerated() where !cell.isEmpty {
            let centre = PlotFrame.left + (Double(column) + 0.5) * step
            // Spread sideways in order of value, so that near points do not hide each other.
            for (rank, point) in cell.sorted(by: { $0.value < $1.value }).enumerated() {
                let shift = Double(rank * 7 % 11) / 10 - 0.5
                markers.append(
                    Marker(
                        x: centre + shift * min(step * 0.6, 26), y: y.pixel(point.value), series: column % groups.count,
                        tooltip: "\(point.participant.label): \(Numbers.short(point.value)) \(region.unit)"))
            }
            let sorted = cell.map(\.value).sorted()
            let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
            let reach = min(step * 0.4, 18)
            body +=
                "<line class=\"median\" x1=\"\(centre - reach)\" x2=\"\(centre + reach)\" y1=\"\(y.pixel(median))\" y2=\"\(y.pixel(median))\"/>"
        }
        body += Self.markers(markers)
        for (place, name) in sites.names.enumerated() where sites.names.count <= 12 {
            let x = PlotFrame.left + (Double(place) + 0.5) * step * Double(groups.count)
            body += "<text x=\"\(x)\" y=\"\(PlotFrame.bottom + 16)\" class=\"mid\">\(Self.cut(name))</text>"
        }
        let middle = (PlotFrame.left + PlotFrame.right) / 2
        let label = sites.names.isEmpty ? "group" : groups.names.count > 1 ? "site, by group" : "site"
        body += "<text class=\"axis mid\" x=\"\(middle)\" y=\"\(PlotFrame.bottom + 35)\">\(label)</text>"
        return PlotFrame.svg(
            body, description: "\(region.name): \(title) by site and group for \(points.count) participants")
    }

    private struct Marker {
        let x: Double
        let y: Double
        let series: Int
        let tooltip: String
    }

    private static func markers(_ markers: [Marker]) -> HTML {
        if markers.count <= manyPoints {
            return markers.html { marker in
                let style = Series.style(marker.series)
                return
                    "<use class=\"s\(style)\" href=\"#m\(style)\" x=\"\(marker.x)\" y=\"\(marker.y)\"><title>\(marker.tooltip)</title></use>"
            }
        }
        // One path per series: each point is a line of no length with round ends, eight bytes instead of eighty.
        let styles = Set(markers.map { Series.style($0.series) }).sorted()
        return styles.html { style in
            let dots = markers.filter { Series.style($0.series) == style }.html { "M\($0.x) \($0.y)h0" }
            return "<path class=\"dots s\(style)\" d=\"\(dots)\"/>"
        }
    }

    private static func path(_ points: [(Double, Double)]) -> HTML {
        points.enumerated().html { place, point in
            place == 0 ? "M\(point.0) \(point.1)" : "L\(point.0) \(point.1)"
        }
    }

    private static func cut(_ name: String) -> String { name.count <= 10 ? name : name.prefix(9) + "…" }
}
