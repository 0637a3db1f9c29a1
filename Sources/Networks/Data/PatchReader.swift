import Kernels

/// Cuts one patch out of a volume, changes it as drawn, and puts it where the network reads it.
struct PatchReader: Sendable {
    let spatial: SpatialAugmentation
    let intensity: IntensityAugmentation
    /// Label of voxels beyond the volume.
    let labelBeyond: UInt8
    let random: Philox
    /// Classes after a left-right flip.
    private let lateral: [UInt8]

    init(spatial: SpatialAugmentation, intensity: IntensityAugmentation, labelBeyond: UInt8, random: Philox) {
        (self.spatial, self.intensity, self.labelBeyond, self.random) = (spatial, intensity, labelBeyond, random)
        lateral = spatial.lateralPairs.swapped(classes: 256).map { UInt8($0) }
    }

    /// - Parameters:
    ///   - map: image `image` of it is overwritten; its size is that of the patch.
    ///   - labels: as many as the patch has voxels; nil where none are wanted.
    func read(
        _ volume: TrainingVolume, draw: SpatialAugmentation.Draw, epoch: Int, sample: Int, to map: FeatureMap,
        image: Int, labels: UnsafeMutablePointer<UInt8>?, threads: Int
    ) {
        let (lanes, positions) = (FeatureShape.lanes, map.shape.positions)
        precondition(draw.map.size == map.shape.size, "a patch of \(draw.map.size) for a map of \(map.shape.size)")
        for block in 0..<map.shape.blocks {
            map.block(block, image: image).update(repeating: 0, count: map.shape.blockStride)
        }
        Parallel.forEach(volume.channels.count, threads: threads) { channel in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: positions) { patch in
                let patch = patch.baseAddress!
                volume.channels[channel].withUnsafeBufferPointer { values in
                    draw.map.sample(
                        values.baseAddress!, volume: volume.size, isCubic: spatial.interpolation == .cubic,
                        beyond: beyond(volume, channel), to: patch)
                }
                intensity.apply(
                    to: patch, size: draw.map.size, channel: channel, random: random, epoch: epoch, sample: sample)
                let target = map.block(channel / lanes, image: image) + channel % lanes
                for n in 0..<positions { target[n * lanes] = patch[n] }
            }
        }
        guard let labels else { return }
        volume.labels.withUnsafeBufferPointer { values in
            draw.map.sampleNearest(
                values.baseAddress!, volume: volume.size, outside: spatial.beyond == .edge ? nil : labelBeyond,
                to: labels)
        }
        if draw.flipsWidth, !spatial.lateralPairs.isEmpty {
            for n in 0..<positions { labels[n] = lateral[Int(labels[n])] }
        }
    }

    private func beyond(_ volume: TrainingVolume, _ channel: Int) -> PatchMap.Beyond {
        switch spatial.beyond {
        case .zero: .value(0)
        case .background: .value(volume.background[channel])
        case .edge: .edge
        }
    }
}
