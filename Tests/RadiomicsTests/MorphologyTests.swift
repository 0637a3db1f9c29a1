import Foundation
import Kernels
import Radiomics
import TestSupport
import Testing

@Suite struct MorphologyTests {
    private func feature(_ tag: String, _ region: RegionImage) throws -> Double {
        MorphologicalFeatures.measure(region)[try #require(MorphologicalFeatures.tags.firstIndex(of: tag))]
    }

    /// A fine ball against its closed form. Its surface lies half a voxel beyond the outermost voxel centres, and steps where
    /// a sphere is round: lengths are up to a voxel of 1.2 mm longer on both sides, and the area is some 8 % too large.
    @Test func aBallMeasuresAsABall() throws {
        let radius = 20.0
        let reach = 1.2
        let (image, mask) = try TestRegions.ball(radius: radius, spacing: SIMD3(0.8, 1, reach))
        let region = try #require(try RegionImage(image, mask: mask))
        let volume = 4 / 3 * Double.pi * pow(radius, 3)
        #expect(abs(try feature("morph_volume", region) / volume - 1) < 0.015)
        #expect(abs(try feature("morph_vol_approx", region) / volume - 1) < 0.01)
        let sphericity = try feature("morph_sphericity", region)
        #expect(sphericity > 0.88 && sphericity < 1)
        let diameter = try feature("morph_diam", region)
        #expect(diameter > 2 * radius - reach && diameter < 2 * (radius + reach))
        // The variance of a full ball along any axis is r² / 5.
        let axis = 4 * radius / 5.0.squareRoot()
        for tag in ["morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis"] {
            #expect(abs(try feature(tag, region) / axis - 1) < 0.01, "\(tag)")
        }
        let hull = try feature("morph_vol_dens_conv_hull", region)
        #expect(hull > 0.9 && hull <= 1)
        let box = try feature("morph_vol_dens_aabb", region)
        let smallest = Double.pi / 6 * pow(radius / (radius + reach), 3) * 0.985
        #expect(box > smallest && box < Double.pi / 6 * 1.05)
    }

    /// A box of voxels: flat faces, cut edges and corners, all known.
    @Test func aBoxOfVoxelsHasKnownVolumeAreaAndHull() throws {
        let grid = TestRegions.grid(6, 7, 8)
        var mask = Mask(grid: grid)
        for k in 2..<6 { for j in 2..<5 { for i in 1..<3 { mask.values[grid.index(i, j, k)] = 1 } } }
        let region = try #require(try RegionImage(Volume(grid: grid, filledWith: 1), mask: mask))
        #expect(abs(try feature("morph_vol_dens_conv_hull", region) - 1) < 1e-12)
        #expect(abs(try feature("morph_area_dens_conv_hull", region) - 1) < 1e-12)
        // Edges between the corners: four each of 1, 2 and 3 mm.
        let edges = 24.0
        // Less a prism of 1/8 along these, and 1/8 − 1/48 at each corner.
        let volume: Double = 24 - edges / 8 - 8 * 5 / 48
        #expect(abs(try feature("morph_volume", region) - volume) < 1e-12)
        // Faces of (n − 1) × (m − 1), cut edges of width √½, and a triangle of side √½ at each corner.
        let faces = 22.0
        let triangle = 3.0.squareRoot() / 8
        let area: Double = faces + edges * 0.5.squareRoot() + 8 * triangle
        #expect(abs(try feature("morph_area_mesh", region) - area) < 1e-12)
    }

    /// Both conventions enclose the same surface where no two corners meet across a face; every closed surface encloses
    /// the volume that the triangles of any other origin give.
    @Test func surfacesAreClosed() throws {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<50 {
            let region = try TestRegions.random(&generator, levels: 2, filled: 0.5)
            let mesh = SurfaceMesh(region)
            // The same region elsewhere: a surface with holes would change its volume.
            let grid = TestRegions.grid(
                region.size.x + 3, region.size.y + 2, region.size.z + 4, spacing: region.spacingMillimetres)
            var mask = Mask(grid: grid)
            for k in 0..<region.size.z {
                for j in 0..<region.size.y {
                    for i in 0..<region.size.x {
                        mask.values[grid.index(i + 2, j + 1, k + 3)] =
                            region.morphologicalMask[i + region.size.x * (j + region.size.y * k)]
                    }
                }
            }
            // Two distant voxels make the box begin elsewhere; what they add is known from a voxel alone.
            mask.values[0] = 1
            let moved = SurfaceMesh(try #require(try RegionImage(Volume(grid: grid), mask: mask)))
            let single = region.voxelVolumeCubicMillimetres / 6
            #expect(
                abs(moved.volumeCubicMillimetres - mesh.volumeCubicMillimetres - single) < 1e-9,
                "seed \(generator.seed)")
        }
    }

    @Test func hullsOfRandomPointsHoldAllOfThem() throws {
        var generator = SeededGenerator(seed: 6)
        for round in 0..<30 {
            let edge = round % 2 == 0 ? 4 : 40
            let points = (0..<60).map { _ in
                SIMD3(
                    Int.random(in: 0...edge, using: &generator), Int.random(in: 0...edge, using: &generator),
                    Int.random(in: 0...edge, using: &generator))
            }
            let hull = ConvexHull(points)
            for (a, b, c) in hull.triangles {
                let (u, v) = (b &- a, c &- a)
                let normal = SIMD3(u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x)
                for point in points {
                    let d = point &- a
                    #expect(d.x * normal.x + d.y * normal.y + d.z * normal.z <= 0, "seed \(generator.seed)")
                }
            }
            // Euler: a closed surface of triangles has 2 v − 4 of them.
            #expect(hull.triangles.count == 2 * hull.corners.count - 4)
            #expect(Set(hull.corners).isSubset(of: Set(points)))
            var farthest = 0
            for a in points {
                for b in points {
                    let d = a &- b
                    farthest = max(farthest, d.x * d.x + d.y * d.y + d.z * d.z)
                }
            }
            let diameter = ConvexHull.diameter(of: points, scale: SIMD3(2, 2, 2))
            #expect(abs(diameter - 2 * Double(farthest).squareRoot()) < 1e-9)
        }
        #expect(ConvexHull([SIMD3(0, 0, 0), SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(1, 1, 0)]).triangles.isEmpty)
    }

    /// Pair by pair, against the transform that large regions use.
    @Test func autocorrelationIsTheSameBothWays() throws {
        let (image, mask) = try TestRegions.ball(radius: 5, spacing: SIMD3(0.9, 1, 1.3), seed: 9)
        let region = try #require(try RegionImage(image, mask: mask))
        let pairs = SpatialAutocorrelation.measure(region, region.voxels, direct: true)
        let transformed = SpatialAutocorrelation.measure(region, region.voxels, direct: false)
        #expect(abs(pairs.moran - transformed.moran) < 1e-12)
        #expect(abs(pairs.geary - transformed.geary) < 1e-12)
    }
}
