import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

@Suite struct ImageResampleTests {
    private static let grid = VoxelGrid(nx: 16, ny: 14, nz: 12, affine: .scaling(SIMD3(1, 1, 1)))
    /// Of half as many voxels per axis, flipped from side to side, within the other.
    private static let target = VoxelGrid(
        nx: 6, ny: 5, nz: 4, affine: Affine([-2, 0, 0, 13], [0, 2, 0, 2], [0, 0, 2, 2]))

    /// A ramp, which trilinear interpolation gives back anywhere.
    private func ramp(_ p: SIMD3<Double>) -> Float { Float(100 + p.x + 10 * p.y - 3 * p.z) }

    private func image() -> Volume {
        var image = Volume(grid: Self.grid)
        for k in 0..<12 {
            for j in 0..<14 { for i in 0..<16 { image[i, j, k] = ramp(SIMD3(Double(i), Double(j), Double(k))) } }
        }
        return image
    }

    private func folder(_ image: Volume, target: VoxelGrid, shift: SIMD3<Double>? = nil) throws -> TaskFolder {
        let folder = try TaskFolder()
        try folder.add("image", image, name: "sub-01_T1w")
        try folder.add("target", Volume(grid: target), name: "sub-01_Chimap")
        if let shift {
            let json = TransformFile.encode(.translation(shift), from: "Chimap", to: "T1w").canonicalString
            try folder.add("transform", json, name: "transform.json")
        }
        return folder
    }

    @Test func everyVoxelOfTheTargetTakesWhatLiesThere() throws {
        for shift in [nil, SIMD3(0.5, -1, 0.25)] {
            let folder = try folder(image(), target: Self.target, shift: shift)
            let result = try folder.perform("image.resample", threads: 2)
            #expect(result.failure == nil && result.warnings.isEmpty)
            #expect(result.value("covered_fraction") == 1)
            let moved = try NIfTIFile.readVolume(folder.path + "/out/image.nii.gz")
            #expect(moved.grid.matches(Self.target))
            for k in 0..<4 {
                for j in 0..<5 {
                    for i in 0..<6 {
                        let place = Self.target.affine(SIMD3(Double(i), Double(j), Double(k))) + (shift ?? .zero)
                        #expect(abs(moved[i, j, k] - ramp(place)) < 1e-3)
                    }
                }
            }
        }
    }

    @Test func whatItDoesNotReachIsZeroAndCounted() throws {
        // Three of six columns lie beyond the image.
        let folder = try folder(image(), target: Self.target, shift: SIMD3(8, 0, 0))
        let result = try folder.perform("image.resample")
        #expect(result.value("covered_fraction") == 0.5)
        let moved = try NIfTIFile.readVolume(folder.path + "/out/image.nii.gz")
        #expect(moved.values.count { $0 == 0 } == moved.values.count / 2)
        let apart = try self.folder(image(), target: Self.target, shift: SIMD3(100, 0, 0)).perform("image.resample")
        #expect(
            apart.failure?.message
                == "sub-01_T1w.nii.gz and sub-01_Chimap.nii.gz of cohort have no place in common: the registration failed, or the "
                + "images are of two worlds; look at both")
    }

    /// A susceptibility map that was brought over can be read as one.
    @Test func theUnitGoesWithTheImage() throws {
        for units in ["ppb", nil] {
            let folder = try TaskFolder()
            try NIfTIFile.write(image(), to: folder.path + "/map.nii.gz")
            folder.add(
                "image", path: folder.path + "/map.nii.gz", name: "sub-01_Chimap.nii.gz",
                metadata: units.map { ["Units": .string($0), "EchoTime": 0.02] })
            try folder.add("target", Volume(grid: Self.target), name: "sub-01_T2starw")
            let result = try folder.perform("image.resample")
            #expect(result.outputs.first?.metadata == units.map { ["Units": .string($0)] })
        }
    }

    @Test func aPlaceWithoutAValueDoesNotSpread() throws {
        var image = image()
        image[3, 3, 3] = .nan
        let folder = try folder(image, target: Self.grid)
        let result = try folder.perform("image.resample")
        #expect(result.warnings == ["sub-01_T1w.nii.gz has 1 voxel that is no finite number; 0 was taken instead."])
        #expect(result.value("covered_fraction") == 1)
        let moved = try NIfTIFile.readVolume(folder.path + "/out/image.nii.gz")
        image[3, 3, 3] = 0
        // On its own grid an image stays what it is.
        #expect(moved.values == image.values)
    }
}
