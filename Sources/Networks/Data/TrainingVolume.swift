import Kernels

/// One subject's images as a network is trained on them: normalised channels on one grid, and a class per voxel.
package struct TrainingVolume: Sendable {
    /// For messages, say the subject.
    package let name: String
    /// depth × height × width.
    package let size: Extent3
    /// Voxel size along i, j, k (width, height, depth).
    package let spacingMillimetres: SIMD3<Double>
    /// size.product values each, width fastest.
    package let channels: [[Float]]
    /// What a zero of each channel became: the values beyond the image.
    package let background: [Float]
    /// One class per voxel; empty where there are none.
    package let labels: [UInt8]
    /// For every channel the sum of each slice before it was normalised: slices of zeros can be left out.
    package let sliceSums: [[Double]]

    /// Checks and normalises.
    ///
    /// - Parameters:
    ///   - channels: raw values, all on the grid of the first.
    ///   - normalisation: one per channel.
    ///   - mask: for normalisations inside a mask.
    ///   - labels: 0 ..< classes; nil where there are none.
    /// - Throws: `TrainingDataError` naming the volume.
    package init(
        name: String, channels: [Volume], normalisation: [IntensityNormalisation], mask: Mask? = nil,
        labels: LabelMap? = nil, classes: Int = 256
    ) throws {
        guard let first = channels.first, channels.count == normalisation.count else {
            throw TrainingDataError.channelCount(
                volume: name, found: channels.count, expected: max(normalisation.count, 1))
        }
        let grid = first.grid
        for (n, channel) in channels.enumerated() where !channel.grid.matches(grid) {
            throw TrainingDataError.grid(
                volume: name, image: "channel \(n)", found: "\(channel.grid)", expected: "\(grid)")
        }
        if let labels, !labels.grid.matches(grid) {
            throw TrainingDataError.grid(
                volume: name, image: "the label map", found: "\(labels.grid)", expected: "\(grid)")
        }
        if let mask, !mask.grid.matches(grid) {
            throw TrainingDataError.grid(volume: name, image: "the mask", found: "\(mask.grid)", expected: "\(grid)")
        }
        let size = Extent3(grid.nz, grid.ny, grid.nx)
        self.name = name
        self.size = size
        spacingMillimetres = grid.spacingMillimetres
        for (n, channel) in channels.enumerated() {
            let wrong = channel.values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
            if wrong > 0 { throw TrainingDataError.notFinite(volume: name, channel: n, voxels: wrong) }
        }
        sliceSums = channels.map { Self.sliceSums($0.values, size: size) }
        let normalised = try channels.enumerated().map { n, channel in
            try normalisation[n].apply(
                to: channel.values, size: size, mask: mask?.values, volume: name, channel: n)
        }
        self.channels = normalised.map(\.values)
        background = normalised.map(\.background)
        self.labels =
            try labels?.values.map { label in
                guard label < classes, label < 256 else {
                    throw TrainingDataError.label(volume: name, label: Int(label), classes: classes)
                }
                return UInt8(label)
            } ?? []
    }

    init(
        name: String, size: Extent3, spacingMillimetres: SIMD3<Double>, channels: [[Float]], background: [Float],
        labels: [UInt8], sliceSums: [[Double]]
    ) {
        (self.name, self.size, self.spacingMillimetres) = (name, size, spacingMillimetres)
        (self.channels, self.background, self.labels, self.sliceSums) = (channels, background, labels, sliceSums)
    }

    /// Sum of every slice, of one channel before it is normalised.
    static func sliceSums(_ values: [Float], size: Extent3) -> [Double] {
        let plane = size.height * size.width
        return (0..<size.depth).map { k in
            values[(k * plane)..<((k + 1) * plane)].reduce(0.0) { $0 + Double($1) }
        }
    }

    /// Slices that hold nothing, by their sums: in DEEPMIR those of 0 or less in the susceptibility-weighted image.
    package static func emptySlices(sums: [Double]) -> Set<Int> { Set(sums.indices.filter { !(sums[$0] > 0) }) }

    /// Bytes in memory.
    package var bytes: Int { channels.count * size.product * MemoryLayout<Float>.stride + labels.count }
}
