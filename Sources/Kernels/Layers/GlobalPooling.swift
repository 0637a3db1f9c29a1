/// Mean of each channel over all positions: a map of size 1×1×1.
package enum GlobalAveragePooling {
    package static func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, x.shape.pooled, "The output of global pooling")
        let sums = globalPool(x, kind: 0, threads: threads)
        for image in 0..<x.shape.batch {
            for channel in 0..<x.shape.blocks * 16 {
                let mean = sums.total(0, image: image, channel: channel) / Double(x.shape.positions)
                y.block(0, image: image)[channel] = Float(mean)
            }
        }
    }

    /// - Parameter dx: shape of what went in; every position gets its share of dy.
    package static func backward(gradient dy: FeatureMap, to dx: FeatureMap, threads: Int) {
        check(dy, dx.shape.pooled, "The gradient behind global pooling")
        let share = 1 / Float(dx.shape.positions)
        Pieces(dx.shape).forEach(threads: threads) { run in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { value in
                let source = dy.block(run.block, image: run.image)
                for lane in 0..<16 { value[lane] = source[lane] * share }
                fillPositions(value.baseAddress!, dx.start(run), run.count)
            }
        }
    }
}

/// Largest value of each channel over all positions: a map of size 1×1×1.
package enum GlobalMaxPooling {
    package static func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, x.shape.pooled, "The output of global pooling")
        let tops = globalPool(x, kind: 1, threads: threads)
        for image in 0..<x.shape.batch {
            for channel in 0..<x.shape.blocks * 16 {
                let (run, lane) = tops.place(image: image, channel: channel)
                var top = -Double.infinity
                for part in 0..<Pieces(x.shape).runsPerBlock {
                    let value = tops.part(run + part, 0)[lane]
                    if value > top || value.isNaN { top = value }
                }
                y.block(0, image: image)[channel] = Float(top)
            }
        }
    }

    /// The gradient goes to the first position that holds the largest value.
    ///
    /// - Parameters:
    ///   - x, y: what went in and came out.
    ///   - dx: shape of x; not x.
    package static func backward(
        x: FeatureMap, y: FeatureMap, gradient dy: FeatureMap, to dx: FeatureMap, threads: Int
    ) {
        check(dx, x.shape, "The gradient of global pooling")
        check(y, x.shape.pooled, "The output of global pooling")
        check(dy, x.shape.pooled, "The gradient behind global pooling")
        Parallel.forEach(x.shape.batch * x.shape.blocks, threads: threads) { unit in
            let (image, block) = (unit / x.shape.blocks, unit % x.shape.blocks)
            giveToFirst(
                x.block(block, image: image), y.block(block, image: image), dy.block(block, image: image),
                dx.block(block, image: image), x.shape.positions)
        }
    }
}

extension FeatureShape {
    /// The shape after global pooling.
    var pooled: FeatureShape { FeatureShape(batch: batch, channels: channels, size: .one) }
}

private func globalPool(_ x: FeatureMap, kind: Int, threads: Int) -> ChannelSums {
    let pieces = Pieces(x.shape)
    let sums = ChannelSums(pieces, kinds: 1)
    pieces.forEach(threads: threads) { run in poolAll(kind, x.start(run), sums.part(run.index, 0), run.count) }
    return sums
}
