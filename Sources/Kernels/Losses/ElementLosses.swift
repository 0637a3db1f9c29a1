/// Binary cross-entropy of every channel of every position on logits; the mean over all of them.
package struct BinaryCrossEntropy: Hashable, Sendable, Codable {
    /// Weights of positive targets, one for each channel; nil: 1.
    package var positiveWeights: [Float]?

    package init(positiveWeights: [Float]? = nil) { self.positiveWeights = positiveWeights }

    /// - Parameters:
    ///   - targets: 0 … 1, shape of the logits.
    ///   - gradient, weight, adding: as in `CrossEntropy.evaluate`.
    package func evaluate(
        _ logits: FeatureMap, targets: FeatureMap, gradient: FeatureMap?, weight: Double = 1, adding: Bool = false,
        threads: Int
    ) -> Double {
        let shape = logits.shape
        precondition(
            positiveWeights == nil || positiveWeights!.count == shape.channels,
            "\(positiveWeights?.count ?? 0) positive weights for \(shape.channels) channels of logits")
        var lanes = [Float](repeating: 1, count: shape.blocks * 16)
        for channel in 0..<shape.channels { lanes[channel] = positiveWeights?[channel] ?? 1 }
        let pieces = Pieces(shape)
        let scale = Float(weight / Double(max(1, shape.count)))
        return lanes.withUnsafeBufferPointer { lanes in
            meanOverElements(logits, targets, gradient, threads) { run, sum in
                binaryCrossEntropy(
                    logits.start(run), targets.start(run), lanes.baseAddress! + run.block * 16,
                    pieces.mask(run.block), scale, gradient?.start(run), adding ? 1 : 0, run.count, sum)
            }
        }
    }
}

/// Mean squared difference over every channel of every position.
package struct MeanSquaredError: Hashable, Sendable, Codable {
    package init() {}

    /// - Parameters:
    ///   - targets: shape of the predictions.
    ///   - gradient, weight, adding: as in `CrossEntropy.evaluate`; with respect to the predictions.
    package func evaluate(
        _ predictions: FeatureMap, targets: FeatureMap, gradient: FeatureMap?, weight: Double = 1,
        adding: Bool = false, threads: Int
    ) -> Double {
        let scale = Float(weight / Double(max(1, predictions.shape.count)))
        return meanOverElements(predictions, targets, gradient, threads) { run, sum in
            squaredError(
                predictions.start(run), targets.start(run), scale, gradient?.start(run), adding ? 1 : 0, run.count,
                sum)
        }
    }
}

private func meanOverElements(
    _ logits: FeatureMap, _ targets: FeatureMap, _ gradient: FeatureMap?, _ threads: Int,
    _ body: (Pieces.Run, UnsafeMutablePointer<Double>) -> Void
) -> Double {
    check(targets, logits.shape, "The targets of a loss")
    if let gradient { check(gradient, logits.shape, "The gradient of a loss") }
    let pieces = Pieces(logits.shape)
    var sums = [Double](repeating: 0, count: pieces.runCount)
    sums.withUnsafeMutableBufferPointer { sums in
        let base = sums.baseAddress!
        pieces.forEach(threads: threads) { run in body(run, base + run.index) }
    }
    return sums.reduce(0, +) / Double(max(1, logits.shape.count))
}
