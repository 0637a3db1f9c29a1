/// Gradient of a bias.
enum BiasGradient {
    /// Sums over batch and positions of each channel.
    static func compute(_ gradient: FeatureMap, to bias: UnsafeMutablePointer<Float>, threads: Int) {
        let lanes = FeatureShape.lanes
        let shape = gradient.shape
        let run = 2048
        let runs = shape.positions.divided(by: run)
        let pieces = shape.batch * shape.blocks * runs
        Scratch.with(pieces * lanes) { partial in
            Parallel.forEach(pieces, threads: threads) { piece in
                let (image, block, first) = (
                    piece / (runs * shape.blocks), piece / runs % shape.blocks, piece % runs * run
                )
                sumLanes(
                    gradient.block(block, image: image) + first * lanes, min(run, shape.positions - first),
                    partial + piece * lanes)
            }
            for channel in 0..<shape.channels {
                let (block, lane) = (channel / lanes, channel % lanes)
                var sum = 0.0
                for image in 0..<shape.batch {
                    for n in 0..<runs {
                        sum += Double(partial[((image * shape.blocks + block) * runs + n) * lanes + lane])
                    }
                }
                bias[channel] = Float(sum)
            }
        }
    }
}
