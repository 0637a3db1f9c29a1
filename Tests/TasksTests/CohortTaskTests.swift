import BIDS
import Foundation
import Testing
import Workflow

@testable import Tasks

@Suite struct CohortTaskTests {
    /// Eight people whose value is 10 + 2·age + 5 for group b, without noise beyond a small alternating term.
    private func cohort(missingAge: Bool = false) throws -> TaskFolder {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        for n in 0..<8 {
            let age = Double(20 + 7 * n % 31)
            let group = n % 2 == 0 ? "a" : "b"
            let value = 10 + 2 * age + (group == "b" ? 5 : 0) + [0.1, -0.1, -0.1, 0.1][n % 4]
            try folder.add(
                "tables",
                "region\treference\tmean\tmedian\tvolume\nputamen\tnone\t\(value)\tn/a\t1\nputamen\tcsf\t0\tn/a\t1\n",
                name: "s\(n).tsv", context: TaskContext(subject: "\(n)"))
            rows.append([
                "subject": .string("\(n)"),
                "values": ["age": missingAge && n == 3 ? .null : .number(age), "group": .string(group), "site": "one"],
            ])
        }
        let covariates = JSONValue.object([
            "columns": [
                ["name": "age", "type": "number"], ["name": "group", "type": "category"],
                ["name": "site", "type": "category"],
            ], "rows": .array(rows),
        ])
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        return folder
    }

    private func value(_ result: TaskResult, _ term: String, _ metric: String) -> Double? {
        result.measurements.first { $0.region == "putamen" && $0.term == term && $0.metric == metric }?.value
    }

    @Test func recoversPlantedEffects() throws {
        let folder = try cohort()
        let result = try folder.perform(
            "cohort.linear-model", parameters: ["reference": "none", "baseline": ["group": "a"]])
        #expect(result.failure == nil)
        #expect(abs((value(result, "age", "estimate") ?? 0) - 2) < 0.05)
        #expect(abs((value(result, "group[b]", "estimate") ?? 0) - 5) < 0.3)
        #expect(value(result, "age", "df") == 5)
        #expect(value(result, "age", "subjects") == 8)
        // One region: q equals p.
        #expect(value(result, "age", "q") == value(result, "age", "p"))
        #expect(result.warnings.contains { $0.contains("“sex”") && $0.contains("no column") })
        #expect(result.warnings.contains { $0.contains("“site”") && $0.contains("does not vary") })
        #expect(try folder.output("effects.tsv").contains("putamen\tnone\tage\t"))
        // Whoever reads the effects must know what they are against.
        let report = try JSONValue.parse(try folder.output("report.json"))
        #expect(report["models"]?[0]?["baselines"] == ["group": "a"])
    }

    @Test func peopleWithoutACovariateAreLeftOutAndCounted() throws {
        let result = try cohort(missingAge: true).perform("cohort.linear-model", parameters: ["reference": "none"])
        #expect(value(result, "age", "subjects") == 7)
    }

    @Test func anUnknownReferenceNamesTheKnownOnes() throws {
        let result = try cohort().perform("cohort.linear-model", parameters: ["reference": "pons"])
        #expect(result.failure?.message.contains("csf, none") == true)
    }

    @Test func aTrialOnOnePersonHasNoModelAndDoesNotFail() throws {
        let folder = try TaskFolder()
        try folder.add(
            "tables", "region\treference\tmean\nputamen\tnone\t1\n", name: "1.tsv", context: TaskContext(subject: "1"))
        try folder.add(
            "covariates",
            #"{"columns": [{"name": "age", "type": "number"}], "rows": [{"subject": "1", "values": {"age": 40}}]}"#,
            name: "covariates.json")
        let result = try folder.perform("cohort.linear-model", parameters: ["reference": "none"])
        #expect(result.failure == nil)
        #expect(result.measurements.isEmpty)
        #expect(result.warnings.contains { $0.contains("over 1 person") })
    }

