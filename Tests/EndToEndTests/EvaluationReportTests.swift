import Foundation
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
                    ["sum-ours", "caudate", "dice", "0.81"], ["sum-theirs", "caudate", "dice", "0.79"],
                    ["sum-theirs", "putamen", "dice", "0.7"], ["again", "putamen", "dice", "0.6"],
                    ["again", "caudate", "dice", ""],
                ]), files)
        #expect(figures.figure(of: "caudate", "dice", from: "ours") == 0.81)
        #expect(figures.figure(of: "caudate", "dice", from: "theirs") == 0.79)
        #expect(figures.figure(of: "putamen", "dice", from: "ours") == nil)
        // Two summaries that disagree are named, and neither is drawn.
        #expect(figures.figure(of: "putamen", "dice", from: "theirs") == nil)
        #expect(figures.notes(from: "ours").isEmpty)
        #expect(figures.notes(from: "theirs").map { $0.contains("again and sum-theirs") } == [true])
    }
}
