import Kernels

/// How whole slices are used as samples of a 2-D network.
package struct SliceOptions: Sendable, Hashable, Codable {
    package enum Shapes: Sendable, Hashable, Codable {
        case spatial(SpatialAugmentation)
        /// Of slices with foreground every one is changed; of the others as many as the published method adds.
        case deepmir(DEEPMIRAugmentation)
    }

    /// height × width (depth 1) every slice is centred in: padded where it is smaller, cropped where it is larger.
    package var size: Extent3
    package var batch: Int
    /// Share of samples from slices with foreground; nil takes every slice once an epoch.
    package var foregroundFraction: Double?
    /// nil: as many as there are slices.
    package var samplesPerEpoch: Int?
    package var shapes = Shapes.spatial(SpatialAugmentation())
    package var interpolation = SpatialAugmentation.Interpolation.linear
    package var beyond = SpatialAugmentation.Beyond.background
    package var lateralPairs: [LateralPair] = []
    package var intensity = IntensityAugmentation()
    package var targets = TargetForm.classes

    package init(height: Int, width: Int, batch: Int) {
        (size, self.batch) = (Extent3(1, height, width), batch)
    }

    /// As DEEPMIR trains: 256 × 256, balanced between slices with and without lesions, cubic interpolation.
    package static func deepmir(batch: Int = 32) -> SliceOptions {
        var options = SliceOptions(height: 256, width: 256, batch: batch)
        options.foregroundFraction = 0.5
        options.shapes = .deepmir(DEEPMIRAugmentation())
        options.interpolation = .cubic
        return options
    }
}

