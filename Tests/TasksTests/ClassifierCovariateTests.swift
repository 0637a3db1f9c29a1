import BIDS
import Foundation
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// Classifiers that tell people apart, by features without what covariates explain of them, and by their slices.
@Suite struct ClassifierCovariateTests {
    private func message(_ folder: TaskFolder, _ parameters: JSONValue) throws -> String {
        try folder.perform("classifier.train", parameters: parameters).failure?.message ?? ""
    }

    /// People whose χ rises with age, patients (even numbers) by another 10 ppb, and who are ten years older.
    private static func person(_ n: Int) -> (age: Double, chi: Double) {
        let isPatient = n % 2 == 0
        let age = 40 + Double(n * 7 % 23) + (isPatient ? 10 : 0)
        return (age, 0.002 * age + (isPatient ? 0.010 : 0) + 0.0004 * sin(Double(5 * n)))
    }

    private static func covariates(_ people: Range<Int>, unknown: Int? = nil) -> String {
        let rows = people.map { n -> JSONValue in
            [
                "subject": .string("\(n)"),
                "values": [
                    "group": .string(n % 2 == 0 ? "HH" : "control"),
                    "age": n == unknown ? .null : .number(person(n).age), "site": "a",
                ],
            ]
        }
        return JSONValue.object([
            "columns": [
                ["name": "group", "type": "text"], ["name": "age", "type": "number"], ["name": "site", "type": "text"],
            ],
            "rows": .array(rows),
        ]).canonicalString
    }

    private static let residualising: JSONValue = [
        "method": "logistic", "target": "group", "positive": "HH", "residualise": ["age"],
    ]

    /// The slope on age is that of people of one kind: the ten years that groups differ in are not taken for it.
    @Test func whatAgeExplainsIsTakenAway() throws {
        let folder = try TaskFolder()
        func table(_ n: Int) -> String { "region\treference\tmean\nputamen\twhole_brain\t\(Self.person(n).chi)\n" }
        for n in 0..<24 {
            try folder.add("features", table(n), name: "\(n).tsv", context: TaskContext(subject: "\(n)"))
        }
        try folder.add("covariates", Self.covariates(0..<24), name: "covariates.json")
        let result = try folder.perform("classifier.train", parameters: Self.residualising)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let path = folder.path + "/out/model.safetensors"
        let classifier = try FeatureClassifier(
            TaskRequest.StagedInput(
                input: TaskInput(
                    port: "model", context: .cohort, name: "m", digest: ArtifactDigest(of: Data()), sizeBytes: 0,
                    metadata: nil), path: path))
        let slope = try #require(classifier.preparation.covariates?.slopes[0][0])
        #expect(abs(slope - 0.002) < 0.00005, "\(slope)")
        #expect(result.value("accuracy") == 1)
        // Without, what age adds hides what the disease does.
        var plain = Self.residualising
        plain["residualise"] = []
        #expect(try #require(folder.perform("classifier.train", parameters: plain).value("accuracy")) < 1)
        _ = try folder.perform("classifier.train", parameters: Self.residualising)

        func judged(_ n: Int, age: Int?) throws -> (TaskResult, [[String]]) {
            let other = try TaskFolder()
            other.add("model", path: path, name: "model.safetensors")
            try other.add("features", table(n), name: "f.tsv", context: TaskContext(subject: "\(n)"))
            if let age { try other.add("covariates", Self.covariates(30..<34, unknown: age), name: "covariates.json") }
            let result = try other.perform("classifier.apply")
            return (result, result.failure == nil ? try other.rows("table.tsv") : [])
        }
        for n in 30..<34 { #expect(try judged(n, age: 0).1[0][1] == (n % 2 == 0 ? "HH" : "control")) }
        let (unknown, rows) = try judged(31, age: 31)
        #expect(unknown.warnings == ["sub-31 has no age: taken as the mean of those trained on."] && rows.count == 1)
        #expect(
            try judged(31, age: nil).0.failure?.message
                == "Step step got no input “covariates”; state it in the workflow file")
        var wrong = Self.residualising
        wrong["residualise"] = ["site"]
        #expect(try message(folder, wrong).contains("“site”, which is no column of numbers"))
        wrong["residualise"] = ["agee"]
        #expect(try message(folder, wrong).contains("no column of participants.tsv; did you mean age?"))
    }

