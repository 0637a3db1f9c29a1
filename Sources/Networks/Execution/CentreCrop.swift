import Kernels

/// The central part of a map.
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
}
