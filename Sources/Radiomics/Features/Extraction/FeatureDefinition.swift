/// A feature and its names.
package struct FeatureDefinition: Sendable, Equatable {
    package let family: FeatureFamily
    /// As in the reference values of the IBSI; texture features of a table carry the aggregation behind it.
    package let tag: String
    /// Permanent code of the IBSI; nil for a feature it does not have.
    package let code: String?
    /// Class and name in PyRadiomics; nil for a feature that it does not have under a name of its own.
    package let pyRadiomics: String?
    package let summary: String

    /// How PyRadiomics departs from the definition of the IBSI in the feature that it has under its name, for most regions;
    /// nil where both agree.
    package var pyRadiomicsDifference: String? {
        switch tag {
        case "morph_volume", "morph_area_mesh", "morph_av", "morph_comp_1", "morph_comp_2", "morph_sph_dispr",
            "morph_sphericity":
            "surface of other triangles"
        case "morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis": "variances with n, not n − 1"
        case "stat_kurt": "3 is not subtracted"
        default: family == .toneDifference ? "voxels without neighbours count" : nil
        }
    }

    init(_ family: FeatureFamily, _ tag: String, _ code: String?, _ pyRadiomics: String?, _ summary: String) {
        (self.family, self.tag, self.code, self.pyRadiomics, self.summary) = (family, tag, code, pyRadiomics, summary)
    }
}

/// Families of the IBSI, chapter 3.
package enum FeatureFamily: String, Sendable, CaseIterable, Codable {
    case morphology
    case localIntensity = "local_intensity"
    case intensity
    case histogram
    case volumeHistogram = "volume_histogram"
    case cooccurrence = "glcm"
    case runLength = "glrlm"
    case sizeZone = "glszm"
    case distanceZone = "gldzm"
    case toneDifference = "ngtdm"
    case dependence = "ngldm"
}

/// All features: what the IBSI calls them (Zwanenburg et al., Radiology 295 (2020) 328–338, and its reference manual,
/// arXiv 1612.07003) and what PyRadiomics does (van Griethuysen et al., Cancer Res 77 (2017) e104–e107).
///
/// The definitions agree where both names are given, but for what `pyRadiomicsDifference` says, such as a surface through other
/// triangles (`CubeTriangles.Convention`), and for bins of one width, which PyRadiomics counts from multiples of it.
///
/// Left out, as the IBSI gives no reference values for them: the densities of the oriented minimum box (ZH1A, IQYR) and of
/// the minimum enclosing ellipsoid (SWZ1, BRI8), and the area under the intensity-volume histogram (9CMM).
package enum FeatureTable {
    package static let definitions: [FeatureDefinition] = shapeAndIntensity + texture

    /// A feature of PyRadiomics that the IBSI has in no form.
    package struct PyRadiomicsOnly: Sendable {
        package let family: FeatureFamily
        /// Class and name.
        package let name: String
        package let summary: String
    }

    package static let pyRadiomicsOnly = [
        PyRadiomicsOnly(
            family: .morphology, name: "shape_Maximum2DDiameterSlice",
            summary: "Largest distance between two vertices of a plane across k, mm"),
        PyRadiomicsOnly(
            family: .morphology, name: "shape_Maximum2DDiameterColumn",
            summary: "Largest distance between two vertices of a plane across j, mm"),
        PyRadiomicsOnly(
            family: .morphology, name: "shape_Maximum2DDiameterRow",
            summary: "Largest distance between two vertices of a plane across i, mm"),
        PyRadiomicsOnly(
            family: .intensity, name: "firstorder_TotalEnergy", summary: "Sum of squares times the volume of a voxel"),
    ]

    /// In the order in which the family is measured.
    package static func definitions(of family: FeatureFamily) -> [FeatureDefinition] {
        definitions.filter { $0.family == family }
    }
}
