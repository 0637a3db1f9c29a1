/// How a training went: loss and metric against the epoch.
struct LearningCurve {
    let training: ReportInput.Training

    private typealias Epoch = ReportInput.Training.Epoch

    func loss() -> HTML? {
        plot(
            title: "loss", lines: [("training", \.trainingLoss), ("validation", \.validationLoss)],
            description: "Loss against the epoch")
    }

    func metric() -> HTML? {
        let name = training.metricName.replacing("_", with: " ")
        return plot(title: name, lines: [("validation", \.metric)], description: "\(name) against the epoch")
    }

    /// Those that have a line in a plot, as the plots colour them.
    static let legend = Series(["training", "validation"]).legend

    private static let places = ["training": 0, "validation": 1]

    /// nil with fewer than two epochs to draw.
    private func plot(title: String, lines: [(name: String, value: (Epoch) -> Double?)], description: String) -> HTML? {
        let drawn = lines.compactMap { name, value -> (name: String, points: [(epoch: Double, value: Double)])? in
            let points = training.epochs.compactMap { epoch in
                value(epoch).flatMap { $0.isFinite ? (epoch: Double(epoch.number), value: $0) : nil }
            }
            return points.count >= 2 ? (name, points) : nil
        }
        guard !drawn.isEmpty else { return nil }
        let x = Axis(
            training.epochs.map { Double($0.number) }, pixels: (PlotFrame.left, PlotFrame.right), tickCount: 4)
        let y = Axis(drawn.flatMap { $0.points.map(\.value) }, pixels: (PlotFrame.bottom, PlotFrame.top))
        var body = PlotFrame.yAxis(y, title: title) + PlotFrame.xAxis(x, title: "epoch")
        if let best = training.bestEpoch {
            let at = x.pixel(Double(best))
            body +=
                "<line class=\"zero\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(PlotFrame.top)\" y2=\"\(PlotFrame.bottom)\"><title>kept: epoch \(best)</title></line>"
        }
        for line in drawn {
            let style = Series.style(Self.places[line.name] ?? 0)
            let path = line.points.enumerated().html { place, point in
                let (px, py) = (x.pixel(point.epoch), y.pixel(point.value))
                return place == 0 ? "M\(px) \(py)" : "L\(px) \(py)"
            }
            body += "<path class=\"fit s\(style)\" d=\"\(path)\"/>"
        }
        return PlotFrame.svg(body, description: "\(description) of step \(training.step)")
    }
}
