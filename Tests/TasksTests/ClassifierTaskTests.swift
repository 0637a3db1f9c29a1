import BIDS
import Foundation
import Networks
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
        #expect(
            stated.warnings == [
                "1 case is of the class “vein” and left out, such as sub-9 1: the classes are no_rim, rim."
            ])
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

    /// One person's tables are no reason to stop for the others.
    @Test func whoseTablesAreWrongTakesNoPart() throws {
        let folder = try cohort(0..<6)
        for (name, contrast, targets) in [
            ("7", "0", "lesion\ttype\n1\trim\n"), ("8", "0", "lesion\tclass\n1\trim\n1\trim\n"),
            ("9", "much", "lesion\tclass\n1\trim\n"),
        ] {
            let features = "lesion\tcontrast\tnoise\tmissing\n1\t\(contrast)\t0\tn/a\n"
            let context = TaskContext(subject: name)
            try folder.add("features", features, name: "\(name)_features.tsv", context: context)
            try folder.add("targets", targets, name: "\(name)_lesions.tsv", context: context)
        }
        // Be it the first.
        try folder.add("features", "lesion\tcontrast\n1\t0\n", name: "a_features.tsv", context: .init(subject: "-"))
        try folder.add("targets", "lesion\tclass\n1\trim\n", name: "a_lesions.tsv", context: .init(subject: "-"))
        let result = try folder.perform("classifier.train", parameters: ["trees": 3])
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.warnings.count == 4, "\(result.warnings)")
        for sentence in [
            "sub-- takes no part: a_features.tsv has no feature “noise”, which most tables have",
            "sub-7 takes no part: 7_lesions.tsv has no column “class”", "sub-8 takes no part: 8_lesions.tsv has “1”",
            "sub-9 takes no part: 9_features.tsv has “much” in column contrast",
        ] {
            #expect(result.warnings.contains { $0.hasPrefix(sentence) }, "\(result.warnings)")
        }
        let others = try cohort(0..<6).perform("classifier.train", parameters: ["trees": 3])
        #expect(others.measurements == result.measurements)
        let nobody = try TaskFolder()
        try nobody.add("features", "lesion\ta\n1\t3\n", name: "f.tsv", context: .init(subject: "1"))
        try nobody.add("targets", "number\n1\n", name: "t.tsv", context: .init(subject: "1"))
        #expect(
            try message(nobody, [:]).contains(
                "nobody's tables can be learned from; the first reason: t.tsv has no column “lesion”"))
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
        #expect(card["metrics"]?[0]?["measuredOn"] == "people out of bag")
        let file = try SafetensorsFile(path: folder.path + "/out/model.safetensors")
        #expect(file.metadata[Model.metadataKey] == card.canonicalString && file.tensors.isEmpty)
        let error = #expect(throws: NetworkError.self) {
            try StoredModel(path: folder.path + "/out/model.safetensors")
        }
        #expect(error.map { "\($0)".contains("apply it with classifier.apply") } == true)
    }
}
