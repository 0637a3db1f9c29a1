import BIDS
import Foundation
import Statistics
import Testing
import Workflow

@testable import Tasks

@Suite struct ClassificationEvaluationTests {
    /// The worked example: 24 lesions by falling score, 4 of them with a rim; six people of four lesions each.
    private static let labels = "110100000000000000001000".map { $0 == "1" }

    private func folder() throws -> TaskFolder {
        let folder = try TaskFolder()
        for person in 0..<6 {
            let context = TaskContext(subject: "0\(person + 1)", session: "1")
            var predictions = "lesion\tclass\tp_flat\tp_rim\n"
            var truth = "lesion\tclass\n"
            for n in 0..<4 {
                let place = person + 6 * n
                let score = 1 - Double(place) / 24
                predictions += "\(n + 1)\t\(score >= 0.9 ? "rim" : "flat")\t\(1 - score)\t\(score)\n"
                truth += "\(n + 1)\t\(Self.labels[place] ? "rim" : "flat")\n"
            }
            try folder.add("tables", predictions, name: "p\(person).tsv", context: context)
            try folder.add("truth", truth, name: "t\(person).tsv", context: context)
        }
        // Somebody without a lesion counts where people are counted.
        let nobody = TaskContext(subject: "07", session: "1")
        try folder.add("tables", "lesion\tclass\tp_flat\tp_rim\n", name: "p7.tsv", context: nobody)
        try folder.add("truth", "lesion\tclass\n", name: "t7.tsv", context: nobody)
        return folder
    }

    private func value(_ table: TabSeparatedTable, _ level: String, _ metric: String, _ column: String = "value") throws
        -> Double
    {
        try table.number(column, where: ["level": level, "class": "rim", "metric": metric, "fold": "all"])
    }

