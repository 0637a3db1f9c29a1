import BIDS
import Foundation
import Kernels
import NIfTI
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
        folder.add("model", path: model, name: "model.json")
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
        let (applied, rows) = try apply(folder.path + "/out/model.json", features)
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
        #expect(try again.output("model.json") == folder.output("model.json"))
    }

    /// Tables as network.classify writes them, so that what reads one reads both.
    @Test func theTableHasTheColumnsOfNetworkClassify() throws {
        let folder = try cohort(0..<6)
        _ = try folder.perform("classifier.train", parameters: ["trees": 5])
        let other = try TaskFolder()
        other.add("model", path: folder.path + "/out/model.json", name: "model.json")
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
            let (_, found) = try apply(folder.path + "/out/model.json", table(isPatient, 40))
            #expect(found.map { $0[0...1] } == [["n/a", isPatient ? "HH" : "control"]])
        }
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
        let model = trained.path + "/out/model.json"
        #expect(
            try apply(model, "lesion\tcontrast\n1\t3\n").result.failure?.message
                == "features.tsv has no feature “noise”, which the classifier was trained with; add it")
        #expect(
            try apply(model, "name\tcontrast\tnoise\nx\t3\t4\n").result.failure?.message.contains(
                "the classifier judges lesions")
                == true)
        let broken = trained.path + "/broken.json"
        try Data("{}".utf8).write(to: URL(fileURLWithPath: broken))
        #expect(
            try apply(broken, "lesion\tcontrast\n1\t3\n").result.failure?.message.contains(
                "is no classifier of classifier.train (it lacks “") == true)
        _ = trained
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
