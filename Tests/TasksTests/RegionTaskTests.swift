import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

@Suite struct RegionTaskTests {
    static let grid = VoxelGrid(nx: 20, ny: 18, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))
    static let table = "index\tname\n1\tputamen\n"

    /// A map that is 1 in the brain (x ≥ 6), 3 in the putamen within it, and −5 in the scalp.
    private func folder() throws -> TaskFolder {
        let folder = try TaskFolder()
        var map = Volume(grid: Self.grid)
        var labels = LabelMap(grid: Self.grid)
        for k in 0..<16 {
            for j in 0..<18 {
                for i in 0..<20 {
                    let inside = (9..<15).contains(i) && (6..<12).contains(j) && (5..<11).contains(k)
                    map[i, j, k] = inside ? 3 : i >= 6 ? 1 : -5
                    labels.values[Self.grid.index(i, j, k)] = inside ? 1 : 0
                }
            }
        }
        try NIfTIFile.write(map, to: folder.path + "/map.nii.gz")
        try NIfTIFile.write(labels, to: folder.path + "/labels.nii.gz")
        folder.add("chimap", path: folder.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        folder.add("labels", path: folder.path + "/labels.nii.gz", name: "labels.nii.gz")
        try folder.add("table", Self.table, name: "dseg.tsv")
        return folder
    }

    private func reference(_ result: TaskResult) -> Double? {
        result.measurements.first { $0.metric == "reference_value" && $0.reference == "whole_brain" }?.value
    }

    /// Mean of 1 with 216 voxels of 3 among the 14 × 18 × 16 of the brain.
    private let wholeBrain = 1 + 2 * 216.0 / (14 * 18 * 16)

    @Test func theBrainOfTheT1wImageServesWhereTheMapHasNoMask() throws {
        let folder = try folder()
        // The T1w world lies 4 mm along x: its brain begins at x = 10 there.
        let t1w = VoxelGrid(nx: 30, ny: 18, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))
        var brain = Mask(grid: t1w)
        for n in brain.values.indices where n % 30 >= 10 { brain.values[n] = 1 }
        try NIfTIFile.write(brain, to: folder.path + "/brain.nii.gz")
        folder.add("brain", path: folder.path + "/brain.nii.gz", name: "brain.nii.gz")
        let transform = TransformFile.encode(.translation(SIMD3(4, 0, 0)), from: "map", to: "T1w")
        try folder.add("transform", transform.canonicalString, name: "transform.json")
        let result = try folder.perform("roi.statistics")
        #expect(result.failure == nil)
        #expect(abs(try #require(reference(result)) - wholeBrain) < 1e-5)
        #expect(!result.warnings.contains { $0.contains("no brain mask") })
    }

    @Test func withoutAnyMaskTheReferenceIsTheWholeMapAndSaysSo() throws {
        let result = try folder().perform("roi.statistics")
        #expect(try #require(reference(result)) < 0)
        #expect(result.warnings.contains { $0.contains("no brain mask") })
    }

    @Test func refinementReportsEveryRegion() throws {
        let folder = try folder()
        folder.add("image", path: folder.path + "/map.nii.gz", name: "map.nii.gz")
        let result = try folder.perform("labels.refine")
        #expect(result.failure == nil)
        let change = result.measurements.first { $0.metric == "volume_change" && $0.region == "putamen" }
        #expect(change?.value == 0)
        let refined = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        #expect(refined.values == (try NIfTIFile.readLabelMap(folder.path + "/labels.nii.gz")).values)
    }

    @Test func regionsAreChosenByWordsOfTheirNames() throws {
        let folder = try TaskFolder()
        var map = Volume(grid: Self.grid, filledWith: 0.5)
        var labels = LabelMap(grid: Self.grid)
        for k in 0..<16 {
            for j in 0..<18 {
                for i in 0..<20 {
                    let n = Self.grid.index(i, j, k)
                    if (2..<6).contains(i), (5..<11).contains(k) {
                        (labels.values[n], map.values[n]) = (4, Float(k))
                    } else if (10..<12).contains(i), (9..<12).contains(k) {
                        (labels.values[n], map.values[n]) = (5, Float(-2 * k))
                    } else if i == 15 {
                        labels.values[n] = 9
                    }
                }
            }
        }
        try NIfTIFile.write(map, to: folder.path + "/map.nii.gz")
        try NIfTIFile.write(labels, to: folder.path + "/labels.nii.gz")
        folder.add("chimap", path: folder.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        folder.add("labels", path: folder.path + "/labels.nii.gz", name: "labels.nii.gz")
        try folder.add("table", "index\tname\n4\tL_caudate\n5\tDentate-Nucleus-R\n9\twhite\n", name: "dseg.tsv")
        let result = try folder.perform(
            "roi.statistics",
            parameters: ["regions": ["dentate nucleus", "caudate"], "references": ["none", "white"]])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        // White matter is no region that was asked for, and a reference all the same.
        #expect(Set(result.measurements.compactMap(\.region)) == ["L_caudate", "Dentate-Nucleus-R"])
        let unknown = try folder.perform(
            "roi.statistics", parameters: ["regions": ["caudate", "claustrum"], "references": ["none"]])
        #expect(unknown.warnings == ["dseg.tsv has no region called claustrum."])
        let none = try folder.perform("roi.statistics", parameters: ["regions": ["date"]])
        #expect(
            none.failure?.message.contains("has none of the regions date that step step is about; it has L_caudate")
                == true)
    }
}
