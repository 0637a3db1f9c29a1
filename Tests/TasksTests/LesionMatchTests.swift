import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

/// Which candidates are lesions, for a classifier to learn from.
@Suite struct LesionMatchTests {
    private static let names = "index\tname\n1\tmicrobleed\n2\tiron_deposit\n"

    /// References of two microbleeds (8 voxels and 1) and a deposit (4). Candidates 1 and 2 are both on the first bleed, 4
    /// meets the deposit in one voxel and the first bleed in two, 7 none; the second bleed has none.
    private func folder(candidates: Bool = true) throws -> TaskFolder {
        let folder = try TaskFolder()
        try BoxMap([
            (1, 2..<4, 2..<4, 2..<4), (1, 20..<21, 15..<16, 12..<13), (2, 5..<9, 2..<3, 2..<3),
        ]).bind("reference", in: folder)
        try folder.add("reference_table", Self.names, name: "dseg.tsv")
        try BoxMap(
            candidates
                ? [
                    (1, 1..<3, 2..<4, 2..<3), (2, 2..<4, 2..<4, 3..<5), (4, 3..<6, 2..<3, 2..<3),
                    (4, 3..<4, 3..<4, 2..<3), (7, 14..<16, 10..<12, 8..<9),
                ] : []
        ).bind("lesions", in: folder)
        return folder
    }

    /// The rule of overlap written plainly: the class of most of the reference voxels under a candidate, none without any.
    private func plain(_ folder: TaskFolder, _ names: [UInt16: String]) throws -> [String: String] {
        let (lesions, reference) = (
            try NIfTIFile.readLabelMap(folder.path + "/lesions.nii.gz"),
            try NIfTIFile.readLabelMap(folder.path + "/reference.nii.gz")
        )
        var classes: [String: String] = [:]
        for number in Set(lesions.values).subtracting([0]) {
            var counts: [UInt16: Int] = [:]
            for (own, label) in zip(lesions.values, reference.values) where own == number && label > 0 {
                counts[label, default: 0] += 1
            }
            classes["\(number)"] = counts.max { $0.value < $1.value }.flatMap { names[$0.key] } ?? "other"
        }
        return classes
    }

