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

/// What the target of a sample is to the loss.
package enum SampleTargets: String, Sendable, Hashable, Codable {
    /// The number of a class: cross-entropy, focal.
    case classes
    /// A value: binary cross-entropy, squared error.
    case values
    /// A value for every slice of the patch, the same for all, and once more for the patch as a whole: the two outputs of
    /// `SliceSequenceNetwork`.
    case valuesPerSlice
}

/// How patches around given places are used for classification.
package struct TargetedOptions: Sendable, Hashable, Codable {
    /// depth × height × width in voxels.
    package var patch: Extent3
    package var batch: Int
    /// Every batch has at least so many samples with a target over 0.5 (QSMRim-Net's oversampling needs 3 or more).
    package var minimumPositives = 0
    package var targets = SampleTargets.values
    package var spatial = SpatialAugmentation()
    package var intensity = IntensityAugmentation()

    package init(patch: Extent3, batch: Int) { (self.patch, self.batch) = (patch, batch) }
}

/// Patches around given places, in batches with enough positives.
package struct TargetedBatches: TrainingData {
    /// Numbers per sample beside the image; the network has a second input for them where there are any.
    package let features: Int
    package var batchesPerEpoch: Int { order.batchesPerEpoch }
    private let assembly: BatchAssembly
    private let volumes: any VolumeSource
    private let samples: [TargetedPatch]
    private let options: TargetedOptions
    private let order: SampleOrder
    private let reader: PatchReader
    private let random: Philox

    /// - Parameter isEvaluation: every sample exactly once, in the given order, with a shorter batch at the end, instead
    ///   of batches with enough positives.
    /// - Throws: `TrainingDataError` when settings are out of range or samples do not agree.
    package init(
        _ volumes: any VolumeSource, samples: [TargetedPatch], channels: Int, options: TargetedOptions, seed: UInt64,
        isEvaluation: Bool = false, threads: Int = 1
    ) throws {
        guard options.patch.depth > 0, options.patch.height > 0, options.patch.width > 0 else {
            throw TrainingDataError.settings("a patch of \(options.patch) voxels has no voxel")
        }
        try options.spatial.check()
        try options.intensity.check()
        let balanced = try BalancedOrder(
            isPositive: samples.map { $0.target > 0.5 }, batch: options.batch,
            minimumPositives: isEvaluation ? 0 : options.minimumPositives, seed: seed)
        order =
            isEvaluation
            ? .once(EvaluationOrder(samples: samples.count, batch: options.batch)) : .balanced(balanced)
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
            let target = sample.target
            guard options.targets != .classes || (target == target.rounded() && (0...255).contains(target)) else {
                throw TrainingDataError.settings("sample \(n) has the target \(target), which is no class of 0 to 255")
            }
        }
        self.features = features
        assembly = BatchAssembly(channels: channels, size: options.patch, hasLabels: false, threads: threads)
        random = Philox(seed: seed)
        reader = PatchReader(
            spatial: options.spatial, intensity: options.intensity, labelBeyond: 0, random: random)
        (self.volumes, self.samples, self.options) = (volumes, samples, options)
    }

    package func batch(epoch: Int, index: Int) throws -> Batch {
        let chosen = order.samples(epoch: epoch, number: index)
        // Numbers of a sample depend on where it stands in the epoch, so that a positive shown twice differs.
        let first = index * options.batch
        let (images, _) = try assembly.assemble(
            chosen.map { samples[$0].volume },
            read: { try volumes.volume($0, channels: assembly.channels, needsLabels: false) }
        ) { n, volume, place in
            let sample = samples[chosen[n]]
            let draw = options.spatial.draw(
                size: options.patch, centre: sample.centre ?? volume.size.middle(of: options.patch),
                spacingMillimetres: volume.spacingMillimetres, random: random, epoch: epoch, sample: first + n)
            reader.read(volume, draw: draw, epoch: epoch, sample: first + n, to: place)
        }
        var inputs = images
        if features > 0 {
            inputs.append(Tensor(shape: [chosen.count, features], values: chosen.flatMap { samples[$0].features }))
        }
        let targets = chosen.map { samples[$0].target }
        switch options.targets {
        case .values:
            return Batch(inputs: inputs, targets: [.values(Tensor(shape: [chosen.count, 1], values: targets))])
        case .valuesPerSlice:
            let depth = options.patch.depth
            let slices = targets.flatMap { [Float](repeating: $0, count: depth) }
            return Batch(
                inputs: inputs,
                targets: [
                    .values(Tensor(shape: [chosen.count * depth, 1], values: slices)),
                    .values(Tensor(shape: [chosen.count, 1], values: targets)),
                ])
        case .classes: return Batch(inputs: inputs, targets: [.classes(targets.map { UInt8($0) })])
        }
    }
}
