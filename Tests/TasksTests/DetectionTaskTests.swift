import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

@Suite struct DetectionTaskTests {
    /// Class 1: reference A found by two predictions, B missed, one false alarm. Class 2: C found, one voxel off.
    private func folder(probabilities: Bool = false) throws -> TaskFolder {
        let folder = try TaskFolder()
        try BoxMap([
            (1, 2..<8, 2..<3, 2..<3), (1, 2..<4, 10..<12, 2..<3), (2, 14..<17, 10..<13, 8..<9),
        ]).bind("reference", in: folder)
        try BoxMap([
            (1, 2..<4, 2..<3, 2..<3), (1, 5..<8, 2..<3, 2..<3), (1, 20..<22, 2..<3, 2..<3),
            (2, 15..<18, 10..<13, 8..<9),
        ]).bind("prediction", in: folder)
        try folder.add("reference_table", "index\tname\n1\tcmb\n2\tdeposit\n", name: "reference.tsv")
        try folder.add("prediction_table", "index\tname\n1\tmicrobleed\n2\tdeposit\n", name: "prediction.tsv")
        if probabilities {
            var map = Volume(grid: BoxMap.grid, filledWith: 0.1)
            map[2, 2, 2] = 0.9
            map[5, 2, 2] = 0.6
            map[20, 2, 2] = 0.7
            map[16, 11, 8] = 0.8
            try NIfTIFile.write(map, to: folder.path + "/p.nii.gz")
            folder.add("probabilities", path: folder.path + "/p.nii.gz", name: "p.nii.gz")
        }
        return folder
    }

    private static let parameters: JSONValue = [
        "rename": ["cmb": "microbleed"], "iou": 0.5, "valdo_mm": 3, "centre_mm": 3,
    ]

