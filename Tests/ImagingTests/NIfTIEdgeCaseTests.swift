import Kernels
import NIfTI
import TestSupport
import Testing

/// Files of other programs that readers have stumbled over. Sums were computed with nibabel 5.
@Suite(
    "Odd NIfTI files of other programs",
    // shared/data/nifti_edge_cases beside the project
    .enabled(if: SharedData.has("nifti_edge_cases"), "shared/data/nifti_edge_cases is absent"))
struct NIfTIEdgeCaseTests {
    @Test(arguments: [
        ("anatomical.nii", 284_166_082.0), ("avg152T1_LR_nifti2.nii.gz", 74_825_382.0),
        ("avg152T1_RL_nifti.nii.gz", 74_825_382.0), ("int16_small.nii", 290.0), ("low_res.nii.gz", 53.0),
        ("minimal.nii.gz", 1_290_240.0), ("reoriented_anat_moved.nii", 32_739_769.449157715),
        ("someones_anatomy_2p75mm.nii.gz", 9_834_293.123020172), ("standard.nii.gz", 7650.0),
    ])
    func valuesAgreeWithNibabel(name: String, sum: Double) throws {
        let volume = try NIfTIFile.readVolume(SharedData.path("nifti_edge_cases/" + name))
        let found = volume.values.reduce(0.0) { $0 + Double($1) }
        #expect(abs(found - sum) <= 1e-9 * sum)
    }

    /// The same head stored to the left (NIfTI-2) and to the right (NIfTI-1, other byte order): equal in the world.
    @Test func mirroredStorageIsTheSameHead() throws {
        let left = try NIfTIFile.readVolume(SharedData.path("nifti_edge_cases/avg152T1_LR_nifti2.nii.gz"))
        let right = try NIfTIFile.readVolume(SharedData.path("nifti_edge_cases/avg152T1_RL_nifti.nii.gz"))
        #expect(left.grid.affine.column(0).x < 0 && right.grid.affine.column(0).x > 0)
        let toRight = try #require(right.grid.affine.inverse) * left.grid.affine
        let first = toRight(SIMD3(0, 0, 0))
        #expect(abs(first.x - 90) < 1e-6 && abs(first.y) < 1e-6 && abs(first.z) < 1e-6)
        var differences = 0
        for k in 0..<left.grid.nz {
            for j in 0..<left.grid.ny {
                for i in 0..<left.grid.nx where left[i, j, k] != right[90 - i, j, k] { differences += 1 }
            }
        }
        #expect(differences == 0)
    }

    @Test func unsuitableImagesAreRefusedByName() {
        func path(_ name: String) -> String { SharedData.path("nifti_edge_cases/" + name) }
        func expect(_ want: NIfTIError, _ name: String) {
            #expect(throws: want) { try NIfTIFile.readVolume(path(name)) }
        }
        expect(.unsupportedDatatype(path: path("complex.nii.gz"), name: "complex64"), "complex.nii.gz")
        for (name, dimensions) in [
            ("example4d.nii.gz", [128, 96, 24, 2]), ("example_nifti2.nii.gz", [32, 20, 12, 2]),
            ("functional.nii", [17, 21, 3, 20]), ("vector_control_points.nii.gz", [23, 31, 35, 1, 3]),
        ] {
            expect(.severalVolumes(path: path(name), dimensions: dimensions), name)
        }
        let sheared = path("shear.nii.gz")
        expect(.affineSheared(path: sheared, source: "sform", degreesOffSquare: 18.5), "shear.nii.gz")
    }

    @Test func oneFrameOfASeries() throws {
        let volume = try NIfTIFile.readVolume(SharedData.path("nifti_edge_cases/functional.nii"), frame: 19)
        #expect(volume.values.count == 17 * 21 * 3)
        #expect(volume.values.allSatisfy { (629...5573).contains($0) })
    }
}
