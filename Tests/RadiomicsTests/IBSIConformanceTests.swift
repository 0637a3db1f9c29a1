import Kernels
import NIfTI
import Radiomics
import Testing

/// Against the reference values of the IBSI, first part (Zwanenburg et al., Radiology 295 (2020) 328–338).
@Suite struct IBSIConformanceTests {
    /// Features of the reference files that are not measured here: nobody agreed on a value for them.
    static let notImplemented: Set<String> = [
        "morph_vol_dens_ombb", "morph_area_dens_ombb", "morph_vol_dens_mvee", "morph_area_dens_mvee", "ivh_auc",
    ]

    @Test(
        .enabled(
            if: ReferenceData.has("ibsi1_digital_phantom"), "shared/data/radiomics/ibsi1_digital_phantom is absent"))
    func digitalPhantom() throws {
        let folder = "ibsi1_digital_phantom/"
        let image = try NIfTIFile.readVolume(ReferenceData.path(folder + "image.nii.gz"))
        let mask = try NIfTIFile.readMask(ReferenceData.path(folder + "mask.nii.gz"))
        let features = IBSIFeatures(
            discretisation: .none, volumeHistogram: .whole(range: nil), aggregations: TextureAggregation.allCases)
        let region = try #require(try RegionImage(image, mask: mask))
        try compare(try features.measure(region, in: image), folder + "reference_values.csv", expecting: 482)
    }

    /// The five ways of processing the CT image: interpolation, resegmentation and discretisation of the manual, chapter 5.
    struct Configuration: Sendable, CustomTestStringConvertible {
        var name: String
        var spacing: (x: Double?, y: Double?, z: Double?)?
        var interpolation = GridResampling.Interpolation.trilinear
        var features: IBSIFeatures
        var expected: Int
        var testDescription: String { name }

        static let flat: [TextureAggregation] = [
            .slicesAndDirectionsAveraged, .slicesAveraged, .flatDirectionsAveraged, .flatMerged,
        ]
        static let solid: [TextureAggregation] = [.directionsAveraged, .merged]
        static let all = [
            Configuration(
                name: "a", spacing: nil,
                features: IBSIFeatures(
                    resegmentation: Resegmentation(range: -500...400), discretisation: .fixedSize(25, minimum: -500),
                    volumeHistogram: .whole(range: -500...400), aggregations: flat), expected: 346),
            Configuration(
                name: "b", spacing: (2, 2, nil),
                features: IBSIFeatures(
                    resegmentation: Resegmentation(range: -500...400), discretisation: .fixedNumber(32),
                    volumeHistogram: .whole(range: -500...400), aggregations: flat), expected: 346),
            Configuration(
                name: "c", spacing: (2, 2, 2),
                features: IBSIFeatures(
                    resegmentation: Resegmentation(range: -1000...400), discretisation: .fixedSize(25, minimum: -1000),
                    volumeHistogram: .fixedSize(2.5, range: -1000...400), aggregations: solid), expected: 210),
            Configuration(
                name: "d", spacing: (2, 2, 2),
                features: IBSIFeatures(
                    resegmentation: Resegmentation(outlierDeviations: 3), discretisation: .fixedNumber(32),
                    volumeHistogram: .whole(range: nil), aggregations: solid), expected: 210),
            Configuration(
                name: "e", spacing: (2, 2, 2), interpolation: .tricubic,
                features: IBSIFeatures(
                    resegmentation: Resegmentation(range: -1000...400, outlierDeviations: 3),
                    discretisation: .fixedNumber(32), volumeHistogram: .fixedNumber(1000), aggregations: solid),
                expected: 210),
        ]
    }

