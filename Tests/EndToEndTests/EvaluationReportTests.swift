import BIDS
import Foundation
import Report
import Testing
import Workflow

@testable import qsmflow

/// What a report takes from evaluations over people, without any process.
@Suite struct EvaluationReportTests {
    private func rows(_ columns: [String], _ lines: [[String]]) throws -> [CommaSeparatedTable.Row] {
        let text = ([columns] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
        return try CommaSeparatedTable(Data(text.utf8)).rows(needing: columns)
    }

    private func made(_ ordinal: Int, _ step: String, _ kind: String, fold: String = "") throws -> MadeFile {
        let line = [
            "\(ordinal)", step, kind, "", "", "", fold, "table", "table.tsv", String(repeating: "0f", count: 32), "12",
            "text/tsv", "",
        ]
        return try MadeFile(try #require(try rows(MadeFile.columns, [line]).first))
    }

    private func read(_ ordinal: Int, from task: String) throws -> ReadFile {
        let line = [
            "\(ordinal)", "tables", "01", "", "", "", task, "table", "table.tsv", "",
            String(repeating: "0f", count: 32),
        ]
        return try ReadFile(try #require(try rows(ReadFile.columns, [line]).first))
    }

    @Test func everyFoldIsShown() throws {
        let kind = "evaluate.summary"
        let files = RunFiles(
            made: [
                try made(5, "summary", kind, fold: "2"), try made(4, "summary", kind, fold: "1"),
                try made(6, "another", kind), try made(3, "agreement", "evaluate.segmentation"),
            ], read: [])
        let tasks = EvaluationReport.tasks(of: kind, files)
        #expect(tasks.map { $0.title("Over people") } == ["Over people", "Over people, fold 1", "Over people, fold 2"])
        #expect(tasks.map(\.step) == ["another", "summary", "summary"])
        #expect(tasks.map { $0.byPort["table"]?.ordinal } == [6, 4, 5])
    }

    /// Two networks of one workflow have figures of their own.
    @Test func publishedFiguresBelongToTheStepThatIsSummarised() throws {
        let files = RunFiles(
            made: [
                try made(0, "ours", "evaluate.segmentation"), try made(1, "theirs", "evaluate.segmentation"),
                try made(2, "sum-ours", "evaluate.summary"), try made(3, "sum-theirs", "evaluate.summary"),
                try made(4, "again", "evaluate.summary"),
            ], read: [try read(2, from: "1.0"), try read(3, from: "1.1"), try read(4, from: "1.1")])
        let figures = PublishedFigures(
            try rows(
                PublishedFigures.columns,
                [
                    ["sum-ours", "caudate", "dice", "A 2020", "0.81"],
                    ["sum-theirs", "caudate", "dice", "B 2021", "0.79"],
                    ["sum-theirs", "putamen", "dice", "B 2021", "0.7"],
                    ["again", "putamen", "dice", "B 2021", "0.7"], ["again", "putamen", "dice", "C 2022", "0.6"],
                    ["again", "caudate", "dice", "C 2022", ""],
                ]), files)
        func found(_ label: String, _ step: String) -> [String] {
            figures.figures(of: label, "dice", from: step).map { "\($0.source) \($0.value)" }
        }
        #expect(found("caudate", "ours") == ["A 2020 0.81"])
        #expect(found("caudate", "theirs") == ["B 2021 0.79"])
        #expect(found("putamen", "ours").isEmpty)
        // Several sources each have their figure, once however many summaries name it.
        #expect(found("putamen", "theirs") == ["B 2021 0.7", "C 2022 0.6"])
    }

    /// What others found stands in a column of its own, with its source, and nowhere where nobody names any.
    @Test func publishedFiguresOfClassesStandApart() throws {
        let columns = [
            "level", "class", "fold", "metric", "value", "ci_low", "ci_high", "fold_mean", "fold_sd", "folds", "cases",
            "positives", "people", "published", "published_source",
        ]
        func table(_ published: [String]) throws -> ReportInput.Table {
            let rows = [
                ["person", "all", "all", "accuracy", "0.75", "0.6", "0.9", "0.74", "0.1", "5", "20", "n/a", "20"]
                    + published,
                ["person", "all", "1", "accuracy", "0.5", "n/a", "n/a", "n/a", "n/a", "n/a", "n/a", "n/a", "4"]
                    + ["n/a", "n/a"],
            ]
            let text = ([columns] + rows).map { $0.joined(separator: "\t") + "\n" }.joined()
            return EvaluationReport.metricsTable(try TabularFile.parse(text, path: "metrics.tsv").0)
        }
        let with = try table(["0.8316", "Zabihi 2021"])
        #expect(with.columns.last == "Published (not ours)" && with.columns.contains("Mean ± SD over folds"))
        let accuracy = ["person", "all", "accuracy", "0.750", "0.600 to 0.900", "0.740 ± 0.100", "20", "–", "20"]
        #expect(with.rows == [accuracy + ["0.832 – Zabihi 2021"]])
        let without = try table(["n/a", "n/a"])
        #expect(without.columns.last == "People" && without.rows == [accuracy])
    }
}
