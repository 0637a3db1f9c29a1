import BIDS
import Foundation
import Testing
import Workflow

@testable import Tasks

@Suite struct ClassificationOfPeopleTests {
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
        try folder.addGroups(["control", "HH", "control", "HH", "HH"])
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
        try folder.addGroups(["HH", "control", "control"])
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

    /// Truths of people, too: whoever is of a third group is in none of the two.
    @Test func aGroupThatWasNotLearnedIsLeftOut() throws {
        let folder = try TaskFolder()
        let groups = ["control", "HH", "control", "HH", "other"]
        for n in 1...5 {
            try folder.add(
                "tables", "lesion\tclass\tp_control\tp_HH\nn/a\tHH\t0.\(10 - n - 1)\t0.\(n + 1)\n", name: "\(n).tsv",
                context: TaskContext(subject: "0\(n)"))
        }
        try folder.addGroups(groups)
        let result = try folder.perform(
            "evaluate.classification", parameters: ["target": "group", "positive": "HH", "bootstrap": 0])
        #expect(result.failure == nil && result.warnings.contains { $0.contains("sub-05 (“other”)") })
        let table = try folder.table("metrics.tsv")
        #expect(
            try table.number(
                "people", where: ["level": "person", "class": "HH", "metric": "auc", "fold": "all"]) == 4)
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
        #expect(try table.rim("item", "auc", "cases") == 4)
        // True 1, 1, 0; predicted 2, 0, 1.
        #expect(try table.rim("person", "count_mse") == 1)
        #expect(abs(try table.rim("person", "count_bias") - 1.0 / 3) < 1e-12)
        #expect(try table.rim("person", "auc", "people") == 3 && table.rim("person", "auc", "positives") == 2)
        #expect(try table.rim("person", "auc") == 0.5)
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
        #expect(try table.rim("person", "auc", "people") == 2 && table.rim("person", "count_mse", "people") == 2)
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
        #expect(
            result.warnings.first?.hasPrefix(
                "2 scores lie outside 0 to 1, such as sub-1 1 (30); sub-2 1 (25): no probabilities") == true,
            "\(result.warnings)")
        let people = try folder.table("people.tsv")
        let nobody = ["participant_id": "sub-3", "level": "person"]
        #expect(try people.number("score", where: nobody) < 20)
        #expect(try people.cell("decision", where: nobody) == "rest")
    }
}
