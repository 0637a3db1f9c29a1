import Kernels
import Radiomics
import TestSupport
import Testing

@Suite struct ResamplingTests {
    @Test func gridsShareTheirCentre() {
        let grid = VoxelGrid(
            nx: 10, ny: 11, nz: 7, affine: .translation(SIMD3(5, -3, 2)) * .scaling(SIMD3(0.7, 1, 3)))
        let target = GridResampling(of: grid, toSpacingMillimetres: (2, 2, 2)).target
        #expect([target.nx, target.ny, target.nz] == [4, 6, 11])
        let shift = target.centre - grid.centre
        #expect((shift * shift).sum() < 1e-18)
        #expect(abs(target.spacingMillimetres.z - 2) < 1e-12)
        // A whole ratio gives whole numbers, also where it is not exact in floating point.
        let thirds = VoxelGrid(nx: 9, ny: 9, nz: 9, affine: .scaling(SIMD3(0.1, 0.1, 0.1)))
        #expect(GridResampling(of: thirds, toSpacingMillimetres: (0.3, 0.3, nil)).target.nx == 3)
    }

    /// A linear image stays linear, but for the ends, with either interpolation; splines go through the values.
    @Test(arguments: [GridResampling.Interpolation.trilinear, .tricubic])
    func linearImagesStayLinear(_ interpolation: GridResampling.Interpolation) {
        let grid = TestRegions.grid(30, 12, 9, spacing: SIMD3(1, 2, 1.5))
        var image = Volume(grid: grid)
        for n in image.values.indices { image.values[n] = Float(n % 30) }
        let resampling = GridResampling(of: grid, toSpacingMillimetres: (0.8, 1, 1))
        let result = resampling.image(image, interpolation)
        let (j, k) = (resampling.target.ny / 2, resampling.target.nz / 2)
        for i in 12..<25 {
            let x = resampling.target.affine(SIMD3(Double(i), 0, 0)).x
            #expect(abs(Double(result[i, j, k]) - x) < (interpolation == .trilinear ? 1e-5 : 1e-3), "at \(i)")
        }
        let same = GridResampling(of: grid, toSpacingMillimetres: (nil, nil, nil)).image(image, interpolation)
        for n in image.values.indices { #expect(abs(same.values[n] - image.values[n]) < 1e-4) }
    }

    @Test func regionsKeepWhatIsHalfInside() throws {
        let grid = TestRegions.grid(8, 8, 8)
        var labels = LabelMap(grid: grid)
        for k in 2..<6 { for j in 2..<6 { for i in 2..<6 { labels.values[grid.index(i, j, k)] = i < 4 ? 3 : 7 } } }
        let resampling = GridResampling(of: grid, toSpacingMillimetres: (0.5, 0.5, 0.5))
        let image = resampling.image(Volume(grid: grid, filledWith: 2), .trilinear)
        let boxes = RegionBox.all(of: labels)
        #expect(boxes.keys.sorted() == [3, 7])
        let box = try #require(boxes[3])
        let region = try #require(resampling.region(3, of: labels, in: box, image: image))
        // Two by four by four voxels of 1 mm³, less the rounded edges.
        let volume = Double(region.voxels.count) / 8
        #expect(volume > 26 && volume <= 32)
        #expect(region.intensities.allSatisfy { $0 == 2 })
    }

    @Test func outliersAreCutAfterTheRange() throws {
        var image = Volume(grid: TestRegions.grid(100, 1, 1))
        for n in 0..<100 { image.values[n] = Float(n % 10) }
        image.values[0] = 1000
        image.values[1] = 30
        let region = try #require(try RegionImage(image, mask: Mask(grid: image.grid, filledWith: 1)))
        var both = region
        Resegmentation(range: -10...100, outlierDeviations: 3).apply(to: &both)
        #expect(both.intensities.max() == 9)
        var outliers = region
        Resegmentation(outlierDeviations: 3).apply(to: &outliers)
        #expect(outliers.intensities.max() == 30)
        #expect(both.morphologicalVoxels.count == 100)
    }
}