    /// Of what is noise a forest knows nothing of people that it has not seen, though slopes of noise take much of it away.
    @Test func aResidualisedForestIsJudgedOnOthers() throws {
        // So many that what they leave of a person is little beside what the groups differ in by chance.
        let covariates = (0..<14).map { "c\($0)" }
        var sum = 0.0
        let repeats = 24
        for seed in 0..<repeats {
            var random = SeededGenerator(seed: UInt64(700 + seed))
            let folder = try TaskFolder()
            var rows: [JSONValue] = []
            for n in 0..<20 {
                try folder.add(
                    "features", "region\treference\tmean\nputamen\twhole_brain\t\(random.gaussian())\n",
                    name: "\(n).tsv",
                    context: TaskContext(subject: "\(n)"))
                let values = covariates.map { ($0, JSONValue.number(random.gaussian())) }
                rows.append([
                    "subject": .string("\(n)"),
                    "values": .object(
                        Dictionary(uniqueKeysWithValues: values).merging(["group": n % 2 == 0 ? "HH" : "control"]) {
                            $1
                        }),
                ])
            }
            let columns = covariates.map { JSONValue.object(["name": .string($0), "type": "number"]) }
            try folder.add(
                "covariates",
                JSONValue.object([
                    "columns": .array([["name": "group", "type": "text"]] + columns), "rows": .array(rows),
                ])
                .canonicalString, name: "covariates.json")
            let result = try folder.perform(
                "classifier.train",
                parameters: [
                    "method": "random-forest", "trees": 15, "target": "group", "positive": "HH",
                    "residualise": .array(covariates.map { .string($0) }),
                ])
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            sum += try #require(result.value("roc_auc"))
        }
        // By trees that have not seen a person, and slopes that have, it is .69.
        #expect(sum / Double(repeats) < 0.6, "\(sum / Double(repeats))")
    }

    /// Rows of slices are told apart by the group of their person; what a slice has no part of is no reason to leave it out.
    @Test func slicesAreToldApart() throws {
        let folder = try TaskFolder()
        func table(_ n: Int) -> String {
            var text = "slice\tz_mm\treference\tputamen\tdentate\n"
            for k in 3..<9 {
                let chi = Self.person(n).chi + 0.0003 * cos(Double(3 * n + k))
                text += "\(k)\t\(2 * k)\tnone\t\(k < 5 ? "n/a" : "\(chi)")\t\(k > 6 ? "n/a" : "\(chi + 0.1)")\n"
            }
            return text + "3\t6\twhole_brain\t9\t9\n"
        }
        for n in 0..<24 {
            try folder.add("features", table(n), name: "\(n).tsv", context: TaskContext(subject: "\(n)"))
        }
        try folder.add("covariates", Self.covariates(0..<24), name: "covariates.json")
        var parameters = Self.residualising
        parameters["reference"] = "none"
        let result = try folder.perform("classifier.train", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.value("cases", term: "HH") == 72 && result.value("features") == 2)
        #expect(try #require(result.value("balanced_accuracy")) > 0.95)
        #expect(try folder.table("predictions.tsv").columns[2] == "slice")
        let other = try TaskFolder()
        other.add("model", path: folder.path + "/out/model.safetensors", name: "model.safetensors")
        try other.add("features", table(30), name: "f.tsv", context: TaskContext(subject: "30"))
        try other.add("covariates", Self.covariates(30..<31), name: "covariates.json")
        let applied = try other.perform("classifier.apply")
        try #require(applied.failure == nil, "\(applied.failure?.message ?? "")")
        #expect(try other.output("table.tsv").hasPrefix("slice\tclass\tp_control\tp_HH\n"))
        #expect(try other.rows("table.tsv").map { $0[0] } == (3..<9).map(String.init))
        #expect(try other.rows("table.tsv").allSatisfy { $0[1] == "HH" })
        // In the table alone: they are many.
        #expect(applied.measurements.isEmpty)
    }
}