    @Test func candidatesHaveTheClassOfTheLesionThatTheyAreOn() throws {
        let folder = try folder()
        let result = try folder.perform("lesions.match")
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let targets = try folder.table("targets.tsv")
        #expect(targets.columns.prefix(2) == ["lesion", "class"])
        #expect(
            targets.rows.map { Array($0[0...1]) } == [
                ["1", "microbleed"], ["2", "microbleed"], ["4", "microbleed"], ["7", "other"],
            ])
        let expected = try plain(folder, [1: "microbleed", 2: "iron_deposit"])
        #expect(Dictionary(uniqueKeysWithValues: targets.rows.map { ($0[0], $0[1]) }) == expected)
        // The bleed of 8 voxels is the first by number: class by class, the largest first.
        #expect(try targets.cell("reference", where: ["lesion": "2"]) == "1")
        #expect(try targets.cell("common_voxels", where: ["lesion": "2"]) == "4")
        #expect(try targets.cell("reference", where: ["lesion": "7"]) == "n/a")
        func value(_ metric: String, _ term: String) -> Double? { result.value(metric, term: term) }
        #expect(value("lesions", "microbleed") == 3 && value("lesions", "other") == 1)
        #expect(value("references", "microbleed") == 2 && value("missed", "microbleed") == 1)
        // The deposit is met, by a candidate that is rather a bleed.
        #expect(value("lesions", "iron_deposit") == 0 && value("missed", "iron_deposit") == 0)
    }

    /// Of equal overlaps the nearer middle, of equal distances the lower number of the reference.
    @Test func tiesAreSettledAlike() throws {
        // As far and as near as another; nearer; alone.
        for second in [5..<6, 5..<8, 5..<5] {
            let folder = try TaskFolder()
            try BoxMap([(1, 3..<4, 2..<3, 2..<3), (2, second, 2..<3, 2..<3)]).bind("reference", in: folder)
            try folder.add("reference_table", Self.names, name: "dseg.tsv")
            try BoxMap([(3, 3..<6, 2..<3, 2..<3)]).bind("lesions", in: folder)
            #expect(try folder.perform("lesions.match").failure == nil)
            #expect(try folder.table("targets.tsv").rows.map { $0[1] } == ["microbleed"], "\(second)")
        }
        let folder = try TaskFolder()
        try BoxMap([(1, 1..<4, 2..<3, 2..<3), (2, 5..<6, 2..<3, 2..<3)]).bind("reference", in: folder)
        try folder.add("reference_table", Self.names, name: "dseg.tsv")
        try BoxMap([(3, 3..<6, 2..<3, 2..<3)]).bind("lesions", in: folder)
        #expect(try folder.perform("lesions.match").failure == nil)
        #expect(try folder.table("targets.tsv").rows.map { $0[1] } == ["iron_deposit"])
    }

    @Test func theRuleCanBeChosen() throws {
        let folder = try folder()
        let one = try folder.perform("lesions.match", parameters: ["rule": "centre", "centre_mm": 3])
        #expect(one.failure == nil)
        // One to one: of the candidates on the first bleed the nearest alone, and what was left for the deposit.
        #expect(
            try folder.table("targets.tsv").rows.map { $0[1] } == ["microbleed", "other", "iron_deposit", "other"])
        let large = try self.folder()
        #expect(try large.perform("lesions.match", parameters: ["overlap_voxels": 4]).failure == nil)
        #expect(try large.table("targets.tsv").rows.map { $0[1] } == ["other", "microbleed", "other", "other"])
    }

    @Test func classesCanBeNamedRenamedAndGivenByLesion() throws {
        let folder = try folder()
        let result = try folder.perform(
            "lesions.match", parameters: ["classes": ["iron_deposit"], "other": "background"])
        #expect(result.failure == nil)
        #expect(
            try folder.table("targets.tsv").rows.map { $0[1] } == [
                "background", "background", "iron_deposit", "background",
            ])
        #expect(result.value("references", term: "microbleed") == nil)
        let byLesion = try TaskFolder()
        try BoxMap([(5, 2..<4, 2..<4, 2..<4), (9, 10..<12, 2..<4, 2..<4)]).bind("reference", in: byLesion)
        try byLesion.add("reference_table", "lesion\tclass\n5\tcmb\n9\tvein\n", name: "lesions.tsv")
        try BoxMap([(1, 11..<12, 2..<3, 2..<3), (2, 2..<3, 2..<3, 2..<3)]).bind("lesions", in: byLesion)
        #expect(try byLesion.perform("lesions.match", parameters: ["rename": ["cmb": "microbleed"]]).failure == nil)
        #expect(try byLesion.table("targets.tsv").rows.map { $0[1] } == ["vein", "microbleed"])
        // A mask has no names to give but that of a lesion.
        let mask = try TaskFolder()
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: mask)
        try BoxMap([(1, 2..<3, 2..<3, 2..<3), (2, 9..<10, 2..<3, 2..<3)]).bind("lesions", in: mask)
        #expect(try mask.perform("lesions.match").failure == nil)
        #expect(try mask.table("targets.tsv").rows.map { $0[1] } == ["lesion", "other"])
    }

    @Test func nobodyMayBeThere() throws {
        let folder = try folder(candidates: false)
        let result = try folder.perform("lesions.match")
        #expect(result.failure == nil && result.warnings == ["lesions.nii.gz has no lesion; the table is empty."])
        #expect(try folder.table("targets.tsv").rows.isEmpty)
        #expect(result.value("missed", term: "microbleed") == 2)
        let healthy = try TaskFolder()
        try BoxMap().bind("reference", in: healthy)
        try healthy.add("reference_table", Self.names, name: "dseg.tsv")
        try BoxMap([(1, 2..<3, 2..<3, 2..<3)]).bind("lesions", in: healthy)
        #expect(try healthy.perform("lesions.match").failure == nil)
        #expect(try healthy.table("targets.tsv").rows.map { $0[1] } == ["other"])
    }

    @Test func whatCannotBeIsSaid() throws {
        func message(_ folder: TaskFolder, _ parameters: JSONValue = [:]) throws -> String {
            try folder.perform("lesions.match", parameters: parameters).failure?.message ?? ""
        }
        #expect(try message(folder(), ["other": "microbleed"]).contains("has a class “microbleed” of its own"))
        #expect(try message(folder(), ["other": ""]).contains("give it a name"))
        #expect(try message(folder(), ["classes": ["rim"]]).contains("dseg.tsv names no class “rim”"))
        let elsewhere = try TaskFolder()
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: elsewhere)
        let grid = VoxelGrid(nx: 4, ny: 4, nz: 4, affine: .scaling(SIMD3(1, 1, 1)))
        try elsewhere.add("lesions", LabelMap(grid: grid), name: "elsewhere")
        #expect(try message(elsewhere).contains("not on the same grid"))
    }

    /// The table is what classifiers take, beside features of two tables, and what judges them.
    @Test func candidatesAreLearnedFromTwoTablesAndJudged() throws {
        let (folder, judge) = (try TaskFolder(), try TaskFolder())
        for person in 0..<6 {
            let context = TaskContext(subject: "\(person)")
            var (features, further, targets) = (
                "lesion\tname\tvolume\n", "lesion\tpolarity\tx_mm\tsymmetry\n", "lesion\tclass\treference\n"
            )
            // The last person has no candidate; the rows of the second table are in another order.
            for n in 1...8 where person < 5 {
                let isBleed = n % 4 == 0
                features += "\(n)\tlesion-\(n)\t\(sin(Double(7 * person + n)))\n"
                targets += "\(n)\t\(isBleed ? "microbleed" : "other")\t\(isBleed ? "1" : "n/a")\n"
            }
            for n in (1...8).reversed() where person < 5 {
                further += "\(n)\tbright\t\(n)\t\((n % 4 == 0 ? 5.0 : 0) + sin(Double(5 * person + n)))\n"
            }
            try folder.add("features", features, name: "\(person)_features.tsv", context: context)
            try folder.add("features2", further, name: "\(person)_candidates.tsv", context: context)
            try folder.add("targets", targets, name: "\(person)_targets.tsv", context: context)
            try judge.add("truth", targets, name: "\(person)_targets.tsv", context: context)
        }
        let trained = try folder.perform(
            "classifier.train",
            parameters: ["classes": ["other", "microbleed"], "trees": 40, "features_per_split": 2])
        try #require(trained.failure == nil, "\(trained.failure?.message ?? "")")
        #expect(trained.value("cases", term: "microbleed") == 10 && trained.value("cases", term: "other") == 30)
        #expect(try folder.rows("importance.tsv").map { $0[0] } == ["volume", "symmetry"])
        #expect(try #require(trained.value("roc_auc")) > 0.95)
        try judge.add("tables", try folder.output("predictions.tsv"), name: "predictions.tsv")
        let judged = try judge.perform(
            "evaluate.classification", parameters: ["positive": "microbleed", "bootstrap": 0])
        #expect(judged.failure == nil, "\(judged.failure?.message ?? "")")

        func apply(_ features: String, _ further: String?) throws -> (TaskResult, [[String]]) {
            let other = try TaskFolder()
            other.add("model", path: folder.path + "/out/model.safetensors", name: "model.safetensors")
            try other.add("features", features, name: "features.tsv")
            if let further { try other.add("features2", further, name: "candidates.tsv") }
            let result = try other.perform("classifier.apply")
            return (result, result.failure == nil ? try other.rows("table.tsv") : [])
        }
        let (features, further) = ("lesion\tvolume\n2\t0.1\n1\t0\n", "lesion\tsymmetry\n1\t5\n2\t0\n3\t1\n")
        #expect(try apply(features, further).1.map { $0[1] } == ["other", "microbleed"])
        // Nobody has no row, and no complaint.
        let (none, rows) = try apply("lesion\tvolume\n", "lesion\tsymmetry\n")
        #expect(none.failure == nil && rows.isEmpty)
        for (second, words) in [
            (nil, "has no feature “symmetry”"), ("lesion\tsymmetry\n1\t5\n", "has no row for lesion 2"),
            ("lesion\tsymmetry\n1\t5\n1\t5\n2\t0\n", "has a lesion twice"),
            ("lesion\tvolume\n1\t5\n2\t5\n", "has a feature “volume” as"),
            ("slice\tsymmetry\n1\t5\n", "has no column “lesion”"),
        ] as [(String?, String)] {
            #expect(try apply(features, second).0.failure?.message.contains(words) == true, "\(words)")
        }
    }
}
