/// −log p of the true class, p by softmax over the channels; the mean over all positions, weighted by class.
package struct CrossEntropy: Hashable, Sendable, Codable {
    /// One per channel; nil: 1.
    package var classWeights: [Float]?
    /// Positions of this class do not count.
    package var ignoredClass: UInt8?

    package init(classWeights: [Float]? = nil, ignoredClass: UInt8? = nil) {
        (self.classWeights, self.ignoredClass) = (classWeights, ignoredClass)
    }

    /// Value, and the gradient with respect to the logits. Losses are summed by adding values and gradients of several.
    ///
    /// - Parameters:
    ///   - targets: class of each position, [batch][depth][height][width].
    ///   - gradient: shape of the logits, not the logits themselves; nil: only the value is wanted.
    ///   - weight: multiplies the gradient; the value is returned without it.
    ///   - adding: whether the gradient is added to what the map holds.
    /// - Returns: the loss; 0 where no position counts.
    package func evaluate(
        _ logits: FeatureMap, targets: UnsafePointer<UInt8>, gradient: FeatureMap?, weight: Double = 1,
        adding: Bool = false, threads: Int
    ) -> Double {
        let classes = ClassTargets(
            targets, logits.shape, weights: classWeights, ignoredClass: ignoredClass, threads: threads)
        return classLosses(
            logits, targets, classes, gamma: 0, normaliser: classes.totalWeight, gradient, weight, adding, threads)
    }
}

/// −α·(1 − p)^γ·log p of the true class (Lin et al. 2017, doi 10.1109/ICCV.2017.324), p by softmax over the channels; the
/// mean over all positions that count. Not divided by the sum of the weights.
package struct FocalLoss: Hashable, Sendable, Codable {
    package var gamma: Float
    /// α of each channel; nil: 1.
    package var classWeights: [Float]?
    package var ignoredClass: UInt8?

    package init(gamma: Float = 2, classWeights: [Float]? = nil, ignoredClass: UInt8? = nil) {
        precondition(gamma >= 0, "A focal loss with γ = \(gamma)")
        (self.gamma, self.classWeights, self.ignoredClass) = (gamma, classWeights, ignoredClass)
    }

    /// As `CrossEntropy.evaluate`.
    package func evaluate(
        _ logits: FeatureMap, targets: UnsafePointer<UInt8>, gradient: FeatureMap?, weight: Double = 1,
        adding: Bool = false, threads: Int
    ) -> Double {
        let classes = ClassTargets(
            targets, logits.shape, weights: classWeights, ignoredClass: ignoredClass, threads: threads)
        return classLosses(
            logits, targets, classes, gamma: gamma, normaliser: Double(classes.total), gradient, weight, adding,
            threads)
    }
}

private func classLosses(
    _ logits: FeatureMap, _ targets: UnsafePointer<UInt8>, _ classes: ClassTargets, gamma: Float, normaliser: Double,
    _ gradient: FeatureMap?, _ weight: Double, _ adding: Bool, _ threads: Int
) -> Double {
    if let gradient { check(gradient, logits.shape, "The gradient of a loss") }
    let shape = logits.shape
    let scale = normaliser > 0 ? Float(weight / normaliser) : 0
    let pieces = Pieces(shape)
    return classes.weights.withUnsafeBufferPointer { weights in
        let sum = sumOverStretches(pieces, threads: threads) { stretch, sum in
            withUnsafeTemporaryAllocation(byteCount: (256 * shape.blocks + 32) * 4, alignment: 64) { scratch in
                classLoss(
                    logits.start(stretch), shape.channels, shape.blockStride,
                    targets + stretch.image * shape.positions + stretch.first, weights.baseAddress!, gamma, scale,
                    gradient?.start(stretch), adding ? 1 : 0, scratch.bindMemory(to: Float.self).baseAddress!,
                    stretch.count, sum)
            }
        }
        return normaliser > 0 ? sum / normaliser : 0
    }
}

/// Sum of what `body` adds to its own sum for each stretch; the same for any number of threads.
private func sumOverStretches(
    _ pieces: Pieces, threads: Int, _ body: (Pieces.Stretch, UnsafeMutablePointer<Double>) -> Void
) -> Double {
    var sums = [Double](repeating: 0, count: pieces.stretchCount)
    sums.withUnsafeMutableBufferPointer { sums in
        let base = sums.baseAddress!
        pieces.forEachStretch(threads: threads) { stretch in body(stretch, base + stretch.index) }
    }
    return sums.reduce(0, +)
}
