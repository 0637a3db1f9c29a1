import BIDS
import Foundation
import Kernels
import NIfTI
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// Lesions of people with multiple sclerosis: consensus masks through the tasks that a user would run, against what somebody
/// else's program counted in them.
@Suite(.serialized) struct RealLesionTests {
    private static let summary = "lesion_ms/masks_mni_summary.tsv"
    static let hasLesions = SharedData.has(summary)

    struct Person: CustomTestStringConvertible {
        var label: String
        var voxels: Int
        /// Pieces by connectivity.
        var pieces: [Int: Int]
        var largest: Int
        var mask: String
        var testDescription: String { "patient \(label)" }
    }

    /// Those whose mask is here; two of them lie beside the images that they belong to.
    static let people: [Person] = {
        guard hasLesions else { return [] }
        guard let data = FileManager.default.contents(atPath: SharedData.path(summary)) else {
            preconditionFailure("\(summary) is there and cannot be read")
        }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(separator: "\t").map(String.init)
            let numbers = cells.map { Int($0) ?? -1 }
            let mask = ["lesion_ms/masks_mni", "lesion_ms/cross_sectional"].map {
                "\($0)/patient\(cells[0])_lesion.nii.gz"
            }
            .first(where: SharedData.has)
            return mask.map {
                Person(
                    label: cells[0], voxels: numbers[1], pieces: [6: numbers[3], 18: numbers[4], 26: numbers[5]],
                    largest: numbers[6], mask: SharedData.path($0))
            }
        }
    }()

    @Test(.enabled(if: hasLesions)) func everybodyIsThere() { #expect(Self.people.count == 29) }

    @Test(.enabled(if: hasLesions), arguments: people)
    func lesionsAreCountedAndFound(person: Person) throws {
        // One by one, with a row each.
        let folder = try TaskFolder()
        folder.add("labels", path: person.mask, name: "lesion.nii.gz")
        let found = try folder.perform("lesions.components")
        try #require(found.failure == nil, "\(found.failure?.message ?? "")")
        let table = try folder.table("table.tsv")
        let sizes = try table.rows.map { try #require(Int($0[try table.column("voxels", of: "table")])) }
        #expect(
            sizes.count == person.pieces[26] && sizes.reduce(0, +) == person.voxels && sizes.max() == person.largest)

        // Against itself nothing is missed, by any rule and however voxels touch.
        for (connectivity, pieces) in person.pieces {
            let itself = try detection(person.mask, person.mask, ["connectivity": .integer(Int64(connectivity))])
            #expect(itself.rows.count == 4)
            for rule in ["overlap_1", "iou_0.1", "centre_3.0mm", "valdo_3.0mm"] {
                let counts = try self.counts(itself, rule)
                #expect(counts == [pieces, pieces, pieces, 0, pieces, 0], "\(rule) \(connectivity)")
                #expect(try itself.number("dice", where: ["rule": rule]) == 1)
            }
        }

        // Without its surface: what is left lies in lesions, and those that were thinner than three voxels are missed.
        let lesions = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        let eroded = Self.eroded(lesions)
        try NIfTIFile.write(eroded, to: folder.path + "/eroded.nii.gz")
        let left = Set(zip(lesions.values, eroded.values).filter { $1 > 0 }.map(\.0)).count
        let thinner = try detection(folder.path + "/eroded.nii.gz", person.mask, ["rules": ["overlap"]])
        let counts = try self.counts(thinner, "overlap_1")
        #expect(counts[0] == person.pieces[26] && counts[2] == left && counts[3] == sizes.count - left)
        #expect(counts[4] == counts[1] && counts[5] == 0 && counts[1] >= left)
        let voxels = eroded.values.count { $0 > 0 }
        #expect(
            abs(
                try thinner.number("dice", where: ["rule": "overlap_1"]) - 2 * Double(voxels)
                    / Double(voxels + person.voxels))
                < 1e-12)
    }

    private func detection(
        _ prediction: String, _ reference: String, _ parameters: JSONValue
    ) throws -> TabSeparatedTable {
        let folder = try TaskFolder()
        folder.add("prediction", path: prediction, name: "prediction.nii.gz")
        folder.add("reference", path: reference, name: "reference.nii.gz")
        let result = try folder.perform("evaluate.detection", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        return try folder.table("table.tsv")
    }

    private func counts(_ table: TabSeparatedTable, _ rule: String) throws -> [Int] {
        try ["references", "predictions", "tp", "fn", "right", "fp"].map {
            Int(try table.number($0, where: ["class": "lesion", "rule": rule]))
        }
    }

    /// Voxels whose six neighbours are all lesion.
    private static func eroded(_ map: LabelMap) -> LabelMap {
        let grid = map.grid
        var result = LabelMap(grid: grid)
        for k in 1..<grid.nz - 1 {
            for j in 1..<grid.ny - 1 {
                for i in 1..<grid.nx - 1 {
                    let n = grid.index(i, j, k)
                    let neighbours = [
                        n - 1, n + 1, n - grid.nx, n + grid.nx, n - grid.nx * grid.ny, n + grid.nx * grid.ny,
                    ]
                    if map.values[n] > 0, neighbours.allSatisfy({ map.values[$0] > 0 }) { result.values[n] = 1 }
                }
            }
        }
        return result
    }
}
