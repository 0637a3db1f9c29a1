import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

/// A label map made of boxes on a grid that is neither isotropic nor straight.
struct BoxMap {
    static let grid = VoxelGrid(
        nx: 24, ny: 20, nz: 16, affine: Affine([-1, 0, 0, 12], [0, 1, 0, -8], [0, 0, 2, -10]))

    var map = LabelMap(grid: grid)

    init(_ boxes: [(UInt16, Range<Int>, Range<Int>, Range<Int>)] = []) {
        for (label, x, y, z) in boxes { add(label, x, y, z) }
    }

    mutating func add(_ label: UInt16, _ x: Range<Int>, _ y: Range<Int>, _ z: Range<Int>) {
        for k in z { for j in y { for i in x { map.values[Self.grid.index(i, j, k)] = label } } }
    }

    /// Writes it into the folder and binds it.
    func bind(_ port: String, in folder: TaskFolder) throws {
        let path = folder.path + "/\(port).nii.gz"
        try NIfTIFile.write(map, to: path)
        folder.add(port, path: path, name: "\(port).nii.gz")
    }
}

extension TaskFolder {
    func table(_ name: String) throws -> TabSeparatedTable {
        try TabSeparatedTable(data: Data(try output(name).utf8), name: name)
    }
}

extension TabSeparatedTable {
    /// The cell of the first row that has these cells.
    func cell(_ column: String, where conditions: [String: String]) throws -> String {
        let place = try self.column(column, of: "table")
        let wanted = try conditions.map { (try self.column($0.key, of: "table"), $0.value) }
        return try #require(rows.first { row in wanted.allSatisfy { row[$0.0] == $0.1 } })[place]
    }

    func number(_ column: String, where conditions: [String: String]) throws -> Double {
        try #require(TabSeparatedTable.number(try cell(column, where: conditions)))
    }
}

@Suite struct LesionTaskTests {
    /// Class 2: pieces of 8 and 12 voxels, the second also touching a piece of class 1 (3 voxels); class 1 has two more
    /// voxels that touch by a corner only.
    private func folder() throws -> TaskFolder {
        let folder = try TaskFolder()
        var boxes = BoxMap([
            (2, 2..<4, 2..<4, 2..<4), (2, 10..<13, 5..<7, 5..<7), (1, 13..<14, 5..<8, 5..<6),
            (1, 18..<19, 12..<13, 10..<11), (1, 19..<20, 13..<14, 11..<12),
        ])
        try boxes.bind("labels", in: folder)
        try folder.add("table", "index\tname\n1\tmicrobleed\n2\tdeposit\n3\tcalcification\n", name: "dseg.tsv")
        boxes = BoxMap([(7, 0..<11, 0..<20, 0..<16), (9, 11..<24, 0..<20, 0..<16)])
        try boxes.bind("regions", in: folder)
        try folder.add("regions_table", "index\tname\n7\tR_side\n9\tL_side\n", name: "regions.tsv")
        var chi = Volume(grid: BoxMap.grid)
        for n in chi.values.indices { chi.values[n] = Float(n % 24) * 10 }
        // The last voxel of the piece of 8 has no value; the lone pair is diamagnetic.
        chi[3, 3, 3] = .nan
        chi[18, 12, 10] = -500
        try NIfTIFile.write(chi, to: folder.path + "/chi.nii.gz")
        folder.add("chimap", path: folder.path + "/chi.nii.gz", name: "Chimap.nii.gz", metadata: ["Units": "ppb"])
        return folder
    }

    /// What a number is called without a table does not depend on what else a person has.
    @Test(
        arguments: [
            ([1], ["lesion"]), ([2], ["label-2"]), ([1, 2], ["lesion", "label-2"]),
            ([2, 255], ["label-2", "label-255"]),
        ] as [([UInt16], [String])])
    func numbersWithoutATableHaveNamesOfTheirOwn(numbers: [UInt16], names: [String]) throws {
        let folder = try TaskFolder()
        let boxes = numbers.enumerated().map { place, number in
            (number, (6 * place)..<(6 * place + 2), 2..<4, 2..<4) as (UInt16, Range<Int>, Range<Int>, Range<Int>)
        }
        try BoxMap(boxes).bind("labels", in: folder)
        #expect(try folder.perform("lesions.components").failure == nil)
        #expect(try folder.table("table.tsv").rows.map { $0[1] } == names)
    }

