import BIDS
import Foundation
import Statistics
import Testing
import Workflow

@testable import Tasks

@Suite struct EvaluationSummaryTests {
    @Test func regionsOverPeople() throws {
        let folder = try TaskFolder()
        // Dice, common, reference and prediction voxels of a structure; 02 has two sessions, 03 an empty prediction.
        let images: [(String, String?, Double, Int, Int, Int)] = [
            ("01", nil, 0.8, 40, 50, 50), ("02", "a", 0.6, 30, 50, 50), ("02", "b", 1, 50, 50, 50),
            ("03", nil, 0, 0, 50, 0),
        ]
        for (n, image) in images.enumerated() {
            let hd = image.2 == 0 ? "n/a" : "\(2 - image.2)"
            try folder.add(
                "tables",
                "structure\tdice\tjaccard\thausdorff_mm\thd95_mm\thd95_larger_mm\tassd_mm\treference_voxels\tprediction_voxels\t"
                    + "common_voxels\treference_mm3\tprediction_mm3\tvolume_ratio\tempty\n"
                    + "caudate\t\(image.2)\t0.5\t\(hd)\t\(hd)\t\(hd)\t\(hd)\t\(image.4)\t\(image.5)\t\(image.3)\t\(image.4)\t"
                    + "\(image.5)\t1\tn/a\n", name: "\(n).tsv", context: TaskContext(subject: image.0, session: image.1)
            )
        }
        try folder.add("folds", #"{"folds": 2, "people": {"01": 1, "02": 1, "03": 2}}"#, name: "folds.json")
        let result = try folder.perform(
            "evaluate.summary",
            parameters: [
                "published": [
                    ["label": "caudate", "metric": "dice", "value": 0.81, "source": "CS512"],
                    ["label": "putamen", "metric": "dice", "value": 0.79, "source": "CS512"],
                ]
            ])
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        let dice = ["label": "caudate", "metric": "dice"]
        // 02 counts once, with the mean of its sessions.
        #expect(try table.number("people", where: dice) == 3)
        #expect(abs(try table.number("mean", where: dice) - (0.8 + 0.8 + 0) / 3) < 1e-12)
        let spread = try table.number("sd", where: dice)
        #expect(abs(try table.number("sem", where: dice) - spread / 3.0.squareRoot()) < 1e-12)
        #expect(abs(try table.number("pooled", where: dice) - 240.0 / 350) < 1e-12)
        #expect(abs(try table.number("fold_mean", where: dice) - 0.4) < 1e-12)
        #expect(try table.number("published", where: dice) == 0.81)
        #expect(try table.cell("published_source", where: dice) == "CS512")
        // Distances of an empty side are excluded and counted.
        let distance = ["label": "caudate", "metric": "hausdorff"]
        #expect(try table.number("people", where: distance) == 2 && table.number("empty", where: distance) == 1)
        #expect(result.warnings == ["The published dice of putamen has no counterpart here and is not shown."])
        let measured = result.measurements.first { $0.metric == "dice" && $0.term == "published" }
        #expect(measured?.value == 0.81 && measured?.region == "caudate")
        #expect(try folder.table("people.tsv").rows.map { $0[0] } == ["sub-01", "sub-02", "sub-02", "sub-03"])
    }

    /// Steps that fan out over folds say with each table whose fold it is.
    @Test func tablesOfFoldsNeedNoDocument() throws {
        let folder = try TaskFolder()
        for (person, fold, dice) in [("1", 1, 0.8), ("2", 1, 0.6), ("3", 2, 0.5)] {
            try folder.add(
                "tables", "structure\tdice\ncaudate\t\(dice)\n", name: "\(person).tsv",
                context: TaskContext(subject: person, fold: fold))
        }
        let result = try folder.perform("evaluate.summary")
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        let dice = ["label": "caudate", "metric": "dice"]
        #expect(try table.number("folds", where: dice) == 2)
        #expect(abs(try table.number("fold_mean", where: dice) - 0.6) < 1e-12)
        #expect(try folder.table("people.tsv").rows.map { $0[2] } == ["1", "1", "2"])
    }

    private static let header = DetectionCount.columns.joined(separator: "\t") + "\n"

    private func row(_ references: Int, _ predictions: Int, tp: Int, right: Int, ignored: Int = 0) -> String {
        let cell = TabSeparatedTable.cell
        let sensitivity = references == 0 ? nil : Double(tp) / Double(references)
        let precision = predictions == 0 ? nil : Double(right) / Double(predictions)
        let cells = [
            "cmb", "overlap_1", "\(references)", "\(predictions)", "\(tp)", "\(references - tp)", "\(right)",
            "\(predictions - right)", cell(sensitivity), cell(precision), "n/a", "n/a", "0.5", "\(references * 10)",
            "\(predictions * 10)", "\(tp * 5)", "\(references * 10)", "\(predictions * 10)", "n/a", "n/a",
            "\(abs(predictions - references))", "\(10 * abs(predictions - references))", "\(ignored)", "0",
        ]
        return cells.joined(separator: "\t") + "\n"
    }

    @Test func lesionsOverPeople() throws {
        let folder = try TaskFolder()
        let people = [(4, 5, 3, 3), (0, 2, 0, 0), (2, 2, 2, 2)]
        for (n, person) in people.enumerated() {
            try folder.add(
                "tables", Self.header + row(person.0, person.1, tp: person.2, right: person.3), name: "\(n).tsv",
                context: TaskContext(subject: "\(n)"))
        }
        // Somebody with nothing on either side: a table without a row.
        try folder.add("tables", Self.header, name: "3.tsv", context: TaskContext(subject: "3"))
        let lesions = MatchedLesion.columns
        func lesion(_ side: String, _ result: String, _ score: String) -> String {
            lesions.map { column in
                ["class": "cmb", "rule": "overlap_1", "side": side, "result": result, "score": score][column] ?? "1"
            }.joined(separator: "\t") + "\n"
        }
        try folder.add(
            "lesions",
            lesions.joined(separator: "\t") + "\n" + lesion("reference", "tp", "0.9") + lesion("reference", "tp", "0.4")
                + lesion("reference", "fn", "n/a") + lesion("prediction", "tp", "0.9")
                + lesion("prediction", "tp", "0.4")
                + lesion("prediction", "fp", "0.5") + lesion("prediction", "fp", "0.3")
                + lesion("reference", "ignored", "n/a") + lesion("prediction", "ignored", "0.8"), name: "l.tsv",
            context: TaskContext(subject: "0"))
        let result = try folder.perform("evaluate.summary")
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        func number(_ metric: String, _ column: String) throws -> Double {
            try table.number(column, where: ["label": "cmb", "rule": "overlap_1", "metric": metric])
        }
        #expect(try number("sensitivity", "people") == 2 && number("sensitivity", "empty") == 2)
        #expect(abs(try number("sensitivity", "mean") - (0.75 + 1) / 2) < 1e-12)
        #expect(abs(try number("sensitivity", "pooled") - 5.0 / 6) < 1e-12)
        #expect(abs(try number("precision", "pooled") - 5.0 / 9) < 1e-12)
        #expect(abs(try number("f1", "pooled") - 2 * (5.0 / 6) * (5.0 / 9) / (5.0 / 6 + 5.0 / 9)) < 1e-12)
        // Everybody counts, also who has none.
        #expect(try number("absolute_count_difference", "people") == 4)
        #expect(try number("absolute_count_difference", "mean") == (1.0 + 2 + 0 + 0) / 4)
        #expect(try number("absolute_volume_difference", "mean") == 7.5)
        #expect(try number("fp_per_image", "people") == 4 && number("fp_per_image", "pooled") == 1)
        #expect(abs(try number("fp_per_lesion", "pooled") - 4.0 / 6) < 1e-12)
        #expect(abs(try number("count_mse", "pooled") - (1.0 + 4) / 4) < 1e-12)
        #expect(abs(try number("count_bias", "pooled") - 3.0 / 4) < 1e-12)
        let r = try Correlation([4, 0, 2, 0], [5, 2, 2, 0])
        #expect(abs(try number("count_r", "pooled") - r.coefficient) < 1e-12)
        #expect(abs(try number("count_r", "ci_low") - r.interval!.lowerBound) < 1e-12)
        #expect(abs(try number("volume_bias", "pooled") - 7.5) < 1e-12)
        // Four people, two false alarms: at a quarter per person the one at 0.5 is let in.
        let froc = try folder.table("froc.tsv")
        #expect(froc.rows.map { $0[3] } == ["0", "0.25", "0.25", "0.5"])
        #expect(try number("froc_sensitivity_at_0.125", "pooled") > 0.33)
        // The curve ends there, and what is given beyond is what it ends with.
        #expect(try number("froc_false_alarms", "pooled") == 0.5)
        #expect(try number("froc_sensitivity_at_8", "pooled") == number("froc_sensitivity_at_0.5", "pooled"))
        #expect(abs(try number("froc_sensitivity_at_0.25", "pooled") - 2.0 / 3) < 1e-12)
    }

    /// Of all people together too F1 is of references found, false alarms and references missed.
    @Test func piecesOfALesionAreFoundOnce() throws {
        let folder = try TaskFolder()
        for (n, person) in [(2, 3, 1, 2), (1, 1, 1, 1)].enumerated() {
            try folder.add(
                "tables", Self.header + row(person.0, person.1, tp: person.2, right: person.3), name: "\(n).tsv",
                context: TaskContext(subject: "\(n)"))
        }
        #expect(try folder.perform("evaluate.summary").failure == nil)
        let f1 = try folder.table("table.tsv").number("pooled", where: ["label": "cmb", "metric": "f1"])
        #expect(abs(f1 - 4.0 / 6) < 1e-12)
    }

    /// A class that a side's table does not name in one person is neither missed nor absent there, and the summary says so.
    @Test func whoIsNotJudgedIsNoNegative() throws {
        func person(reference: String, prediction: String, found: Bool) throws -> String {
            let folder = try TaskFolder()
            try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: folder)
            try BoxMap(found ? [(1, 2..<4, 2..<4, 2..<4)] : []).bind("prediction", in: folder)
            try folder.add("reference_table", "index\tname\n" + reference, name: "reference.tsv")
            try folder.add("prediction_table", "index\tname\n" + prediction, name: "prediction.tsv")
            let result = try folder.perform(
                "evaluate.detection", parameters: ["only_shared": true, "rules": ["overlap"]])
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            return try String(contentsOfFile: folder.path + "/out/table.tsv", encoding: .utf8)
        }
        let (both, iron) = ("1\tcmb\n2\tiron\n", "2\tiron\n")
        let folder = try TaskFolder()
        let tables = [
            "1": try person(reference: both, prediction: both, found: true),
            "2": try person(reference: both, prediction: both, found: false),
            // Its lesion was missed, by a program that names what it found.
            "3": try person(reference: both, prediction: iron, found: false),
            // Nobody judges veins.
            "4": try person(reference: both + "3\tvein\n", prediction: both, found: true),
        ]
        for (person, table) in tables {
            try folder.add("tables", table, name: "\(person).tsv", context: TaskContext(subject: person))
        }
        let result = try folder.perform("evaluate.summary")
        #expect(result.failure == nil)
        #expect(result.warnings.count == 1)
        #expect(result.warnings.first?.hasPrefix("1 of 4 images are not judged by cmb:") == true, "\(result.warnings)")
        let table = try folder.table("table.tsv")
        func number(_ metric: String, _ column: String, _ label: String = "cmb") throws -> Double {
            try table.number(column, where: ["label": label, "rule": "overlap_1", "metric": metric])
        }
        #expect(try number("sensitivity", "people") == 3)
        #expect(abs(try number("sensitivity", "pooled") - 2.0 / 3) < 1e-12)
        #expect(abs(try number("count_mse", "pooled") - 1.0 / 3) < 1e-12)
        #expect(try number("absolute_count_difference", "people", "iron") == 4)
        #expect(table.rows.allSatisfy { $0[0] != "vein" })
    }

