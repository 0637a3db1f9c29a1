import Kernels
import Radiomics

/// The images that all regions of a task are measured on.
struct RadiomicsSource: Sendable {
    struct Measured: Sendable {
        var voxels: Int
        var volumeCubicMillimetres: Double
        var features: [FeatureValue]
        /// Between the smallest and the largest value of the region, in the unit of the bins.
        var spread: Double
    }

    let preset: FeaturePreset
    /// On the grid of the labels, or on the new one of `resampling`.
    let image: Volume
    let labels: LabelMap
    let resampling: GridResampling?

    init(_ environment: TaskEnvironment, _ image: Volume, _ labels: LabelMap, _ preset: FeaturePreset) {
        (self.preset, self.labels) = (preset, labels)
        let spacing = environment.number("spacing_mm")
        guard spacing > 0 else {
            (self.image, resampling) = (image, nil)
            return
        }
        let resampling = GridResampling(of: image.grid, toSpacingMillimetres: (spacing, spacing, spacing))
        self.resampling = resampling
        self.image = resampling.image(image, environment.text("interpolation") == "tricubic" ? .tricubic : .trilinear)
    }

    /// The features of regions on the image as it is, then on each filtered one.
    ///
    /// - Returns: for each region; nil where it has no voxel.
    func measure(
        _ regions: [UInt16], _ boxes: [UInt16: RegionBox], _ filters: [FilterChoice], threads: Int
    ) -> [Result<Measured?, any Error>] {
        // Cut once, where they are needed again for every filter.
        let cuts =
            filters.isEmpty
            ? []
            : Parallel.map(regions.count, threads: threads) { n in boxes[regions[n]].flatMap { cut(regions[n], $0) } }
        var measured = Parallel.map(regions.count, threads: threads) { n in
            Result {
                guard let box = boxes[regions[n]] else { return nil as Measured? }
                return try measure(regions[n], box, cuts.isEmpty ? cut(regions[n], box) : cuts[n])
            }
        }
        guard let whole = box(around: cuts) else { return measured }
        for choice in filters {
            let settings = preset.ofFilteredImage(choice.binning)
            let names = choice.filter.names
            // Of each image of this filter, which come in any order, the features of each region.
            var found = [[Result<[FeatureValue], any Error>]](repeating: [], count: names.count)
            choice.filter.forEachResponse(of: image, in: whole, scale: preset.scale, threads: threads) { number, map in
                found[number] = Parallel.map(regions.count, threads: threads) { n in
                    Result { try cuts[n].map { try measure($0, map, names[number], settings) } ?? [] }
                }
            }
            for n in measured.indices {
                measured[n] = Result {
                    guard var result = try measured[n].get() else { return nil }
                    for image in found { result.features += try image[n].get() }
                    return result
                }
            }
        }
        return measured
    }

    /// The voxels of a region; nil where interpolation left none.
    private func cut(_ label: UInt16, _ box: RegionBox) -> RegionImage? {
        guard let resampling else {
            return RegionImage(image, box: box, scale: preset.scale) { labels.values[$0] == label }
        }
        return resampling.region(label, of: labels, in: box, image: image, scale: preset.scale)
    }

    /// The smallest box around all regions.
    private func box(around cuts: [RegionImage?]) -> RegionBox? {
        let present = cuts.compactMap { $0 }
        guard let first = present.first else { return nil }
        var box = RegionBox(lower: first.lower &+ 1, upper: first.lower &+ first.size &- 1)
        for region in present.dropFirst() {
            box.lower = pointwiseMin(box.lower, region.lower &+ 1)
            box.upper = pointwiseMax(box.upper, region.lower &+ region.size &- 1)
        }
        return box
    }

    private func measure(_ label: UInt16, _ box: RegionBox, _ region: RegionImage?) throws -> Measured? {
        guard let region else { return nil }
        let features: [FeatureValue]
        switch preset {
        case .ibsi(let settings, let scale): features = try settings.measure(region, in: image, scale: scale)
        case .pyRadiomics(let settings, _): features = try settings.measure(region, image: "original")
        case .qsmRim:
            features = try QSMRimFeatures.measure(image, box: box) { labels.values[$0] == label }
        }
        let voxels = region.morphologicalVoxels.count
        return Measured(
            voxels: voxels, volumeCubicMillimetres: Double(voxels) * region.voxelVolumeCubicMillimetres,
            features: features, spread: spread(region))
    }

    private func spread(_ region: RegionImage) -> Double {
        guard let least = region.intensities.min(), let most = region.intensities.max() else { return 0 }
        // The bins of qsmrim are those of a map in ppb.
        if case .qsmRim = preset { return 1000 * (most - least) }
        return most - least
    }

    /// The features of a region on a filtered image. Which voxels count is settled on the image as it is.
    private func measure(
        _ region: RegionImage, _ map: ResponseMap, _ name: String, _ settings: FeaturePreset
    ) throws -> [FeatureValue] {
        var region = region
        if case .ibsi(let own, _) = preset { own.resegmentation.apply(to: &region) }
        region = region.replacingValues(map.values(around: region))
        do {
            switch settings {
            case .ibsi(let features, _):
                return try features.measure(region, in: image).map { feature in
                    var named = feature
                    named.name = name + "_" + feature.name
                    return named
                }
            case .pyRadiomics(let features, _): return try features.measure(region, image: name)
            case .qsmRim: preconditionFailure("the list of qsmrim is fixed")
            }
        } catch let error as FeatureError {
            throw FilteredFeatureError(image: name, error: error)
        }
    }
}

/// A region that cannot be measured on a filtered image.
struct FilteredFeatureError: Error, CustomStringConvertible {
    var image: String
    var error: FeatureError
    var description: String { "of the filtered image \(image), \(error)" }
}
