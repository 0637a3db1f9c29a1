import Foundation
import Kernels
import NIfTI
import Radiomics
import Testing

/// Against the reference response maps of the IBSI, second part, phase 1 (reference manual arXiv 2006.05470).
@Suite(.enabled(if: ReferenceData.has("ibsi2_filters"), "shared/data/radiomics/ibsi2_filters is absent"))
struct FilterConformanceTests {
    /// A response map and the filter that makes it of a phantom with voxels of 2 mm.
    struct MapCase: Sendable, CustomTestStringConvertible {
        var identifier: String
        var phantom: String
        var filter: any SingleFilter
        var testDescription: String { "response map \(identifier): \(filter.name) of the \(phantom)" }

        private init(_ identifier: String, _ phantom: String, _ filter: any SingleFilter) {
            (self.identifier, self.phantom, self.filter) = (identifier, phantom, filter)
        }

        static let all: [MapCase] = [
            MapCase("1.a.1", "checkerboard", MeanFilter(support: 15, dimensions: .volume, edge: .zero)),
            MapCase("1.a.2", "checkerboard", MeanFilter(support: 15, dimensions: .volume, edge: .nearest)),
            MapCase("1.a.3", "checkerboard", MeanFilter(support: 15, dimensions: .volume, edge: .periodic)),
            MapCase("1.a.4", "checkerboard", MeanFilter(support: 15, dimensions: .volume, edge: .mirror)),
            MapCase("1.b.1", "impulse", MeanFilter(support: 15, dimensions: .slice, edge: .zero)),
            MapCase("2.a", "impulse", LaplacianOfGaussian(sigmaMillimetres: 3, dimensions: .volume, edge: .zero)),
            MapCase(
                "2.b", "checkerboard", LaplacianOfGaussian(sigmaMillimetres: 5, dimensions: .volume, edge: .mirror)),
            MapCase("2.c", "checkerboard", LaplacianOfGaussian(sigmaMillimetres: 5, dimensions: .slice, edge: .mirror)),
            MapCase("3.a.1", "impulse", LawsFilter([.E5, .L5, .S5], edge: .zero)),
            MapCase("3.b.1", "checkerboard", LawsFilter([.E3, .W5, .R5], edge: .mirror)),
            MapCase("5.a.1", "impulse", OneBand(WaveletFilter(.db2, bands: ["LHL"], edge: .zero))),
            MapCase("6.a.1", "sphere", OneBand(WaveletFilter(.coif1, bands: ["HHL"], edge: .periodic))),
            MapCase(
                "7.a.1", "checkerboard",
                OneBand(WaveletFilter(.haar, bands: ["LLL"], level: 2, rotations: .mean, edge: .mirror))),
        ]
    }

    @Test(arguments: MapCase.all)
    func responseMapsAgree(_ map: MapCase) throws {
        let image = try NIfTIFile.readVolume(ReferenceData.path("ibsi2_filters/\(map.phantom).nii.gz"))
        let file = "ibsi2_filters/response_\(map.identifier.replacing(".", with: "_")).nii.gz"
        let reference = try NIfTIFile.readVolume(ReferenceData.path(file))
        let found = map.filter.response(of: image, threads: 2)
        #expect(found.grid.matches(reference.grid))
        let lowest = try #require(reference.values.min())
        let highest = try #require(reference.values.max())
        let worst = zip(found.values, reference.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        // A map of one value (1.a.3) leaves no tolerance but rounding.
        let tolerance = max(0.01 * (highest - lowest), 1e-6 * abs(highest))
        #expect(worst <= tolerance, "map \(map.identifier) is off by \(worst) in a range of \(highest - lowest)")
        #expect(found.values.allSatisfy { $0.isFinite })
    }

    /// No map that is there is left out.
    @Test func everyResponseMapIsCompared() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: ReferenceData.path("ibsi2_filters"))
            .filter { $0.hasPrefix("response_") }
        let compared = MapCase.all.map { "response_\($0.identifier.replacing(".", with: "_")).nii.gz" }
        #expect(Set(files) == Set(compared))
    }
}

/// A filter of one sub-band.
struct OneBand: SingleFilter {
    let filter: WaveletFilter
    var name: String { filter.names[0] }

    init(_ filter: WaveletFilter) {
        precondition(filter.bands.count == 1)
        self.filter = filter
    }

    func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) { filter.reach(spacing) }

    func response(of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int) -> FilterImage {
        var result = image
        filter.forEachResponse(of: image, spacingMillimetres: spacing, threads: threads) { result = $1 }
        return result
    }
}

/// Against the reference feature values of the IBSI, second part, phase 2: intensity statistics of the CT phantom after
/// filtering. Configurations A work in slices on the image as it is, B in the volume after interpolation to 1 mm.
@Suite(
    .enabled(
        if: ReferenceData.has("ibsi2_filters") && ReferenceData.has("ibsi1_ct_phantom_NC"),
        "shared/data/radiomics/ibsi2_filters or ibsi1_ct_phantom_NC is absent"))