    /// A size that leaves nothing to be found is likely a mistake in the unit.
    @Test(arguments: [0, 1]) func nothingAskedForIsSaid(references: Int) throws {
        let folder = try TaskFolder()
        for (n, counted) in [0, references].enumerated() {
            try folder.add(
                "tables", Self.header + row(counted, 1, tp: counted, right: 1, ignored: 3), name: "\(n).tsv",
                context: TaskContext(subject: "\(n)"))
        }
        let warnings = try folder.perform("evaluate.summary").warnings
        #expect(warnings.count { $0.hasPrefix("No cmb was asked for: 6 are smaller") } == 1 - references)
    }

    /// Nothing found in anybody is an answer that wants a word.
    @Test(arguments: [0, 1]) func nothingFoundIsSaid(predictions: Int) throws {
        let folder = try TaskFolder()
        for (n, found) in [0, predictions].enumerated() {
            try folder.add(
                "tables", Self.header + row(2, found, tp: 0, right: 0), name: "\(n).tsv",
                context: TaskContext(subject: "\(n)"))
        }
        let result = try folder.perform("evaluate.summary")
        #expect(result.failure == nil)
        #expect(result.warnings.contains { $0.hasPrefix("Nobody has a predicted cmb,") } == (predictions == 0))
    }

    /// Images of one person are no independent observations.
    @Test func sessionsAreAveragedBeforePeopleAreCompared() throws {
        let folder = try TaskFolder()
        let images: [(String, String?, Int, Int)] = [
            ("01", "a", 40, 50), ("01", "b", 60, 50), ("02", nil, 100, 80), ("03", nil, 30, 60), ("04", nil, 70, 75),
        ]
        for (n, image) in images.enumerated() {
            try folder.add(
                "tables", "structure\tdice\treference_mm3\tprediction_mm3\ncaudate\t0.5\t\(image.2)\t\(image.3)\n",
                name: "\(n).tsv", context: TaskContext(subject: image.0, session: image.1))
        }
        #expect(try folder.perform("evaluate.summary").failure == nil)
        let table = try folder.table("table.tsv")
        let r = try Correlation([50, 100, 30, 70], [50, 80, 60, 75])
        let row = ["label": "caudate", "metric": "volume_r"]
        #expect(abs(try table.number("pooled", where: row) - r.coefficient) < 1e-12)
        #expect(abs(try table.number("ci_low", where: row) - r.interval!.lowerBound) < 1e-12)
        #expect(
            abs(try table.number("pooled", where: ["label": "caudate", "metric": "volume_bias"]) - 3.75) < 1e-12)
    }

    @Test func emptySidesAreCounted() throws {
        let folder = try TaskFolder()
        for (n, empty) in ["both", "prediction", "reference", "n/a", "both"].enumerated() {
            let dice = empty == "both" ? "1" : "0"
            try folder.add(
                "tables", "structure\tdice\tempty\ncaudate\t\(dice)\t\(empty)\n", name: "\(n).tsv",
                context: TaskContext(subject: "\(n)"))
        }
        #expect(try folder.perform("evaluate.summary").failure == nil)
        let table = try folder.table("table.tsv")
        #expect(try table.number("pooled", where: ["label": "caudate", "metric": "both_empty"]) == 2)
        #expect(try table.number("pooled", where: ["label": "caudate", "metric": "one_empty"]) == 2)
        let people = try folder.table("people.tsv")
        #expect(try people.cell("empty", where: ["participant_id": "sub-1"]) == "prediction")
        #expect(try people.cell("empty", where: ["participant_id": "sub-3"]) == "n/a")
    }

    private func lesion(_ side: String, _ result: String, _ score: String) -> String {
        MatchedLesion.columns.map { column in
            ["class": "cmb", "rule": "overlap_1", "side": side, "result": result, "score": score][column] ?? "1"
        }.joined(separator: "\t") + "\n"
    }

    /// Two sessions of one person and one of another.
    private func sessions(lastScore: String) throws -> TaskFolder {
        let folder = try TaskFolder()
        for (person, session, predictions) in [("0", "a", 3), ("0", "b", 1), ("1", "a", 1)] {
            try folder.add(
                "tables", Self.header + row(1, predictions, tp: 1, right: 1), name: "\(person)\(session).tsv",
                context: TaskContext(subject: person, session: session))
        }
        try folder.add(
            "lesions",
            MatchedLesion.columns.joined(separator: "\t") + "\n" + lesion("reference", "tp", "0.9")
                + lesion("prediction", "tp", "0.9") + lesion("prediction", "fp", "0.5")
                + lesion("prediction", "fp", lastScore), name: "l.tsv", context: TaskContext(subject: "0", session: "a")
        )
        return folder
    }

    @Test func falseAlarmsAreOfImages() throws {
        let folder = try sessions(lastScore: "0.4")
        #expect(try folder.perform("evaluate.summary").failure == nil)
        let row = ["label": "cmb", "rule": "overlap_1", "metric": "fp_per_image"]
        let table = try folder.table("table.tsv")
        // Two false alarms in three images; in a person's mean image one, in the other's none.
        #expect(abs(try table.number("pooled", where: row) - 2.0 / 3) < 1e-12)
        #expect(try table.number("mean", where: row) == 0.5)
        let alarms = try folder.table("froc.tsv").rows.map { try #require(Double($0[3])) }
        #expect(zip(alarms, [0, 1.0 / 3, 2.0 / 3]).allSatisfy { abs($0 - $1) < 1e-12 } && alarms.count == 3)
    }

    /// A false alarm without a score would be forgotten at every threshold.
    @Test func curvesNeedAScoreOfEveryPrediction() throws {
        let folder = try sessions(lastScore: "n/a")
        let result = try folder.perform("evaluate.summary")
        #expect(result.failure == nil)
        #expect(try folder.table("froc.tsv").rows.isEmpty)
        #expect(result.warnings.contains { $0.contains("1 of 3 predictions of cmb have no score") })
    }

    /// Figures of the parameter and of a table, several of one metric among them, stand beside what was found.
    @Test func figuresOfSeveralSourcesStandSideBySide() throws {
        let folder = try TaskFolder()
        for (person, dice) in [("1", 0.8), ("2", 0.6)] {
            try folder.add(
                "tables", "structure\tdice\thd95_mm\ncaudate\t\(dice)\t2\nputamen\t0.5\t1\n", name: "\(person).tsv",
                context: TaskContext(subject: person))
        }
        try folder.add(
            "published",
            "label\tmetric\tvalue\tsource\ncaudate\tdice\t0.81\tA, test\ncaudate\tdice\t0.76\tA, validation\n"
                + "putamen\tdice\t0.79\tA, test\ndentate\tdice\t0.7\tA, test\n", name: "published.tsv")
        let parameters: JSONValue = [
            "published": [["label": "caudate", "metric": "dice", "value": 0.782, "source": "B"]]
        ]
        let result = try folder.perform("evaluate.summary", parameters: parameters)
        // A table serves many runs: what it has besides is nobody's mistake.
        #expect(result.failure == nil && result.warnings.isEmpty, "\(result)")
        let beside = try folder.table("published.tsv")
        let rows = beside.rows.map { row in
            ["label", "metric", "published", "published_source"].map { row[beside.columns.firstIndex(of: $0)!] }
        }
        #expect(
            rows == [
                ["caudate", "dice", "0.782", "B"], ["caudate", "dice", "0.81", "A, test"],
                ["caudate", "dice", "0.76", "A, validation"], ["putamen", "dice", "0.79", "A, test"],
            ])
        #expect(try beside.number("mean", where: ["published_source": "B"]) == 0.7)
        #expect(try beside.number("people", where: ["published_source": "B"]) == 2)
        // A column has room for one: that of a metric that has one.
        let table = try folder.table("table.tsv")
        #expect(try table.cell("published", where: ["label": "caudate", "metric": "dice"]) == "n/a")
        #expect(try table.number("published", where: ["label": "putamen", "metric": "dice"]) == 0.79)
        let terms = result.measurements.filter { $0.region == "caudate" && $0.metric == "dice" }.compactMap(\.term)
        #expect(
            terms.filter { $0.hasPrefix("published") } == [
                "published: B", "published: A, test", "published: A, validation",
            ])

        let elsewhere = try TaskFolder()
        try elsewhere.add("tables", "structure\tdice\nred\t0.5\n", name: "1.tsv", context: TaskContext(subject: "1"))
        try elsewhere.add("published", "label\tmetric\tvalue\tsource\ncaudate\tdice\t0.8\tA\n", name: "published.tsv")
        #expect(
            try elsewhere.perform("evaluate.summary").warnings
                == [
                    "No figure of the published table has a counterpart here; its rows are such as dice of caudate, those of this "
                        + "step such as dice of red."
                ])
        let wrong = try TaskFolder()
        try wrong.add("tables", "structure\tdice\nred\t0.5\n", name: "1.tsv", context: TaskContext(subject: "1"))
        try wrong.add("published", "label\tmetric\tvalue\tsource\nred\tdice\t.8x\tA\n", name: "published.tsv")
        #expect(
            try wrong.perform("evaluate.summary").failure?.message
                == "published.tsv: the dice of red needs a number as its value and a source; it has “.8x” and “A”")
    }

    @Test func twoFiguresOfOneSourceAreRefused() throws {
        let folder = try TaskFolder()
        try folder.add("tables", Self.header, name: "a.tsv", context: TaskContext(subject: "1"))
        func failure(_ second: JSONValue) throws -> String? {
            try folder.perform(
                "evaluate.summary",
                parameters: [
                    "published": [
                        ["label": "cmb", "rule": "overlap_1", "metric": "f1", "value": 0.5, "source": "CS512"], second,
                    ]
                ]
            ).failure?.message
        }
        let message = try failure(["label": "cmb", "metric": "f1", "value": 0.75, "source": "CS512"])
        #expect(
            message
                == "Step step: two published figures for the f1 of cmb are both of “CS512”, 0.5 and 0.75; keep one, or say in the "
                + "source what tells them apart")
        for second: JSONValue in [
            ["label": "cmb", "rule": "iou_0.1", "metric": "f1", "value": 0.75, "source": "CS512"],
            ["label": "cmb", "metric": "f1", "value": 0.75, "source": "Author 2020"],
        ] {
            #expect(try failure(second) == nil)
        }
    }

    @Test func tablesOfOtherKindsAreRefused() throws {
        let folder = try TaskFolder()
        try folder.add("tables", "region\tmean\n", name: "a.tsv", context: TaskContext(subject: "1"))
        #expect(try folder.perform("evaluate.summary").failure?.message.contains("a.tsv is no table of") == true)
        let mixed = try TaskFolder()
        try mixed.add("tables", "structure\tdice\n", name: "a.tsv", context: TaskContext(subject: "1"))
        try mixed.add("tables", Self.header, name: "b.tsv", context: TaskContext(subject: "2"))
        #expect(try mixed.perform("evaluate.summary").failure?.message.contains("in two steps") == true)
        let vague = try TaskFolder()
        try vague.add("tables", "structure\tdice\n", name: "a.tsv", context: TaskContext(subject: "1"))
        let failure = try vague.perform(
            "evaluate.summary", parameters: ["published": [["label": "caudate", "metric": "dice", "value": 0.8]]])
        #expect(failure.failure?.message.contains("label, metric, value and source") == true)
    }
}
