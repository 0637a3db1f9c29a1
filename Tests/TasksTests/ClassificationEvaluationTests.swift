import BIDS
import Statistics
import Testing
import Workflow

@testable import Tasks

@Suite struct ClassificationEvaluationTests {
    @Test func lesionsGiveTheWorkedExample() throws {
        let folder = try TaskFolder.rimExample()
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
            #expect(abs(try table.rim("item", metric) - expected) < 1e-9, "\(metric)")
        }
        // At 0.5 the first 13 are called; three of the four rims are among them.
        #expect(try table.rim("item", "sensitivity") == 0.75 && table.rim("item", "specificity") == 0.5)
        #expect(try table.rim("item", "auc", "cases") == 24 && table.rim("item", "auc", "people") == 6)
        let (low, high) = (
            try table.rim("item", "auc", "ci_low"), try table.rim("item", "auc", "ci_high")
        )
        #expect(low <= 0.775 && high >= 0.775 && low < high)
        // People: the surest of their lesions. Rims are with 01, 02, 04 and 03 (the 21st is place 20, person 3).
        #expect(try table.rim("person", "auc", "positives") == 4)
        // Numbers of rims: 1 1 1 1 0 0 0; called: places 0…12, so 3 2 2 2 2 2 and none.
        #expect(abs(try table.rim("person", "count_mse") - (4.0 + 1 + 1 + 1 + 4 + 4) / 7) < 1e-12)
        #expect(abs(try table.rim("person", "count_bias") - 9.0 / 7) < 1e-12)
        let r = try table.rim("person", "count_r")
        let fisher = try #require(Correlation.fisherInterval(r, pairs: 7))
        #expect(abs(try table.rim("person", "count_r_fisher", "ci_low") - fisher.lowerBound) < 1e-12)
        // Two folds: their mean accuracy is that of their own people.
        let folds = try [1, 2].map {
            try table.number(
                "value", where: ["level": "item", "class": "rim", "metric": "accuracy", "fold": "\($0)"])
        }
        #expect(abs(try table.rim("item", "accuracy", "fold_mean") - (folds[0] + folds[1]) / 2) < 1e-12)
        #expect(try table.rim("item", "accuracy", "folds") == 2)
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
        #expect(try table.rim("person", "count_bias") == 1)
    }

    @Test func oneTableOfEverybodyIsEnough() throws {
        let folder = try TaskFolder()
        var text = "participant_id\tidentifier\tknown\trisk\n"
        for n in 0..<24 { text += "sub-\(n % 6)\t\(n)\t\(TaskFolder.rimExampleTruth[n] ? "yes" : "no")\t\(24 - n)\n" }
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

    @Test func fishersIntervalHasTheConfidence() throws {
        let folder = try TaskFolder.rimExample()
        _ = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0, "confidence": 0.8])
        let table = try folder.table("metrics.tsv")
        let r = try table.rim("person", "count_r")
        let fisher = try #require(Correlation.fisherInterval(r, pairs: 7, confidence: 0.8))
        #expect(abs(try table.rim("person", "count_r_fisher", "ci_low") - fisher.lowerBound) < 1e-12)
        #expect(abs(try table.rim("person", "count_r_fisher", "ci_high") - fisher.upperBound) < 1e-12)
    }

    @Test func itemsNeedBeNoCount() throws {
        for counts in [true, false] {
            let folder = try TaskFolder.rimExample()
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
        let one = try TaskFolder.rimExample()
        _ = try one.perform("evaluate.classification", parameters: ["bootstrap": 100], threads: 1)
        let four = try TaskFolder.rimExample()
        _ = try four.perform("evaluate.classification", parameters: ["bootstrap": 100], threads: 4)
        #expect(try one.output("metrics.tsv") == four.output("metrics.tsv"))
    }
}
