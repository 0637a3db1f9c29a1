import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

/// Slabs about regions: in the scanner, and in an atlas.
@Suite struct SlabTaskTests {
    /// An oblique grid about the origin, 2 mm.
    private static let grid: VoxelGrid = {
        let (c, s) = (cos(0.3), sin(0.3))
        let turned = Affine([c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0]) * .scaling([2, 2, 2])
        return VoxelGrid(nx: 30, ny: 30, nz: 24, affine: turned * .translation([-14.5, -14.5, -11.5]))
    }()
    private static let table = "index\tname\n3\tL_caudate\n4\tR_caudate\n8\twhite\n"

    /// χ that rises along the world's axes, 0.001 ppm per mm to the right, 0.01 to the front and 0.1 upwards.
    private static func chi(_ p: SIMD3<Double>) -> Float { Float(0.001 * p.x + 0.01 * p.y + 0.1 * p.z) + 5 }

    /// Two caudates of 6 × 8 × 10 mm to either side of `centre`, all in white matter.
    private func cohort(_ grid: VoxelGrid, centre: SIMD3<Double>, _ folder: TaskFolder) throws -> (Volume, LabelMap) {
        var map = Volume(grid: grid)
        var labels = LabelMap(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let place = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    map[i, j, k] = Self.chi(place)
                    let p = place - centre
                    let isInside = abs(abs(p.x) - 10) < 3 && abs(p.y) < 4 && abs(p.z) < 5
                    labels.values[grid.index(i, j, k)] = isInside ? p.x < 0 ? 3 : 4 : 8
                }
            }
        }
        return (map, labels)
    }

    /// The middle of the regions is that of a slice, so that whole slices of them add up to their height.
    private func folder(_ centre: SIMD3<Double> = [2, -3, 5]) throws -> TaskFolder {
        let folder = try TaskFolder()
        let (map, labels) = try cohort(Self.grid, centre: centre, folder)
        try NIfTIFile.write(map, to: folder.path + "/map.nii.gz")
        folder.add("chimap", path: folder.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        try folder.add("labels", labels, name: "labels")
        try folder.add("table", Self.table, name: "dseg.tsv")
        return folder
    }

    private static let parameters: JSONValue = [
        "regions": ["caudate"], "size": [32, 20, 16], "spacing_mm": 1, "reference": "none",
    ]

    @Test func theSlabIsUprightAboutTheRegions() throws {
        let folder = try folder()
        let result = try folder.perform("image.slab", parameters: Self.parameters, threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.outputs.map(\.port) == ["chimap", "labels", "slices"] && result.warnings.isEmpty)
        #expect(result.outputs.first?.metadata?["Units"] == "ppm")
        let chi = try NIfTIFile.readVolume(folder.path + "/out/chimap.nii.gz")
        #expect(chi.grid.nx == 32 && chi.grid.ny == 20 && chi.grid.nz == 16)
        #expect(chi.grid.spacingMillimetres == SIMD3(1, 1, 1))
        // On the axes of the world, its middle that of the regions to within a voxel of theirs.
        let off = chi.grid.centre - SIMD3(2, -3, 5)
        #expect(abs(off.x) < 1 && abs(off.y) < 1 && abs(off.z) < 1, "\(off)")
        for (i, j, k) in [(3, 4, 5), (20, 10, 12), (30, 18, 1)] {
            let place = chi.grid.affine(SIMD3(Double(i), Double(j), Double(k)))
            #expect(abs(chi[i, j, k] - Self.chi(place)) < 1e-4, "a map that is linear is so on any grid")
        }
        // White matter is no region of the slab.
        let labels = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        #expect(Set(labels.values) == [0, 3, 4] && labels.grid.matches(chi.grid))
        // χ of every region by slice, which rises by 0.1 per mm.
        let table = try folder.table("slices.tsv")
        #expect(table.columns == ["slice", "z_mm", "reference", "L_caudate", "R_caudate"])
        let plane = chi.grid.nx * chi.grid.ny
        let met = (0..<16).filter { k in labels.values[(k * plane)..<((k + 1) * plane)].contains { $0 != 0 } }
        #expect(table.rows.map { $0[0] } == met.map(String.init) && table.rows.allSatisfy { $0[2] == "none" })
        for row in table.rows {
            let numbers = row.compactMap(Double.init)
            try #require(numbers.count == 4, "\(row)")
            #expect(numbers[1] == chi.grid.affine(SIMD3(0, 0, numbers[0])).z)
            // The middles of the two, 20 mm apart.
            #expect(abs(numbers[2] - Double(Self.chi([-8, -3, numbers[1]]))) < 0.02, "\(row)")
            #expect(abs(numbers[3] - numbers[2] - 0.02) < 0.02, "\(row)")
        }
        let volume = try #require(result.value("slab_volume"))
        let slices = try #require(result.value("slices"))
        #expect(abs(volume - 2 * 480) < 120 && abs(slices - 10) <= 2)
    }

    /// Beside the regions there is nothing to be learned from; what they are themselves stays.
    @Test func theRegionsAloneCanBeKept() throws {
        let whole = try folder()
        try #require(try whole.perform("image.slab", parameters: Self.parameters).failure == nil)
        let folder = try folder()
        try folder.add(
            "t1w", Volume(grid: Self.grid, values: [Float](repeating: 7, count: Self.grid.count)), name: "T1w")
        var parameters = Self.parameters
        parameters["keep"] = "regions"
        let result = try folder.perform("image.slab", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.outputs.map(\.port) == ["chimap", "labels", "t1w", "mask", "slices"])
        let (all, chi) = (
            try NIfTIFile.readVolume(whole.path + "/out/chimap.nii.gz"),
            try NIfTIFile.readVolume(folder.path + "/out/chimap.nii.gz")
        )
        let t1w = try NIfTIFile.readVolume(folder.path + "/out/t1w.nii.gz")
        let mask = try NIfTIFile.readMask(folder.path + "/out/mask.nii.gz")
        let labels = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        for n in labels.values.indices {
            let isRegion = labels.values[n] != 0
            #expect(chi.values[n] == (isRegion ? all.values[n] : 0))
            #expect((t1w.values[n] != 0) == isRegion && (mask.values[n] != 0) == isRegion)
        }
        #expect(try folder.output("slices.tsv") == whole.output("slices.tsv"))
    }

    /// The reference is the mean of the brain, and beyond the brain there is nothing.
    @Test func theBrainIsTheReference() throws {
        let folder = try folder()
        var mask = Mask(grid: Self.grid)
        for n in mask.values.indices where Self.grid.affine(place(n)).z < 6 { mask.values[n] = 1 }
        try NIfTIFile.write(mask, to: folder.path + "/mask.nii.gz")
        folder.add("mask", path: folder.path + "/mask.nii.gz", name: "mask.nii.gz")
        var parameters = Self.parameters
        parameters["reference"] = "whole_brain"
        let result = try folder.perform("image.slab", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.outputs.map(\.port) == ["chimap", "labels", "mask", "slices"])
        let inside = mask.values.indices.filter { mask.values[$0] == 1 }
        let mean = inside.reduce(0.0) { $0 + Double(Self.chi(Self.grid.affine(place($1)))) } / Double(inside.count)
        let chi = try NIfTIFile.readVolume(folder.path + "/out/chimap.nii.gz")
        let slab = try NIfTIFile.readMask(folder.path + "/out/mask.nii.gz")
        let here = SIMD3(2.0, -3, 1)
        let toIndex = try #require(chi.grid.affine.inverse)
        let index = toIndex(here)
        let (i, j, k) = (Int(index.x.rounded()), Int(index.y.rounded()), Int(index.z.rounded()))
        let nearest = chi.grid.affine(SIMD3(Double(i), Double(j), Double(k)))
        #expect(abs(Double(chi[i, j, k]) - (Double(Self.chi(nearest)) - mean)) < 1e-4)
        #expect(slab.values[slab.grid.index(i, j, k)] == 1)
        #expect(chi[i, j, 15] == 0 && slab.values[slab.grid.index(i, j, 15)] == 0)

        let without = try self.folder()
        #expect(
            try without.perform("image.slab", parameters: parameters).warnings == [
                "There is no brain mask, so the reference whole_brain is the mean of everything the map covers."
            ])
    }

    private func place(_ n: Int) -> SIMD3<Double> {
        let grid = Self.grid
        return SIMD3(Double(n % grid.nx), Double(n / grid.nx % grid.ny), Double(n / grid.nx / grid.ny))
    }

    /// The same place of the atlas for everybody: a person who lies otherwise in the scanner has the same slab.
    @Test func theSlabLiesInTheAtlas() throws {
        // Atlas world = T1w world moved by (5, 1, −2) and a tenth larger; T1w world = χ world moved by (0, 4, 0).
        let toT1w = Affine.translation([0, 4, 0])
        let toAtlas = Affine.translation([5, 1, -2]) * .scaling([1.1, 1.1, 1.1])
        let folder = try folder()
        let atlasGrid = VoxelGrid(nx: 60, ny: 60, nz: 50, affine: .translation([-28, -30, -25]))
        let centre = toAtlas(toT1w([2, -3, 5]))
        let (_, atlas) = try cohort(atlasGrid, centre: centre, folder)
        func bind(_ folder: TaskFolder, atlas name: String) throws {
            let context = TaskContext(atlas: name)
            try folder.add(
                "affine", TransformFile.encode(toAtlas, from: "T1w", to: "atlas").canonicalString, name: "affine.json",
                context: context)
            try folder.add("atlas_labels", atlas, name: "atlas", context: context)
            try folder.add("atlas_table", Self.table, name: "atlas.tsv", context: context)
        }
        try folder.add(
            "transform", TransformFile.encode(toT1w, from: "map", to: "T1w").canonicalString, name: "rigid.json")
        try bind(folder, atlas: "a")
        var t1w = Volume(grid: VoxelGrid(nx: 70, ny: 70, nz: 60, affine: .translation([-35, -35, -30])))
        for k in 0..<60 {
            for j in 0..<70 {
                for i in 0..<70 { t1w[i, j, k] = Float(1000 + i + 10 * j + 100 * k) }
            }
        }
        try folder.add("t1w", t1w, name: "t1w")
        let result = try folder.perform("image.slab", parameters: Self.parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let chi = try NIfTIFile.readVolume(folder.path + "/out/chimap.nii.gz")
        let off = chi.grid.centre - centre
        #expect(abs(off.x) < 0.6 && abs(off.y) < 0.6 && abs(off.z) < 0.6, "\(off)")
        let place = chi.grid.affine(SIMD3(12, 9, 7))
        let fromAtlas = try #require(toAtlas.inverse)
        let inT1w = fromAtlas(place)
        let fromT1w = try #require(toT1w.inverse)
        let inMap = fromT1w(inT1w)
        #expect(abs(chi[12, 9, 7] - Self.chi(inMap)) < 1e-4)
        let onSlab = try NIfTIFile.readVolume(folder.path + "/out/t1w.nii.gz")
        let toVoxel = try #require(t1w.grid.affine.inverse)
        let voxel = toVoxel(inT1w)
        #expect(abs(Double(onSlab[12, 9, 7]) - (1000 + voxel.x + 10 * voxel.y + 100 * voxel.z)) < 0.01)
        #expect(result.outputs.map(\.port) == ["chimap", "labels", "t1w", "slices"])
        // A tenth larger along every axis.
        let (own, there) = (try #require(result.value("volume")), try #require(result.value("slab_volume")))
        #expect(abs(there / own - 1.331) < 0.15, "\(own) \(there)")

        let lacking = try self.folder()
        try lacking.add(
            "affine", TransformFile.encode(toAtlas, from: "T1w", to: "atlas").canonicalString, name: "affine.json",
            context: TaskContext(atlas: "a"))
        #expect(
            try lacking.perform("image.slab", parameters: Self.parameters).failure?.message
                == "Step step has a registration to atlas a and no “atlas_labels” of it; bind both")
    }

    @Test func whatDoesNotFitIsSaid() throws {
        var flat = Self.parameters
        flat["size"] = [32, 20, 6]
        #expect(
            try folder().perform("image.slab", parameters: flat).warnings.map { $0.prefix(25) }
                == ["From bottom to top the re"])
        var wrong = Self.parameters
        wrong["size"] = [32, 20]
        #expect(
            try folder().perform("image.slab", parameters: wrong).failure?.message.contains(
                "size is three whole numbers from 1 to 1024") == true)
        var unknown = Self.parameters
        unknown["regions"] = ["claustrum"]
        #expect(
            try folder().perform("image.slab", parameters: unknown).failure?.message.contains(
                "has none of the regions claustrum") == true)
        // No number spreads over its neighbours, and nobody else is stopped by it.
        let broken = try folder()
        var t1w = Volume(grid: Self.grid, filledWith: 3)
        t1w.values[Self.grid.index(15, 15, 14)] = .nan
        try broken.add("t1w", t1w, name: "t1w")
        let mended = try broken.perform("image.slab", parameters: Self.parameters)
        #expect(mended.warnings == ["t1w.nii.gz has 1 voxel that is no finite number; 0 was taken instead."])
        #expect(try NIfTIFile.readVolume(broken.path + "/out/t1w.nii.gz").values.allSatisfy(\.isFinite))
        let none = try TaskFolder()
        let (whole, bare) = try cohort(Self.grid, centre: [500, 0, 0], none)
        try none.add("chimap", whole, name: "map")
        try none.add("labels", bare, name: "bare")
        try none.add("table", Self.table, name: "dseg.tsv")
        var inPPM = Self.parameters
        inPPM["units"] = "ppm"
        #expect(
            try none.perform("image.slab", parameters: inPPM).failure?.message.contains(
                "has no voxel of the regions that the slab is laid about") == true)
        let elsewhere = try TaskFolder()
        let (map, _) = try cohort(Self.grid, centre: [0, 0, 0], elsewhere)
        try NIfTIFile.write(map, to: elsewhere.path + "/map.nii.gz")
        elsewhere.add("chimap", path: elsewhere.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        try elsewhere.add(
            "labels", LabelMap(grid: ToyCohort.grid, values: [UInt16](repeating: 3, count: ToyCohort.grid.count)),
            name: "labels")
        try elsewhere.add("table", Self.table, name: "dseg.tsv")
        #expect(
            try elsewhere.perform("image.slab", parameters: Self.parameters).failure?.message.contains(
                "bind labels on the grid of the map") == true)
    }
}
