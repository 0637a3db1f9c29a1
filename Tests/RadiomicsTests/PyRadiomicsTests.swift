import Kernels
import NIfTI
import Radiomics
import Testing

/// Against the baselines that PyRadiomics tests itself with.
@Suite(.enabled(if: ReferenceData.has("pyradiomics"), "shared/data/radiomics/pyradiomics is absent"))
struct PyRadiomicsTests {
    struct Baseline: Sendable, CustomTestStringConvertible {
        var image: String
        /// Column of the baselines.
        var column: String
        var features: PyRadiomicsFeatures
        var outlierDeviations: Double?
        var testDescription: String { column }

        static let all = ["brain1", "breast1"].flatMap { image in
            [
                Baseline(image: image, column: image, features: PyRadiomicsFeatures(energyShift: 2000)),
                Baseline(
                    image: image, column: image + "_FBN",
                    features: PyRadiomicsFeatures(
                        classes: [.glcm, .glrlm, .glszm, .gldm, .ngtdm], discretisation: .fixedNumber(64))),
                Baseline(
                    image: image, column: image + "_resegmentation",
                    features: PyRadiomicsFeatures(classes: [.firstorder, .glcm, .glrlm, .glszm, .gldm, .ngtdm]),
                    outlierDeviations: 3),
            ]
        }
    }

    /// The baseline of these is from another surface than that of PyRadiomics 3.0.1, which gives the values here.
    static let ofVersion301 = [
        "brain1 original_shape_MeshVolume": 16147.511800130209, "brain1 original_shape_SurfaceArea": 6438.821603779402,
        "brain1 original_shape_SurfaceVolumeRatio": 0.39875007886524544,
        "brain1 original_shape_Sphericity": 0.4798234536231475,
    ]

    @Test(arguments: Baseline.all)
    func baselinesAgree(_ baseline: Baseline) throws {
        let image = try NIfTIFile.readVolume(ReferenceData.path("pyradiomics/\(baseline.image)_image.nii.gz"))
        let labels = try NIfTIFile.readLabelMap(ReferenceData.path("pyradiomics/\(baseline.image)_label.nii.gz"))
        let box = try #require(RegionBox.all(of: labels)[1])
        var region = RegionImage(image, box: box) { labels.values[$0] == 1 }
        Resegmentation(outlierDeviations: baseline.outlierDeviations).apply(to: &region)
        let found = try baseline.features.measure(region, image: "original")
        #expect(found.map(\.name) == baseline.features.names(image: "original"))
        var compared = 0
        for feature in found {
            let featureClass = feature.name.split(separator: "_")[1]
            let table = try Self.baseline("pyradiomics/baseline_\(featureClass).csv", column: baseline.column)
            // Baselines may name fewer features than there are.
            guard let published = table[feature.name] else { continue }
            let expected = Self.ofVersion301["\(baseline.column) \(feature.name)"] ?? published
            let value = feature.value ?? .nan
            let difference = abs(value - expected)
            #expect(difference <= 1e-6 * abs(expected), "\(feature.name) is \(value), PyRadiomics has \(expected)")
            #expect(abs(value - published) <= 1e-3 * abs(published), "\(feature.name)")
            compared += 1
        }
        #expect(compared == found.count)
    }

    /// Features of one column. Cells may be quoted and then hold commas.
    private static func baseline(_ file: String, column: String) throws -> [String: Double] {
        func cells(_ line: String) -> [String] {
            var (result, isQuoted) = ([""], false)
            for character in line {
                if character == "\"" {
                    isQuoted.toggle()
                } else if character == ",", !isQuoted {
                    result.append("")
                } else {
                    result[result.count - 1].append(character)
                }
            }
            return result
        }
        let lines = try ReferenceData.lines(file)
        let place = try #require(cells(lines[0]).firstIndex(of: column), "\(file) has no column \(column)")
        var result: [String: Double] = [:]
        for line in lines where line.hasPrefix("original_") {
            let row = cells(line)
            result[row[0]] = Double(row[place])
        }
        return result
    }
}

