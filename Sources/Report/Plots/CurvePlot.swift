/// Curves on axes from 0 to 1, or to what the abscissa needs.
struct CurvePlot {
    private let curves: ReportInput.Curves

    init(_ curves: ReportInput.Curves) {
        self.curves = curves
    }

    func html() -> HTML {
        let x = Axis(range: curves.xRange, pixels: (PlotFrame.left, PlotFrame.right))
        let y = Axis(range: 0...1, pixels: (PlotFrame.bottom, PlotFrame.top))
        var body = PlotFrame.yAxis(y, title: curves.yAxis) + PlotFrame.xAxis(x, title: curves.xAxis)
        if curves.hasDiagonal {
            body +=
                "<line class=\"zero\" x1=\"\(x.pixel(curves.xRange.lowerBound))\" y1=\"\(y.pixel(0))\" x2=\"\(x.pixel(curves.xRange.upperBound))\" y2=\"\(y.pixel(1))\"/>"
        }
        for (place, line) in curves.lines.enumerated() {
            let style = Series.style(place)
            let points = visible(line.points)
            guard !points.isEmpty else { continue }
            var path = HTML.empty
            for (n, point) in points.enumerated() {
                let (px, py) = (x.pixel(point.x), y.pixel(point.y))
                path +=
                    n == 0 ? "M\(px) \(py)" : curves.isStepped ? "H\(px)V\(py)" : "L\(px) \(py)"
            }
            body += "<path class=\"fit s\(style)\" d=\"\(path)\"><title>\(line.name)</title></path>"
            if curves.hasMarkers {
                body += points.html { point in
                    "<use class=\"s\(style)\" href=\"#m\(style)\" x=\"\(x.pixel(point.x))\" y=\"\(y.pixel(point.y))\"><title>\(line.name): \(Numbers.short(point.x)), \(Numbers.short(point.y))</title></use>"
                }
            }
        }
        return PlotFrame.svg(
            body, description: "\(curves.title): \(curves.yAxis) against \(curves.xAxis), \(curves.lines.count) curves")
    }

    /// What lies on the abscissa; a stepped curve goes on level to its end.
    private func visible(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        var points = points.filter { $0.x.isFinite && $0.y.isFinite && curves.xRange.contains($0.x) }
        if curves.isStepped, let last = points.last { points.append((curves.xRange.upperBound, last.y)) }
        return points
    }

    /// Which colour is which curve; one curve needs none.
    var legend: HTML {
        guard curves.lines.count > 1 else { return .empty }
        let items = curves.lines.enumerated().html { place, line in
            let style = Series.style(place)
            return
                "<li><svg width=\"14\" height=\"12\" aria-hidden=\"true\"><line class=\"key s\(style)\" x1=\"0\" x2=\"14\" y1=\"6\" y2=\"6\"/></svg>\(line.name)</li>"
        }
        return "<ul class=\"legend\">\(items)</ul>"
    }
}
