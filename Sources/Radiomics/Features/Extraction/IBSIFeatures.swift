import Kernels

/// Features as the Image Biomarker Standardisation Initiative defines them, under its tags.
package struct IBSIFeatures: Sendable {
    package var families: Set<FeatureFamily>
    package var resegmentation: Resegmentation
    package var discretisation: Discretisation
    package var volumeHistogram: IntensityVolumeHistogram.Axis
    /// How matrices become values; matrices without directions take the three kinds that these amount to.
    package var aggregations: [TextureAggregation]

    /// - Parameter volumeHistogram: nil takes 1000 bins over the values of the region, as suits intensities in any unit.
    package init(
        families: Set<FeatureFamily> = Set(FeatureFamily.allCases), resegmentation: Resegmentation = Resegmentation(),
        discretisation: Discretisation, volumeHistogram: IntensityVolumeHistogram.Axis? = nil,
        aggregations: [TextureAggregation] = [.merged]
    ) {
        (self.families, self.resegmentation, self.discretisation) = (families, resegmentation, discretisation)
        (self.volumeHistogram, self.aggregations) = (volumeHistogram ?? .fixedNumber(1000), aggregations)
    }

    private var zoneAggregations: [ZoneAggregation] {
        let wanted = Set(aggregations.map { ZoneAggregation($0) })
        return ZoneAggregation.allCases.filter(wanted.contains)
    }

    /// Names of all features, in the order of `measure`: the tag, and for texture the aggregation behind it.
    package var names: [String] {
        FeatureFamily.allCases.filter(families.contains).flatMap { family -> [String] in
            let tags = FeatureTable.definitions(of: family).filter { $0.code != nil }.map(\.tag)
            switch family {
            case .morphology, .localIntensity, .intensity, .histogram, .volumeHistogram: return tags
            case .cooccurrence, .runLength:
                return aggregations.flatMap { aggregation in tags.map { $0 + "_" + aggregation.rawValue } }
            case .sizeZone, .distanceZone, .toneDifference, .dependence:
                return zoneAggregations.flatMap { aggregation in tags.map { $0 + "_" + aggregation.rawValue } }
            }
        }
    }

    /// - Parameters:
    ///   - region: as cut from the image; resegmentation is applied here.
    ///   - image: the image it was cut from, for the local intensity.
    ///   - scale: factor on the values of the image, as in the region.
    /// - Throws: `FeatureError`.
    package func measure(_ region: RegionImage, in image: Volume, scale: Double = 1) throws -> [FeatureValue] {
        var region = region
        resegmentation.apply(to: &region)
        let intensities = region.intensities
        let contents = RegionContents(intensities)
        let needsLevels = !families.isSubset(of: [.morphology, .localIntensity, .intensity, .volumeHistogram])
        let levels = needsLevels ? try DiscretisedRegion(region, discretisation) : nil
        var values: [Double] = []
        var texture: [Bool] = []
        for family in FeatureFamily.allCases where families.contains(family) {
            let measured = measure(family, region, levels, image, scale, intensities)
            values += measured
            let isTexture =
                FeatureTable.definitions(of: family).first.map { FeatureTable.texture.contains($0) } ?? false
            texture += [Bool](repeating: isTexture, count: measured.count)
        }
        return zip(names, zip(values, texture)).map { FeatureValue($0, $1.0, contents, isTexture: $1.1) }
    }

    private func measure(
        _ family: FeatureFamily, _ region: RegionImage, _ levels: DiscretisedRegion?, _ image: Volume, _ scale: Double,
        _ intensities: [Double]
    ) -> [Double] {
        switch family {
        case .morphology: return MorphologicalFeatures.measure(region)
        case .localIntensity: return LocalIntensity.measure(region, in: image, scale: scale)
        case .intensity: return IntensityStatistics.measure(intensities)
        case .volumeHistogram: return IntensityVolumeHistogram.measure(intensities, volumeHistogram)
        default: break
        }
        guard let levels else { preconditionFailure("texture without grey levels") }
        switch family {
        case .cooccurrence: return aggregations.flatMap { Cooccurrence.measure(levels, $0).dropLast() }
        case .runLength: return aggregations.flatMap { RunLengths.measure(levels, $0) }
        case .sizeZone: return zoneAggregations.flatMap { Zones.measure(levels, border: nil, $0).sizes }
        case .distanceZone: return zoneAggregations.flatMap { Zones.measure(levels, border: region, $0).distances }
        case .toneDifference: return zoneAggregations.flatMap { Neighbourhoods.measure(levels, $0).differences }
        case .dependence: return zoneAggregations.flatMap { Neighbourhoods.measure(levels, $0).dependences }
        default: return IntensityHistogram.measure(levels)
        }
    }
}
