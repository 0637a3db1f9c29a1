import BIDS
import Foundation
import Testing
import Workflow

@testable import Tasks

/// Predictions that name a class and give no probabilities, as readers do.
@Suite struct ClassificationByDecisionsTests {
    private static let said =
        "Predictions are decisions without scores (no column p_CLASS, and none named with “score”), so there are no curves, areas "
        + "and calibration."

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
        let report = try JSONValue.parse(folder.bytes("report.json"))
        #expect(report["decisions_alone"] == true && report["threshold"] == .null)
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
        try folder.addGroups(["HH", "no"])
        for (person, calls) in [("01", ["HH", "no"]), ("02", ["no", "no"])] {
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

    /// As many slices of a person for a class as against it are a tie, too, with and without scores.
    @Test(arguments: ["class\nHH\nno\n", "class\tp_HH\tp_no\nHH\t1\t0\nno\t0\t1\n"])
    func slicesOfAPersonVote(slices: String) throws {
        let folder = try TaskFolder()
        try folder.addGroups(["HH", "no"])
        for (person, call) in [("01", "HH"), ("02", "no")] {
            let context = TaskContext(subject: person)
            try folder.add("tables", "class\n\(call)\n", name: "\(person).tsv", context: context)
            try folder.add("slices", slices, name: "slices-\(person).tsv", context: context)
        }
        let result = try folder.perform(
            "evaluate.classification", parameters: ["target": "group", "positive": "HH", "bootstrap": 0])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        // Each port says for itself that it only decides.
        #expect(
            result.warnings == (slices.contains("p_HH") ? [Self.said] : [Self.said, "Slices: " + Self.said]).sorted())
        let people = try folder.table("people.tsv")
        for person in ["sub-01", "sub-02"] {
            #expect(
                try people.number("score", where: ["participant_id": person, "level": "person_by_slices"]) == 0.5)
        }
        let metrics = try folder.table("metrics.tsv")
        #expect(
            try metrics.number(
                "value", where: ["level": "person_by_slices", "class": "HH", "metric": "sensitivity", "fold": "all"])
                == 1)
    }

    /// Nothing else tells a misspelt class from a rare one.
    @Test func namesOfOneSideAreSaid() throws {
        let context = TaskContext(subject: "08", session: "1")
        let folder = try TaskFolder.rimExample(areDecisions: true)
        try folder.add("tables", "lesion\tclass\n1\tRim\n2\tflat\n", name: "p8.tsv", context: context)
        try folder.add("truth", "lesion\tclass\n1\trim\n2\tvein\n", name: "t8.tsv", context: context)
        let result = try folder.perform("evaluate.classification", parameters: ["bootstrap": 0])
        #expect(
            result.warnings == [
                Self.said,
                "1 decision is for a class that is true of nothing, such as sub-08_ses-1 1 (“Rim”): never right; correct the "
                    + "predictions where that is misspelt.",
                "No decision is for “vein”, which the truth names; correct the truth where that is misspelt.",
            ])
        // Of what is nowhere true there is nothing to be found.
        let metrics = try folder.table("metrics.tsv")
        let column = try metrics.column("class", of: "metrics.tsv")
        #expect(Set(metrics.rows.map { $0[column] }) == ["all", "flat", "rim", "vein"])
    }

    /// A class that is true only of people who are not judged is no misspelt one.
    @Test func namesAreThoseOfEverybody() throws {
        let folder = try TaskFolder()
        try folder.add("tables", "lesion\tclass\n1\tflat\n2\trim\n", name: "p1.tsv", context: TaskContext(subject: "1"))
        for (person, name) in [("1", "rim"), ("2", "flat")] {
            try folder.add(
                "truth", "lesion\tclass\n1\t\(name)\n2\t\(name)\n", name: "t\(person).tsv",
                context: TaskContext(subject: person))
        }
        let result = try folder.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(
            result.failure == nil && !result.warnings.contains { $0.contains("true of nothing") }, "\(result.warnings)")
    }

    /// What is no decision is left out, and whose numbers need it.
    @Test func anItemWithoutADecisionIsLeftOut() throws {
        let context = TaskContext(subject: "08", session: "1")
        let folder = try TaskFolder.rimExample(areDecisions: true)
        try folder.add("tables", "lesion\tclass\n1\tn/a\n2\tflat\n", name: "p8.tsv", context: context)
        try folder.add("truth", "lesion\tclass\n1\trim\n2\tflat\n", name: "t8.tsv", context: context)
        let result = try folder.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.failure == nil && result.warnings.count == 2, "\(result.warnings)")
        #expect(
            result.warnings.last
                == "1 item has no decision in column class, such as sub-08_ses-1 1: left out, and so are the numbers of their people."
        )
        let metrics = try folder.table("metrics.tsv")
        #expect(try metrics.rim("item", "accuracy", "cases") == 25 && metrics.rim("item", "sensitivity") == 0.5)
        #expect(try metrics.rim("person", "count_mse", "people") == 7)
    }

    /// Tables of the other kind than the most, and without what they need, are their own person's.
    @Test func oneTableOfAnotherKind() throws {
        let context = TaskContext(subject: "08", session: "1")
        for (areDecisions, table, reason, people) in [
            (false, "lesion\tclass\n1\trim\n", "p8.tsv has no column “p_rim” with scores", 6.0),
            (true, "lesion\tClass\n1\trim\n", "p8.tsv has no column “class”", 6),
            (true, "lesion\tp_rim\n1\t0.9\n", "p8.tsv has no column “class”", 6),
            // Its decisions are judged as the others' are.
            (true, "lesion\tclass\tp_rim\n1\trim\t0.9\n", nil, 7),
            // Nothing found needs no column.
            (true, "lesion\n", nil, 6),
        ] {
            let folder = try TaskFolder.rimExample(areDecisions: areDecisions)
            try folder.add("tables", table, name: "p8.tsv", context: context)
            try folder.add("truth", "lesion\tclass\n1\trim\n", name: "t8.tsv", context: context)
            let result = try folder.perform(
                "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
            #expect(result.failure == nil, "\(table): \(result.failure?.message ?? "")")
            let leftOut = result.warnings.filter { $0.hasPrefix("sub-08_ses-1 is left out: ") }
            #expect(
                leftOut.count == (reason == nil ? 0 : 1) && leftOut.allSatisfy { $0.contains(reason!) },
                "\(result.warnings)")
            #expect(try folder.table("metrics.tsv").rim("item", "sensitivity", "people") == people, "\(table)")
        }
    }

    /// Two readers in one folder, and the truth in the place of predictions.
    @Test func whoseTablesTheyAre() throws {
        let twice = try TaskFolder.rimExample(areDecisions: true)
        try twice.add(
            "tables", "lesion\tclass\n1\trim\n", name: "second.tsv", context: TaskContext(subject: "01", session: "1"))
        #expect(
            try twice.perform("evaluate.classification", parameters: ["positive": "rim"]).failure?.message.hasSuffix(
                " has “1” of sub-01_ses-1, which another table of predictions has, too; judge one reader or program at a time, by "
                    + "what tells their files apart") == true)
        let same = try TaskFolder()
        for person in ["1", "2"] {
            let context = TaskContext(subject: person)
            for port in ["tables", "truth"] {
                try same.add(port, "lesion\tclass\n1\trim\n2\tflat\n", name: "\(person).tsv", context: context)
            }
        }
        let result = try same.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.warnings.contains { $0.hasPrefix("Predictions and truth are the same files, byte for byte;") })
    }

    /// A step takes the tables that there are: who has none is said here or nowhere.
    @Test func whoHasNoPredictionsIsSaid() throws {
        for areDecisions in [false, true] {
            let folder = try TaskFolder.rimExample(areDecisions: areDecisions)
            for person in ["08", "09"] {
                try folder.add(
                    "truth", "lesion\tclass\n1\trim\n", name: "t\(person).tsv",
                    context: TaskContext(subject: person, session: "1"))
            }
            let result = try folder.perform(
                "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0],
                missing: [
                    MissingInput(
                        port: "tables", context: TaskContext(subject: "09", session: "1"), reason: "judge failed")
                ])
            #expect(
                result.warnings.last
                    == "1 image or person has true classes and no table of predictions, such as sub-08_ses-1: not in any number."
            )
            let missing = try JSONValue.parse(folder.bytes("report.json"))["missing"]?.arrayValue ?? []
            #expect(missing.compactMap { $0["context"]?.stringValue } == ["sub-09_ses-1", "sub-08_ses-1"])
        }
    }

    /// Results name all classes together, and those that are not asked for.
    @Test func classesNamedAsResultsNameThem() throws {
        func folder(_ names: [String]) throws -> TaskFolder {
            let folder = try TaskFolder()
            for (person, name) in names.enumerated() {
                let context = TaskContext(subject: "\(person)")
                try folder.add("tables", "lesion\tclass\n1\t\(name)\n", name: "p\(person).tsv", context: context)
                try folder.add("truth", "lesion\tclass\n1\t\(name)\n", name: "t\(person).tsv", context: context)
            }
            return folder
        }
        #expect(
            try folder(["all", "flat"]).perform("evaluate.classification", parameters: ["bootstrap": 0]).failure?
                .message
                .contains("a class is called “all”, by which results mean") == true)
        let rest = try folder(["rest", "flat", "flat"])
        #expect(try rest.perform("evaluate.classification", parameters: ["bootstrap": 0]).failure == nil)
        let confusion = try rest.table("confusion.tsv")
        for (truth, cases) in [("rest", 1.0), ("not rest", 2)] {
            #expect(
                try confusion.number(
                    "cases", where: ["level": "person", "class": "rest", "truth": truth, "decision": truth]) == cases)
        }
    }
}
