import Kernels

/// The central part of a map, and parts of its channels: plain copies.
enum CentreCrop {
    static func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        forEachRow(x, y, threads: threads) { large, small, count in small.update(from: large, count: count) }
    }

    /// Zero outside of the centre.
    static func backward(gradient dy: FeatureMap, to dx: FeatureMap, threads: Int) {
        Parallel.forEach(dx.shape.batch * dx.shape.blocks, threads: threads) { piece in
            let (image, block) = (piece / dx.shape.blocks, piece % dx.shape.blocks)
            dx.block(block, image: image).update(repeating: 0, count: dx.shape.blockStride)
        }
        forEachRow(dx, dy, threads: threads) { large, small, count in large.update(from: small, count: count) }
    }

    private static func forEachRow(
        _ large: FeatureMap, _ small: FeatureMap, threads: Int,
        _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        let (outer, inner) = (large.shape.size, small.shape.size)
        let (d0, h0, w0) = (
            (outer.depth - inner.depth) / 2, (outer.height - inner.height) / 2, (outer.width - inner.width) / 2
        )
        let lanes = FeatureShape.lanes
        Parallel.forEach(small.shape.batch * small.shape.blocks, threads: threads) { piece in
            let (image, block) = (piece / small.shape.blocks, piece % small.shape.blocks)
            let (from, to) = (large.block(block, image: image), small.block(block, image: image))
            for d in 0..<inner.depth {
                for h in 0..<inner.height {
                    let row = ((d + d0) * outer.height + h + h0) * outer.width + w0
                    body(from + row * lanes, to + (d * inner.height + h) * inner.width * lanes, inner.width * lanes)
                }
            }
        }
    }

    /// Channels from `first` on, as many as `y` has; padding channels of y are zero.
    static func copyChannels(of x: FeatureMap, from first: Int, to y: FeatureMap, threads: Int) {
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
