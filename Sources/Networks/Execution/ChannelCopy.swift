import Kernels

/// A part of the channels of a map, where it cannot be a view because it does not begin a block.
enum ChannelCopy {
    /// Channels from `first` on, as many as `y` has; padding channels of y are zero.
    static func copy(of x: FeatureMap, from first: Int, to y: FeatureMap, threads: Int) {
        let lanes = FeatureShape.lanes
        Parallel.forEach(y.shape.batch * y.shape.blocks, threads: threads) { piece in
            let (image, block) = (piece / y.shape.blocks, piece % y.shape.blocks)
            let target = y.block(block, image: image)
            for lane in 0..<lanes {
                let channel = block * lanes + lane
                guard channel < y.shape.channels else {
                    for p in 0..<y.shape.positions { target[p * lanes + lane] = 0 }
                    continue
                }
                let from = first + channel
                let source = x.block(from / lanes, image: image) + from % lanes
                for p in 0..<y.shape.positions { target[p * lanes + lane] = source[p * lanes] }
            }
        }
    }
}
