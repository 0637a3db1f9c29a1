import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

/// Candidates that a classifier decided for, as what a network that segments gives.
@Suite struct LesionSelectTests {
    private static let boxes: [(UInt16, Range<Int>, Range<Int>, Range<Int>)] = [
        (1, 2..<4, 2..<4, 2..<4), (2, 10..<12, 2..<4, 2..<4), (5, 2..<4, 10..<12, 8..<9),
        (6, 18..<20, 15..<17, 12..<14),
    ]

    /// Of lesion 5 a deposit and nothing are as probable; lesion 6 is a bleed without a majority.
    private static let decisions = """
        lesion\tclass\tp_other\tp_microbleed\tp_iron_deposit
        1\tmicrobleed\t0.25\t0.625\t0.125
        2\tother\t0.75\t0.125\t0.125
        5\tother\t0.5\t0\t0.5
        6\tmicrobleed\t0.3125\t0.375\t0.3125

        """

    private func folder(
        _ decisions: String = Self.decisions,
        _ boxes: [(UInt16, Range<Int>, Range<Int>, Range<Int>)] = Self.boxes
    ) throws -> TaskFolder {
        let folder = try TaskFolder()
        try BoxMap(boxes).bind("lesions", in: folder)
        try folder.add("decisions", decisions, name: "decisions.tsv")
        return folder
    }

    /// Class of every lesion's voxels in the map.
    private func labels(_ folder: TaskFolder) throws -> [UInt16: UInt16] {
        let (lesions, found) = (
            try NIfTIFile.readLabelMap(folder.path + "/lesions.nii.gz"),
            try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        )
        var classes: [UInt16: Set<UInt16>] = [:]
        for (lesion, label) in zip(lesions.values, found.values) { classes[lesion, default: []].insert(label) }
        #expect(classes.values.allSatisfy { $0.count == 1 } && classes[0] == [0])
        return classes.filter { $0.key > 0 }.compactMapValues(\.first)
    }