struct FilteredFeatureTests {
    struct Configuration: Sendable, CustomTestStringConvertible {
        var identifier: String
        /// nil: no filter.
        var filter: (any SingleFilter)?
        /// Features with a published value.
        var expected = 18
        var testDescription: String { "configuration \(identifier): \(filter?.name ?? "no filter")" }

        static func gabor(_ dimensions: FilterDimensions) -> GaborFilter {
            GaborFilter(
                sigmaMillimetres: 5, wavelengthMillimetres: 2, ellipticity: 1.5,
                orientations: GaborFilter.orientations(step: .pi / 8), dimensions: dimensions)
        }

        static let all = [
            Configuration(identifier: "1.A"), Configuration(identifier: "1.B"),
            Configuration(identifier: "2.A", filter: MeanFilter(support: 5, dimensions: .slice)),
            Configuration(identifier: "2.B", filter: MeanFilter(support: 5, dimensions: .volume)),
            Configuration(identifier: "3.A", filter: LaplacianOfGaussian(sigmaMillimetres: 1.5, dimensions: .slice)),
            Configuration(identifier: "3.B", filter: LaplacianOfGaussian(sigmaMillimetres: 1.5, dimensions: .volume)),
            Configuration(identifier: "4.A", filter: LawsFilter([.L5, .E5], rotations: .max, energyDistance: 7)),
            Configuration(identifier: "4.B", filter: LawsFilter([.L5, .E5, .E5], rotations: .max, energyDistance: 7)),
            Configuration(identifier: "5.A", filter: gabor(.slice)),
            Configuration(identifier: "5.B", filter: gabor(.volume)),
            Configuration(
                identifier: "6.A", filter: OneBand(WaveletFilter(.db3, bands: ["LH"], rotations: .mean))),
            Configuration(
                identifier: "6.B", filter: OneBand(WaveletFilter(.db3, bands: ["LLH"], rotations: .mean))),
            Configuration(
                identifier: "7.A", filter: OneBand(WaveletFilter(.db3, bands: ["HH"], level: 2, rotations: .mean))),
            Configuration(
                identifier: "7.B", filter: OneBand(WaveletFilter(.db3, bands: ["HHH"], level: 2, rotations: .mean))),
            Configuration(identifier: "8.A", filter: RadialWavelet(.simoncelli, level: 1, dimensions: .slice)),
            Configuration(
                identifier: "8.B", filter: RadialWavelet(.simoncelli, level: 1, dimensions: .volume), expected: 17),
            Configuration(identifier: "9.A", filter: RadialWavelet(.simoncelli, level: 2, dimensions: .slice)),
            Configuration(identifier: "9.B", filter: RadialWavelet(.simoncelli, level: 2, dimensions: .volume)),
        ]
    }

    /// The phantom and its region, resegmented, before and after interpolation; read and interpolated once.
    private static let phantom: (slices: (Volume, RegionImage), volume: (Volume, RegionImage))? = try? {
        let image = try NIfTIFile.readVolume(ReferenceData.path("ibsi1_ct_phantom_NC/image.nii.gz"))
        let mask = try NIfTIFile.readMask(ReferenceData.path("ibsi1_ct_phantom_NC/mask.nii.gz"))
        let labels = LabelMap(grid: mask.grid, values: mask.values.map(UInt16.init))
        let resampling = GridResampling(of: image.grid, toSpacingMillimetres: (1, 1, 1))
        let fine = resampling.image(image, .tricubic, rounded: true)
        guard let box = RegionBox.all(of: labels)[1], var region = try RegionImage(image, mask: mask),
            var fineRegion = resampling.region(1, of: labels, in: box, image: fine)
        else { return nil }
        let resegmentation = Resegmentation(range: -1000...400)
        resegmentation.apply(to: &region)
        resegmentation.apply(to: &fineRegion)
        return ((image, region), (fine, fineRegion))
    }()

    @Test(arguments: Configuration.all)
    func featuresAgree(_ configuration: Configuration) throws {
        let phantom = try #require(Self.phantom)
        let (image, whole) = configuration.identifier.hasSuffix("A") ? phantom.slices : phantom.volume
        var region = whole
        if let filter = configuration.filter {
            let box = RegionBox(lower: region.lower &+ 1, upper: region.lower &+ region.size &- 1)
            filter.forEachResponse(of: image, in: box, threads: 2) { _, map in
                region = whole.replacingValues(map.values(around: whole))
            }
        }
        let features = IBSIFeatures(families: [.intensity], discretisation: .fixedNumber(32))
        let found = Dictionary(
            uniqueKeysWithValues: try features.measure(region, in: image).map { ($0.name, $0.value ?? .nan) })
        var compared = 0
        for line in try ReferenceData.lines("ibsi2_filters/reference_feature_values.csv").dropFirst() {
            let cells = line.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
            guard cells[0] == configuration.identifier, let value = Double(cells[3]), let tolerance = Double(cells[4])
            else { continue }
            let reference = ReferenceValue(tag: cells[2], value: value, tolerance: tolerance)
            let measured = try #require(found[cells[2]])
            #expect(
                reference.admits(measured),
                "\(configuration.identifier): \(cells[2]) is \(measured), published \(value) ± \(tolerance)")
            compared += 1
        }
        #expect(compared == configuration.expected)
    }
}
