import Kernels

/// One place in a volume with a number to predict for it: a lesion that has a rim or not, say; or a whole volume.
package struct TargetedPatch: Sendable, Hashable, Codable {
    package var volume: Int
    /// The voxel position (i, j, k) in the middle of the patch; nil the middle of the volume.
    package var centre: SIMD3<Double>?
    /// 1 for a positive, 0 for a negative, or a value to be regressed.
    package var target: Float
    /// Numbers beside the image, standardised.
    package var features: [Float]

    package init(volume: Int, centre: SIMD3<Double>? = nil, target: Float, features: [Float] = []) {
        (self.volume, self.centre, self.target, self.features) = (volume, centre, target, features)
    }
}

/// How patches around given places are used for classification.
package struct TargetedOptions: Sendable, Hashable, Codable {
    /// depth × height × width in voxels.
    package var patch: Extent3
    package var batch: Int
    /// Every batch has at least so many samples with a target over 0.5 (QSMRim-Net's oversampling needs 3 or more).
    package var minimumPositives = 0
    package var spatial = SpatialAugmentation()
    package var intensity = IntensityAugmentation()

    package init(patch: Extent3, batch: Int) { (self.patch, self.batch) = (patch, batch) }
}

/// Patches around given places, in batches with enough positives.
package struct TargetedBatches: BatchSource {
    package let imageShape: FeatureShape
    package let features: Int
    package let hasLabels = false
    package var batchesPerEpoch: Int { order.batchesPerEpoch }
    private let volumes: any VolumeSource
    private let samples: [TargetedPatch]
    private let options: TargetedOptions
    private let order: BalancedOrder
    private let reader: PatchReader
    private let random: Philox

    /// - Throws: `TrainingDataError` when settings are out of range or samples do not agree.
    package init(
        _ volumes: any VolumeSource, samples: [TargetedPatch], channels: Int, options: TargetedOptions, seed: UInt64
    ) throws {
        guard options.patch.depth > 0, options.patch.height > 0, options.patch.width > 0 else {
            throw TrainingDataError.settings("a patch of \(options.patch) voxels has no voxel")
        }
        try options.spatial.check()
        try options.intensity.check()
        order = try BalancedOrder(
            isPositive: samples.map { $0.target > 0.5 }, batch: options.batch,
            minimumPositives: options.minimumPositives, seed: seed)
        let features = samples[0].features.count
        for (n, sample) in samples.enumerated() {
            guard sample.features.count == features else {
                throw TrainingDataError.settings(
                    "sample \(n) has \(sample.features.count) features, the first \(features)")
            }
            guard sample.volume >= 0, sample.volume < volumes.count else {
                throw TrainingDataError.settings("sample \(n) lies in volume \(sample.volume) of \(volumes.count)")
            }
            guard sample.target.isFinite, sample.features.allSatisfy(\.isFinite) else {
                throw TrainingDataError.settings("sample \(n) has a target or feature that is not a number")
            }
        }
        self.features = features
        imageShape = FeatureShape(batch: options.batch, channels: channels, size: options.patch)
        random = Philox(seed: seed)
        reader = PatchReader(
            spatial: options.spatial, intensity: options.intensity, labelBeyond: 0, random: random)
        (self.volumes, self.samples, self.options) = (volumes, samples, options)
    }

    package func fill(_ batch: TrainingBatch, epoch: Int, number: Int, threads: Int) throws {
        let chosen = order.samples(epoch: epoch, number: number)
        let read = try chosen.map { sample in
            let volume = try volumes.volume(samples[sample].volume)
            guard volume.channels.count == imageShape.channels else {
                throw TrainingDataError.channelCount(
                    volume: volume.name, found: volume.channels.count, expected: imageShape.channels)
            }
            return volume
        }
        for (n, sample) in chosen.enumerated() {
            batch.setTarget(samples[sample].target, sample: n)
            if let vectors = batch.vectors {
                for (feature, value) in samples[sample].features.enumerated() {
                    vectors.block(feature / FeatureShape.lanes, image: n)[feature % FeatureShape.lanes] = value
                }
            }
        }
        // Numbers of a sample depend on where it stands in the epoch, so that a positive shown twice differs.
        let first = number * options.batch
        batch.fill(from: read, threads: threads) { n, _, inner in
            let (volume, sample) = (read[n], samples[chosen[n]])
            let size = volume.size
            let middle = SIMD3(Double(size.width - 1), Double(size.height - 1), Double(size.depth - 1)) / 2
            let draw = options.spatial.draw(
                size: options.patch, centre: sample.centre ?? middle, spacingMillimetres: volume.spacingMillimetres,
                random: random, epoch: epoch, sample: first + n)
            reader.read(
                volume, draw: draw, epoch: epoch, sample: first + n, to: batch.images, image: n, labels: nil,
                threads: inner)
        }
    }
}
