import Foundation
import Kernels
import NIfTI
import Radiomics
import Segmentation
import TestSupport
import Testing

@Suite struct LesionComponentsTests {
    private static let hasLesions = SharedData.has("lesion_ms/masks_mni_summary.tsv")

    /// Consensus masks of 29 people with multiple sclerosis, against counts by somebody else's program.
    @Test(.enabled(if: hasLesions)) func countsOfRealLesionsAgree() throws {
        let text = try String(contentsOfFile: SharedData.path("lesion_ms/masks_mni_summary.tsv"), encoding: .utf8)
        let rows = text.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(
            rows[0] == [
                "patient", "voxels", "volume_ml", "components_6", "components_18", "components_26", "largest_26_voxels",
            ])
        var people = 0
        for row in rows.dropFirst() {
            // Two of them lie beside the images that they belong to.
            let file = ["lesion_ms/masks_mni", "lesion_ms/cross_sectional"].map {
                "\($0)/patient\(row[0])_lesion.nii.gz"
            }
            .first(where: SharedData.has)
            guard let file else { continue }
            people += 1
            let labels = try NIfTIFile.readLabelMap(SharedData.path(file))
            for (place, connectivity) in [
                (3, Connectivity.faces), (4, .facesAndEdges), (5, .facesEdgesAndCorners),
            ] {
                let found = try LesionComponents(of: labels, classes: [1], connectivity: connectivity)
                #expect(found.lesions.count == Int(row[place]), "patient \(row[0]), \(connectivity.rawValue)")
                #expect(found.lesions.reduce(0) { $0 + $1.voxels } == Int(row[1]))
                if connectivity == .facesEdgesAndCorners { #expect(found.lesions.first?.voxels == Int(row[6])) }
            }
        }
        #expect(people == 29)
    }

    @Test func numbersFollowClassAndSize() throws {
        let grid = VoxelGrid(nx: 12, ny: 4, nz: 4, affine: .scaling(SIMD3(1, 1, 1)))
        var map = LabelMap(grid: grid)
        func put(_ label: UInt16, _ x: Range<Int>) { for i in x { map.values[grid.index(i, 1, 1)] = label } }
        put(5, 0..<1)
        put(2, 1..<3)
        put(5, 4..<7)
        put(5, 8..<9)
        put(2, 11..<12)
        let found = try LesionComponents(of: map, classes: [5, 2])
        #expect(found.lesions.map(\.label) == [5, 5, 5, 2, 2])
        #expect(found.lesions.map(\.voxels) == [3, 1, 1, 2, 1])
        #expect((0..<12).map { found.map.values[grid.index($0, 1, 1)] } == [2, 4, 4, 0, 1, 1, 1, 0, 3, 0, 0, 5])
        let large = try LesionComponents(of: map, classes: [5], smallestVoxels: 2)
        #expect(large.lesions.count == 1 && large.map.values.filter { $0 > 0 }.count == 3)
    }

    /// A sphere is round, a plate is not.
    @Test func shapesOfKnownBodies() throws {
        let grid = VoxelGrid(nx: 40, ny: 40, nz: 40, affine: .scaling(SIMD3(0.5, 0.5, 0.5)))
        func shape(_ isInside: (SIMD3<Double>) -> Bool) throws -> LesionShape {
            var mask = Mask(grid: grid)
            for k in 0..<40 {
                for j in 0..<40 {
                    for i in 0..<40 where isInside(SIMD3(Double(i), Double(j), Double(k)) - 19.5) {
                        mask.values[grid.index(i, j, k)] = 1
                    }
                }
            }
            return LesionShape(try #require(try RegionImage(Volume(grid: grid), mask: mask)))
        }
        let sphere = try shape { ($0 * $0).sum() < 15 * 15 }
        #expect(sphere.sphericity > 0.9 && sphere.sphericity <= 1)
        let (elongation, flatness) = (try #require(sphere.elongation), try #require(sphere.flatness))
        #expect(abs(elongation - 1) < 0.01 && abs(flatness - 1) < 0.01)
        #expect(abs(sphere.equivalentDiameterMillimetres - 15) < 0.1)
        let plate = try shape { abs($0.x) < 16 && abs($0.y) < 8 && abs($0.z) < 2 }
        #expect(plate.sphericity < 0.7)
        #expect(abs(try #require(plate.elongation) - 0.5) < 0.02)
        #expect(abs(try #require(plate.flatness) - 0.12) < 0.02)
        let dot = try shape { ($0 - 0.5).x == 0 && ($0 - 0.5).y == 0 && ($0 - 0.5).z == 0 }
        #expect(dot.elongation == nil && dot.flatness == nil && dot.sphericity > 0.5)
    }

    /// The 95th percentile of one direction alone is not that of both pooled.
    @Test func percentilesOfEachDirection() throws {
        let grid = VoxelGrid(nx: 60, ny: 3, nz: 3, affine: .scaling(SIMD3(1, 1, 1)))
        func mask(_ x: [Range<Int>]) -> Mask {
            var mask = Mask(grid: grid)
            for range in x { for i in range { mask.values[grid.index(i, 1, 1)] = 1 } }
            return mask
        }
        // Ten voxels in common; one side has ten more, up to 10 mm away.
        let found = try #require(try SurfaceDistances.between(mask([0..<20]), mask([0..<10])))
        #expect(found.largest == 10)
        // Forwards 0 × 10, 1 … 10: rank 18.05 of 0 … 19; pooled with ten more zeros: rank 27.55 of 0 … 29.
        #expect(abs(found.largerPercentile95 - 9.05) < 1e-5)
        #expect(abs(found.percentile95 - 8.55) < 1e-5)
        #expect(abs(found.mean - 55.0 / 30) < 1e-6)
    }
}