@Suite struct PyRadiomicsNamesTests {
    @Test func classesHaveTheirFeatures() {
        let features = PyRadiomicsFeatures()
        let counts = PyRadiomicsFeatures.FeatureClass.allCases.map { features.names(of: $0).count }
        #expect(counts == [14, 18, 24, 16, 16, 14, 5])
        // Those of the table, but for deprecated ones and those of PyRadiomics alone.
        let named = Set(FeatureTable.definitions.compactMap(\.pyRadiomics))
        let ours = Set(PyRadiomicsFeatures.FeatureClass.allCases.flatMap { features.names(of: $0) })
        #expect(
            named.subtracting(ours) == ["shape_Compactness1", "shape_Compactness2", "shape_SphericalDisproportion"])
        // Where PyRadiomics is said to have no name there is nothing to differ.
        #expect(FeatureTable.definitions.allSatisfy { $0.pyRadiomics != nil || $0.pyRadiomicsDifference == nil })
        #expect(ours.subtracting(named) == Set(FeatureTable.pyRadiomicsOnly.map(\.name)))
    }

    /// A row of three voxels and one apart. Values are those of PyRadiomics 3.0.1.
    @Test func voxelsWithoutNeighboursCountInToneDifferences() throws {
        var image = Volume(grid: TestRegions.grid(9, 5, 5))
        var mask = Mask(grid: image.grid)
        for (i, value) in [(1, 30), (2, 60), (3, 90), (7, 95)] as [(Int, Float)] {
            image[i, 2, 2] = value
            mask.values[image.grid.index(i, 2, 2)] = 1
        }
        let region = try #require(try RegionImage(image, mask: mask))
        let found = try PyRadiomicsFeatures(classes: [.ngtdm]).measure(region, image: "original").compactMap(\.value)
        let expected = [0.15, 4.0 / 3, 1.5833333333333333, 0.11458333333333333, 4.25]
        #expect(found.count == expected.count)
        for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-12) }
    }

    /// Runs count along directions in which two voxels share a line, also with a gap. Values are those of PyRadiomics 3.0.1.
    @Test func runsCountWhereVoxelsShareALine() throws {
        func percentage(_ voxels: [SIMD3<Int>]) throws -> FeatureValue {
            let grid = TestRegions.grid(7, 7, 7)
            var mask = Mask(grid: grid)
            for voxel in voxels { mask.values[grid.index(voxel.x, voxel.y, voxel.z)] = 1 }
            let region = try #require(try RegionImage(Volume(grid: grid, filledWith: 30), mask: mask))
            let found = try PyRadiomicsFeatures(classes: [.glrlm]).measure(region, image: "original")
            return try #require(found.first { $0.name == "original_glrlm_RunPercentage" })
        }
        #expect(try percentage([SIMD3(1, 3, 3), SIMD3(3, 3, 3)]).value == 1)
        #expect(try percentage([SIMD3(1, 3, 3), SIMD3(2, 3, 3)]).value == 0.5)
        #expect(try percentage([SIMD3(1, 1, 1), SIMD3(3, 3, 3)]).value == 1)
        // Along the row 2 runs of 3 voxels, along the column 3.
        let corner = try percentage([SIMD3(1, 3, 3), SIMD3(2, 3, 3), SIMD3(2, 5, 3)]).value ?? .nan
        #expect(abs(corner - 5.0 / 6) < 1e-12)
        #expect(try percentage([SIMD3(1, 1, 1), SIMD3(1, 3, 2)]).missing == .noNeighbours)
        #expect(try percentage([SIMD3(1, 1, 1)]).missing == .singleVoxel)
    }

    /// Two by two voxels, three of one level: 1/3 along rows and columns, 1 and 0 along the diagonals.
    @Test func directionsOfOneLevelHaveNoMaximalCorrelation() throws {
        var image = Volume(grid: TestRegions.grid(2, 2, 1), filledWith: 10)
        image.values[3] = 30
        let region = try #require(try RegionImage(image, mask: Mask(grid: image.grid, filledWith: 1)))
        let found = try PyRadiomicsFeatures(classes: [.glcm]).measure(region, image: "original")
        let value = try #require(found.first { $0.name == "original_glcm_MCC" }?.value)
        #expect(abs(value - 5.0 / 12) < 1e-9)
    }

    /// PyRadiomics gives numbers for a region of equal values; a single voxel has no texture and no axes.
    @Test func degenerateRegionsSayWhatIsMissing() throws {
        let grid = TestRegions.grid(5, 5, 5)
        var mask = Mask(grid: grid)
        for n in [62, 63, 67] { mask.values[n] = 1 }
        let flat = try #require(try RegionImage(Volume(grid: grid, filledWith: 7), mask: mask))
        let found = try PyRadiomicsFeatures().measure(flat, image: "original")
        let values = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0) })
        #expect(values["original_glcm_Correlation"]?.value == 1)
        #expect(values["original_glcm_MCC"]?.value == 1)
        #expect(values["original_firstorder_Kurtosis"]?.value == 0)
        #expect(values["original_ngtdm_Coarseness"]?.value == 1e6)
        #expect(found.allSatisfy { ($0.value == nil) == ($0.missing != nil) && $0.value?.isFinite != false })

        var single = Mask(grid: grid)
        single.values[62] = 1
        let voxel = try #require(try RegionImage(Volume(grid: grid, filledWith: 7), mask: single))
        let lone = try PyRadiomicsFeatures().measure(voxel, image: "original")
        #expect(lone.first { $0.name == "original_glcm_Contrast" }?.missing == .singleVoxel)
        #expect(lone.first { $0.name == "original_shape_Elongation" }?.missing == .singleVoxel)
        #expect(lone.first { $0.name == "original_firstorder_Mean" }?.value == 7)
        let volume = try #require(lone.first { $0.name == "original_shape_MeshVolume" }?.value)
        #expect(abs(volume - 1.0 / 6) < 1e-12)

        var nothing = Volume(grid: grid, filledWith: .nan)
        nothing.values[0] = 1
        let empty = try #require(try RegionImage(nothing, mask: single))
        let ibsi = IBSIFeatures(discretisation: .fixedNumber(8), aggregations: TextureAggregation.allCases)
        for feature in try ibsi.measure(empty, in: nothing) where !feature.name.hasPrefix("morph_") {
            #expect(feature.missing == .noVoxels, "\(feature.name)")
        }
        let statistics = try ibsi.measure(flat, in: Volume(grid: grid, filledWith: 7))
        #expect(statistics.map(\.name) == ibsi.names)
        #expect(statistics.first { $0.name == "stat_skew" }?.missing == .equalValues)
        #expect(statistics.allSatisfy { ($0.value == nil) == ($0.missing != nil) })
    }
}
