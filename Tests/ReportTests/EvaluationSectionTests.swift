import Foundation
import TestSupport
import Testing

@testable import Report

@Suite struct EvaluationSectionTests {
    /// Every kind of plot, with ordinary and with degenerate values.
    static func evaluations(people: Int) -> [ReportInput.Evaluation] {
        var random = SeededGenerator(seed: 11)
        let names = (0..<people).map { "sub-\($0 + 1)" }
        let strips = ReportInput.Strips(
            title: "Dice by structure", axis: "Dice", range: 0...1,
            rows: [
                ("caudate", 0.8, [("<Author> 2020", 0.81), ("Other 2021", 0.79)]), ("putamen", 0.85, []),
                ("red nucleus", 0.68, []),
            ].map { (name: String, mean: Double, published: [(String, Double)]) in
                ReportInput.Strips.Row(
                    name: name, values: names.map { ($0, min(1, max(0, mean + 0.06 * random.gaussian()))) },
                    published: published.map { (source: $0.0, value: $0.1) })
            })
        let distances = ReportInput.Strips(
            title: "HD95 by structure", axis: "HD95, mm",
            rows: [
                .init(name: "caudate", values: names.map { ($0, 1.5 + abs(random.gaussian())) }),
                .init(name: "nobody has it", values: []),
            ])
        let roc = ReportInput.Curves(
            title: "ROC", xAxis: "1 − specificity", yAxis: "sensitivity",
            lines: [
                .init(name: "item, rim", points: [(0, 0), (0, 0.4), (0.1, 0.6), (0.3, 0.9), (1, 1)]),
                .init(name: "person, rim", points: [(0, 0), (0.05, 0.7), (1, 1)]),
            ], hasDiagonal: true)
        let froc = ReportInput.Curves(
            title: "Free-response curve", xAxis: "false alarms per image", yAxis: "sensitivity", xRange: 0...3,
            lines: [.init(name: "cmb", points: [(0, 0), (0.5, 0.6), (2.2, 0.8), (40, 0.9)])], isStepped: true)
        let calibration = ReportInput.Curves(
            title: "Calibration", xAxis: "probability stated", yAxis: "share observed",
            lines: [.init(name: "item, rim", points: [(0.1, 0.05), (0.5, 0.4), (0.9, 0.95)])], hasDiagonal: true,
            hasMarkers: true)
        let counts = ReportInput.AgreementPlot(
            title: "cmb: number", unit: "1",
            pairs: names.enumerated().map { n, name in
                (name, Double(n % 7), Double(n % 7) + (random.gaussian() * 1.5).rounded())
            })
        return [
            ReportInput.Evaluation(
                step: "agreement", title: "Segmentation", notes: ["A note."],
                plots: [.strips(strips), .strips(distances), .agreement(counts)]),
            ReportInput.Evaluation(
                step: "lesions", title: "Over people", plots: [.curves(roc), .curves(froc), .curves(calibration)],
                tables: [
                    .init(
                        title: "Metrics", columns: ["Label", "Mean", "Published (not ours)"],
                        rows: [["caudate", "0.80 ± 0.06", "0.81 – <Author> 2020"]])
                ]),
        ]
    }

    private static func page(people: Int, statement: String = "Synthetic data: nothing here is about people.") -> String
    {
        var input = SampleReport.input(participants: 2)
        input.dataStatement = statement
        input.evaluations = evaluations(people: people)
        return ReportDocument(input).html()
    }

    @Test(arguments: [0, 1, 2, 5, 30, 900])
    func pageIsWellFormedForAnySize(people: Int) {
        let page = Self.page(people: people)
        #expect(ReportDocumentTests.fault(page) == nil)
        #expect(!ReportDocumentTests.hasBadNumber(page))
    }

    @Test func whatTheDataIsComesFirstAndPublishedFiguresAreNamed() throws {
        let page = Self.page(people: 30)
        let section = try #require(page.range(of: "<section id=\"evaluation\">"))
        let rest = page[section.upperBound...]
        let statement = try #require(rest.range(of: "Synthetic data: nothing here is about people."))
        #expect(statement.lowerBound < (try #require(rest.range(of: "<svg"))).lowerBound)
        #expect(rest.contains("Diamonds are published figures, which are not results of this run."))
        #expect(rest.contains("Published (not ours)") && rest.contains("0.81 – &lt;Author&gt; 2020"))
        #expect(rest.contains("limits of agreement"))
        #expect(page.contains("href=\"#evaluation\""))
        // No evaluation, no section.
        #expect(!ReportDocument(SampleReport.input(participants: 2)).html().contains("id=\"evaluation\""))
    }

    @Test func everyPersonHasAPointAndCurvesStayOnTheirAxis() throws {
        let page = Self.page(people: 30)
        let section = page[try #require(page.range(of: "<section id=\"evaluation\">")).upperBound...]
        let strip = section[..<(try #require(section.range(of: "</svg>"))).lowerBound]
        #expect(strip.components(separatedBy: "<use ").count - 1 == 90)
        #expect(strip.components(separatedBy: "class=\"published\"").count - 1 == 2)
        #expect(strip.contains("<title>published, &lt;Author&gt; 2020: 0.81"))
        // 40 false alarms per image lie beyond the axis; the curve goes on level to its end.
        let plain = CurvePlot(
            ReportInput.Curves(
                title: "t", xAxis: "x", yAxis: "y", xRange: 0...2,
                lines: [.init(name: "a", points: [(0, 0), (1, 0.5), (40, 0.9)])],
                isStepped: true)
        ).html().text
        let middle = (PlotFrame.left + PlotFrame.right) / 2
        #expect(plain.contains("M66 188H\(Numbers.coordinate(middle))V100H310V100"))
        let few = StripPlot(.init(title: "t", axis: "a", rows: [.init(name: "x", values: [])])).html()
        #expect(few.text.isEmpty)
        #expect(BlandAltmanPlot(.init(title: "t", unit: "1", pairs: [("a", 1, 2)])) == nil)
    }

    @Test func fixedAxesEndWhereTheyShould() {
        let axis = Axis(range: 0...1, pixels: (0, 100))
        #expect(axis.ticks.map(axis.label) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
        #expect(axis.pixel(0) == 0 && axis.pixel(1) == 100)
    }
}
