/// One minus the Dice coefficient of probabilities: 1 − (2·Σ p·t + a)/(Σ p + Σ t + b), for each channel, the mean over
/// channels, and over images where each has its own coefficient (Milletari, Navab and Ahmadi 2016,
/// doi 10.1109/3DV.2016.79; conventions of MONAI's DiceLoss).
package struct SoftDice: Hashable, Sendable, Codable {
    package enum Probabilities: String, Hashable, Sendable, Codable { case softmax, sigmoid }

    package var probabilities: Probabilities
    /// Whether channel 0 counts; ignored where it is the only one.
    package var includesBackground: Bool
    /// Whether the sums of the denominator are of squares.
    package var squaredDenominator: Bool
    /// Added above and below the line.
    package var smoothNumerator, smoothDenominator: Double
    /// Whether each image has a coefficient of its own, rather than the batch as a whole.
    package var perImage: Bool
    /// Weight of each channel in the mean, background included; nil: 1. The mean is divided by their number, as MONAI
    /// does, not by their sum.
    package var classWeights: [Float]?
    /// Positions of this class do not count; only with targets that are classes.
    package var ignoredClass: UInt8?

    package init(
        _ probabilities: Probabilities, includesBackground: Bool = true, squaredDenominator: Bool = false,
        smoothNumerator: Double = 1e-5, smoothDenominator: Double = 1e-5, perImage: Bool = true,
        classWeights: [Float]? = nil, ignoredClass: UInt8? = nil
    ) {
        self.probabilities = probabilities
        (self.includesBackground, self.squaredDenominator) = (includesBackground, squaredDenominator)
        (self.smoothNumerator, self.smoothDenominator) = (smoothNumerator, smoothDenominator)
        (self.perImage, self.classWeights, self.ignoredClass) = (perImage, classWeights, ignoredClass)
    }

    package enum Targets {
        /// Class of each position, [batch][depth][height][width]; each is a channel of the logits or the ignored class.
        /// Where the logits have a single channel, that is class 1.
        case classes(UnsafePointer<UInt8>)
        /// 0 … 1 for each channel, shape of the logits.
        case map(FeatureMap)
    }

    /// - Parameters: as `CrossEntropy.evaluate`.
    package func evaluate(
        _ logits: FeatureMap, targets: Targets, gradient: FeatureMap?, weight: Double = 1, adding: Bool = false,
        threads: Int
    ) -> Double {
        let shape = logits.shape
        if let gradient { check(gradient, shape, "The gradient of a loss") }
        switch targets {
        case .map(let map): check(map, shape, "The targets of a loss")
        case .classes(let classes):
            ClassTargets.check(
                classes, classes: max(2, shape.channels), shape, ignoredClass: ignoredClass, threads: threads)
        }
        precondition(
            classWeights == nil || classWeights!.count == shape.channels,
            "\(classWeights?.count ?? 0) class weights for \(shape.channels) channels of logits")
        let lanes = shape.blocks * 16
        let pass = Pass(self, logits, targets)
        let sums = pass.sums(perImage: perImage, threads: threads)

        let first = includesBackground || shape.channels == 1 ? 0 : 1
        let sets = perImage ? shape.batch : 1
        let normaliser = Double(sets * (shape.channels - first))
        var value = 0.0
        // For each set and channel: slope for t, then slope for 1 or 2p.
        var slopes = [Float](repeating: 0, count: sets * 2 * lanes)
        for set in 0..<sets {
            for channel in first..<shape.channels {
                let at = set * 3 * lanes + channel
                let above = 2 * sums[at] + smoothNumerator
                let below = sums[at + lanes] + sums[at + 2 * lanes] + smoothDenominator
                let share = Double(classWeights?[channel] ?? 1) / normaliser
                // Nothing predicted, nothing there, nothing added: a perfect match.
                if below == 0 { continue }
                value += share * (1 - above / below)
                slopes[set * 2 * lanes + channel] = Float(weight * share * -2 / below)
                slopes[set * 2 * lanes + lanes + channel] = Float(weight * share * above / (below * below))
            }
        }
        if let gradient {
            pass.writeGradient(slopes, perImage: perImage, to: gradient, adding: adding, threads: threads)
        }
        return value
    }

    /// What both passes over the logits have in common.
    private struct Pass {
        let loss: SoftDice
        let logits: FeatureMap
        let targets: Targets
        let pieces: Pieces

        init(_ loss: SoftDice, _ logits: FeatureMap, _ targets: Targets) {
            (self.loss, self.logits, self.targets) = (loss, logits, targets)
            pieces = Pieces(logits.shape)
        }

        private var lanes: Int { logits.shape.blocks * 16 }
        private var isSigmoid: Int { loss.probabilities == .sigmoid ? 1 : 0 }
        private var isSquared: Int { loss.squaredDenominator ? 1 : 0 }
        private var firstClass: Int { logits.shape.channels == 1 ? 1 : 0 }
        private var ignored: Int { loss.ignoredClass.map { Int($0) } ?? -1 }

        private func classes(_ stretch: Pieces.Stretch) -> UnsafePointer<UInt8>? {
            guard case .classes(let classes) = targets else { return nil }
            return classes + stretch.image * logits.shape.positions + stretch.first
        }

        private func map(_ stretch: Pieces.Stretch) -> UnsafePointer<Float>? {
            guard case .map(let map) = targets else { return nil }
            return UnsafePointer(map.start(stretch))
        }

        /// Sums of p·t, p and t of each image, or of the batch, for each channel.
        func sums(perImage: Bool, threads: Int) -> [Double] {
            let shape = logits.shape
            var parts = [Double](repeating: 0, count: pieces.stretchCount * 3 * lanes)
            parts.withUnsafeMutableBufferPointer { parts in
                let base = parts.baseAddress!
                pieces.forEachStretch(threads: threads) { stretch in
                    withUnsafeTemporaryAllocation(byteCount: 1280 * shape.blocks * 4, alignment: 64) { scratch in
                        diceSums(
                            isSigmoid, logits.start(stretch), shape.channels, shape.blockStride, classes(stretch),
                            firstClass, ignored, map(stretch),
                            isSquared, scratch.bindMemory(to: Float.self).baseAddress!, stretch.count,
                            base + stretch.index * 3 * lanes)
                    }
                }
            }
            var sums = [Double](repeating: 0, count: (perImage ? shape.batch : 1) * 3 * lanes)
            for index in 0..<pieces.stretchCount {
                let set = perImage ? pieces.image(ofStretch: index) : 0
                for n in 0..<3 * lanes { sums[set * 3 * lanes + n] += parts[index * 3 * lanes + n] }
            }
            return sums
        }

        func writeGradient(
            _ slopes: [Float], perImage: Bool, to gradient: FeatureMap, adding: Bool, threads: Int
        ) {
            let shape = logits.shape
            slopes.withUnsafeBufferPointer { slopes in
                let base = slopes.baseAddress!
                pieces.forEachStretch(threads: threads) { stretch in
                    withUnsafeTemporaryAllocation(byteCount: 512 * shape.blocks * 4, alignment: 64) { scratch in
                        diceGradient(
                            isSigmoid, logits.start(stretch), shape.channels, shape.blockStride, classes(stretch),
                            firstClass, ignored, map(stretch),
                            isSquared, scratch.bindMemory(to: Float.self).baseAddress!, stretch.count,
                            base + (perImage ? stretch.image : 0) * 2 * lanes, gradient.start(stretch),
                            adding ? 1 : 0)
                    }
                }
            }
        }
    }
}