    @Test func decisionsBecomeAMapOfClasses() throws {
        let folder = try folder()
        let result = try folder.perform("lesions.select")
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(try labels(folder) == [1: 1, 2: 0, 5: 0, 6: 1])
        #expect(
            try folder.rows("table.tsv") == [["0", "background"], ["1", "microbleed"], ["2", "iron_deposit"]])
        #expect(result.value("lesions", term: "microbleed") == 2 && result.value("lesions", term: "iron_deposit") == 0)
        // Volume n is label n, in all lesions; background is what is left.
        let volumes = try (0..<3).map {
            try NIfTIFile.readVolume(folder.path + "/out/probabilities.nii.gz", frame: $0)
        }
        let grid = BoxMap.grid
        for (place, expected) in [
            (grid.index(2, 2, 2), [0.25, 0.625, 0.125]), (grid.index(10, 2, 2), [0.75, 0.125, 0.125]),
            (grid.index(2, 10, 8), [0.5, 0, 0.5]), (grid.index(0, 0, 0), [1, 0, 0]),
        ] as [(Int, [Float])] {
            #expect(volumes.map { $0.values[place] } == expected)
        }
        #expect(try NIfTIFile.readHeader(folder.path + "/out/probabilities.nii.gz").frames == 3)
    }

    @Test func classesAndThresholdCanBeChosen() throws {
        for (parameters, expected) in [
            // Half is reached by half.
            (["threshold": 0.5], [1: 1, 2: 0, 5: 2, 6: 0]), (["threshold": 0.375], [1: 1, 2: 0, 5: 2, 6: 1]),
            (["threshold": 0.125], [1: 1, 2: 1, 5: 2, 6: 1]), (["threshold": 1], [1: 0, 2: 0, 5: 0, 6: 0]),
            (["classes": ["iron_deposit", "microbleed"]], [1: 2, 2: 0, 5: 0, 6: 2]),
            (["classes": ["iron_deposit"], "threshold": 0.25], [1: 0, 2: 0, 5: 1, 6: 1]),
            (["other": "microbleed"], [1: 0, 2: 1, 5: 1, 6: 0]),
        ] as [(JSONValue, [UInt16: UInt16])] {
            let folder = try folder()
            let result = try folder.perform("lesions.select", parameters: parameters)
            #expect(result.failure == nil, "\(result.failure?.message ?? "")")
            #expect(try labels(folder) == expected, "\(parameters.canonicalString)")
        }
    }

    @Test func nobodyMayBeThere() throws {
        let folder = try folder("lesion\tclass\tp_other\tp_microbleed\n", [])
        let result = try folder.perform("lesions.select")
        #expect(result.failure == nil && result.warnings == ["lesions.nii.gz has no lesion; nothing is selected."])
        #expect(try folder.rows("table.tsv") == [["0", "background"], ["1", "microbleed"]])
        #expect(try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz").values.allSatisfy { $0 == 0 })
        #expect(result.value("lesions", term: "microbleed") == 0)
    }

    @Test func whatCannotBeIsSaid() throws {
        func message(_ decisions: String, _ parameters: JSONValue = [:]) throws -> String {
            try folder(decisions).perform("lesions.select", parameters: parameters).failure?.message ?? ""
        }
        let header = "lesion\tclass\tp_other\tp_microbleed\n"
        for (text, words) in [
            ("lesion\tclass\n1\tother\n", "decisions.tsv has no column p_CLASS"),
            ("lesion\tp_other\n1\t1\n", "has no column “class”"),
            (header + "n/a\tother\t1\t0\n", "has “n/a” as the number of a lesion"),
            (header + "1\tother\t1\t0\n1\tother\t1\t0\n", "has “1” as the number of a lesion, twice"),
            (header + "1\trim\t1\t0\n", "decides for “rim” of lesion 1"),
            (header + "1\tother\t1.5\t0\n", "has “1.5” in column p_other, which is no probability"),
            (header + "1\tother\tn/a\t0\n", "has “n/a” in column p_other"),
            (header + "1\tother\t1\t0\n", "has no row for lesion 2 of lesions.nii.gz"),
            ("lesion\tclass\tp_other\n1\tother\t1\n", "name the classes to keep"),
        ] {
            #expect(try message(text).contains(words), "\(words)")
        }
        #expect(
            try message(Self.decisions, ["classes": ["rim"]]).contains("has no class “rim”, which “classes” asks for"))
    }

    /// What follows a network that segments follows this.
    @Test func componentsAndDetectionFollow() throws {
        let folder = try folder()
        #expect(try folder.perform("lesions.select").failure == nil)
        func bind(_ port: String, _ output: String, in other: TaskFolder) {
            other.add(port, path: folder.path + "/out/" + output, name: output)
        }
        let components = try TaskFolder()
        for (port, output) in [
            ("labels", "labels.nii.gz"), ("table", "table.tsv"), ("probabilities", "probabilities.nii.gz"),
        ] { bind(port, output, in: components) }
        let pieces = try components.perform("lesions.components")
        #expect(pieces.failure == nil, "\(pieces.failure?.message ?? "")")
        #expect(pieces.value("lesions", term: "microbleed") == 2 && pieces.value("lesions", term: "iron_deposit") == 0)
        #expect(try components.table("table.tsv").rows.map { $0[1] } == ["microbleed", "microbleed"])

        let detection = try TaskFolder()
        for (port, output) in [
            ("prediction", "labels.nii.gz"), ("prediction_table", "table.tsv"),
            ("probabilities", "probabilities.nii.gz"),
        ] { bind(port, output, in: detection) }
        try BoxMap([(1, 2..<4, 2..<4, 2..<4), (2, 2..<4, 10..<12, 8..<9)]).bind("reference", in: detection)
        try detection.add("reference_table", "index\tname\n1\tmicrobleed\n2\tiron_deposit\n", name: "dseg.tsv")
        let judged = try detection.perform("evaluate.detection")
        #expect(judged.failure == nil, "\(judged.failure?.message ?? "")")
        let table = try detection.table("table.tsv")
        func counts(_ name: String) throws -> [Double] {
            try ["tp", "fn", "fp"].map { try table.number($0, where: ["class": name, "rule": "overlap_1"]) }
        }
        #expect(try counts("microbleed") == [1, 0, 1] && counts("iron_deposit") == [0, 1, 0])
        // Sure of a lesion as the classifier was.
        let scores = try detection.table("lesions.tsv").rows.filter { $0[1] == "overlap_1" && $0[2] == "prediction" }
        #expect(Set(scores.map { $0.last! }) == ["0.625", "0.375"])
        withExtendedLifetime(folder) {}
    }
}
