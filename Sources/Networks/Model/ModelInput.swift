import Kernels

/// Images brought to the grid and the range of values a model was trained on.
package struct ModelInput: Sendable {
    /// The grid the network sees.
    package let grid: VoxelGrid
    /// The grid of the images as they came, on which results are wanted.
    package let original: VoxelGrid
    /// Normalised values, one array per channel of the network.
    package let channels: [[Float]]
    /// What lies beyond the images, per channel.
    package let background: [Float]
    package let wasResampled: Bool
    /// Slices (along depth of `grid`) that hold nothing by the rule of the card; none where it has no such rule.
    package let emptySlices: Set<Int>

    package var size: Extent3 { Extent3(grid.nz, grid.ny, grid.nx) }

    /// Checks images against the card, resamples them where the card says so, and normalises.
    ///
    /// - Parameters:
    ///   - images: name for messages and values, one per channel of the card, all on one grid.
    ///   - mask: brain mask on the same grid, where a channel is normalised inside it.
    /// - Throws: `ModelCardError`, or `TrainingDataError` where values cannot be normalised.
    package init(
        _ images: [(name: String, volume: Volume)], mask: Mask? = nil, for card: ModelCard, threads: Int = 1
    ) throws {
        try card.check()
        guard images.count == card.channels.count, let first = images.first else {
            throw ModelCardError.channelCount(
                model: card.name, given: images.count, expected: card.channels.map(\.modality))
        }
        let original = first.volume.grid
        for (name, volume) in images where !volume.grid.matches(original) {
            throw ModelCardError.grid(
                image: name, found: "\(volume.grid)", first: first.name, expected: "\(original)")
        }
        if let mask, !mask.grid.matches(original) {
            throw ModelCardError.grid(
                image: "the mask", found: "\(mask.grid)", first: first.name, expected: "\(original)")
        }
        for (name, volume) in images {
            let wrong = volume.values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
            if wrong > 0 { throw ModelCardError.notFinite(image: name, voxels: wrong) }
        }
        for channel in card.channels where channel.normalisation.needsMask {
            guard let mask, mask.voxels > 0 else {
                throw ModelCardError.maskMissing(model: card.name, modality: channel.modality)
            }
        }
        let grid = try card.geometry.grid(for: original, image: first.name, model: card.name)
        let isSame = grid.matches(original)
        var mask = mask
        if !isSame { mask = try mask?.resampled(to: grid, threads: threads) }
        let size = Extent3(grid.nz, grid.ny, grid.nx)
        var emptySlices: Set<Int> = []
        let normalised = try images.enumerated().map { n, image in
            let volume = isSame ? image.volume : try image.volume.resampled(to: grid, threads: threads)
            if n == card.emptyChannel {
                emptySlices = TrainingVolume.emptySlices(sums: TrainingVolume.sliceSums(volume.values, size: size))
            }
            return try card.channels[n].normalisation.apply(
                to: volume.values, size: size, mask: mask?.values, volume: image.name, channel: n)
        }
        (self.grid, self.original, wasResampled) = (grid, original, !isSame)
        channels = normalised.map(\.values)
        background = normalised.map(\.background)
        self.emptySlices = emptySlices
    }

    /// Labels of the network's grid on the grid of the images as they came.
    package func restored(_ labels: [UInt8], threads: Int = 1) throws -> LabelMap {
        let map = LabelMap(grid: grid, values: labels.map { UInt16($0) })
        return wasResampled ? try map.resampled(to: original, threads: threads) : map
    }

    /// Probabilities of one class on the grid of the images as they came.
    package func restored(_ probabilities: [Float], threads: Int = 1) throws -> Volume {
        let volume = Volume(grid: grid, values: probabilities)
        return wasResampled ? try volume.resampled(to: original, threads: threads) : volume
    }
}

extension ModelCard.Geometry {
    /// The grid an image is to be brought to: its own where it fits.
    ///
    /// - Throws: `ModelCardError.spacing` or `.orientation` where it does not fit and the card says to refuse.
    package func grid(for grid: VoxelGrid, image: String, model: String) throws -> VoxelGrid {
        let found = Orientation(grid)
        let wanted = orientation.flatMap { Orientation($0) }
        let isOriented = wanted == nil || wanted == found
        // Spacings along the card's axes.
        let turned = isOriented ? grid : grid.regridded(orientation: wanted, spacingMillimetres: nil)
        let spacing = turned.spacingMillimetres
        let isSpaced = spacingMillimetres.map { expected in
            (0..<3).allSatisfy { abs(spacing[$0] - expected[$0]) <= spacingTolerance * expected[$0] }
        }
        if otherGrids == .refuse {
            if let wanted, !isOriented {
                throw ModelCardError.orientation(
                    model: model, image: image, found: "\(found)", expected: "\(wanted)")
            }
            if let expected = spacingMillimetres, isSpaced == false {
                throw ModelCardError.spacing(model: model, image: image, found: spacing, expected: expected)
            }
        }
        return isSpaced == false
            ? grid.regridded(orientation: wanted, spacingMillimetres: spacingMillimetres) : turned
    }
}
