extension ReportInput {
    /// Predictions held against a reference: one step of the workflow.
    package struct Evaluation: Sendable {
        /// Name of the step.
        package var step: String
        /// For example `Segmentation`, `Detection of lesions`, `Classification`.
        package var title: String
        package var notes: [String]
        package var plots: [Plot]
        package var tables: [Table]

        package init(
            step: String, title: String, notes: [String] = [], plots: [Plot] = [], tables: [Table] = []
        ) {
            (self.step, self.title, self.notes, self.plots, self.tables) = (step, title, notes, plots, tables)
        }
    }

    package enum Plot: Sendable {
        case strips(Strips)
        case curves(Curves)
        case agreement(AgreementPlot)
    }

    /// One value per person for each of several structures: points, quartiles, mean.
    package struct Strips: Sendable {
        package struct Row: Sendable {
            package var name: String
            /// Whose value it is, and the value.
            package var values: [(participant: String, value: Double)]
            /// Figures that others published, marked as that.
            package var published: [(source: String, value: Double)]

            package init(
                name: String, values: [(participant: String, value: Double)],
                published: [(source: String, value: Double)] = []
            ) {
                (self.name, self.values, self.published) = (name, values, published)
            }
        }

        package var title: String
        package var axis: String
        /// nil: as the values need.
        package var range: ClosedRange<Double>?
        package var rows: [Row]

        package init(title: String, axis: String, range: ClosedRange<Double>? = nil, rows: [Row]) {
            (self.title, self.axis, self.range, self.rows) = (title, axis, range, rows)
        }
    }

    /// Curves over thresholds: ROC, precision and recall, free response, calibration.
    package struct Curves: Sendable {
        package struct Line: Sendable {
            package var name: String
            package var points: [(x: Double, y: Double)]

            package init(name: String, points: [(x: Double, y: Double)]) { (self.name, self.points) = (name, points) }
        }

        package var title: String
        package var xAxis: String
        package var yAxis: String
        package var xRange: ClosedRange<Double>
        package var lines: [Line]
        /// Chance, or stated = observed.
        package var hasDiagonal: Bool
        /// Points carry markers.
        package var hasMarkers: Bool
        /// Between two points the curve is level, then jumps.
        package var isStepped: Bool

        package init(
            title: String, xAxis: String, yAxis: String, xRange: ClosedRange<Double> = 0...1, lines: [Line],
            hasDiagonal: Bool = false, hasMarkers: Bool = false, isStepped: Bool = false
        ) {
            (self.title, self.xAxis, self.yAxis, self.xRange, self.lines) = (title, xAxis, yAxis, xRange, lines)
            (self.hasDiagonal, self.hasMarkers, self.isStepped) = (hasDiagonal, hasMarkers, isStepped)
        }
    }

    /// Two numbers per person, predicted and true: their difference against their mean (Bland and Altman).
    package struct AgreementPlot: Sendable {
        package var title: String
        package var unit: String
        package var pairs: [(participant: String, reference: Double, predicted: Double)]

        package init(
            title: String, unit: String, pairs: [(participant: String, reference: Double, predicted: Double)]
        ) {
            (self.title, self.unit, self.pairs) = (title, unit, pairs)
        }
    }
}