    @Test func lesionsGiveTheWorkedExample() throws {
        let folder = try folder()
        try folder.add(
            "folds", #"{"folds": 2, "people": {"01": 1, "sub-02": 1, "03": 1, "04": 2, "05": 2, "06": 2, "07": 2}}"#,
            name: "folds.json")
        let result = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 200])
        #expect(result.failure == nil && result.warnings.isEmpty)
        let table = try folder.table("metrics.tsv")
        for (metric, expected) in [
            ("auc", 0.775), ("partial_auc", 0.0625), ("partial_auc_normalised", 0.625),
            ("partial_auc_mcclish", 0.802_631_578_9), ("average_precision", 0.735_119_047_6),
            ("pr_auc_trapezoid", 0.719_642_857_1),
        ] {
            #expect(abs(try value(table, "item", metric) - expected) < 1e-9, "\(metric)")
        }
        // At 0.5 the first 13 are called; three of the four rims are among them.
        #expect(try value(table, "item", "sensitivity") == 0.75 && value(table, "item", "specificity") == 0.5)
        #expect(try value(table, "item", "auc", "cases") == 24 && value(table, "item", "auc", "people") == 6)
        let (low, high) = (
            try value(table, "item", "auc", "ci_low"), try value(table, "item", "auc", "ci_high")
        )
        #expect(low <= 0.775 && high >= 0.775 && low < high)
        // People: the surest of their lesions. Rims are with 01, 02, 04 and 03 (the 21st is place 20, person 3).
        #expect(try value(table, "person", "auc", "positives") == 4)
        // Numbers of rims: 1 1 1 1 0 0 0; called: places 0…12, so 3 2 2 2 2 2 and none.
        #expect(abs(try value(table, "person", "count_mse") - (4.0 + 1 + 1 + 1 + 4 + 4) / 7) < 1e-12)
        #expect(abs(try value(table, "person", "count_bias") - 9.0 / 7) < 1e-12)
        let r = try value(table, "person", "count_r")
        let fisher = try #require(Correlation.fisherInterval(r, pairs: 7))
        #expect(abs(try value(table, "person", "count_r_fisher", "ci_low") - fisher.lowerBound) < 1e-12)
        // Two folds: their mean accuracy is that of their own people.
        let folds = try [1, 2].map {
            try table.number(
                "value", where: ["level": "item", "class": "rim", "metric": "accuracy", "fold": "\($0)"])
        }
        #expect(abs(try value(table, "item", "accuracy", "fold_mean") - (folds[0] + folds[1]) / 2) < 1e-12)
        #expect(try value(table, "item", "accuracy", "folds") == 2)
        // The predictions' own decisions: three are called a rim, two rightly.
        let confusion = try folder.table("confusion.tsv")
        func cases(_ truth: String, _ decision: String) throws -> Double {
            try confusion.number(
                "cases", where: ["level": "item", "class": "all", "truth": truth, "decision": decision])
        }
        #expect(try cases("rim", "rim") == 2 && cases("flat", "rim") == 1 && cases("rim", "flat") == 2)
        // Without its corners a curve is the same curve.
        let roc = try folder.table("roc.tsv")
        let points = try roc.rows.filter { $0[0] == "item" }.map { row in
            (
                x: try #require(Double(row[try roc.column("false_positive_rate", of: "roc")])),
                y: try #require(Double(row[try roc.column("true_positive_rate", of: "roc")]))
            )
        }
        let area = zip(points, points.dropFirst()).reduce(0) { $0 + ($1.1.x - $1.0.x) * ($1.1.y + $1.0.y) / 2 }
        #expect(abs(area - 0.775) < 1e-12 && points.count < 12)
        let measured = result.measurements.first {
            $0.metric == "auc" && $0.reference == "item" && $0.region == "rim" && $0.term == nil
        }
        #expect(measured?.value.map { abs($0 - 0.775) < 1e-12 } == true)
        #expect(try folder.table("people.tsv").rows.contains { $0[0] == "sub-07" && $0[2] == "count" })
    }

    /// What is true of a lesion does not depend on the fold that judged it.
    @Test func predictionsOfFoldsFindTheirTruth() throws {
        let folder = try TaskFolder()
        for (person, fold) in [("1", 1), ("2", 1), ("3", 2), ("4", 2)] {
            let high = fold == 1 ? 0.9 : 0.6
            try folder.add(
                "tables", "lesion\tp_rim\n1\t\(high)\n2\t0.55\n", name: "p\(person).tsv",
                context: TaskContext(subject: person, fold: fold))
            try folder.add(
                "truth", "lesion\tclass\n1\trim\n2\tflat\n", name: "t\(person).tsv",
                context: TaskContext(subject: person))
        }
        let result = try folder.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.failure == nil && result.warnings.isEmpty)
        let table = try folder.table("metrics.tsv")
        let brier = ["level": "item", "class": "rim", "metric": "brier"]
        #expect(try table.number("folds", where: brier) == 2)
        let folds = [(0.01 + 0.3025) / 2, (0.16 + 0.3025) / 2]
        #expect(abs(try table.number("fold_mean", where: brier) - (folds[0] + folds[1]) / 2) < 1e-12)
        #expect(try value(table, "person", "count_bias") == 1)
    }

    @Test func peopleAndTheirSlices() throws {
        let folder = try TaskFolder()
        for (n, group) in ["control", "HH", "control", "HH", "HH", "n/a"].enumerated() {
            let context = TaskContext(subject: "0\(n + 1)")
            let p = group == "HH" ? 0.5 + Double(n) / 10 : 0.2 + Double(n) / 10
            try folder.add(
                "tables", "lesion\tclass\tp_HH\nn/a\t\(p >= 0.5 ? "HH" : "control")\t\(p)\n", name: "\(n).tsv",
                context: context)
            var slices = "slice\tz_mm\tclass\tp_HH\n"
            for s in 0..<3 { slices += "\(s)\t\(s * 2)\tHH\t\(min(1, p + Double(s - 1) * 0.4))\n" }
            try folder.add("slices", slices, name: "s\(n).tsv", context: context)
        }
        let rows = ["control", "HH", "control", "HH", "HH"].enumerated().map { n, group in
            #"{"subject": "0\#(n + 1)", "values": {"group": "\#(group)"}}"#
        }
        try folder.add(
            "covariates",
            #"{"columns": [{"name": "group", "type": "text"}], "rows": [\#(rows.joined(separator: ","))]}"#,
            name: "covariates.json")
        let result = try folder.perform(
            "evaluate.classification", parameters: ["target": "group", "positive": "HH", "bootstrap": 50])
        #expect(result.failure == nil)
        #expect(result.warnings.contains { $0.contains("1 item has no true class") })
        let table = try folder.table("metrics.tsv")
        // One image per person: people and slices, and nothing said twice.
        #expect(Set(table.rows.map { $0[0] }) == ["slice", "person"])
        #expect(try table.number("value", where: ["level": "person", "class": "HH", "metric": "auc"]) == 1)
        #expect(try table.number("cases", where: ["level": "slice", "class": "HH", "metric": "auc"]) == 15)
        let slice = try table.number("value", where: ["level": "slice", "class": "HH", "metric": "auc"])
        #expect(slice > 0.5 && slice < 1)
        // Slices all say HH: three of five people's are right.
        #expect(try table.number("value", where: ["level": "slice", "class": "all", "metric": "accuracy"]) == 0.6)
    }

    /// Log-odds of slices: two sure ones outweigh three that lean the other way.
    @Test func peopleAreJudgedByTheirSlicesToo() throws {
        let folder = try TaskFolder()
        let slices = [[0.95, 0.9, 0.4, 0.4, 0.45], [0.3, 0.6, 0.55, 0.2, 0.5], [0, 1, 1, 0.4, 0.4]]
        for (n, own) in slices.enumerated() {
            let context = TaskContext(subject: "0\(n + 1)")
            try folder.add("tables", "lesion\tclass\tp_HH\nn/a\tHH\t0.7\n", name: "\(n).tsv", context: context)
            let rows = own.enumerated().map { "\($0.offset)\t\($0.element >= 0.5 ? "HH" : "control")\t\($0.element)\n" }
            try folder.add("slices", "slice\tclass\tp_HH\n" + rows.joined(), name: "s\(n).tsv", context: context)
        }
        let rows = ["HH", "control", "control"].enumerated().map { n, group in
            #"{"subject": "0\#(n + 1)", "values": {"group": "\#(group)"}}"#
        }
        try folder.add(
            "covariates",
            #"{"columns": [{"name": "group", "type": "text"}], "rows": [\#(rows.joined(separator: ","))]}"#,
            name: "covariates.json")
        let result = try folder.perform(
            "evaluate.classification",
            parameters: [
                "target": "group", "positive": "HH", "bootstrap": 0,
                "published": [
                    [
                        "class": "all", "level": "person", "metric": "accuracy", "value": 0.8316,
                        "source": "Zabihi 2021",
                    ],
                    ["class": "all", "level": "lesion", "metric": "accuracy", "value": 0.5, "source": "Nobody 1900"],
                ],
            ])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let people = try folder.table("people.tsv")
        func score(_ person: String) throws -> Double {
            try people.number("score", where: ["participant_id": person, "level": "person_by_slices"])
        }
        func odds(_ p: Double) -> Double { log(p / (1 - p)) }
        let first = slices[0].map(odds).reduce(0, +) / 5
        #expect(abs(try score("sub-01") - 1 / (1 + exp(-first))) < 1e-12)
        #expect(try score("sub-01") > 0.5 && score("sub-02") < 0.5)
        // Certainty has an end: one slice of 0 does not outweigh two of 1, nor the other way round by infinity.
        #expect(try score("sub-03") > 0.5 && score("sub-03") < 0.99)
        let table = try folder.table("metrics.tsv")
        let accuracy = ["level": "person_by_slices", "class": "HH", "metric": "accuracy"]
        #expect(abs(try table.number("value", where: accuracy) - 2.0 / 3) < 1e-12)
        // A published figure stands beside the number that it is of and nowhere else.
        let published = table.rows.filter { $0[table.columns.count - 2] != "n/a" }
        #expect(published.map { Array($0[0..<4]) } == [["person", "all", "all", "accuracy"]])
        #expect(published.first?.suffix(2) == ["0.8316", "Zabihi 2021"])
        #expect(
            result.warnings == ["The published accuracy of all (lesion) has no counterpart here and is not shown."])
        let shown = result.measurements.filter { $0.term == "published" }
        #expect(shown.map(\.value) == [0.8316] && shown.first?.reference == "person")
        // The matrix in numbers: everybody is called a patient, one is.
        let decided = result.measurements.filter { $0.metric == "decided" && $0.reference == "person" }
        #expect(decided.count == 4)
        #expect(decided.first { $0.region == "control" && $0.term == "HH" }?.value == 2)
        #expect(decided.first { $0.region == "HH" && $0.term == "HH" }?.value == 1)
    }

    @Test func oneTableOfEverybodyIsEnough() throws {
        let folder = try TaskFolder()
        var text = "participant_id\tidentifier\tknown\trisk\n"
        for n in 0..<24 { text += "sub-\(n % 6)\t\(n)\t\(Self.labels[n] ? "yes" : "no")\t\(24 - n)\n" }
        try folder.add("tables", text, name: "all.tsv")
        let parameters: JSONValue = [
            "truth": "known", "score": "risk", "positive": "yes", "threshold": 20, "bootstrap": 0,
        ]
        let result = try folder.perform("evaluate.classification", parameters: parameters)
        #expect(result.failure == nil)
        let table = try folder.table("metrics.tsv")
        let auc = ["level": "item", "class": "yes", "metric": "auc"]
        #expect(abs(try table.number("value", where: auc) - 0.775) < 1e-12)
        #expect(try table.cell("ci_low", where: auc) == "n/a")
        // Such scores are no probabilities.
        #expect(try table.cell("value", where: ["level": "item", "class": "yes", "metric": "brier"]) == "n/a")
        #expect(result.warnings.contains { $0.contains("no probabilities") })
    }

    @Test func whatIsLackingIsSaid() throws {
        let folder = try folder()
        let noClass = try folder.perform("evaluate.classification", parameters: ["positive": "black"])
        #expect(noClass.failure?.message.contains("no column “p_black”") == true)
        let noName = try self.folder().perform("evaluate.classification", parameters: ["score": "p_rim"])
        #expect(noName.failure?.message.contains("name it with “positive”") == true)
        let nobody = try TaskFolder()
        try nobody.add("tables", "lesion\tp_rim\n1\t0.5\n", name: "a.tsv")
        #expect(
            try nobody.perform("evaluate.classification", parameters: ["truth": "known"]).failure?.message.contains(
                "participant_id") == true)
    }

    /// Judged against itself every prediction is right.
    @Test func predictionsAreNoTruth() throws {
        let folder = try TaskFolder()
        for person in ["1", "2"] {
            try folder.add(
                "tables", "lesion\tclass\tknown\tp_rim\n1\trim\tflat\t0.9\n2\tflat\trim\t0.2\n", name: "\(person).tsv",
                context: TaskContext(subject: person))
        }
        let itself = try folder.perform("evaluate.classification", parameters: ["positive": "rim"])
        #expect(itself.failure?.message.contains("Step step: nothing says what is true") == true)
        let known = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "truth": "known", "bootstrap": 0])
        #expect(known.failure == nil && known.warnings.isEmpty)
        #expect(try value(try folder.table("metrics.tsv"), "item", "auc") == 0)
    }

    /// Of 01 two sessions, of 02 a rim that was not proposed, of 03 a false alarm, and of 04 no truth.
    @Test(arguments: [false, true])
    func numbersCountMissesFalseAlarmsAndSessionsOnce(isOfEverybody: Bool) throws {
        let found = [
            ("01", "1", ["1\t0.9", "2\t0.8"]), ("01", "2", ["1\t0.9", "2\t0.8"]), ("02", "1", []),
            ("03", "1", ["1\t0.7"]),
        ]
        let there = [
            ("01", "1", ["1\trim", "2\tflat"]), ("01", "2", ["1\trim", "2\tflat"]), ("02", "1", ["5\trim"]),
            ("03", "1", []),
        ]
        let folder = try TaskFolder()
        for (port, header, tables) in [("tables", "lesion\tp_rim\n", found), ("truth", "lesion\tclass\n", there)] {
            if isOfEverybody {
                let rows = tables.flatMap { person, session, cells in
                    cells.map { "sub-\(person)\tses-\(session)\t\($0)\n" }
                }
                try folder.add(
                    port, "participant_id\tsession_id\t" + header + rows.joined(), name: "\(port).tsv")
            } else {
                for (person, session, cells) in tables {
                    try folder.add(
                        port, header + cells.map { $0 + "\n" }.joined(), name: "\(port)-\(person)-\(session).tsv",
                        context: TaskContext(subject: person, session: session))
                }
            }
        }
        if !isOfEverybody {
            try folder.add(
                "tables", "lesion\tp_rim\n1\t0.9\n", name: "p4.tsv", context: TaskContext(subject: "04", session: "1"))
        }
        let result = try folder.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        let table = try folder.table("metrics.tsv")
        #expect(try value(table, "item", "auc", "cases") == 4)
        // True 1, 1, 0; predicted 2, 0, 1.
        #expect(try value(table, "person", "count_mse") == 1)
        #expect(abs(try value(table, "person", "count_bias") - 1.0 / 3) < 1e-12)
        #expect(try value(table, "person", "auc", "people") == 3 && value(table, "person", "auc", "positives") == 2)
        #expect(try value(table, "person", "auc") == 0.5)
        let people = try folder.table("people.tsv")
        func cells(_ person: String, _ level: String, _ columns: [String]) throws -> [String] {
            try columns.map { try people.cell($0, where: ["participant_id": person, "level": level]) }
        }
        let judged = ["truth", "decision"]
        #expect(try cells("sub-01", "person", judged) == ["rim", "rim"])
        #expect(try cells("sub-02", "person", judged) == ["rim", "rest"])
        #expect(try cells("sub-03", "person", judged) == ["rest", "rim"])
        let score = ["participant_id": "sub-02", "level": "person"]
        #expect(try people.number("score", where: score) == 0)
        let twice = ["participant_id": "sub-01", "level": "count"]
        #expect(try people.number("true_count", where: twice) == 1)
        #expect(try people.number("predicted_count", where: twice) == 2)
        #expect(
            result.warnings.contains {
                $0.contains("1 prediction has no row in the truth, such as sub-03_ses-1 1:")
            }, "\(result.warnings)")
        #expect(result.warnings.contains { $0.contains("1 item of the truth has no prediction, such as sub-") })
        #expect(
            result.warnings.contains { $0.contains("1 image has no true classes at all") && $0.contains("sub-04") }
                == !isOfEverybody)
    }

    /// A lesion of which nobody knows what it is makes no one healthy.
    @Test func unknownClassesSayNothingOfTheirPerson() throws {
        let folder = try TaskFolder()
        for (person, known) in [("1", "rim"), ("2", "flat"), ("3", "n/a")] {
            try folder.add(
                "tables", "lesion\tp_rim\tknown\n1\t0.9\t\(known)\n2\t0.2\t\(known)\n", name: "\(person).tsv",
                context: TaskContext(subject: person))
        }
        let result = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "truth": "known", "bootstrap": 0])
        #expect(result.failure == nil && result.warnings.contains { $0.contains("2 items have no true class") })
        let table = try folder.table("metrics.tsv")
        #expect(try value(table, "person", "auc", "people") == 2 && value(table, "person", "count_mse", "people") == 2)
    }

    /// Scores that are no probabilities: who has no item is below all others and below the threshold.
    @Test func withoutAnItemTheScoreIsTheLowest() throws {
        let folder = try TaskFolder()
        for (person, rows, truth) in [("1", "1\t30\n", "1\trim\n"), ("2", "1\t25\n", "1\tflat\n"), ("3", "", "")] {
            let context = TaskContext(subject: person)
            try folder.add("tables", "lesion\trisk\n" + rows, name: "p\(person).tsv", context: context)
            try folder.add("truth", "lesion\tclass\n" + truth, name: "t\(person).tsv", context: context)
        }
        let result = try folder.perform(
            "evaluate.classification",
            parameters: ["positive": "rim", "score": "risk", "threshold": 20, "bootstrap": 0])
        #expect(result.failure == nil)
        let people = try folder.table("people.tsv")
        let nobody = ["participant_id": "sub-3", "level": "person"]
        #expect(try people.number("score", where: nobody) < 20)
        #expect(try people.cell("decision", where: nobody) == "rest")
    }

    @Test func fishersIntervalHasTheConfidence() throws {
        let folder = try folder()
        _ = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0, "confidence": 0.8])
        let table = try folder.table("metrics.tsv")
        let r = try value(table, "person", "count_r")
        let fisher = try #require(Correlation.fisherInterval(r, pairs: 7, confidence: 0.8))
        #expect(abs(try value(table, "person", "count_r_fisher", "ci_low") - fisher.lowerBound) < 1e-12)
        #expect(abs(try value(table, "person", "count_r_fisher", "ci_high") - fisher.upperBound) < 1e-12)
    }

    /// What a prediction cannot know is no negative, and a table that cannot be read is one person's.
    @Test func whatIsWrongWithOnePersonsTruth() throws {
        let misspelt = try folder()
        let context = TaskContext(subject: "08", session: "1")
        try misspelt.add(
            "tables", "lesion\tclass\tp_flat\tp_rim\n1\tflat\t0.9\t0.1\n2\tflat\t0.8\t0.2\n", name: "p8.tsv",
            context: context)
        try misspelt.add("truth", "lesion\tclass\n1\tRim\n2\tflat\n", name: "t8.tsv", context: context)
        let result = try misspelt.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.failure == nil)
        #expect(
            result.warnings == [
                "1 item is truly of a class that the predictions do not know, such as sub-08_ses-1 1 (“Rim”): left out, and so "
                    + "are the numbers of their people; correct the truth where that is misspelt."
            ])
        let metrics = try misspelt.table("metrics.tsv")
        #expect(try value(metrics, "item", "auc", "cases") == 25)
        #expect(try !misspelt.table("confusion.tsv").rows.contains { $0.contains("Rim") })
        // How many rims the person has is not known, so the person is neither with nor without one.
        #expect(try value(metrics, "person", "count_mse", "people") == 7)
        #expect(try value(metrics, "person", "auc", "people") == 7)

        // Where a table gives scores without deciding among its classes, what it has no score of is the rest.
        let partial = try TaskFolder()
        for (n, truth) in ["rim", "vein", "rim", "other"].enumerated() {
            let one = TaskContext(subject: "0\(n)")
            try partial.add(
                "tables", "lesion\tp_rim\tp_vein\n1\t0.\(9 - n)\t0.\(n)\n", name: "p\(n).tsv", context: one)
            try partial.add("truth", "lesion\tclass\n1\t\(truth)\n", name: "t\(n).tsv", context: one)
        }
        let rest = try partial.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(rest.failure == nil && rest.warnings.isEmpty, "\(rest.warnings)")
        #expect(try value(try partial.table("metrics.tsv"), "item", "auc", "cases") == 4)

        let twice = try folder()
        try twice.add(
            "truth", "lesion\tclass\n1\trim\n", name: "again.tsv", context: TaskContext(subject: "01", session: "1"))
        #expect(
            try twice.perform("evaluate.classification", parameters: ["positive": "rim"]).failure?.message.hasSuffix(
                " has “1” of sub-01_ses-1, which another table has, too; keep one row per item") == true)

        let damaged = try folder()
        try damaged.add(
            "tables", "lesion\tclass\tp_flat\tp_rim\n1\tflat\t0.9\t0.1\n", name: "p8.tsv", context: context)
        try damaged.add("truth", "lesion\ttype\n1\tflat\n", name: "t8.tsv", context: context)
        let others = try damaged.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(others.failure == nil)
        #expect(
            others.warnings.contains {
                $0.hasPrefix("sub-08_ses-1 is left out: t8.tsv has no column “class”")
            }, "\(others.warnings)")
        #expect(try value(try damaged.table("metrics.tsv"), "item", "auc", "cases") == 24)
    }

    /// Truths of people, too: whoever is of a third group is in none of the two.
    @Test func aGroupThatWasNotLearnedIsLeftOut() throws {
        let folder = try TaskFolder()
        let groups = ["control", "HH", "control", "HH", "other"]
        for n in 1...5 {
            try folder.add(
                "tables", "lesion\tclass\tp_control\tp_HH\nn/a\tHH\t0.\(10 - n - 1)\t0.\(n + 1)\n", name: "\(n).tsv",
                context: TaskContext(subject: "0\(n)"))
        }
        let rows = groups.enumerated().map { #"{"subject": "0\#($0 + 1)", "values": {"group": "\#($1)"}}"# }
        try folder.add(
            "covariates",
            #"{"columns": [{"name": "group", "type": "text"}], "rows": [\#(rows.joined(separator: ","))]}"#,
            name: "covariates.json")
        let result = try folder.perform(
            "evaluate.classification", parameters: ["target": "group", "positive": "HH", "bootstrap": 0])
        #expect(result.failure == nil && result.warnings.contains { $0.contains("sub-05 (“other”)") })
        let table = try folder.table("metrics.tsv")
        #expect(
            try table.number(
                "people", where: ["level": "person", "class": "HH", "metric": "auc", "fold": "all"]) == 4)
    }

    @Test func itemsNeedBeNoCount() throws {
        for counts in [true, false] {
            let folder = try folder()
            let result = try folder.perform(
                "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0, "counts": .bool(counts)])
            #expect(result.failure == nil)
            let metrics = try folder.table("metrics.tsv")
            let column = try metrics.column("metric", of: "metrics.tsv")
            #expect(metrics.rows.contains { $0[column].hasPrefix("count_") } == counts)
            #expect(metrics.rows.contains { $0[column] == "auc" })
            #expect(result.measurements.contains { $0.metric.hasPrefix("count_") } == counts)
        }
    }

    @Test func threadsDoNotChangeTheIntervals() throws {
        let one = try folder()
        _ = try one.perform("evaluate.classification", parameters: ["bootstrap": 100], threads: 1)
        let four = try folder()
        _ = try four.perform("evaluate.classification", parameters: ["bootstrap": 100], threads: 4)
        #expect(try one.output("metrics.tsv") == four.output("metrics.tsv"))
    }
}
