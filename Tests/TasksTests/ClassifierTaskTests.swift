import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// Classical classifiers on tables, from the cohort to somebody else.
@Suite struct ClassifierTaskTests {
    /// A person's lesions: those with a rim have larger contrast, and one feature is missing for every fifth.
    private static func lesions(_ person: Int) -> (features: String, targets: String, rims: Set<Int>) {
        var features = "lesion\tname\tcontrast\tnoise\tmissing\n"
        var targets = "lesion\tclass\trim\n"
        var rims: Set<Int> = []
        for n in 1...8 {
            let lesion = 3 * n
            let hasRim = (n + person) % 4 == 0
            if hasRim { rims.insert(lesion) }
            let contrast = (hasRim ? 10.0 : 0) + sin(Double(17 * person + 5 * n))
            let noise = n % 5 == 0 ? "n/a" : "\(cos(Double(13 * person + 3 * n)))"
            features += "\(lesion)\tlesion-\(lesion)\t\(contrast)\t\(noise)\tn/a\n"
            targets += "\(lesion)\t\(hasRim ? "rim" : "no_rim")\t\(hasRim ? 1 : 0)\n"
        }
        return (features, targets, rims)
    }

    private func cohort(_ people: Range<Int>) throws -> TaskFolder {
        let folder = try TaskFolder()
        for person in people {
            let (features, targets, _) = Self.lesions(person)
            let context = TaskContext(subject: "\(person)")
            try folder.add("features", features, name: "\(person)_features.tsv", context: context)
            try folder.add("targets", targets, name: "\(person)_lesions.tsv", context: context)
        }
        return folder
    }

    private func apply(_ model: String, _ features: String) throws -> (result: TaskResult, rows: [[String]]) {
        let folder = try TaskFolder()
        folder.add("model", path: model, name: "model.safetensors")
        try folder.add("features", features, name: "features.tsv")
        let result = try folder.perform("classifier.apply")
        return (result, result.failure == nil ? try folder.rows("table.tsv") : [])
    }

    private func value(_ result: TaskResult, _ metric: String, term: String? = nil) -> Double? {
        result.measurements.first { $0.metric == metric && $0.term == term }?.value
    }

