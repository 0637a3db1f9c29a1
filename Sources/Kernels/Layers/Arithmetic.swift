/// Sum of maps of one shape. Its gradient is that of the sum, for each of them.
package enum Addition {
    /// - Parameters:
    ///   - maps: one or more; to collect gradients, the first may be `y` itself.
    ///   - y: the shape of each; the first two may be `y`, later ones not.
    ///   - activation: of the sum.
    package static func forward(
        _ maps: [FeatureMap], to y: FeatureMap, activation: Epilogue = .none, threads: Int
    ) {
        precondition(!maps.isEmpty, "A sum of no maps")
        for map in maps { check(map, y.shape, "A summand") }
        Pieces(y.shape).forEach(threads: threads) { run in
            if maps.count == 1 {
                // A copy, with what follows.
                let kind = activation.code
                if kind == 0 {
                    addScaled(maps[0].start(run), 1, y.start(run), run.count, 1)
                } else {
                    Kernels.activate(
                        kind, activation.slope, LaneMask.first(16), maps[0].start(run), y.start(run), run.count)
                }
                return
            }
            for n in 1..<maps.count {
                let isLast = n == maps.count - 1
                addMaps(
                    n == 1 ? maps[0].start(run) : y.start(run), maps[n].start(run), y.start(run), run.count,
                    isLast ? activation.code : 0, activation.slope)
            }
        }
    }

    /// Gradient before the activation of a sum, from y, what came out; dx may be dy.
    package static func backward(
        y: FeatureMap, activation: Epilogue, gradient dy: FeatureMap, to dx: FeatureMap, threads: Int
    ) {
        check(dy, y.shape, "The gradient behind a sum")
        check(dx, y.shape, "The gradient of a sum")
        precondition(
            activation.slope >= 0, "With a slope of \(activation.slope) the result does not tell what went in")
        Pieces(y.shape).forEach(threads: threads) { run in
            if activation == .none {
                addScaled(dy.start(run), 1, dx.start(run), run.count, 1)
            } else {
                activateBackward(
                    activation.code, activation.slope, y.start(run), y.start(run), dy.start(run), dx.start(run),
                    run.count)
            }
        }
    }
}

/// Product of a map with a second one: of the same shape, of one channel (a value for each position, as in attention
/// over space) or of size 1×1×1 (a value for each channel, as in attention over channels).
package enum Multiplication {
    /// - Parameter y: shape of a; may be a, or b of the same shape.
    package static func forward(_ a: FeatureMap, _ b: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, a.shape, "A product")
        let kind = kind(a.shape, b.shape)
        Pieces(a.shape).forEach(threads: threads) { run in
            multiplyMaps(kind.rawValue, a.start(run), start(b, kind, run), y.start(run), run.count)
        }
    }

    /// - Parameters:
    ///   - a, b: what went in.
    ///   - da: may be dy, which is read for db first.
    ///   - db: shape of b, overwritten; not dy.
    package static func backward(
        _ a: FeatureMap, _ b: FeatureMap, gradient dy: FeatureMap, to da: FeatureMap, _ db: FeatureMap, threads: Int
    ) {
        check(dy, a.shape, "The gradient behind a product")
        check(da, a.shape, "The gradient of a product")
        check(db, b.shape, "The gradient of a product")
        let kind = kind(a.shape, b.shape)
        let pieces = Pieces(a.shape)
        switch kind {
        case .same:
            pieces.forEach(threads: threads) { run in
                multiplyMaps(0, dy.start(run), a.start(run), db.start(run), run.count)
            }
        case .position:
            pieces.forEachStretch(threads: threads) { stretch in
                sumProductsOverChannels(
                    dy.start(stretch), a.start(stretch), a.shape.blocks, a.shape.blockStride, db.start(stretch),
                    stretch.count)
            }
        case .channel:
            let sums = ChannelSums(pieces, kinds: 1)
            pieces.forEach(threads: threads) { run in
                sumProductsOverPositions(dy.start(run), a.start(run), sums.part(run.index, 0), run.count)
            }
            for image in 0..<a.shape.batch {
                for channel in 0..<a.shape.blocks * 16 {
                    db.block(0, image: image)[channel] = Float(sums.total(0, image: image, channel: channel))
                }
            }
        }
        pieces.forEach(threads: threads) { run in
            multiplyMaps(kind.rawValue, dy.start(run), start(b, kind, run), da.start(run), run.count)
        }
    }

    /// Values of the second factor, numbered as the hot loop knows them.
    private enum Kind: Int { case same, position, channel }

    private static func kind(_ a: FeatureShape, _ b: FeatureShape) -> Kind {
        if a == b { return .same }
        if b == FeatureShape(batch: a.batch, channels: 1, size: a.size) { return .position }
        if b == a.pooled { return .channel }
        preconditionFailure("A map of \(b) does not multiply one of \(a)")
    }

    private static func start(_ b: FeatureMap, _ kind: Kind, _ run: Pieces.Run) -> UnsafeMutablePointer<Float> {
        switch kind {
        case .same: b.start(run)
        case .position: b.block(0, image: run.image) + run.first * 16
        case .channel: b.block(run.block, image: run.image)
        }
    }
}
