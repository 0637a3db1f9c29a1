import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

@Suite struct SegmentationEvaluationTests {
    private func folder(tables: Bool = true) throws -> TaskFolder {
        let folder = try TaskFolder()
        try BoxMap([
            (1, 2..<6, 2..<6, 2..<6), (2, 10..<12, 2..<4, 2..<4), (3, 15..<16, 2..<3, 2..<3),
            (6, 20..<21, 2..<3, 2..<3),
        ]).bind("reference", in: folder)
        try BoxMap([
            (11, 3..<7, 2..<6, 2..<6), (12, 10..<12, 2..<4, 2..<4), (14, 18..<19, 2..<3, 2..<3),
        ]).bind("prediction", in: folder)
        if tables {
            try folder.add(
                "reference_table", "index\tname\n1\tL_caudate\n2\tR_caudate\n3\tdentate\n4\tred\n5\tblue\n6\tgreen\n",
                name: "reference.tsv")
            try folder.add(
                "prediction_table", "index\tname\n11\tL_caudate\n12\tR_caudate\n13\tdentate\n14\tred\n15\tblue\n",
                name: "prediction.tsv")
        }
        return folder
    }

    @Test func structuresAreComparedByName() throws {
        let folder = try folder()
        let result = try folder.perform("evaluate.segmentation")
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(table.rows.map { $0[0] } == ["L_caudate", "R_caudate", "dentate", "red", "blue"])
        let left = ["structure": "L_caudate"]
        // 64 voxels each, 48 in common; the shift is one voxel of 1 mm.
        #expect(try table.number("dice", where: left) == 0.75)
        #expect(try table.number("jaccard", where: left) == 0.6)
        #expect(try table.number("hausdorff_mm", where: left) == 1)
        #expect(try table.number("hd95_mm", where: left) == 1 && table.number("hd95_larger_mm", where: left) == 1)
        #expect(try table.number("volume_ratio", where: left) == 1)
        #expect(try table.number("reference_mm3", where: left) == 128)
        #expect(try table.number("assd_mm", where: ["structure": "R_caudate"]) == 0)
        // Conventions: one side empty is 0 with no distance, both empty is 1.
        for (name, dice, empty) in [("dentate", 0.0, "prediction"), ("red", 0, "reference"), ("blue", 1, "both")] {
            #expect(try table.number("dice", where: ["structure": name]) == dice)
            #expect(try table.cell("hausdorff_mm", where: ["structure": name]) == "n/a")
            #expect(try table.cell("empty", where: ["structure": name]) == empty)
        }
        #expect(try table.cell("volume_ratio", where: ["structure": "red"]) == "n/a")
        #expect(result.warnings == ["Only the reference has green: not compared."])
        let measured = result.measurements.first { $0.region == "L_caudate" && $0.metric == "hausdorff" }
        #expect(measured?.value == 1 && measured?.unit == "mm")
    }

    /// The surfaces' distances do not depend on what lies around the structure.
    @Test func distancesAreThoseOfThePlainDefinition() throws {
        let folder = try folder()
        _ = try folder.perform("evaluate.segmentation", parameters: ["structures": ["L_caudate"]])
        func surface(_ x: Range<Int>) -> [SIMD3<Double>] {
            x.flatMap { i in
                (2..<6).flatMap { j in
                    (2..<6).compactMap { k in
                        let isInner =
                            i > x.lowerBound && i < x.upperBound - 1 && j > 2 && j < 5 && k > 2 && k < 5
                        return isInner ? nil : SIMD3(Double(i), Double(j), Double(k) * 2)
                    }
                }
            }
        }
        func nearest(_ from: [SIMD3<Double>], _ to: [SIMD3<Double>]) -> [Double] {
            from.map { a in to.map { b in ((a - b) * (a - b)).sum().squareRoot() }.min()! }
        }
        let (a, b) = (surface(2..<6), surface(3..<7))
        let all = nearest(a, b) + nearest(b, a)
        let table = try folder.table("table.tsv")
        let found = try table.number("assd_mm", where: ["structure": "L_caudate"])
        #expect(abs(found - all.reduce(0, +) / Double(all.count)) < 1e-6)
    }

    @Test func groupsJoinRegionsAndNames() throws {
        let folder = try folder()
        let result = try folder.perform(
            "evaluate.segmentation", parameters: ["groups": ["caudate": ["L_caudate", "R_caudate"]]])
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(table.rows.count == 1)
        #expect(abs(try table.number("dice", where: ["structure": "caudate"]) - 112.0 / 144) < 1e-12)
        let unknown = try self.folder().perform("evaluate.segmentation", parameters: ["structures": ["putamen"]])
        #expect(unknown.failure?.message.contains("neither side has a structure “putamen”") == true)
        // What one side's table does not name was not predicted to be empty.
        let oneSided = try self.folder().perform("evaluate.segmentation", parameters: ["structures": ["red", "green"]])
        #expect(
            oneSided.failure?.message.contains("the table of the prediction names no structure “green”") == true)
        // What one side cannot name is left out where that is asked for, as long as something is left.
        let groups: JSONValue = [
            "caudate": ["L_caudate", "R_caudate"], "nigra": ["L_nigra", "R_nigra"], "green": ["green"],
        ]
        let strict = try self.folder().perform("evaluate.segmentation", parameters: ["groups": groups])
        #expect(strict.failure?.message.contains("of group green the prediction has no region") == true)
        let shared = try self.folder()
        let lenient = try shared.perform(
            "evaluate.segmentation",
            parameters: ["groups": groups, "structures": ["red", "putamen"], "only_shared": true])
        // What neither side names was not asked of them; what one names may be misspelt by the other.
        #expect(
            lenient.warnings == [
                "The table of the prediction names no region of green, which the other side has: not compared; correct its names, or "
                    + "say with “step.groups” what is compared."
            ])
        #expect(lenient.failure == nil)
        #expect(try shared.table("table.tsv").rows.map { $0[0] } == ["caudate", "red"])
        let nothing = try self.folder().perform(
            "evaluate.segmentation", parameters: ["structures": ["green", "putamen"], "only_shared": true])
        #expect(nothing.failure?.message.contains("prediction and reference share none of green, putamen") == true)
        // Without tables numbers are names, and none of them agree.
        let nameless = try self.folder(tables: false).perform(
            "evaluate.segmentation", parameters: ["structures": ["label-1"]])
        #expect(nameless.failure == nil)
    }
}