    @Test(arguments: ["random-forest", "logistic"])
    func lesionsOfAnotherPersonAreToldApart(method: String) throws {
        let folder = try cohort(0..<12)
        let result = try folder.perform(
            "classifier.train", parameters: ["method": .string(method), "trees": 60], threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(value(result, "cases", term: "rim") == 24 && value(result, "cases", term: "no_rim") == 72)
        #expect(value(result, "features") == 2)
        #expect(try #require(value(result, "roc_auc")) > 0.99)
        #expect(try #require(value(result, "balanced_accuracy")) > 0.95)
        let predictions = try folder.rows("predictions.tsv")
        #expect(predictions.count == 96 && predictions[0].prefix(4) == ["sub-0", "n/a", "3", "no_rim"])
        let importance = try folder.rows("importance.tsv")
        #expect(importance.map { $0[0] } == ["contrast", "noise"])
        let size = importance.map { abs(Double($0[1]) ?? 0) }
        #expect(size[0] > 3 * size[1], "\(importance)")

        let (features, _, rims) = Self.lesions(30)
        let (applied, rows) = try apply(folder.path + "/out/model.safetensors", features)
        #expect(applied.failure == nil, "\(applied.failure?.message ?? "")")
        for row in rows {
            #expect((row[1] == "rim") == rims.contains(Int(row[0])!), "\(row)")
            let probabilities = row[2...].compactMap(Double.init)
            #expect(probabilities.count == 2 && abs(probabilities.reduce(0, +) - 1) < 1e-9)
            #expect(applied.value("probability", region: "lesion-\(row[0])", term: "rim") == probabilities[1])
        }
        #expect(rows.count == 8)

        // The same training gives the same bytes, whatever the threads.
        let again = try cohort(0..<12)
        _ = try again.perform("classifier.train", parameters: ["method": .string(method), "trees": 60])
        #expect(try again.bytes("model.safetensors") == folder.bytes("model.safetensors"))
    }

    /// Tables as network.classify writes them, so that what reads one reads both.
    @Test func theTableHasTheColumnsOfNetworkClassify() throws {
        let folder = try cohort(0..<6)
        _ = try folder.perform("classifier.train", parameters: ["trees": 5])
        let other = try TaskFolder()
        other.add("model", path: folder.path + "/out/model.safetensors", name: "model.safetensors")
        try other.add("features", Self.lesions(9).features, name: "features.tsv")
        _ = try other.perform("classifier.apply")
        let header = try other.output("table.tsv").split(separator: "\n")[0]
        #expect(header == "lesion\tclass\tp_no_rim\tp_rim")
    }

    /// What was predicted of people not trained on is judged as it is, each session by itself.
    @Test func theTableOfPredictionsCanBeJudged() throws {
        let folder = try TaskFolder()
        for person in 0..<6 {
            for session in ["a", "b"] {
                let (features, targets, _) = Self.lesions(person)
                let context = TaskContext(subject: "\(person)", session: session)
                try folder.add("features", features, name: "\(person)\(session)_features.tsv", context: context)
                try folder.add("targets", targets, name: "\(person)\(session)_lesions.tsv", context: context)
            }
        }
        let trained = try folder.perform("classifier.train", parameters: ["method": "logistic", "positive": "rim"])
        try #require(trained.failure == nil, "\(trained.failure?.message ?? "")")
        let judge = try TaskFolder()
        try judge.add("tables", try folder.output("predictions.tsv"), name: "predictions.tsv")
        let judged = try judge.perform(
            "evaluate.classification", parameters: ["positive": "rim", "truth": "target", "bootstrap": 0])
        try #require(judged.failure == nil, "\(judged.failure?.message ?? "")")
        let auc = ["level": "item", "class": "rim", "metric": "auc"]
        let table = try judge.table("metrics.tsv")
        #expect(try table.number("value", where: auc) == value(trained, "roc_auc"))
        #expect(try table.number("cases", where: auc) == 96 && table.number("people", where: auc) == 6)
        // Two of eight lesions have a rim in either session.
        let people = try judge.table("people.tsv")
        #expect(try people.number("true_count", where: ["participant_id": "sub-0", "level": "count"]) == 2)
    }

    /// Tables of lesions.components name the region at the centre.
    @Test func namesOfRegionsAreNoFeatures() throws {
        let folder = try TaskFolder()
        for person in 0..<4 {
            var text = "lesion\tclass\tcontrast\tregion\tregion_share\tcentre_region\n"
            for n in 1...6 { text += "\(n)\t\(n % 2 == 0 ? "rim" : "flat")\t\(n % 2)\tputamen\t0.5\tcaudate\n" }
            try folder.add("features", text, name: "\(person).tsv", context: TaskContext(subject: "\(person)"))
        }
        let result = try folder.perform("classifier.train", parameters: ["trees": 5])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(try folder.rows("importance.tsv").map { $0[0] } == ["contrast", "region_share"])
    }

    @Test func peopleAreToldApartByTheirRegions() throws {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        func table(_ isPatient: Bool, _ n: Int) -> String {
            var text = "region\treference\tmean\tsd\n"
            for (place, region) in ["putamen", "caudate"].enumerated() {
                for reference in ["none", "whole_brain"] {
                    let shift = isPatient && reference == "whole_brain" && place == 0 ? 30.0 : 0
                    text += "\(region)\t\(reference)\t\(40 + shift + 5 * sin(Double(9 * n + place)))\t\(n % 3)\n"
                }
            }
            return text
        }
        for n in 0..<16 {
            try folder.add("features", table(n % 2 == 0, n), name: "\(n).tsv", context: TaskContext(subject: "\(n)"))
            rows.append([
                "subject": .string("\(n)"),
                "values": ["group": n == 15 ? .null : .string(n % 2 == 0 ? "HH" : "control")],
            ])
        }
        let covariates = JSONValue.object([
            "columns": [["name": "group", "type": "category"]], "rows": .array(rows),
        ])
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        let result = try folder.perform(
            "classifier.train", parameters: ["target": "group", "method": "logistic", "positive": "HH"])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(value(result, "features") == 4 && value(result, "cases", term: "HH") == 8)
        #expect(value(result, "accuracy") == 1)
        #expect(result.warnings == ["sub-15 takes no part: it has no class."])
        let importance = try folder.rows("importance.tsv")
        #expect(importance.map { $0[0] } == ["putamen.mean", "putamen.sd", "caudate.mean", "caudate.sd"])
        for isPatient in [true, false] {
            let (_, found) = try apply(folder.path + "/out/model.safetensors", table(isPatient, 40))
            #expect(found.map { $0[0...1] } == [["n/a", isPatient ? "HH" : "control"]])
        }
    }

    /// Classes that are stated are those of every fold, whoever is in it.
    @Test func classesAreThoseThatAreStated() throws {
        let folder = try cohort(0..<6)
        try folder.add(
            "features", "lesion\tcontrast\tnoise\tmissing\n1\t0\t0\tn/a\n", name: "vein.tsv",
            context: .init(subject: "9"))
        try folder.add("targets", "lesion\tclass\n1\tvein\n", name: "vein_lesions.tsv", context: .init(subject: "9"))
        func classes(_ parameters: JSONValue) throws -> (TaskResult, [String]) {
            let result = try folder.perform("classifier.train", parameters: parameters)
            return (result, try folder.table("predictions.tsv").columns.filter { $0.hasPrefix("p_") })
        }
        let (met, all) = try classes(["trees": 3])
        #expect(met.warnings.isEmpty && all == ["p_no_rim", "p_rim", "p_vein"])
        let (stated, two) = try classes(["trees": 3, "classes": ["no_rim", "rim"]])
        #expect(two == ["p_no_rim", "p_rim"])
        #expect(stated.warnings == ["1 case is of the class “vein” and left out: the classes are no_rim, rim."])
        // Of two the last is the positive one, be it rarer or not, unless the step says otherwise.
        #expect(try classes(["trees": 3, "classes": ["rim", "no_rim"]]).1 == ["p_rim", "p_no_rim"])
        #expect(
            try classes(["trees": 3, "classes": ["rim", "no_rim"], "positive": "rim"]).1 == ["p_no_rim", "p_rim"])

        let healthy = try TaskFolder()
        try healthy.add("features", "lesion\tclass\ta\n1\tno_rim\t3\n2\tno_rim\t4\n", name: "f.tsv")
        #expect(
            try message(healthy, ["classes": ["no_rim", "rim"]])
                == "Step step: there are 2 cases, all of class no_rim and none of rim; a classifier learns from two classes or "
                + "more: add people who have them, or let “stratify” of folds give every fold its share")
        #expect(try message(healthy, ["classes": ["no_rim"]]).contains("classes names no_rim alone"))
    }

    /// Whoever was in no fold is judged by the classifiers of all folds: the mean of what they say.
    @Test func classifiersOfFoldsAreAnEnsemble() throws {
        let (features, _, _) = Self.lesions(30)
        let folders = try [0..<6, 6..<12].map { try cohort($0) }
        for folder in folders {
            #expect(
                try folder.perform("classifier.train", parameters: ["trees": 20, "positive": "rim"]).failure == nil)
        }
        let paths = folders.map { $0.path + "/out/model.safetensors" }
        func rims(_ models: [String]) throws -> [Double] {
            let folder = try TaskFolder()
            for (fold, path) in models.enumerated() {
                folder.add(
                    "model", path: path, name: "model-\(paths.firstIndex(of: path)!).safetensors",
                    context: .init(fold: fold + 1))
            }
            try folder.add("features", features, name: "features.tsv")
            let result = try folder.perform("classifier.apply")
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            return try folder.rows("table.tsv").compactMap { Double($0[3]) }
        }
        let (one, other, both) = (try rims([paths[0]]), try rims([paths[1]]), try rims(paths))
        #expect(one != other && both.count == 8)
        for n in both.indices { #expect(abs(both[n] - (one[n] + other[n]) / 2) < 1e-12) }
        #expect(try rims(paths.reversed()) == both)

        let turned = try cohort(0..<6)
        _ = try turned.perform("classifier.train", parameters: ["trees": 3, "positive": "no_rim"])
        let folder = try TaskFolder()
        folder.add("model", path: paths[0], name: "model.safetensors", context: .init(fold: 1))
        folder.add(
            "model", path: turned.path + "/out/model.safetensors", name: "model.safetensors", context: .init(fold: 2))
        try folder.add("features", features, name: "features.tsv")
        let message = try folder.perform("classifier.apply").failure?.message ?? ""
        #expect(
            message.contains("model.safetensors of fold") && message.contains("with “classes” and “positive” stated"),
            "\(message)")
        withExtendedLifetime((folders, turned)) {}
    }

    private func message(_ folder: TaskFolder, _ parameters: JSONValue) throws -> String {
        try folder.perform("classifier.train", parameters: parameters).failure?.message ?? ""
    }

    @Test func whatCannotBeLearnedFromIsNamed() throws {
        #expect(
            try message(try cohort(0..<4), ["missing": "refuse"])
                == "0_features.tsv has n/a as noise of lesion 15; fill it in, leave the column out, or set “missing” to median"
        )
        #expect(
            try message(try cohort(0..<4), ["target": "group"]).contains("“target” tells people apart, but"))
        #expect(
            try message(try cohort(0..<4), ["positive": "ring"])
                == "Step step: positive is “ring”, but the classes are no_rim and rim; name one of them")
        #expect(try message(try cohort(0..<4), ["columns": ["size"]]).contains("has no column “size”"))
        let single = try TaskFolder()
        try single.add("features", "lesion\tclass\ta\n1\tx\t3\n2\tx\t4\n", name: "f.tsv")
        #expect(try message(single, [:]).contains("all of class x; a classifier learns from two classes or more"))
        let three = try TaskFolder()
        try three.add("features", "lesion\tclass\ta\n1\tx\t3\n2\ty\t4\n3\tz\t5\n", name: "f.tsv")
        #expect(try message(three, ["method": "logistic"]).contains("tells two classes apart, not 3 (x, y, z)"))
        #expect(try three.perform("classifier.train", parameters: ["trees": 3]).failure == nil)
        let text = try TaskFolder()
        try text.add("features", "lesion\tclass\ta\n1\tx\tlarge\n", name: "f.tsv")
        #expect(try message(text, [:]).contains("has “large” in column a, which is no number"))

        let trained = try cohort(0..<6)
        _ = try trained.perform("classifier.train", parameters: ["trees": 3])
        let model = trained.path + "/out/model.safetensors"
        #expect(
            try apply(model, "lesion\tcontrast\n1\t3\n").result.failure?.message
                == "features.tsv has no feature “noise”, which the classifier was trained with; add it")
        #expect(
            try apply(model, "name\tcontrast\tnoise\nx\t3\t4\n").result.failure?.message.contains(
                "is a table of people, the classifier judges lesions")
                == true)
        let broken = trained.path + "/broken.safetensors"
        try SafetensorsWriter.write([], metadata: [Model.classifierKey: "{}"], to: broken)
        #expect(
            try apply(broken, "lesion\tcontrast\n1\t3\n").result.failure?.message.contains(
                "is no classifier of classifier.train (it lacks “") == true)
        let network = trained.path + "/network.safetensors"
        try SafetensorsWriter.write([], metadata: [Model.metadataKey: "{}"], to: network)
        #expect(
            try apply(network, "lesion\tcontrast\n1\t3\n").result.failure?.message.contains(
                "it is a network, which network.classify applies") == true)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: broken))
        #expect(
            try apply(broken, "lesion\tcontrast\n1\t3\n").result.failure?.message.contains(
                "is no classifier of classifier.train (") == true)
        _ = trained
    }

    // MARK: Covariates and slices

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
        #expect(value(result, "accuracy") == 1)
        // Without, what age adds hides what the disease does.
        var plain = Self.residualising
        plain["residualise"] = []
        #expect(try #require(value(folder.perform("classifier.train", parameters: plain), "accuracy")) < 1)
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
            sum += try #require(value(result, "roc_auc"))
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
        #expect(value(result, "cases", term: "HH") == 72 && value(result, "features") == 2)
        #expect(try #require(value(result, "balanced_accuracy")) > 0.95)
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

    /// A classifier is a model: what it is stands in its card, and nobody takes it for a network.
    @Test func aClassifierIsAModelWithACard() throws {
        let folder = try cohort(0..<6)
        let result = try folder.perform("classifier.train", parameters: ["trees": 3])
        let output = try #require(result.outputs.first { $0.port == "model" })
        let card = try #require(output.metadata?["card"])
        #expect(output.metadata?["type"] == "model")
        #expect(card["architecture"] == "random forest, 3 trees, 2 features of lesions")
        #expect(card["classes"] == ["no_rim", "rim"] && card["inputs"] == ["contrast", "noise"])
        #expect(card["split"]?["training"]?.arrayValue?.count == 6 && card["data"]?.arrayValue?.count == 12)
        #expect(card["metrics"]?[0]?["measuredOn"] == "people not trained on")
        let file = try SafetensorsFile(path: folder.path + "/out/model.safetensors")
        #expect(file.metadata[Model.metadataKey] == card.canonicalString && file.tensors.isEmpty)
        let error = #expect(throws: NetworkError.self) {
            try StoredModel(path: folder.path + "/out/model.safetensors")
        }
        #expect(error.map { "\($0)".contains("apply it with classifier.apply") } == true)
    }

    // MARK: Candidates

    /// Balls of a radius in mm, dark on the image; of χ as given.
    private func balls(_ chi: [Float]) throws -> (folder: TaskFolder, middles: [SIMD3<Double>]) {
        let folder = try TaskFolder()
        let grid = VoxelGrid(nx: 48, ny: 40, nz: 36, affine: .translation([-20, -30, 5]) * .scaling([1, 1, 1.2]))
        let middles = [SIMD3(12.0, 12, 12), SIMD3(34.0, 26, 20), SIMD3(12.0, 28, 24)]
        var image = Volume(grid: grid, filledWith: 100)
        var map = Volume(grid: grid)
        for k in 0..<36 {
            for j in 0..<40 {
                for i in 0..<48 {
                    for (n, middle) in middles.enumerated() {
                        let d = (SIMD3(Double(i), Double(j), Double(k)) - middle) * SIMD3(1, 1, 1.2)
                        let inside = Float(1 / (1 + exp(((d * d).sum().squareRoot() - 2.5) / 0.3)))
                        image[i, j, k] -= 80 * inside
                        map[i, j, k] += chi[n] * inside
                    }
                }
            }
        }
        try NIfTIFile.write(image, to: folder.path + "/swi.nii.gz")
        try NIfTIFile.write(map, to: folder.path + "/chi.nii.gz")
        folder.add("image", path: folder.path + "/swi.nii.gz", name: "swi.nii.gz")
        folder.add("chimap", path: folder.path + "/chi.nii.gz", name: "chi.nii.gz", metadata: ["Units": "ppm"])
        return (folder, middles.map { grid.affine($0) })
    }

    @Test(arguments: [false, true])
    func candidatesAreFoundWithTheirSign(slices: Bool) throws {
        let (folder, middles) = try balls([0.3, -0.2, 0.1])
        let parameters: JSONValue = [
            "polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 3, "slices": .bool(slices),
        ]
        let result = try folder.perform("lesions.candidates", parameters: parameters, threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let rows = try folder.rows("table.tsv")
        #expect(rows.count == 3 && rows.allSatisfy { $0[1] == "dark" })
        let labels = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        #expect(Set(labels.values) == [0, 1, 2, 3])
        var signs: [Int: Bool] = [:]
        for row in rows {
            let numbers = row[2...].compactMap(Double.init)
            let place = SIMD3(numbers[0], numbers[1], numbers[2])
            let nearest = middles.indices.min { a, b in
                let (d, e) = (middles[a] - place, middles[b] - place)
                return (d * d).sum() < (e * e).sum()
            }!
            let off = middles[nearest] - place
            #expect((off * off).sum().squareRoot() < 1.3, "\(row)")
            signs[nearest] = numbers[6] > 0
            if !slices { #expect(numbers[3] == 2.5 && numbers[4] < 0 && numbers[5] < 60, "\(row)") }
        }
        #expect(signs == [0: true, 1: false, 2: true])
        let iron = try balls([0.3, -0.2, 0.1]).folder
        let kept = try iron.perform(
            "lesions.candidates",
            parameters: ["polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 2, "sign": "paramagnetic"])
        #expect(kept.failure == nil)
        #expect(try iron.rows("table.tsv").allSatisfy { (Double($0[8]) ?? 0) > 0 })
        let alone = try TaskFolder()
        alone.add("image", path: folder.path + "/swi.nii.gz", name: "swi.nii.gz")
        #expect(
            try alone.perform("lesions.candidates", parameters: ["sign": "paramagnetic"]).failure?.message
                == "Step step: sign paramagnetic needs a susceptibility map; bind one to “chimap”")
        #expect(
            try alone.perform("lesions.candidates", parameters: ["radii_mm": [0]]).failure?.message.contains("radii_mm")
                == true)
        _ = folder
    }

    /// A place whose χ is 0, or of which none is known, is neither iron nor calcium.
    @Test(arguments: [Float(0), .nan], ["paramagnetic", "diamagnetic"])
    func placesWithoutASignAreNotKept(chi: Float, sign: String) throws {
        let (folder, middles) = try balls([0.3, -0.2, 0])
        let path = folder.path + "/chi.nii.gz"
        var map = try NIfTIFile.readVolume(path)
        for k in 16..<33 {
            for j in 20..<37 {
                for i in 4..<21 { map[i, j, k] = chi }
            }
        }
        try NIfTIFile.write(map, to: path)
        let result = try folder.perform(
            "lesions.candidates",
            parameters: ["polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 20, "sign": .string(sign)])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let rows = try folder.rows("table.tsv").map { $0[2...].compactMap(Double.init) }
        #expect(!rows.isEmpty)
        for row in rows {
            try #require(row.count == 7)
            #expect(sign == "paramagnetic" ? row[6] > 0 : row[6] < 0)
            let off = middles[2] - SIMD3(row[0], row[1], row[2])
            #expect((off * off).sum().squareRoot() > 3, "\(row)")
        }
    }
}