    @Test func aPersonCountsOnce() throws {
        let folder = try cohort()
        try folder.add(
            "tables", "region\treference\tmean\nputamen\tnone\t1\n", name: "again.tsv",
            context: TaskContext(subject: "3", session: "2"))
        let result = try folder.perform("cohort.linear-model", parameters: ["reference": "none"])
        #expect(result.failure?.message.contains("more than one table of sub-3") == true)
        #expect(result.failure?.message.contains("subject.aggregate") == true)
    }

    @Test func whoIsMissingStandsInTheReport() throws {
        let folder = try cohort()
        let gap = MissingInput(port: "tables", context: TaskContext(subject: "9"), reason: "no T1w")
        _ = try folder.perform("cohort.linear-model", parameters: ["reference": "none"], missing: [gap])
        let report = try JSONValue.parse(try folder.output("report.json"))
        #expect(report["missing"]?[0]?["context"] == "sub-9")
        #expect(report["missing"]?[0]?["reason"] == "no T1w")
    }

    @Test func qualityFlagsTheOneThatStandsOut() throws {
        let folder = try TaskFolder()
        for (n, x) in [1.0, 1.1, 0.9, 1.05, 0.95, 9].enumerated() {
            try folder.add(
                "reports", #"{"numbers": {"x": \#(x)}}"#, name: "r\(n).json", context: TaskContext(subject: "\(n)"))
        }
        let result = try folder.perform("cohort.qc")
        let flagged = result.measurements.filter { $0.metric == "flag" && $0.value == 1 }
        #expect(flagged.map(\.context?.subject) == ["5"])
    }

    @Test(arguments: [("x", 4), ("inverse_error", 6)])
    func fewPeopleAndDifferencesOfNoConsequenceFlagNobody(metric: String, people: Int) throws {
        let folder = try TaskFolder()
        for n in 0..<people {
            let value = n == 0 ? 3e-7 : 1e-7 + 1e-9 * Double(n)
            try folder.add(
                "reports", #"{"numbers": {"\#(metric)": \#(value)}}"#, name: "r\(n).json",
                context: TaskContext(subject: "\(n)"))
        }
        let result = try folder.perform("cohort.qc")
        #expect(result.measurements.filter { $0.metric == "flag" }.count == people)
        #expect(!result.measurements.contains { $0.metric == "flag" && $0.value == 1 })
    }

    @Test func patientsAreComparedWithControls() throws {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        for n in 0..<8 {
            let group = n % 2 == 0 ? "HH" : "control"
            try folder.add(
                "tables", "region\treference\tmean\nputamen\tnone\t\(group == "HH" ? 30 + n : 10 + n)\n",
                name: "s\(n).tsv", context: TaskContext(subject: "\(n)"))
            rows.append(["subject": .string("\(n)"), "values": ["group": .string(group)]])
        }
        let covariates = JSONValue.object(["columns": [["name": "group", "type": "category"]], "rows": .array(rows)])
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        let result = try folder.perform("cohort.linear-model", parameters: ["reference": "none", "terms": ["group"]])
        // By the order of the alphabet HH would be what controls are compared with.
        #expect(abs(try #require(value(result, "group[HH]", "estimate")) - 19) < 1e-9)
    }

    @Test func sessionsAreAveragedAndTheirChangeTold() throws {
        let folder = try TaskFolder()
        let header = "region\treference\tmean\tmedian\tvolume\n"
        try folder.add(
            "tables", header + "putamen\tnone\t2\t2\t10\n", name: "a.tsv",
            context: TaskContext(subject: "1", session: "1"))
        try folder.add(
            "tables", header + "putamen\tnone\t5\t5\t20\npallidum\tnone\t1\t1\t3\n", name: "b.tsv",
            context: TaskContext(subject: "1", session: "2"))
        let result = try folder.perform("subject.aggregate")
        func value(_ region: String, _ metric: String) -> Double? {
            result.measurements.first { $0.region == region && $0.metric == metric }?.value
        }
        #expect(value("putamen", "mean") == 3.5)
        #expect(value("putamen", "volume") == 15)
        #expect(value("putamen", "change") == 3)
        #expect(value("pallidum", "sessions") == 1)
        #expect(value("pallidum", "change") == nil)
    }
}