    /// Lesions below a size stay in volumes and Dice, and are neither missed nor false alarms.
    @Test func lesionsBelowASizeAreNotAskedFor() throws {
        let folder = try folder()
        let parameters = try #require(Self.parameters.objectValue).merging(
            ["ignored_below_mm3": .number(5 * BoxMap.grid.voxelVolumeCubicMillimetres)]) { $1 }
        let result = try folder.perform("evaluate.detection", parameters: .object(parameters))
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        func counts(_ rule: String, _ name: String) throws -> [Double] {
            try ["references", "predictions", "tp", "fn", "right", "fp"].map {
                try table.number($0, where: ["class": name, "rule": rule])
            }
        }
        // B is too small and so is the false alarm; the pieces of A are, too, and found it.
        #expect(try counts("overlap_1", "microbleed") == [1, 2, 1, 0, 2, 0])
        // One to one, the other piece is right for nothing and small.
        #expect(try counts("iou_0.5", "microbleed") == [1, 1, 1, 0, 1, 0])
        #expect(try counts("overlap_1", "deposit") == [1, 1, 1, 0, 1, 0])
        #expect(
            try table.number("reference_voxels", where: ["class": "microbleed", "rule": "overlap_1"]) == 10)
        #expect(result.measurements.first { $0.metric == "references" && $0.term == "microbleed" }?.value == 1)
        let lesions = try folder.table("lesions.tsv")
        let results = ["reference", "prediction"].map { side in
            lesions.rows.filter { Array($0[0..<3]) == ["microbleed", "overlap_1", side] }.map { $0[4] }
        }
        #expect(results == [["tp", "ignored"], ["tp", "tp", "ignored"]])
    }

    @Test func everyRuleCountsInItsOwnWay() throws {
        let folder = try folder()
        let result = try folder.perform("evaluate.detection", parameters: Self.parameters)
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(table.rows.count == 8)
        func counts(_ rule: String, _ name: String = "microbleed") throws -> [Double] {
            try ["references", "predictions", "tp", "fn", "right", "fp"].map {
                try table.number($0, where: ["class": name, "rule": rule])
            }
        }
        // Both pieces touch A; one of them has half of it; both middles are within 3 mm, and the nearer one counts.
        #expect(try counts("overlap_1") == [2, 3, 1, 1, 2, 1])
        #expect(try counts("iou_0.5") == [2, 3, 1, 1, 1, 2])
        #expect(try counts("centre_3.0mm") == [2, 3, 1, 1, 1, 2])
        #expect(try counts("valdo_3.0mm") == [2, 3, 1, 1, 1, 2])
        #expect(try counts("overlap_1", "deposit") == [1, 1, 1, 0, 1, 0])
        let overlap = ["class": "microbleed", "rule": "overlap_1"]
        #expect(try table.number("sensitivity", where: overlap) == 0.5)
        #expect(abs(try table.number("precision", where: overlap) - 2.0 / 3) < 1e-12)
        // A has 6 voxels, the pieces 5, all of them in A.
        #expect(abs(try table.number("dice_found", where: overlap) - 10.0 / 11) < 1e-12)
        // For VALDO the union of all predictions at a lesion, also of those that do not count.
        let valdo = ["class": "microbleed", "rule": "valdo_3.0mm"]
        #expect(abs(try table.number("dice_found", where: valdo) - 10.0 / 11) < 1e-12)
        let iou = ["class": "microbleed", "rule": "iou_0.5"]
        #expect(abs(try table.number("dice_found", where: iou) - 6.0 / 9) < 1e-12)
        #expect(try table.number("reference_mm3", where: overlap) == 20)
        #expect(try table.number("volume_ratio", where: overlap) == 0.7)
        #expect(try table.number("count_ratio", where: overlap) == 1.5)
        // F1 is 2 tp / (2 tp + fp + fn): pieces of a lesion found once are neither found twice nor false.
        #expect(try table.number("f1", where: overlap) == 2.0 / 4 && table.number("f1", where: iou) == 2.0 / 5)
        #expect(try table.number("f1", where: valdo) == 2.0 / 5)
        #expect(try table.number("absolute_count_difference", where: overlap) == 1)
        #expect(try table.number("absolute_volume_difference", where: overlap) == 6)
        func measured(_ metric: String, rule: String?) -> Double? {
            result.measurements.first { $0.metric == metric && $0.term == "microbleed" && $0.reference == rule }?.value
        }
        #expect(measured("fp", rule: "iou_0.5") == 2 && measured("references", rule: nil) == 2)
        #expect(measured("reference_volume", rule: nil) == 20)
        #expect(measured("absolute_count_difference", rule: nil) == 1)
        #expect(measured("absolute_volume_difference", rule: nil) == 6)
    }

    @Test func lesionsSayWhatBecameOfThem() throws {
        let folder = try folder(probabilities: true)
        let result = try folder.perform("evaluate.detection", parameters: Self.parameters)
        #expect(result.failure == nil)
        let lesions = try folder.table("lesions.tsv")
        func cell(_ column: String, _ side: String, _ lesion: String) throws -> String {
            try lesions.cell(
                column, where: ["class": "microbleed", "rule": "overlap_1", "side": side, "lesion": lesion])
        }
        // The largest is number 1 on both sides; the pieces of 2 voxels are numbers 2 and 3.
        #expect(try cell("result", "reference", "1") == "tp" && cell("result", "reference", "2") == "fn")
        #expect(try cell("match", "prediction", "1") == "1" && cell("match", "prediction", "3") == "n/a")
        #expect(try cell("result", "prediction", "3") == "fp")
        // A reference is found as long as the surest of its findings is kept.
        #expect(try Double(cell("score", "reference", "1")).map { abs($0 - 0.9) < 1e-6 } == true)
        #expect(try cell("score", "reference", "2") == "n/a")
        #expect(try Double(cell("score", "prediction", "3")).map { abs($0 - 0.7) < 1e-6 } == true)
        #expect(try cell("common_voxels", "prediction", "1") == "3")
        // Seven voxels predicted with 2.6 in all, of 10 voxels of 2 mm³.
        let row = ["class": "microbleed", "rule": "overlap_1"]
        let difference = try folder.table("table.tsv").number("absolute_volume_difference", where: row)
        #expect(abs(difference - 14.8) < 1e-5)
    }

    @Test func namesThatNeverAgreeAreAMistake() throws {
        let folder = try TaskFolder()
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: folder)
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("prediction", in: folder)
        try folder.add("reference_table", "index\tname\n1\tcmb\n", name: "reference.tsv")
        let message = try folder.perform("evaluate.detection").failure?.message
        #expect(message?.contains("none of them alike") == true && message?.contains("rename") == true)
        // Masks of ones need no names, and other numbers have their own: they may be classes of which a person has but one.
        for number: UInt16 in [1, 5] {
            let masks = try TaskFolder()
            try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: masks)
            try BoxMap([(number, 2..<4, 2..<4, 2..<4)]).bind("prediction", in: masks)
            let plain = try masks.perform("evaluate.detection").failure?.message
            #expect(
                number == 1 ? plain == nil : plain?.contains("has the classes label-5, the reference lesion") == true)
            let renamed = try masks.perform("evaluate.detection", parameters: ["rename": ["label-5": "lesion"]])
            #expect(renamed.failure == nil)
            #expect(try masks.table("table.tsv").number("f1", where: ["class": "lesion", "rule": "iou_0.1"]) == 1)
        }
    }

    /// A table of lesions names only what its person has; whoever lacks the class of the network is no mistake.
    @Test func somebodyWithoutTheClassIsCounted() throws {
        let folder = try TaskFolder()
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: folder)
        try BoxMap([(1, 10..<12, 2..<4, 2..<4)]).bind("prediction", in: folder)
        try folder.add("reference_table", "lesion\tclass\n1\tiron_deposit\n", name: "reference.tsv")
        try folder.add("prediction_table", "index\tname\n1\tmicrobleed\n", name: "prediction.tsv")
        let result = try folder.perform("evaluate.detection")
        #expect(result.failure == nil)
        #expect(result.warnings.count == 1 && result.warnings.first?.contains("none of them alike") == true)
        let table = try folder.table("table.tsv")
        func counts(_ name: String) throws -> [Double] {
            try ["references", "predictions", "fn", "fp"].map {
                try table.number($0, where: ["class": name, "rule": "overlap_1"])
            }
        }
        #expect(try counts("iron_deposit") == [1, 0, 1, 0] && counts("microbleed") == [0, 1, 0, 1])
        // Two tables of classes that share no name are still a mistake.
        let classes = try TaskFolder()
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("reference", in: classes)
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("prediction", in: classes)
        try classes.add("reference_table", "index\tname\n1\tcmb\n", name: "reference.tsv")
        try classes.add("prediction_table", "index\tname\n1\tmicrobleed\n", name: "prediction.tsv")
        #expect(try classes.perform("evaluate.detection").failure?.message.contains("“rename”") == true)
    }

    /// A network that was taught one class of two does not fail at the other, if that is asked for. A table of lesions names what
    /// is there and not what could be: then the network's table decides.
    @Test func classesOfOneSideAloneCanBeLeftOut() throws {
        func judged(_ reference: String, _ prediction: String, _ parameters: JSONValue) throws -> ([String], [String]) {
            let folder = try TaskFolder()
            try BoxMap([(1, 2..<4, 2..<4, 2..<4), (2, 10..<12, 2..<4, 2..<4)]).bind("reference", in: folder)
            try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("prediction", in: folder)
            try folder.add("reference_table", reference, name: "reference.tsv")
            try folder.add("prediction_table", prediction, name: "prediction.tsv")
            let result = try folder.perform("evaluate.detection", parameters: parameters)
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            let table = try folder.table("table.tsv")
            let (name, references) = (0, try #require(table.columns.firstIndex(of: "references")))
            let judged = table.rows.filter { $0[references] != "n/a" }
            // What is left out has a row that says so.
            #expect(Set(table.rows.map { $0[name] }).isSuperset(of: ["microbleed", "iron_deposit"]))
            return (Set(judged.map { $0[name] }).sorted(), result.warnings)
        }
        let (one, both) = ("index\tname\n1\tmicrobleed\n", "index\tname\n1\tmicrobleed\n2\tiron_deposit\n")
        #expect(try judged(both, one, [:]) == (["iron_deposit", "microbleed"], []))
        #expect(try judged(both, one, ["only_shared": true]) == (["microbleed"], []))
        let lesions = "lesion\tclass\n1\tmicrobleed\n2\tiron_deposit\n"
        #expect(try judged(lesions, one, ["only_shared": true]) == (["microbleed"], []))
        // What a prediction has besides may be called otherwise, and is not left out in silence.
        let (kept, warnings) = try judged(both, "index\tname\n1\tmicrobleed\n2\tiron\n", ["only_shared": true])
        #expect(kept == ["microbleed"] && warnings.count == 1)
        #expect(warnings.first?.hasPrefix("iron of the prediction is left out") == true, "\(warnings)")
    }

    /// A lesion that a network calls by two labels of one class is one lesion, as sure as the surer of them.
    @Test func labelsOfOneClassAreOneLesion() throws {
        let folder = try TaskFolder()
        try BoxMap([(1, 2..<8, 2..<4, 2..<4)]).bind("reference", in: folder)
        try BoxMap([(1, 2..<5, 2..<4, 2..<4), (2, 5..<8, 2..<4, 2..<4)]).bind("prediction", in: folder)
        try folder.add("reference_table", "index\tname\n1\tcmb\n", name: "reference.tsv")
        try folder.add("prediction_table", "index\tname\n1\tround\n2\tovoid\n", name: "prediction.tsv")
        var maps = [0.1, 0.2, 0.3].map { Volume(grid: BoxMap.grid, filledWith: Float($0)) }
        maps[1][2, 2, 2] = 0.5
        maps[2][6, 2, 2] = 0.75
        try NIfTIFile.write(maps, to: folder.path + "/p.nii.gz")
        folder.add("probabilities", path: folder.path + "/p.nii.gz", name: "p.nii.gz")
        let result = try folder.perform(
            "evaluate.detection", parameters: ["rename": ["round": "cmb", "ovoid": "cmb"]])
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        let iou = ["class": "cmb", "rule": "iou_0.1"]
        #expect(try table.number("predictions", where: iou) == 1 && table.number("dice_found", where: iou) == 1)
        let lesions = try folder.table("lesions.tsv")
        let found = ["class": "cmb", "rule": "iou_0.1", "side": "prediction", "lesion": "1"]
        #expect(try lesions.number("score", where: found) == 0.75)
    }

    @Test func voxelsWithoutAProbabilityAreSaid() throws {
        let folder = try folder()
        var map = Volume(grid: BoxMap.grid, filledWith: 0.1)
        // Of no lesion, which nobody asks for, and of two.
        for x in [0, 2, 20] { map[x, 2, 2] = .nan }
        try NIfTIFile.write(map, to: folder.path + "/p.nii.gz")
        folder.add("probabilities", path: folder.path + "/p.nii.gz", name: "p.nii.gz")
        let result = try folder.perform("evaluate.detection", parameters: Self.parameters)
        #expect(
            result.warnings.contains { $0.hasPrefix("p.nii.gz has no number at 2 voxels of 2 lesions") },
            "\(result.warnings)")
    }

    @Test func nobodyAndNothing() throws {
        let folder = try TaskFolder()
        try BoxMap().bind("reference", in: folder)
        try BoxMap([(1, 2..<4, 2..<4, 2..<4)]).bind("prediction", in: folder)
        let result = try folder.perform("evaluate.detection", parameters: ["rules": ["overlap"]])
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(try table.cell("sensitivity", where: ["class": "lesion"]) == "n/a")
        #expect(try table.cell("f1", where: ["class": "lesion"]) == "n/a")
        #expect(try table.number("precision", where: ["class": "lesion"]) == 0)
        #expect(try table.number("fp", where: ["class": "lesion"]) == 1)
        #expect(try table.cell("volume_ratio", where: ["class": "lesion"]) == "n/a")
        // Differences exist without a reference.
        #expect(try table.number("absolute_count_difference", where: ["class": "lesion"]) == 1)
        #expect(try table.number("absolute_volume_difference", where: ["class": "lesion"]) == 16)
    }

    @Test func anotherGridIsBroughtOverOnlyWhenAsked() throws {
        let folder = try TaskFolder()
        try BoxMap([(1, 4..<8, 4..<8, 4..<8)]).bind("reference", in: folder)
        // Half the voxels along x, the same place.
        let coarse = VoxelGrid(
            nx: 12, ny: 20, nz: 16, affine: Affine([-2, 0, 0, 11.5], [0, 1, 0, -8], [0, 0, 2, -10]))
        var map = LabelMap(grid: coarse)
        for k in 4..<8 { for j in 4..<8 { for i in 2..<4 { map.values[coarse.index(i, j, k)] = 1 } } }
        try NIfTIFile.write(map, to: folder.path + "/coarse.nii.gz")
        folder.add("prediction", path: folder.path + "/coarse.nii.gz", name: "coarse.nii.gz")
        #expect(try folder.perform("evaluate.detection").failure?.message.contains("resample: true") == true)
        let result = try folder.perform("evaluate.detection", parameters: ["resample": true])
        #expect(result.failure == nil)
        #expect(try folder.table("table.tsv").number("dice", where: ["rule": "overlap_1"]) == 1)
    }
}