    @Test(
        .enabled(if: ReferenceData.has("ibsi1_ct_phantom_NC"), "shared/data/radiomics/ibsi1_ct_phantom_NC is absent"),
        arguments: Configuration.all)
    func phantomOfComputedTomography(_ configuration: Configuration) throws {
        let folder = "ibsi1_ct_phantom_NC/"
        var image = try NIfTIFile.readVolume(ReferenceData.path(folder + "image.nii.gz"))
        let mask = try NIfTIFile.readMask(ReferenceData.path(folder + "mask.nii.gz"))
        var region = try RegionImage(image, mask: mask)
        if let spacing = configuration.spacing {
            let resampling = GridResampling(of: image.grid, toSpacingMillimetres: spacing)
            image = resampling.image(image, configuration.interpolation, rounded: true)
            let labels = LabelMap(grid: mask.grid, values: mask.values.map(UInt16.init))
            let box = try #require(RegionBox.all(of: labels)[1])
            region = resampling.region(1, of: labels, in: box, image: image)
        }
        let cut = try #require(region)
        let found = try configuration.features.measure(cut, in: image)
        let file = folder + "reference_values_config_\(configuration.name).csv"
        try compare(found, file, expecting: configuration.expected)
        try compareImages(image, cut, configuration, file)
    }

    /// Every feature with a published value is measured, or in the list above; every one measured agrees.
    private func compare(_ found: [FeatureValue], _ file: String, expecting count: Int) throws {
        let (reference, withoutValue) = try ReferenceValue.read(file)
        let values = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.value) })
        #expect(Set(withoutValue).subtracting([""]).isSubset(of: Self.notImplemented))
        var compared = 0
        for entry in reference where !Self.isOfImage(entry.tag) {
            let measured = try #require(values[entry.tag], "\(entry.tag) is not measured")
            let value = measured ?? .nan
            compared += 1
            let agrees = entry.admits(value)
            #expect(agrees, "\(file): \(entry.tag) is \(value), published \(entry.value) ± \(entry.tolerance)")
        }
        #expect(compared == count)
        // Nothing is measured that the files do not name.
        #expect(Set(values.keys).subtracting(reference.map(\.tag)).isEmpty)
    }

    private static func isOfImage(_ tag: String) -> Bool {
        ["_init_img", "_interp_img", "_init_roi", "_interp_roi", "_reseg_roi"].contains { tag.hasSuffix($0) }
    }

    /// The processed image itself: its size and values, before and after resegmentation.
    private func compareImages(_ image: Volume, _ region: RegionImage, _ configuration: Configuration, _ file: String)
        throws
    {
        var kept = region
        configuration.features.resegmentation.apply(to: &kept)
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        let all = image.values.map(Double.init)
        let (before, after) = (region.intensities, kept.intensities)
        let found: [String: Double] = [
            "img_dim_x_interp_img": Double(image.grid.nx), "img_dim_y_interp_img": Double(image.grid.ny),
            "img_dim_z_interp_img": Double(image.grid.nz), "mean_int_interp_img": mean(all),
            "min_int_interp_img": all.min() ?? .nan, "max_int_interp_img": all.max() ?? .nan,
            "morph_mask_bb_dim_x_interp_roi": Double(region.size.x - 2),
            "morph_mask_bb_dim_y_interp_roi": Double(region.size.y - 2),
            "morph_mask_bb_dim_z_interp_roi": Double(region.size.z - 2),
            "int_mask_vox_count_interp_roi": Double(before.count), "int_mask_mean_int_interp_roi": mean(before),
            "int_mask_min_int_interp_roi": before.min() ?? .nan, "int_mask_max_int_interp_roi": before.max() ?? .nan,
            "int_mask_vox_count_reseg_roi": Double(after.count), "int_mask_mean_int_reseg_roi": mean(after),
            "int_mask_min_int_reseg_roi": after.min() ?? .nan, "int_mask_max_int_reseg_roi": after.max() ?? .nan,
        ]
        let reference = try ReferenceValue.read(file).values
        for (tag, value) in found {
            let entry = try #require(reference.first { $0.tag == tag })
            #expect(entry.admits(value), "\(file): \(tag) is \(value), published \(entry.value) ± \(entry.tolerance)")
        }
    }
}