/// Slices in random order, or balanced between those with and without foreground.
package struct SliceBatches: TrainingData {
    package let batchesPerEpoch: Int
    private let assembly: BatchAssembly
    private let volumes: any VolumeSource
    private let index: SliceIndex
    private let options: SliceOptions
    private let reader: PatchReader
    private let random: Philox
    private let classes: Int
    /// Of slices without foreground, where DEEPMIR changes them.
    private let changedShare: Double
    /// Set where every slice comes exactly once.
    private let evaluation: EvaluationOrder?

    /// - Parameters:
    ///   - classes: labels run from 0 to below; needed where targets are values, one channel for each but the first.
    ///   - isEvaluation: every slice exactly once, those with foreground first, with a shorter batch at the end,
    ///     whatever the options say of shares and numbers.
    /// - Throws: `TrainingDataError` when settings are out of range or there is no slice of a wanted kind.
    package init(
        _ volumes: any VolumeSource, index: SliceIndex, channels: Int, options: SliceOptions, seed: UInt64,
        classes: Int? = nil, isEvaluation: Bool = false, threads: Int = 1
    ) throws {
        let slices = index.foreground.count + index.background.count
        guard slices > 0 else { throw TrainingDataError.empty("there is no slice that is not empty") }
        guard options.batch > 0, options.samplesPerEpoch ?? 1 > 0, options.size.depth == 1,
            options.size.height > 0, options.size.width > 0
        else { throw TrainingDataError.settings("a batch, an epoch and a slice have at least one sample or voxel") }
        guard options.targets == .classes || classes != nil else {
            throw TrainingDataError.settings("slices with values as targets need the number of classes")
        }
        if let classes, index.largestLabel >= classes {
            throw TrainingDataError.label(
                volume: index.largestLabelVolume, label: index.largestLabel, classes: classes)
        }
        if !isEvaluation, let fraction = options.foregroundFraction {
            guard fraction >= 0, fraction <= 1 else {
                throw TrainingDataError.settings("the share of slices with foreground is 0 to 1, not \(fraction)")
            }
            guard fraction == 0 || !index.foreground.isEmpty else {
                throw TrainingDataError.empty("no slice has a voxel of a class other than background")
            }
            guard fraction == 1 || !index.background.isEmpty else {
                throw TrainingDataError.empty("every slice has foreground; set the share of such slices to 1")
            }
        }
        var spatial = SpatialAugmentation()
        switch options.shapes {
        case .spatial(let given): spatial = given
        case .deepmir(let augmentation): try augmentation.check()
        }
        spatial.interpolation = options.interpolation
        spatial.beyond = options.beyond
        spatial.lateralPairs = options.lateralPairs
        try spatial.check()
        try options.intensity.check()
        assembly = BatchAssembly(channels: channels, size: options.size, hasLabels: true, threads: threads)
        evaluation = isEvaluation ? EvaluationOrder(samples: slices, batch: options.batch) : nil
        batchesPerEpoch =
            evaluation?.batchesPerEpoch
            ?? ((options.samplesPerEpoch ?? slices) + options.batch - 1) / options.batch
        self.classes = classes ?? 256
        changedShare = DEEPMIRAugmentation.changedShare(
            foregroundSlices: index.foreground.count, backgroundSlices: index.background.count)
        random = Philox(seed: seed)
        reader = PatchReader(spatial: spatial, intensity: options.intensity, labelBeyond: 0, random: random)
        (self.volumes, self.index, self.options) = (volumes, index, options)
    }

    /// The slice shown as a sample. Each kind of slice is gone through in random order before any comes again.
    func entry(epoch: Int, sample: Int) -> (entry: SliceIndex.Entry, isForeground: Bool) {
        func pick(_ number: Int, of count: Int, kind: Int) -> Int {
            let round = number / count
            var order = RandomPurpose.order.stream(random, epoch: epoch, sample: round << 2 | kind)
            return order.permutation(count)[number % count]
        }
        guard evaluation == nil, let fraction = options.foregroundFraction else {
            let chosen =
                evaluation == nil
                ? pick(sample, of: index.foreground.count + index.background.count, kind: 0) : sample
            return chosen < index.foreground.count
                ? (index.foreground[chosen], true) : (index.background[chosen - index.foreground.count], false)
        }
        let before = Int(Double(sample) * fraction + 1e-9)
        let isForeground = Int(Double(sample + 1) * fraction + 1e-9) > before
        return isForeground
            ? (index.foreground[pick(before, of: index.foreground.count, kind: 1)], true)
            : (index.background[pick(sample - before, of: index.background.count, kind: 2)], false)
    }

    package func batch(epoch: Int, index: Int) throws -> Batch {
        let first = index * options.batch
        let samples = evaluation?.range(index) ?? first..<first + options.batch
        let entries = samples.map { entry(epoch: epoch, sample: $0) }
        let (images, labels) = try assembly.assemble(
            entries.map(\.entry.volume),
            read: { try volumes.volume($0, channels: assembly.channels, needsLabels: true) }
        ) { n, volume, place in
            reader.read(
                volume, draw: draw(entries[n].entry, entries[n].isForeground, volume, epoch, first + n),
                epoch: epoch, sample: first + n, to: place)
        }
        return Batch(inputs: images, targets: [options.targets.target(labels, like: images[0], classes: classes)])
    }

    private func draw(
        _ entry: SliceIndex.Entry, _ isForeground: Bool, _ volume: TrainingVolume, _ epoch: Int, _ sample: Int
    ) -> SpatialAugmentation.Draw {
        let size = options.size
        var centre = volume.size.middle(of: size)
        centre.z = Double(entry.slice)
        switch options.shapes {
        case .spatial:
            return reader.spatial.draw(
                size: size, centre: centre, spacingMillimetres: volume.spacingMillimetres, random: random,
                epoch: epoch, sample: sample)
        case .deepmir(let augmentation):
            var stream = RandomPurpose.choice.stream(random, epoch: epoch, sample: sample)
            let isChanged = stream.chance(changedShare) || isForeground
            guard isChanged else {
                return SpatialAugmentation.Draw(
                    map: PatchMap(
                        size: size,
                        affine: SpatialAugmentation.about(
                            .identity, size: size, centre: centre, spacingMillimetres: SIMD3(1, 1, 1))),
                    flipsWidth: false)
            }
            return augmentation.draw(size: size, centre: centre, random: random, epoch: epoch, sample: sample)
        }
    }
}
