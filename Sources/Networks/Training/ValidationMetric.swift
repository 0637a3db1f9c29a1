import Kernels

/// A number that tells how good a network is on data it does not learn from.
package struct ValidationMetric: Sendable {
    /// A share: part / whole, summed over batches before it is divided.
    package struct Share: Sendable, Equatable {
        package var part, whole: Double

        package init(_ part: Double, of whole: Double) { (self.part, self.whole) = (part, whole) }
    }

    package let name: String
    package let higherIsBetter: Bool
    /// From the outputs of a batch, in blocks of channels, and its loss; one or more shares, always as many.
    let measure: @Sendable (_ outputs: [FeatureMap], _ batch: Batch, _ loss: LossValue) throws -> [Share]

    package init(
        name: String, higherIsBetter: Bool,
        measure: @escaping @Sendable (_ outputs: [FeatureMap], _ batch: Batch, _ loss: LossValue) throws -> [Share]
    ) {
        (self.name, self.higherIsBetter, self.measure) = (name, higherIsBetter, measure)
    }

    /// The mean of the shares that there are; 0 where there is none.
    static func value(_ shares: [Share]) -> Double {
        let present = shares.filter { $0.whole > 0 }
        return present.isEmpty ? 0 : present.reduce(0) { $0 + $1.part / $1.whole } / Double(present.count)
    }

    /// The loss itself, weighted by images.
    package static let loss = ValidationMetric(name: "loss", higherIsBetter: false) { outputs, _, loss in
        let images = Double(outputs.first?.shape.batch ?? 1)
        return [Share(loss.total * images, of: images)]
    }

    /// Share of positions (for classification: images) whose class is right; of one logit, whether its sign is. Where
    /// targets are values, the share of values over all channels that lie on the right side of one half.
    ///
    /// - Parameter ignoredClass: positions of this class do not count.
    package static func accuracy(output: Int = 0, ignoredClass: UInt8? = nil) -> ValidationMetric {
        ValidationMetric(name: "accuracy", higherIsBetter: true) { outputs, batch, _ in
            var share = Share(0, of: 0)
            try compare(outputs, batch, output, ignoredClass) { found, expected, _ in
                share.whole += 1
                if found == expected { share.part += 1 }
            }
            return [share]
        }
    }

    /// Dice coefficient of every class but the background over all positions of all images of the validation data
    /// together; the mean over those classes that occur or are found. A class that neither occurs nor is found does not
    /// count; where there is none at all the value is 0, for nobody is to be praised for finding nothing where nothing
    /// can be found.
    ///
    /// - Parameters:
    ///   - name: what it is called; on patches it is not the Dice coefficient of volumes.
    ///   - classes: background among them. Where targets are values, every channel is a class of its own.
    ///   - ignoredClass: positions of this class do not count.
    package static func dice(
        classes: Int, output: Int = 0, ignoredClass: UInt8? = nil, name: String = "dice"
    ) -> ValidationMetric {
        ValidationMetric(name: name, higherIsBetter: true) { outputs, batch, _ in
            var shares = [Share](repeating: Share(0, of: 0), count: max(1, classes - 1))
            try compareClasses(outputs, batch, output, ignoredClass, classes, asked: "Dice coefficient") {
                found, expected in
                if found > 0 { shares[found - 1].whole += 1 }
                if expected > 0 { shares[expected - 1].whole += 1 }
                if found == expected, found > 0 { shares[found - 1].part += 2 }
            }
            return shares
        }
    }

    /// Intersection over union of every class but the background over all positions of all images; the mean over those
    /// classes that occur or are found.
    package static func intersectionOverUnion(
        classes: Int, output: Int = 0, ignoredClass: UInt8? = nil, name: String = "iou"
    ) -> ValidationMetric {
        ValidationMetric(name: name, higherIsBetter: true) { outputs, batch, _ in
            var shares = [Share](repeating: Share(0, of: 0), count: max(1, classes - 1))
            try compareClasses(outputs, batch, output, ignoredClass, classes, asked: "overlap") { found, expected in
                if found > 0 { shares[found - 1].whole += 1 }
                if expected > 0, found != expected { shares[expected - 1].whole += 1 }
                if found == expected, found > 0 { shares[found - 1].part += 1 }
            }
            return shares
        }
    }

    /// Share of each class's positions (for classification: images) that are found; the mean over classes, so that a rare
    /// one counts as much as a common one. Of one logit the two classes are its signs.
    package static func balancedAccuracy(
        classes: Int, output: Int = 0, ignoredClass: UInt8? = nil
    ) -> ValidationMetric {
        ValidationMetric(name: "balanced_accuracy", higherIsBetter: true) { outputs, batch, _ in
            var shares = [Share](repeating: Share(0, of: 0), count: classes)
            try compare(outputs, batch, output, ignoredClass) { found, expected, _ in
                guard shares.indices.contains(expected) else { return }
                shares[expected].whole += 1
                if found == expected { shares[expected].part += 1 }
            }
            return shares
        }
    }

    /// Hands out the classes found and expected at every position, none of them above the last. Where targets are values,
    /// every channel is a class of its own, numbered from 1, and each is handed out by itself.
    private static func compareClasses(
        _ outputs: [FeatureMap], _ batch: Batch, _ output: Int, _ ignoredClass: UInt8?, _ classes: Int,
        asked what: String,
        _ body: (_ found: Int, _ expected: Int) -> Void
    ) throws {
        try compare(outputs, batch, output, ignoredClass) { found, expected, channel in
            guard let channel else { return body(found, expected < classes ? expected : 0) }
            body(found == 1 ? channel + 1 : 0, expected == 1 ? channel + 1 : 0)
        } unless: { channels, hasValues in
            let suits = hasValues ? channels == max(1, classes - 1) : max(2, channels) == classes
            guard suits else {
                throw NetworkError.input(
                    "the \(what) of \(classes) classes is asked of an output of \(channels) channels")
            }
        }
    }

    /// Hands out what was found and what was expected at every position: classes; or, where targets are values, 0 or 1
    /// for every channel.
    private static func compare(
        _ outputs: [FeatureMap], _ batch: Batch, _ output: Int, _ ignoredClass: UInt8?,
        _ body: (_ found: Int, _ expected: Int, _ channel: Int?) -> Void,
        unless refuse: (_ channels: Int, _ hasValues: Bool) throws -> Void = { _, _ in }
    ) throws {
        guard outputs.indices.contains(output), batch.targets.indices.contains(output) else {
            throw NetworkError.input("the metric looks at output \(output), which the network or its targets lack")
        }
        let logits = outputs[output]
        let (shape, positions) = (logits.shape, logits.shape.positions)
        let expectedCount: Int
        switch batch.targets[output] {
        case .classes(let classes):
            try refuse(shape.channels, false)
            expectedCount = shape.batch * positions
            guard classes.count == expectedCount else {
                throw NetworkError.input("the output has \(expectedCount) positions and the targets \(classes.count)")
            }
            for (found, expected) in zip(predictedClasses(logits), classes) where expected != ignoredClass {
                body(found, Int(expected), nil)
            }
        case .values(let tensor):
            try refuse(shape.channels, true)
            expectedCount = shape.batch * positions * shape.channels
            guard tensor.values.count == expectedCount else {
                throw NetworkError.input(
                    "the output has \(expectedCount) values and the targets \(tensor.values.count)")
            }
            for image in 0..<shape.batch {
                for channel in 0..<shape.channels {
                    let block = logits.block(channel / FeatureShape.lanes, image: image)
                    let first = (image * shape.channels + channel) * positions
                    for position in 0..<positions {
                        let logit = block[position * FeatureShape.lanes + channel % FeatureShape.lanes]
                        body(logit > 0 ? 1 : 0, tensor.values[first + position] > 0.5 ? 1 : 0, channel)
                    }
                }
            }
        }
    }

    /// The channel with the largest logit at every position, the first of equals; of one channel, 1 where it is positive.
    static func predictedClasses(_ logits: FeatureMap) -> [Int] {
        let shape = logits.shape
        var classes: [Int] = []
        classes.reserveCapacity(shape.batch * shape.positions)
        for image in 0..<shape.batch {
            for position in 0..<shape.positions {
                func value(_ channel: Int) -> Float {
                    logits.block(channel / FeatureShape.lanes, image: image)[
                        position * FeatureShape.lanes + channel % FeatureShape.lanes]
                }
                if shape.channels == 1 {
                    classes.append(value(0) > 0 ? 1 : 0)
                    continue
                }
                var best = 0
                for channel in 1..<shape.channels where value(channel) > value(best) { best = channel }
                classes.append(best)
            }
        }
        return classes
    }
}
