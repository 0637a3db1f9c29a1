import BIDS
import Testing
import Workflow

@testable import Tasks

/// Predictions that name a class and give no probabilities, as readers do.
@Suite struct ClassificationByDecisionsTests {
    private static let said =
        "Predictions are decisions without scores (no column p_CLASS), so there are no curves, areas and calibration."

    /// Three are called a rim, two of the four rightly.
    @Test func decisionsAreJudgedWithoutCurves() throws {
        let folder = try TaskFolder.rimExample(areDecisions: true)
        // The threshold is of scores, which there are none of.
        let result = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 100, "threshold": 2])
        #expect(result.failure == nil && result.warnings == [Self.said], "\(result.warnings)")
        let metrics = try folder.table("metrics.tsv")
        #expect(try metrics.rim("item", "sensitivity") == 0.5 && metrics.rim("item", "precision") == 2.0 / 3)
        #expect(try metrics.rim("item", "accuracy") == 21.0 / 24 && metrics.rim("item", "accuracy", "cases") == 24)
        #expect(try metrics.rim("item", "accuracy", "ci_low") < 21.0 / 24)
        // 01, 02 and 03 have a lesion called a rim; these and 04 have a rim.
        #expect(try metrics.rim("person", "sensitivity") == 0.75 && metrics.rim("person", "specificity") == 1)
        #expect(try metrics.rim("person", "count_mse") == 1.0 / 7 && metrics.rim("person", "count_mse", "people") == 7)
        let metric = try metrics.column("metric", of: "metrics.tsv")
        let names = Set(metrics.rows.map { $0[metric] })
        #expect(names.isDisjoint(with: ["auc", "partial_auc", "average_precision", "brier", "calibration_slope"]))
        for name in ["roc", "pr", "calibration"] { #expect(try folder.table("\(name).tsv").rows.isEmpty, "\(name)") }
        // The same as of the decisions that come with scores.
        let scored = try TaskFolder.rimExample()
        _ = try scored.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 100])
        func ofAll(_ folder: TaskFolder, _ name: String) throws -> [[String]] {
            let table = try folder.table(name)
            let column = try table.column("class", of: name)
            return table.rows.filter { $0[column] == "all" }
        }
        for name in ["metrics.tsv", "confusion.tsv"] {
            #expect(try !ofAll(folder, name).isEmpty && ofAll(folder, name) == ofAll(scored, name), "\(name)")
        }
    }

    @Test func everyClassIsJudgedAgainstTheRest() throws {
        let folder = try TaskFolder.rimExample(areDecisions: true)
        let result = try folder.perform("evaluate.classification", parameters: ["bootstrap": 0])
        #expect(result.failure == nil)
        let metrics = try folder.table("metrics.tsv")
        #expect(try metrics.rim("item", "sensitivity") == 0.5)
        #expect(
            try metrics.number(
                "value", where: ["level": "item", "class": "flat", "metric": "sensitivity", "fold": "all"]) == 19.0 / 20
        )
    }

    /// Two scans of a person are one vote each; a tie is the class asked for, as everywhere.
    @Test func scansOfAPersonVote() throws {
        let folder = try TaskFolder()
        try folder.add(
            "covariates",
            """
            {"columns": [{"name": "group", "type": "text"}], "rows": [
                {"subject": "1", "values": {"group": "HH"}}, {"subject": "2", "values": {"group": "no"}}]}
            """,
            name: "covariates.json")
        for (person, calls) in [("1", ["HH", "no"]), ("2", ["no", "no"])] {
            for (session, call) in calls.enumerated() {
                try folder.add(
                    "tables", "class\n\(call)\n", name: "\(person)-\(session).tsv",
                    context: TaskContext(subject: person, session: "\(session)"))
            }
        }
        let result = try folder.perform(
            "evaluate.classification", parameters: ["target": "group", "positive": "HH", "bootstrap": 0])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let metrics = try folder.table("metrics.tsv")
        func value(_ level: String, _ metric: String) throws -> Double {
            try metrics.number("value", where: ["level": level, "class": "HH", "metric": metric, "fold": "all"])
        }
        #expect(try value("item", "sensitivity") == 0.5 && value("person", "sensitivity") == 1)
        #expect(try value("person", "accuracy") == 1)
    }

    /// Among tables with scores one without is a mistake, and so is a row that decides nothing.
    @Test func whoseDecisionsCannotBeUsed() throws {
        let context = TaskContext(subject: "08", session: "1")
        for (areDecisions, rows, reason) in [
            (false, "1\trim\n", "p8.tsv has no column “p_rim”"),
            (
                true, "1\tn/a\n",
                "p8.tsv has no decision in column class for sub-08_ses-1 1, and no probabilities; write one"
            ),
        ] {
            let folder = try TaskFolder.rimExample(areDecisions: areDecisions)
            try folder.add("tables", "lesion\tclass\n" + rows, name: "p8.tsv", context: context)
            try folder.add("truth", "lesion\tclass\n1\trim\n", name: "t8.tsv", context: context)
            let result = try folder.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
            #expect(result.failure == nil)
            #expect(
                result.warnings.contains { $0.hasPrefix("sub-08_ses-1 is left out: ") && $0.contains(reason) },
                "\(result.warnings)")
            #expect(try folder.table("metrics.tsv").rim("item", "sensitivity", "people") == 6)
        }
    }
}
