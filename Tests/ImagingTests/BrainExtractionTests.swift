import Foundation
import Kernels
import NIfTI
import Segmentation
import TestSupport
import Testing

@Suite("Brain extraction")
struct BrainExtractionTests {
    struct Head {
        var image: Volume
        var brain: Mask
    }

    /// A head of 2 mm voxels: scalp, bone, fluid, folded grey and white matter, ventricles, eyes, and a neck.
    static func head(noise: Double = 15, withSkull: Bool = true) -> Head {
        let grid = VoxelGrid(
            nx: 96, ny: 116, nz: 112, affine: Affine([2, 0, 0, -96], [0, 2, 0, -116], [0, 0, 2, -144]))
        var generator = SeededGenerator(seed: 5)
        var head = Head(image: Volume(grid: grid), brain: Mask(grid: grid))
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let p = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    // Distance from the middle in units of the brain's half axes; folds of the rim.
                    let q = p / SIMD3(66, 82, 62)
                    let r = (q * q).sum().squareRoot()
                    let folds = 0.02 * (sin(p.x / 5) + sin(p.y / 5 + 1) + sin(p.z / 5 + 2))
                    let e = ((p - SIMD3(0, -5, 10)) / SIMD3(12, 30, 10))
                    let ventricle = (e * e).sum() < 1
                    let eye = [SIMD3<Double>(-30, 82, -35), SIMD3(30, 82, -35)].contains { c in
                        ((p - c) * (p - c)).sum() < 144
                    }
                    let neck = p.z < -40 && p.x * p.x + (p.y + 20) * (p.y + 20) < 55 * 55
                    var value: Double
                    let isBrain = r < 1 + folds
                    if ventricle {
                        value = 90
                    } else if isBrain {
                        value = r < 0.88 + 2 * folds ? 400 : 280
                    } else if r < 1.06 {
                        value = 90
                    } else if r < 1.16 {
                        value = withSkull ? 25 : 0
                    } else if r < 1.27 || neck || eye {
                        value = neck && r >= 1.27 ? 220 : 420
                    } else {
                        value = 0
                    }
                    // A receive field that falls off to one side by a fifth.
                    value *= 1 + 0.1 * p.y / 80
                    if !withSkull && !(isBrain || ventricle) { value = 0 }
                    let index = grid.index(i, j, k)
                    head.image.values[index] =
                        value > 0 || withSkull ? Float(max(0, value + noise * generator.gaussian())) : 0
                    head.brain.values[index] = isBrain || ventricle ? 1 : 0
                }
            }
        }
        return head
    }

    @Test func theBrainOfASyntheticHeadIsFound() throws {
        let head = Self.head()
        let result = try BrainExtraction.mask(of: head.image)
        #expect(!result.wasStripped)
        let overlap = try OverlapMetrics(result.mask, head.brain)
        #expect(overlap.dice > 0.96)
        #expect(abs(result.volumeMillilitres - Double(result.mask.voxels) * 0.008) < 1e-6)
        // Any number of threads, the same mask.
        #expect(try BrainExtraction.mask(of: head.image, threads: 3).mask.values == result.mask.values)
    }

    /// The same head stored along other axes has the same brain.
    @Test func storageOrderDoesNotMatter() throws {
        let head = Self.head()
        let grid = head.image.grid
        let turned = VoxelGrid(
            nx: grid.nz, ny: grid.nx, nz: grid.ny,
            affine: grid.affine * Affine([0, -1, 0, Double(grid.nx - 1)], [0, 0, 1, 0], [1, 0, 0, 0]))
        var image = Volume(grid: turned)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx { image[k, grid.nx - 1 - i, j] = head.image[i, j, k] }
            }
        }
        let direct = try BrainExtraction.mask(of: head.image).mask
        let other = try BrainExtraction.mask(of: image).mask
        var common = 0
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx where direct.values[grid.index(i, j, k)] == 1 {
                    common += Int(other.values[turned.index(k, grid.nx - 1 - i, j)])
                }
            }
        }
        #expect(2 * Double(common) / Double(direct.voxels + other.voxels) > 0.995)
    }

    @Test func aStrippedBrainIsItsOwnMask() throws {
        let head = Self.head(withSkull: false)
        let result = try BrainExtraction.mask(of: head.image)
        #expect(result.wasStripped)
        #expect(try OverlapMetrics(result.mask, head.brain).dice > 0.99)
    }

    @Test func missingValuesAreToleratedAndEmptyImagesRefused() throws {
        var head = Self.head()
        for index in stride(from: 3, to: head.image.values.count, by: 997) { head.image.values[index] = .nan }
        let result = try BrainExtraction.mask(of: head.image)
        #expect(try OverlapMetrics(result.mask, head.brain).dice > 0.95)
        #expect(throws: BrainExtractionError.noHead) {
            try BrainExtraction.mask(of: Volume(grid: head.image.grid))
        }
    }

    /// Real heads. Volumes are what the overlays looked right at, ± 6 %; templates are known to hold about 1.85 l.
    @Test(
        // shared/data/anat and shared/data/templates beside the project
        .enabled(if: SharedData.has("anat") && SharedData.has("templates"), "shared/data/anat is absent"),
        arguments: [
            ("anat/IXI012_T1w_2mm.nii.gz", 1480.0, false), ("templates/MNI152NLin6_2mm_T1w.nii.gz", 1825.0, false),
            ("anat/pair_flash_T1w_brain.nii.gz", 1690.0, true),
        ])
    func realHeadsGiveBrainsOfTheirSize(name: String, millilitres: Double, stripped: Bool) throws {
        let result = try BrainExtraction.mask(of: NIfTIFile.readVolume(SharedData.path(name)))
        #expect(result.wasStripped == stripped)
        #expect(abs(result.volumeMillilitres / millilitres - 1) < 0.06)
    }
}
