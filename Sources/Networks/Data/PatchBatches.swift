import Kernels

/// How patches are chosen for segmentation, and how they are changed.
package struct PatchOptions: Sendable, Hashable, Codable {
    /// depth × height × width in voxels; depth 1 for 2-D networks.
    package var patch: Extent3
    package var batch: Int
    package var samplesPerEpoch: Int
    /// Share of the samples centred on a voxel of a class other than background.
    package var foregroundFraction = 1.0 / 3
    /// How often each class is chosen for these, relative to the others; class 0 is never. Empty: all alike.
    package var classWeights: [Double] = []
    package var spatial = SpatialAugmentation()
    package var intensity = IntensityAugmentation()
    package var targets = TargetForm.classes
    /// Label of voxels beyond the volume; a loss may be told to ignore it.
    package var labelBeyond: UInt8 = 0
    /// Every sample has a second, global patch of as many voxels about the same centre, with voxels so many times larger;
    /// nil: none.
    package var globalScale: Int?

    package init(patch: Extent3, batch: Int, samplesPerEpoch: Int) {
        (self.patch, self.batch, self.samplesPerEpoch) = (patch, batch, samplesPerEpoch)
    }
}

/// Patches at random places of random volumes, a share of them centred on foreground.
package struct PatchBatches: TrainingData {
    package let batchesPerEpoch: Int
    private let assembly: BatchAssembly
    private let volumes: any VolumeSource
    private let index: ForegroundIndex
    private let options: PatchOptions
    private let reader: PatchReader
    private let field: FieldOfView?
    private let random: Philox
    /// Sums of the weights of classes up to each, over classes that occur.
    private let cumulative: [Double]
    /// Samples of an epoch, the rest of the last batch among them.
    private let samples: Int

    /// - Parameter isEvaluation: exactly `samplesPerEpoch` samples, with a shorter batch at the end, instead of full
    ///   batches only.
    /// - Throws: `TrainingDataError` when settings are out of range or there is nothing to train on.
    package init(
        _ volumes: any VolumeSource, index: ForegroundIndex, channels: Int, options: PatchOptions, seed: UInt64,
        isEvaluation: Bool = false, threads: Int = 1
    ) throws {
        guard volumes.count > 0 else { throw TrainingDataError.empty("there is no volume") }
        guard options.batch > 0, options.samplesPerEpoch > 0 else {
            throw TrainingDataError.settings("a batch and an epoch have at least one sample")
        }
        guard options.patch.depth > 0, options.patch.height > 0, options.patch.width > 0 else {
            throw TrainingDataError.settings("a patch of \(options.patch) voxels has no voxel")
        }
        guard options.foregroundFraction >= 0, options.foregroundFraction <= 1 else {
            throw TrainingDataError.settings(
                "the share of patches on foreground is 0 to 1, not \(options.foregroundFraction)")
        }
        try options.spatial.check()
        try options.intensity.check()
        field = options.globalScale.map { FieldOfView(patch: options.patch, scale: $0) }
        try field?.check()
        let classes = index.entries.count
        guard options.classWeights.isEmpty || options.classWeights.count == classes else {
            throw TrainingDataError.settings("\(options.classWeights.count) class weights for \(classes) classes")
        }
        var sum = 0.0
        cumulative = try (0..<classes).map { label in
            let weight = options.classWeights.isEmpty ? 1 : options.classWeights[label]
            guard weight >= 0, weight.isFinite else {
                throw TrainingDataError.settings("class \(label) has the weight \(weight); give 0 or more")
            }
            if !index.entries[label].isEmpty { sum += weight }
            return sum
        }
        if options.foregroundFraction > 0, sum == 0 {
            throw TrainingDataError.empty(
                "no volume has a voxel of any of the classes 1 to \(classes - 1) with a weight over 0, and patches are to "
                    + "be centred on them; check the label maps, or set the share of such patches to 0")
        }
        assembly = BatchAssembly(
            channels: channels, size: options.patch, hasLabels: true, hasGlobal: field != nil, threads: threads)
        batchesPerEpoch = (options.samplesPerEpoch + options.batch - 1) / options.batch
        samples = isEvaluation ? options.samplesPerEpoch : batchesPerEpoch * options.batch
        random = Philox(seed: seed)
        reader = PatchReader(
            spatial: options.spatial, intensity: options.intensity, labelBeyond: options.labelBeyond, random: random)
        (self.volumes, self.index, self.options) = (volumes, index, options)
    }

    /// Where a patch lies: the volume, and the voxel to be in its middle, or nil for any place.
    struct Choice: Hashable {
        var volume: Int
        var voxel: Int?
        var label: UInt8
    }

    func choice(epoch: Int, sample: Int) -> Choice {
        var stream = RandomPurpose.choice.stream(random, epoch: epoch, sample: sample)
        // Spread evenly, so that every batch has its share.
        let fraction = options.foregroundFraction
        let isForeground = Int(Double(sample + 1) * fraction + 1e-9) > Int(Double(sample) * fraction + 1e-9)
        guard isForeground else {
            // Every volume equally often.
            let round = sample / volumes.count
            var order = RandomPurpose.order.stream(random, epoch: epoch, sample: round)
            return Choice(volume: order.permutation(volumes.count)[sample % volumes.count], voxel: nil, label: 0)
        }
        let place = Double(stream.uniform()) * cumulative.last!
        let label = cumulative.firstIndex { $0 > place }!
        let entry = index.entries[label][stream.index(below: index.entries[label].count)]
        return Choice(
            volume: entry.volume, voxel: Int(entry.voxels[stream.index(below: entry.voxels.count)]), label: UInt8(label)
        )
    }

    /// Middle of the patch in voxels (i, j, k): inside the volume as far as the volume is large enough.
    func centre(of choice: Choice, volume: Extent3, epoch: Int, sample: Int) -> SIMD3<Double> {
        // A stream of its own, counted from the end of what `choice` draws.
        var stream = RandomPurpose.choice.stream(random, epoch: epoch, sample: sample ^ Int(Int32.min))
        func first(_ size: Int, _ patch: Int, _ voxel: Int?) -> Double {
            let room = size - patch
            // Smaller volumes lie in the middle of the patch.
            guard room > 0 else { return Double(-((patch - size) / 2)) }
            let drawn = stream.index(below: room + 1)
            return Double(voxel.map { min(max($0 - patch / 2, 0), room) } ?? drawn)
        }
        let voxel = choice.voxel
        let patch = options.patch
        let i = first(volume.width, patch.width, voxel.map { $0 % volume.width })
        let j = first(volume.height, patch.height, voxel.map { $0 / volume.width % volume.height })
        let k = first(volume.depth, patch.depth, voxel.map { $0 / volume.width / volume.height })
        return SIMD3(i, j, k)
            + SIMD3(Double(patch.width - 1), Double(patch.height - 1), Double(patch.depth - 1)) / 2
    }

    package func batch(epoch: Int, index: Int) throws -> Batch {
        let first = index * options.batch
        let choices = (first..<min(first + options.batch, samples)).map { choice(epoch: epoch, sample: $0) }
        let (images, labels) = try assembly.assemble(
            choices.map(\.volume), read: { try volumes.volume($0, channels: assembly.channels, needsLabels: true) }
        ) { n, volume, place in
            let centre = centre(of: choices[n], volume: volume.size, epoch: epoch, sample: first + n)
            let draw = options.spatial.draw(
                size: field?.size ?? options.patch, centre: centre, spacingMillimetres: volume.spacingMillimetres,
                random: random, epoch: epoch, sample: first + n)
            if let field {
                reader.read(volume, draw: draw, of: field, epoch: epoch, sample: first + n, to: place)
            } else {
                reader.read(volume, draw: draw, epoch: epoch, sample: first + n, to: place)
            }
        }
        return Batch(
            inputs: images,
            targets: [options.targets.target(labels, like: images[0], classes: self.index.entries.count)])
    }
}
