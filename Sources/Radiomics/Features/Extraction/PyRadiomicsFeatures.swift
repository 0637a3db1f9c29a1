import Foundation

/// Features as PyRadiomics 3.0.1 defines them, under its names.
///
/// Different from `IBSIFeatures`: bins with edges at multiples of the bin width, kurtosis that is 3 for a normal
/// distribution, axes from variances with n, a surface of other triangles, diameters within slices, voxels without neighbours
/// in `ngtdm`, and values (0, 1) where the IBSI has none for regions of equal values. Matrices are of distance 1 in 13
/// directions, averaged; directions without pairs are left out, for `glrlm` those along which no two voxels share a line.
package struct PyRadiomicsFeatures: Sendable, Equatable {
    /// Classes of PyRadiomics, in its order.
    package enum FeatureClass: String, Sendable, CaseIterable {
        case shape, firstorder, glcm, glrlm, glszm, gldm, ngtdm
    }

    package var classes: [FeatureClass]
    package var discretisation: Discretisation
    /// Added to values before they are squared (`voxelArrayShift`).
    package var energyShift: Double
    /// Names, such as `glcm_SumAverage`, not to report.
    package var leftOut: Set<String>

    package init(
        classes: [FeatureClass] = FeatureClass.allCases, discretisation: Discretisation = .alignedSize(25),
        energyShift: Double = 0, leftOut: Set<String> = []
    ) {
        self.classes = classes
        self.discretisation = discretisation
        self.energyShift = energyShift
        self.leftOut = leftOut
    }

    /// Names of the features of a class, in the order of PyRadiomics: by alphabet.
    package func names(of featureClass: FeatureClass) -> [String] {
        Self.names[featureClass, default: []].filter { !leftOut.contains($0) }
    }

    /// - Parameter image: type of the image, such as `original`; nil for all classes, else those named.
    package func names(image: String) -> [String] {
        classes.flatMap { names(of: $0) }.map { image + "_" + $0 }
    }

    /// All features of one image, in the order of `names(image:)`.
    ///
    /// - Throws: `FeatureError`.
    package func measure(_ region: RegionImage, image: String) throws -> [FeatureValue] {
        let intensities = region.intensities
        let contents = RegionContents(intensities)
        let needsLevels = classes.contains { $0 != .shape }
        let levels = needsLevels ? try DiscretisedRegion(region, discretisation) : nil
        return classes.flatMap { featureClass -> [FeatureValue] in
            let values = values(of: featureClass, region, levels, intensities)
            let isTexture = featureClass != .shape && featureClass != .firstorder
            return zip(Self.names[featureClass, default: []], values).filter { !leftOut.contains($0.0) }.map {
                FeatureValue(image + "_" + $0, $1, contents, isTexture: isTexture)
            }
        }
    }

    private func values(
        of featureClass: FeatureClass, _ region: RegionImage, _ levels: DiscretisedRegion?, _ intensities: [Double]
    ) -> [Double] {
        if featureClass == .shape { return PyRadiomicsShape.measure(region) }
        guard let levels, !intensities.isEmpty else {
            return [Double](repeating: .nan, count: Self.names[featureClass, default: []].count)
        }
        switch featureClass {
        case .shape: return []
        case .firstorder: return firstOrder(region, levels, intensities)
        case .glcm:
            let wantsCorrelation = !leftOut.contains("glcm_MCC")
            return Self.ordered(
                Cooccurrence.measure(levels, .directionsAveraged, maximalCorrelation: wantsCorrelation), .cooccurrence)
        case .glrlm:
            return Self.ordered(RunLengths.measure(levels, .directionsAveraged, onlyLines: true), .runLength)
        case .glszm: return Self.ordered(Zones.measure(levels, border: nil, .volume).sizes, .sizeZone)
        case .gldm: return Self.ordered(Neighbourhoods.measure(levels, .volume).dependences, .dependence)
        case .ngtdm:
            return Self.ordered(
                Neighbourhoods.measure(levels, .volume, countsIsolated: true).differences, .toneDifference)
        }
    }

    private func firstOrder(_ region: RegionImage, _ levels: DiscretisedRegion, _ intensities: [Double]) -> [Double] {
        let d = Distribution(intensities)
        var counts = [Int](repeating: 0, count: levels.levelCount)
        for level in levels.voxelLevels { counts[level - 1] += 1 }
        let (entropy, uniformity) = IntensityHistogram.entropyAndUniformity(counts, total: intensities.count)
        let energy = d.energy(shift: energyShift)
        let isFlat = d.variance == 0
        return [
            d.percentile(10), d.percentile(90), energy, entropy, d.interquartileRange, isFlat ? 0 : d.kurtosis,
            d.maximum,
            d.meanAbsoluteDeviation(from: d.mean), d.mean, d.median, d.minimum, d.range, d.robustMeanAbsoluteDeviation,
            (energy / Double(intensities.count)).squareRoot(), isFlat ? 0 : d.skewness,
            energy * region.voxelVolumeCubicMillimetres, uniformity, d.variance,
        ]
    }

    // MARK: Names

    private static let families: [FeatureClass: FeatureFamily] = [
        .glcm: .cooccurrence, .glrlm: .runLength, .glszm: .sizeZone, .gldm: .dependence, .ngtdm: .toneDifference,
    ]

    /// Places of the features that PyRadiomics has among those of a family, in the order of their names there.
    private static let places: [FeatureFamily: [(name: String, place: Int)]] = Dictionary(
        uniqueKeysWithValues: families.values.map { family in
            let named = FeatureTable.definitions(of: family).enumerated().compactMap { place, feature in
                feature.pyRadiomics.map { (name: $0, place: place) }
            }
            return (family, named.sorted { $0.name < $1.name })
        })

    private static func ordered(_ values: [Double], _ family: FeatureFamily) -> [Double] {
        places[family, default: []].map { values[$0.place] }
    }

    private static let names: [FeatureClass: [String]] = {
        var result = families.mapValues { family in places[family, default: []].map(\.name) }
        result[.shape] = PyRadiomicsShape.names.map { "shape_" + $0 }
        result[.firstorder] = [
            "10Percentile", "90Percentile", "Energy", "Entropy", "InterquartileRange", "Kurtosis", "Maximum",
            "MeanAbsoluteDeviation", "Mean", "Median", "Minimum", "Range", "RobustMeanAbsoluteDeviation",
            "RootMeanSquared", "Skewness", "TotalEnergy", "Uniformity", "Variance",
        ].map { "firstorder_" + $0 }
        return result
    }()
}
