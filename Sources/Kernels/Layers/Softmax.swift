/// Softmax over the channels of every position, or its logarithm.
package enum Softmax: String, Hashable, Sendable, Codable {
    case probabilities
    case logarithms

    /// - Parameter y: shape of x; may be x.
    package func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, x.shape, "The output of softmax")
        Pieces(x.shape).forEachStretch(threads: threads) { stretch in
            withUnsafeTemporaryAllocation(byteCount: x.shape.blocks * 1024, alignment: 64) { scratch in
                Kernels.softmax(
                    self == .logarithms ? 1 : 0, x.start(stretch), x.shape.channels, x.shape.blockStride,
                    scratch.bindMemory(to: Float.self).baseAddress!, y.start(stretch), stretch.count)
            }
        }
    }

    /// - Parameters:
    ///   - y: what came out.
    ///   - dx: may be dy.
    package func backward(y: FeatureMap, gradient dy: FeatureMap, to dx: FeatureMap, threads: Int) {
        check(dy, y.shape, "The gradient behind softmax")
        check(dx, y.shape, "The gradient of softmax")
        let (blocks, stride) = (y.shape.blocks, y.shape.blockStride)
        let pieces = Pieces(y.shape)
        let mask = pieces.mask(blocks - 1)
        pieces.forEachStretch(threads: threads) { stretch in
            softmaxBackward(
                self == .logarithms ? 1 : 0, y.start(stretch), dy.start(stretch), blocks, stride, mask,
                dx.start(stretch), stretch.count)
        }
    }
}
