import Kernels

/// Cuts one patch out of a volume, and changes it as drawn.
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

    /// Writes all channels, and the labels where there is a place for them.
    func read(
        _ volume: TrainingVolume, draw: SpatialAugmentation.Draw, epoch: Int, sample: Int, to place: BatchAssembly.Place
    ) {
        let size = draw.map.size
        Parallel.forEach(volume.channels.count, threads: place.threads) { channel in
            let patch = place.values + channel * size.product
            volume.channels[channel].withUnsafeBufferPointer { values in
                draw.map.sample(
                    values.baseAddress!, volume: volume.size, isCubic: spatial.interpolation == .cubic,
                    beyond: volume.beyond(spatial.beyond, channel: channel), to: patch)
            }
            intensity.apply(to: patch, size: size, channel: channel, random: random, epoch: epoch, sample: sample)
        }
        guard let labels = place.labels else { return }
        volume.labels.withUnsafeBufferPointer { values in
            draw.map.sampleNearest(
                values.baseAddress!, volume: volume.size, outside: spatial.beyond == .edge ? nil : labelBeyond,
                to: labels)
        }
        if draw.flipsWidth, !spatial.lateralPairs.isEmpty {
            for n in 0..<size.product { labels[n] = lateral[Int(labels[n])] }
        }
    }
}
