import Kernels

/// Cuts windows out of a volume into the layout of the network, padding and flipping on the way; the padded volume is
/// never made.
struct WindowFiller: Sendable {
    private let plan: WindowPlan
    /// Per channel, the value where there is no voxel.
    private let background: [Float]
    /// For every position of the padded volume along an axis: the voxel shown there, or −1 for none.
    private let depth, height, width: [Int]

    init(plan: WindowPlan, padding: SlidingWindowOptions.Padding, background: [Float]) {
        self.plan = plan
        self.background = padding == .background ? background : background.map { _ in 0 }
        depth = Self.sources(
            0..<plan.padded.depth, volume: plan.volume.depth, before: plan.before.depth, padding)
        height = Self.sources(
            0..<plan.padded.height, volume: plan.volume.height, before: plan.before.height, padding)
        width = Self.sources(
            0..<plan.padded.width, volume: plan.volume.width, before: plan.before.width, padding)
    }

    /// For every position of the padded volume along an axis, or beyond it: the voxel shown there, or −1 for none.
    static func sources(
        _ positions: Range<Int>, volume size: Int, before: Int, _ padding: SlidingWindowOptions.Padding
    ) -> [Int] {
        positions.map { position in
            let n = position - before
            if n >= 0, n < size { return n }
            switch padding {
            case .zero, .background: return -1
            case .reflect:
                if size == 1 { return 0 }
                let period = 2 * (size - 1)
                let folded = ((n % period) + period) % period
                return folded < size ? folded : period - folded
            }
        }
    }

    /// Images of `windows` from the first on take the windows at `origins`; further ones become zero.
    func fill(
        _ windows: WindowInput, from channels: [[Float]], origins: ArraySlice<Extent3>, flip: Flip, threads: Int
    ) {
        let shape = windows.shape
        let (lanes, depth) = (FeatureShape.lanes, shape.size.depth)
        let planeCount = shape.size.height * shape.size.width
        switch windows {
        case .blocked(let map):
            Parallel.forEach(shape.batch * shape.blocks * depth, threads: threads) { piece in
                let (z, block, image) = (piece % depth, piece / depth % shape.blocks, piece / depth / shape.blocks)
                let plane = map.block(block, image: image) + z * planeCount * lanes
                plane.update(repeating: 0, count: planeCount * lanes)
                guard image < origins.count else { return }
                for channel in (block * lanes)..<min(channels.count, (block + 1) * lanes) {
                    fill(
                        plane + channel - block * lanes, step: lanes, z: z, shape.size, from: channels, channel,
                        origins[origins.startIndex + image], flip)
                }
            }
        case .planar(let base, _):
            Parallel.forEach(shape.batch * shape.channels * depth, threads: threads) { piece in
                let (z, channel) = (piece % depth, piece / depth % shape.channels)
                let image = piece / depth / shape.channels
                let plane = base + piece * planeCount
                plane.update(repeating: 0, count: planeCount)
                guard image < origins.count else { return }
                fill(
                    plane, step: 1, z: z, shape.size, from: channels, channel, origins[origins.startIndex + image],
                    flip)
            }
        }
    }

    /// Plane `z` of a window of one channel, whose voxels are `step` values apart; zero before.
    private func fill(
        _ plane: UnsafeMutablePointer<Float>, step: Int, z: Int, _ size: Extent3, from channels: [[Float]],
        _ channel: Int, _ origin: Extent3, _ flip: Flip
    ) {
        let volume = plan.volume
        let beyond = background[channel]
        if beyond != 0 {
            for n in 0..<size.height * size.width { plane[n * step] = beyond }
        }
        let sourceZ = depth[origin.depth + (flip.depth ? size.depth - 1 - z : z)]
        guard sourceZ >= 0 else { return }
        channels[channel].withUnsafeBufferPointer { values in
            for y in 0..<size.height {
                let sourceY = height[origin.height + (flip.height ? size.height - 1 - y : y)]
                guard sourceY >= 0 else { continue }
                let row = values.baseAddress! + (sourceZ * volume.height + sourceY) * volume.width
                let target = plane + y * size.width * step
                for x in 0..<size.width {
                    let sourceX = width[origin.width + (flip.width ? size.width - 1 - x : x)]
                    if sourceX >= 0 { target[x * step] = row[sourceX] }
                }
            }
        }
    }
}
