import Kernels

/// The radiomic features of QSMRim-Net (Zhang et al., NeuroImage Clin 34 (2022) 102979) for a lesion on a susceptibility
/// map: 14 of shape, and 57 of each of nine images, the map and its eight wavelet sub-bands; together 527.
///
/// The publication names the software (PyRadiomics: original and wavelet images, classes shape, firstorder, glcm and glrlm,
/// bin width 25) and the number 527, not the list. PyRadiomics would give 58 of each image. Left out here is
/// `glcm_SumAverage`, which for a symmetric matrix is twice `glcm_JointAverage`. Bins of 25 make sense in ppb, so values
/// are in ppb.
package enum QSMRimFeatures {
    /// Raised whenever a name, its place or its definition changes.
    package static let version = 1

    /// Types of images, in the order of the features.
    package static let images = ["original"] + StationaryWavelet.bands.map { "wavelet-" + $0 }

    private static let shape = PyRadiomicsFeatures(classes: [.shape])
    private static let texture = PyRadiomicsFeatures(
        classes: [.firstorder, .glcm, .glrlm], discretisation: .alignedSize(25), leftOut: ["glcm_SumAverage"])

    /// The 527 names, such as `wavelet-LLH_glcm_Contrast`, in the order of `measure`.
    package static let names: [String] =
        shape.names(image: "original") + images.flatMap { texture.names(image: $0) }

    /// - Parameters:
    ///   - susceptibility: in ppm, not masked: the wavelets look 3 voxels beyond the lesion.
    ///   - box: the smallest box that holds the lesion.
    ///   - isInside: whether the voxel with this flat index is in the lesion.
    /// - Throws: `FeatureError`.
    package static func measure(
        _ susceptibility: Volume, box: RegionBox, isInside: (Int) -> Bool
    ) throws -> [FeatureValue] {
        let region = RegionImage(susceptibility, box: box, scale: 1000, isInside: isInside)
        var result = try shape.measure(region, image: "original")
        result += try texture.measure(region, image: "original")
        let bands = StationaryWavelet.transform(susceptibility, over: region, scale: 1000)
        for (image, values) in zip(images.dropFirst(), bands) {
            result += try texture.measure(region.replacingValues(values), image: image)
        }
        return result
    }

    /// The features of one lesion; nil for an empty mask.
    ///
    /// - Throws: `GridError.mismatch` when the mask lies on another grid; `FeatureError`.
    package static func measure(_ susceptibility: Volume, mask: Mask) throws -> [FeatureValue]? {
        guard mask.grid.matches(susceptibility.grid) else {
            throw GridError.mismatch(
                first: "the map", firstGrid: susceptibility.grid, second: "the mask", secondGrid: mask.grid)
        }
        guard let box = mask.boundingBox() else { return nil }
        return try measure(susceptibility, box: RegionBox(lower: box.lower, upper: box.upper)) { mask.values[$0] != 0 }
    }
}
