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

    /// Images of `map` from the first on take the windows at `origins`; further ones become zero.
    func fill(
        _ map: FeatureMap, from channels: [[Float]], origins: ArraySlice<Extent3>, flip: Flip, threads: Int
    ) {
        let (lanes, size, blocks) = (FeatureShape.lanes, map.shape.size, map.shape.blocks)
        let volume = plan.volume
        Parallel.forEach(map.shape.batch * blocks * size.depth, threads: threads) { piece in
            let z = piece % size.depth
            let block = piece / size.depth % blocks
            let image = piece / size.depth / blocks
            let plane = map.block(block, image: image) + z * size.height * size.width * lanes
            plane.update(repeating: 0, count: size.height * size.width * lanes)
            guard image < origins.count else { return }
            let origin = origins[origins.startIndex + image]
            let sourceZ = depth[origin.depth + (flip.depth ? size.depth - 1 - z : z)]
            for channel in (block * lanes)..<min(channels.count, (block + 1) * lanes) {
                let beyond = background[channel]
                if beyond != 0 {
                    for n in 0..<size.height * size.width { plane[n * lanes + channel - block * lanes] = beyond }
                }
                if sourceZ < 0 { continue }
                channels[channel].withUnsafeBufferPointer { values in
                    for y in 0..<size.height {
                        let sourceY = height[origin.height + (flip.height ? size.height - 1 - y : y)]
                        guard sourceY >= 0 else { continue }
                        let row = values.baseAddress! + (sourceZ * volume.height + sourceY) * volume.width
                        let target = plane + y * size.width * lanes + channel - block * lanes
                        for x in 0..<size.width {
                            let sourceX = width[origin.width + (flip.width ? size.width - 1 - x : x)]
                            if sourceX >= 0 { target[x * lanes] = row[sourceX] }
                        }
                    }
                }
            }
        }
    }
}