    @Test func lesionsAreNumberedAndMeasured() throws {
        let folder = try folder()
        let result = try folder.perform("lesions.components")
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(table.columns.prefix(2) == ["lesion", "class"])
        // Class by class, the largest first.
        #expect(table.rows.map { $0[0] } == ["1", "2", "3", "4"])
        #expect(table.rows.map { $0[1] } == ["microbleed", "microbleed", "deposit", "deposit"])
        #expect(table.rows.map { $0[5] } == ["3", "2", "12", "8"])
        // x of the world runs against i; voxels are 1 × 1 × 2 mm.
        let piece = ["lesion": "4"]
        #expect(try table.number("x_mm", where: piece) == 12 - 2.5)
        #expect(try table.number("y_mm", where: piece) == -8 + 2.5)
        #expect(try table.number("z_mm", where: piece) == -10 + 5)
        #expect(try table.number("volume_mm3", where: piece) == 16)
        #expect(abs(try table.number("diameter_mm", where: piece) - cbrt(6 * 16 / Double.pi)) < 1e-9)
        // Columns i = 2 and 3 are 20 and 30 ppb; seven of eight voxels have a value.
        #expect(abs(try table.number("mean_ppm", where: piece) - (4 * 0.02 + 3 * 0.03) / 7) < 1e-7)
        #expect(abs(try table.number("peak_ppm", where: piece) - 0.03) < 1e-7)
        #expect(abs(try table.number("peak_ppm", where: ["lesion": "2"]) + 0.5) < 1e-7)
        // i from 10 to 12: one column of three lies in the region of the right side.
        #expect(try table.cell("region", where: ["lesion": "3"]) == "L_side")
        #expect(abs(try table.number("region_share", where: ["lesion": "3"]) - 2.0 / 3) < 1e-12)
        #expect(try table.cell("centre_region", where: piece) == "R_side")
        // 2 × 2 × 4 mm: second and third axes alike.
        let (elongation, flatness) = (
            try table.number("elongation", where: piece), try table.number("flatness", where: piece)
        )
        #expect(abs(elongation - 0.5) < 1e-9 && abs(flatness - 0.5) < 1e-9)
        let map = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        #expect(map.values[BoxMap.grid.index(12, 6, 6)] == 3 && map.values[BoxMap.grid.index(13, 5, 5)] == 1)
        #expect(map.values.filter { $0 == 2 }.count == 2)
        func measured(_ metric: String, _ term: String) -> Double? {
            result.measurements.first { $0.metric == metric && $0.term == term && $0.region == nil }?.value
        }
        #expect(measured("lesions", "microbleed") == 2 && measured("total_volume", "deposit") == 40)
        // A class that nobody has is none, not missing.
        #expect(measured("lesions", "calcification") == 0)
        let centre = result.measurements.first { $0.region == "lesion-4" && $0.metric == "x" }
        #expect(centre?.value == 9.5 && centre?.term == "deposit")
        #expect(
            result.measurements.contains {
                $0.region == "lesion-3" && $0.metric == "region_share" && $0.term == "L_side"
            })
    }

    @Test func connectivitySizeAndClassesCanBeChosen() throws {
        let byFaces = try folder().perform("lesions.components", parameters: ["connectivity": 6])
        #expect(byFaces.measurements.first { $0.metric == "lesions" && $0.term == "microbleed" }?.value == 3)
        let folder = try folder()
        let large = try folder.perform(
            "lesions.components", parameters: ["smallest_mm3": 6, "classes": ["microbleed"]])
        #expect(large.failure == nil)
        #expect(try folder.table("table.tsv").rows.map { $0[5] } == ["3"])
        let odd = try self.folder().perform("lesions.components", parameters: ["connectivity": 7])
        #expect(odd.failure?.message.contains("connectivity must be 6 (faces), 18") == true)
        let unknown = try self.folder().perform("lesions.components", parameters: ["classes": ["rim"]])
        #expect(unknown.failure?.message.contains("dseg.tsv names no class “rim”") == true)
    }

    /// Given numbers stay, and the table that comes out is one that goes in.
    @Test func lesionsByNumberKeepTheirNumbers() throws {
        let first = try folder()
        _ = try first.perform("lesions.components")
        let second = try TaskFolder()
        second.add("labels", path: first.path + "/out/labels.nii.gz", name: "labels.nii.gz")
        second.add("table", path: first.path + "/out/table.tsv", name: "lesions.tsv")
        let result = try second.perform("lesions.components", parameters: ["classes": ["deposit"]])
        #expect(result.failure == nil)
        let table = try second.table("table.tsv")
        #expect(table.rows.map { $0[0] } == ["3", "4"])
        let again = try NIfTIFile.readLabelMap(second.path + "/out/labels.nii.gz")
        #expect(Set(again.values) == [0, 3, 4])
        // Networks take the same table for the same map.
        let map = try NIfTIFile.readLabelMap(first.path + "/out/labels.nii.gz")
        let staged = TaskRequest.StagedInput(
            input: TaskInput(
                port: "targets", context: .cohort, name: "lesions.tsv", digest: ArtifactDigest(of: Data()), sizeBytes: 0
            ),
            path: first.path + "/out/table.tsv")
        let taken = try LesionTable(staged, lesions: LesionCentres(map), map: "labels.nii.gz")
        #expect(taken.rows.count == 4)
        #expect(try taken.numbers(["sphericity", "mean_ppm"], lesion: 4).allSatisfy { $0.isFinite })
    }

    @Test func probabilitiesOfEveryClassAreRead() throws {
        let folder = try folder()
        var single = Volume(grid: BoxMap.grid, filledWith: 0.25)
        single[2, 2, 2] = 0.75
        try NIfTIFile.write(single, to: folder.path + "/p.nii.gz")
        folder.add("probabilities", path: folder.path + "/p.nii.gz", name: "p.nii.gz")
        let result = try folder.perform("lesions.components")
        #expect(result.failure == nil)
        let table = try folder.table("table.tsv")
        #expect(try table.number("max_probability", where: ["lesion": "4"]) == 0.75)
        #expect(try table.number("mean_probability", where: ["lesion": "4"]) == (7 * 0.25 + 0.75) / 8)
        #expect(result.warnings.isEmpty)
        // Where nothing is known nothing is counted, and it is said.
        let holed = try self.folder()
        single[2, 2, 2] = .nan
        try NIfTIFile.write(single, to: holed.path + "/p.nii.gz")
        holed.add("probabilities", path: holed.path + "/p.nii.gz", name: "p.nii.gz")
        #expect(
            try holed.perform("lesions.components").warnings == [
                "p.nii.gz has no number at 1 voxel of 1 lesion, which means and sums of probabilities leave out; write 0 where nothing "
                    + "is."
            ])
        let wrong = try self.folder()
        try NIfTIFile.write(Volume(grid: BoxMap.grid, filledWith: 3), to: wrong.path + "/p.nii.gz")
        wrong.add("probabilities", path: wrong.path + "/p.nii.gz", name: "p.nii.gz")
        #expect(
            try wrong.perform("lesions.components").failure?.message.contains("no probabilities") == true)
    }

    @Test func otherGridsAreRefused() throws {
        let folder = try folder()
        let other = VoxelGrid(nx: 4, ny: 4, nz: 4, affine: .scaling(SIMD3(1, 1, 1)))
        try NIfTIFile.write(Mask(grid: other, filledWith: 1), to: folder.path + "/m.nii.gz")
        folder.add("mask", path: folder.path + "/m.nii.gz", name: "mask.nii.gz")
        #expect(
            try folder.perform("lesions.components").failure?.message.contains("not on the same grid") == true)
    }
}
