/// Sets random values to zero and enlarges the others, so that their mean stays. Which ones is a function of the key, the
/// place and the position in the map alone: nothing is stored for the way back, and threads and views do not matter.
///
/// A decision takes sixteen random bits: probabilities are rounded to multiples of 2⁻¹⁶, and the factor is that of the
/// rounded one.
package struct Dropout: Hashable, Sendable, Codable {
    /// That a value becomes zero; 0 … 1.
    package var probability: Float
    /// Whether whole channels of an image are dropped (Dropout2d and Dropout3d of PyTorch).
    package var channelwise: Bool

    package init(probability: Float, channelwise: Bool = false) {
        precondition((0...1).contains(probability), "A probability of \(probability) for dropout")
        (self.probability, self.channelwise) = (probability, channelwise)
    }

    /// Training; at inference nothing is to be done.
    ///
    /// - Parameters:
    ///   - y: shape of x; may be x.
    ///   - place: where in the training and the network this is, such as layer, epoch and step.
    package func forward(
        _ x: FeatureMap, to y: FeatureMap, random: Philox, place: (UInt32, UInt32, UInt32), threads: Int
    ) {
        check(y, x.shape, "The output of dropout")
        // Numbers below it are dropped. With probability 1 all are: the factor is zero.
        let threshold = UInt32((probability * 65536).rounded())
        let scale = threshold < 65536 ? 65536 / Float(65536 - threshold) : 0
        let limit = min(threshold, 65535)
        let pieces = Pieces(x.shape)
        if channelwise {
            pieces.forEach(threads: threads) { run in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { factors in
                    for quarter in 0..<4 {
                        let counter = UInt32(truncatingIfNeeded: (run.image * x.shape.blocks + run.block) * 4 + quarter)
                        let words = random.words(SIMD4(counter, place.0, place.1, place.2))
                        for n in 0..<4 { factors[quarter * 4 + n] = words[n] >> 16 < limit ? 0 : scale }
                    }
                    multiplyMaps(2, x.start(run), factors.baseAddress!, y.start(run), run.count)
                }
            }
            return
        }
        let countersPerBlock = (x.shape.positions + 7) / 8 * 16
        let key: [UInt32] = [random.key.x, random.key.y, place.0, place.1, place.2]
        key.withUnsafeBufferPointer { key in
            pieces.forEach(threads: threads) { run in
                // Runs begin at multiples of eight positions.
                let first = (run.image * x.shape.blocks + run.block) * countersPerBlock + run.first / 8 * 16
                dropOut(
                    key.baseAddress!, UInt32(truncatingIfNeeded: first), limit, scale, x.start(run), y.start(run),
                    run.count)
            }
        }
    }

    /// The same values are dropped from the gradient.
    ///
    /// - Parameter dx: may be dy.
    package func backward(
        gradient dy: FeatureMap, to dx: FeatureMap, random: Philox, place: (UInt32, UInt32, UInt32), threads: Int
    ) {
        forward(dy, to: dx, random: random, place: place, threads: threads)
    }
}
