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

    /// Writes both patches of a field of view that was drawn as a whole, and the labels of the first.
    func read(
        _ volume: TrainingVolume, draw: SpatialAugmentation.Draw, of field: FieldOfView, epoch: Int, sample: Int,
        to place: BatchAssembly.Place
    ) {
        let (voxels, patch) = (field.size.product, field.patch.product)
        var piece = [Float](repeating: 0, count: volume.channels.count * voxels)
        var labels = [UInt8](repeating: 0, count: place.labels == nil ? 0 : voxels)
        piece.withUnsafeMutableBufferPointer { piece in
            labels.withUnsafeMutableBufferPointer { labels in
                read(
                    volume, draw: draw, epoch: epoch, sample: sample,
                    to: BatchAssembly.Place(
                        values: piece.baseAddress!, labels: place.labels == nil ? nil : labels.baseAddress!,
                        threads: place.threads))
                for channel in volume.channels.indices {
                    let whole = piece.baseAddress! + channel * voxels
                    field.copyPatch(from: whole, to: place.values + channel * patch)
                    if let global = place.global { field.writeMeans(of: whole, to: global + channel * patch) }
                }
                if let target = place.labels { field.copyPatch(from: labels.baseAddress!, to: target) }
            }
        }
    }
}
