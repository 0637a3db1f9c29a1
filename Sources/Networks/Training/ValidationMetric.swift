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
    let measure: @Sendable (_ outputs: [FeatureMap], _ batch: Batch, _ loss: LossValue) -> [Share]

    package init(
        name: String, higherIsBetter: Bool,
        measure: @escaping @Sendable (_ outputs: [FeatureMap], _ batch: Batch, _ loss: LossValue) -> [Share]
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

    /// Share of positions (for classification: images) whose class is right; of one logit, whether its sign is.
    package static func accuracy(output: Int = 0) -> ValidationMetric {
        ValidationMetric(name: "accuracy", higherIsBetter: true) { outputs, batch, _ in
            let (found, expected) = (predictedClasses(outputs[output]), expectedClasses(batch.targets[output]))
            return [Share(Double(zip(found, expected).count { $0 == $1 }), of: Double(found.count))]
        }
    }

    /// Dice coefficient of every class but the background over all positions of all images; the mean over classes.
    package static func dice(classes: Int, output: Int = 0) -> ValidationMetric {
        ValidationMetric(name: "dice", higherIsBetter: true) { outputs, batch, _ in
            let (found, expected) = (predictedClasses(outputs[output]), expectedClasses(batch.targets[output]))
            var shares = [Share](repeating: Share(0, of: 0), count: max(1, classes - 1))
            for (a, b) in zip(found, expected) {
                if a > 0 { shares[Int(a) - 1].whole += 1 }
                if b > 0, Int(b) <= shares.count { shares[Int(b) - 1].whole += 1 }
                if a == b, a > 0 { shares[Int(a) - 1].part += 2 }
            }
            return shares
        }
    }

    /// Intersection over union of every class but the background over all positions of all images; the mean over classes.
    package static func intersectionOverUnion(classes: Int, output: Int = 0) -> ValidationMetric {
        ValidationMetric(name: "iou", higherIsBetter: true) { outputs, batch, _ in
            let (found, expected) = (predictedClasses(outputs[output]), expectedClasses(batch.targets[output]))
            var shares = [Share](repeating: Share(0, of: 0), count: max(1, classes - 1))
            for (a, b) in zip(found, expected) {
                if a > 0 { shares[Int(a) - 1].whole += 1 }
                if b > 0, Int(b) <= shares.count, a != b { shares[Int(b) - 1].whole += 1 }
                if a == b, a > 0 { shares[Int(a) - 1].part += 1 }
            }
            return shares
        }
    }

    /// Share of each class's positions (for classification: images) that are found; the mean over classes, so that a rare
    /// one counts as much as a common one.
    package static func balancedAccuracy(classes: Int, output: Int = 0) -> ValidationMetric {
        ValidationMetric(name: "balanced_accuracy", higherIsBetter: true) { outputs, batch, _ in
            let (found, expected) = (predictedClasses(outputs[output]), expectedClasses(batch.targets[output]))
            var shares = [Share](repeating: Share(0, of: 0), count: classes)
            for (a, b) in zip(found, expected) where Int(b) < classes {
                shares[Int(b)].whole += 1
                if a == b { shares[Int(b)].part += 1 }
            }
            return shares
        }
    }

    /// The channel with the largest logit at every position, the first of equals; of one channel, 1 where it is positive.
    static func predictedClasses(_ logits: FeatureMap) -> [UInt8] {
        let shape = logits.shape
        var classes: [UInt8] = []
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
                classes.append(UInt8(best))
            }
        }
        return classes
    }

    private static func expectedClasses(_ target: Target) -> [UInt8] {
        switch target {
        case .classes(let classes): classes
        case .values(let tensor): tensor.values.map { $0 > 0.5 ? 1 : 0 }
        }
    }
}
