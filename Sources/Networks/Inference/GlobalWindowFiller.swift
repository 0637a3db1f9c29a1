import Kernels

/// Cuts the second windows of networks with two branches out of a volume: as many voxels as the window about the same
/// centre, each the mean of `scale` voxels along every axis (`FieldOfView` in training).
struct GlobalWindowFiller: Sendable {
    private let plan: WindowPlan
    private let scale: Int
    /// Per channel, the value where there is no voxel.
    private let background: [Float]
    /// For every position along an axis from the margin before the padded volume to the margin behind it: the voxel shown
    /// there, or −1 for none.
    private let depth, height, width: [Int]

    init(plan: WindowPlan, scale: Int, padding: SlidingWindowOptions.Padding, background: [Float]) {
        (self.plan, self.scale) = (plan, scale)
        self.background = padding == .background ? background : background.map { _ in 0 }
        func sources(_ window: Int, _ padded: Int, _ volume: Int, _ before: Int) -> [Int] {
            let margin = (scale - 1) * window / 2
            return WindowFiller.sources(-margin..<padded + margin, volume: volume, before: before, padding)
        }
        depth = sources(plan.window.depth, plan.padded.depth, plan.volume.depth, plan.before.depth)
        height = sources(plan.window.height, plan.padded.height, plan.volume.height, plan.before.height)
        width = sources(plan.window.width, plan.padded.width, plan.volume.width, plan.before.width)
    }

    /// Images of `map` from the first on take what lies about the windows at `origins`; further ones become zero.
    func fill(
        _ map: FeatureMap, from channels: [[Float]], origins: ArraySlice<Extent3>, flip: Flip, threads: Int
    ) {
        let (lanes, size, blocks) = (FeatureShape.lanes, map.shape.size, map.shape.blocks)
        let volume = plan.volume
        let share = 1 / Float(scale * scale * scale)
        Parallel.forEach(map.shape.batch * blocks * size.depth, threads: threads) { piece in
            let z = piece % size.depth
            let block = piece / size.depth % blocks
            let image = piece / size.depth / blocks
            let plane = map.block(block, image: image) + z * size.height * size.width * lanes
            plane.update(repeating: 0, count: size.height * size.width * lanes)
            guard image < origins.count else { return }
            let origin = origins[origins.startIndex + image]
            let firstZ = origin.depth + (flip.depth ? size.depth - 1 - z : z) * scale
            var row = [Float](repeating: 0, count: size.width)
            for channel in (block * lanes)..<min(channels.count, (block + 1) * lanes) {
                let beyond = background[channel]
                channels[channel].withUnsafeBufferPointer { values in
                    for y in 0..<size.height {
                        let firstY = origin.height + (flip.height ? size.height - 1 - y : y) * scale
                        for x in 0..<size.width { row[x] = 0 }
                        for sourceZ in depth[firstZ..<firstZ + scale] {
                            for sourceY in height[firstY..<firstY + scale] {
                                guard sourceZ >= 0, sourceY >= 0 else {
                                    for x in 0..<size.width { row[x] += beyond * Float(scale) }
                                    continue
                                }
                                let line = values.baseAddress! + (sourceZ * volume.height + sourceY) * volume.width
                                for x in 0..<size.width {
                                    for n in 0..<scale {
                                        let sourceX = width[origin.width + x * scale + n]
                                        row[x] += sourceX < 0 ? beyond : line[sourceX]
                                    }
                                }
                            }
                        }
                        let target = plane + y * size.width * lanes + channel - block * lanes
                        for x in 0..<size.width {
                            target[x * lanes] = row[flip.width ? size.width - 1 - x : x] * share
                        }
                    }
                }
            }
        }
    }
}
