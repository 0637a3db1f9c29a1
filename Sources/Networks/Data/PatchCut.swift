import Kernels

extension Extent3 {
    /// Where a patch in the middle of this volume has its middle, (i, j, k). Voxels lie on voxels: where the margin is odd,
    /// the smaller part of it comes first.
    package func middle(of patch: Extent3) -> SIMD3<Double> {
        func one(_ size: Int, _ patch: Int) -> Double { Double(patch - 1) / 2 - Double((patch - size) / 2) }
        return SIMD3(one(width, patch.width), one(height, patch.height), one(depth, patch.depth))
    }
}

extension TrainingVolume {
    /// Images that were brought to a model's grid, as samples are cut from.
    package init(name: String, _ input: ModelInput) {
        self.init(
            name: name, size: input.size, spacingMillimetres: input.grid.spacingMillimetres, channels: input.channels,
            background: input.background, labels: [], sliceSums: [])
    }

    /// The patch around a position, unchanged: what a network is asked about, where `TargetedBatches` trained it.
    ///
    /// - Parameters:
    ///   - size: of the patch, voxels.
    ///   - centre: voxel position (i, j, k) of its middle.
    ///   - trained: how patches were cut in training: what lies beyond the volume, and the interpolation.
    /// - Returns: a batch of one.
    package func patch(_ size: Extent3, centre: SIMD3<Double>, as trained: SpatialAugmentation) -> Tensor {
        let draw = SpatialAugmentation().draw(
            size: size, centre: centre, spacingMillimetres: spacingMillimetres, random: Philox(seed: 0), epoch: 0,
            sample: 0)
        let count = size.product
        var patch = Tensor(shape: [1, channels.count, size.depth, size.height, size.width])
        patch.values.withUnsafeMutableBufferPointer { target in
            for (n, channel) in channels.enumerated() {
                channel.withUnsafeBufferPointer { values in
                    draw.map.sample(
                        values.baseAddress!, volume: self.size, isCubic: trained.interpolation == .cubic,
                        beyond: beyond(trained.beyond, channel: n),
                        to: target.baseAddress! + n * count)
                }
            }
        }
        return patch
    }

    /// What a channel shows where there is no voxel.
    func beyond(_ beyond: SpatialAugmentation.Beyond, channel: Int) -> PatchMap.Beyond {
        switch beyond {
        case .zero: .value(0)
        case .background: .value(background[channel])
        case .edge: .edge
        }
    }
}
