import Glibc
import Kernels
import Testing

@Suite struct LossTests {
    /// Small for finite differences, large for several pieces.
    static let shapes = [
        FeatureShape(1, 2, 1, 1, 1), FeatureShape(2, 3, 1, 3, 5), FeatureShape(1, 18, 1, 2, 3),
        FeatureShape(2, 1, 2, 2, 3), FeatureShape(2, 5, 11, 13, 17), FeatureShape(1, 40, 1, 41, 37),
    ]

    private func targets(_ shape: FeatureShape, classes: Int, ignored: UInt8? = nil) -> [UInt8] {
        var generator = SeededGenerator(seed: seed &+ 77)
        return (0..<shape.batch * shape.positions).map { _ in
            if let ignored, Int.random(in: 0..<5, using: &generator) == 0 { return ignored }
            return UInt8.random(in: 0..<UInt8(classes), using: &generator)
        }
    }

    private func positions(_ shape: FeatureShape, _ body: (_ target: Int, _ channels: [Int]) -> Void) {
        for n in 0..<shape.batch {
            for p in 0..<shape.positions {
                body(
                    n * shape.positions + p,
                    (0..<shape.channels).map { (n * shape.channels + $0) * shape.positions + p })
            }
        }
    }

    private func softmax(_ z: PlainMap) -> PlainMap {
        var p = z
        positions(z.shape) { _, channels in
            let top = channels.map { z.values[$0] }.max()!
            let sum = channels.reduce(0) { $0 + exp(z.values[$1] - top) }
            for i in channels { p.values[i] = exp(z.values[i] - top) / sum }
        }
        return p
    }

    /// Compares value and gradient of a loss with a plain formula and its derivative, which is numerical on small maps
    /// and in any case must agree along a random direction.
    private func compare(
        _ shape: FeatureShape, gradientTolerance: Double = 5e-6, sourceLocation: SourceLocation = #_sourceLocation,
        _ plain: (PlainMap) -> Double,
        _ loss: (_ logits: FeatureMap, _ gradient: FeatureMap?, _ weight: Double, _ adding: Bool, _ threads: Int) ->
            Double
    ) {
        let z = PlainMap.random(shape, salt: 3, scale: 3)
        let expected = plain(z)
        expectSameBits(sourceLocation: sourceLocation) { threads in
            let (logits, gradient) = (TestMap(z), TestMap(shape))
            let value = loss(logits.map, gradient.map, 1, false, threads)
            #expect(abs(value - expected) < 2e-6 * max(1e-3, abs(expected)), sourceLocation: sourceLocation)
            #expect(loss(logits.map, nil, 1, false, threads) == value, sourceLocation: sourceLocation)
            #expect(gradient.isIntact, sourceLocation: sourceLocation)
            if threads == 1 {
                if shape.count < 130 {
                    expectEqual(
                        gradient, numericalGradient(z, plain), tolerance: gradientTolerance,
                        sourceLocation: sourceLocation)
                } else {
                    // Along the gradient itself, so that nothing cancels, and along a random direction.
                    let found = gradient.plain
                    let norm = found.dot(found).squareRoot()
                    for direction in [found.map { $0 / norm }, PlainMap.random(shape, salt: 8)] {
                        let step = 1e-4
                        func moved(_ by: Double) -> PlainMap {
                            PlainMap(shape, zip(z.values, direction.values).map { $0 + by * $1 })
                        }
                        let slope = (plain(moved(step)) - plain(moved(-step))) / (2 * step)
                        let scale = max(abs(slope), norm * direction.dot(direction).squareRoot() * 1e-2)
                        #expect(
                            abs(found.dot(direction) - slope) < 1e-5 * scale, sourceLocation: sourceLocation)
                    }
                }
            }
            // Half the gradient on top of what is there, weighted.
            let sum = TestMap(gradient.plain)
            _ = loss(logits.map, sum.map, 0.5, true, threads)
            expectEqual(sum, gradient.plain.map { $0 * 1.5 }, sourceLocation: sourceLocation)
            return [gradient, sum]
        }
    }

    @Test(arguments: shapes, [false, true]) func crossEntropy(shape: FeatureShape, weighted: Bool) {
        let classes = targets(shape, classes: shape.channels, ignored: weighted ? 255 : nil)
        let weights = weighted ? randomParameters(shape.channels, salt: 4, in: 0.1...2) : nil
        let loss = CrossEntropy(classWeights: weights, ignoredClass: weighted ? 255 : nil)
        // A single class is always right.
        compare(shape) { z in
            let p = softmax(z)
            var (sum, total) = (0.0, 0.0)
            positions(shape) { n, channels in
                if classes[n] == 255 { return }
                let weight = Double(weights?[Int(classes[n])] ?? 1)
                sum -= weight * log(p.values[channels[Int(classes[n])]])
                total += weight
            }
            return total > 0 ? sum / total : 0
        } _: { z, gradient, weight, adding, threads in
            loss.evaluate(z, targets: classes, gradient: gradient, weight: weight, adding: adding, threads: threads)
        }
    }

    @Test(arguments: shapes.filter { $0.channels > 1 }, [Float(0), 0.5, 1, 2])
    func focal(shape: FeatureShape, gamma: Float) {
        let classes = targets(shape, classes: shape.channels, ignored: 200)
        let weights = gamma > 1 ? randomParameters(shape.channels, salt: 4, in: 0.1...2) : nil
        let loss = FocalLoss(gamma: gamma, classWeights: weights, ignoredClass: 200)
        compare(shape, gradientTolerance: 1e-5) { z in
            let p = softmax(z)
            var (sum, total) = (0.0, 0.0)
            positions(shape) { n, channels in
                if classes[n] == 200 { return }
                let own = p.values[channels[Int(classes[n])]]
                sum -= Double(weights?[Int(classes[n])] ?? 1) * pow(1 - own, Double(gamma)) * log(own)
                total += 1
            }
            return total > 0 ? sum / total : 0
        } _: { z, gradient, weight, adding, threads in
            loss.evaluate(z, targets: classes, gradient: gradient, weight: weight, adding: adding, threads: threads)
        }
    }

    static let dice: [SoftDice] = [
        SoftDice(.softmax), SoftDice(.softmax, includesBackground: false, squaredDenominator: true, perImage: false),
        SoftDice(.softmax, smoothNumerator: 1, smoothDenominator: 0.5, ignoredClass: 9),
        SoftDice(.sigmoid), SoftDice(.sigmoid, squaredDenominator: true, perImage: false),
        SoftDice(.softmax, smoothNumerator: 0, smoothDenominator: 0, perImage: false),
    ]

    @Test(arguments: dice, shapes) func softDice(loss: SoftDice, shape: FeatureShape) {
        var loss = loss
        if loss.perImage { loss.classWeights = randomParameters(shape.channels, salt: 5, in: 0.2...2) }
        let classes = targets(shape, classes: max(2, min(9, shape.channels)), ignored: loss.ignoredClass)
        var hot = PlainMap(shape)
        positions(shape) { n, channels in
            for (c, i) in channels.enumerated() {
                hot.values[i] = Int(classes[n]) == (shape.channels == 1 ? 1 : c) ? 1 : 0
            }
        }
        compare(shape, gradientTolerance: 1e-5) { z in
            plainDice(loss, z, hot) { loss.ignoredClass == classes[$0] }
        } _: { z, gradient, weight, adding, threads in
            classes.withUnsafeBufferPointer {
                loss.evaluate(
                    z, targets: .classes($0.baseAddress!), gradient: gradient, weight: weight, adding: adding,
                    threads: threads)
            }
        }
        // Targets of any value, channel by channel.
        let soft = PlainMap.random(shape, salt: 6).map { abs($0) }
        let map = TestMap(soft)
        compare(shape, gradientTolerance: 1e-5) { z in
            plainDice(loss, z, soft) { _ in false }
        } _: { z, gradient, weight, adding, threads in
            loss.evaluate(
                z, targets: .map(map.map), gradient: gradient, weight: weight, adding: adding, threads: threads)
        }
    }

    private func plainDice(
        _ loss: SoftDice, _ z: PlainMap, _ t: PlainMap, isIgnored: (Int) -> Bool
    ) -> Double {
        let shape = z.shape
        let p = loss.probabilities == .softmax ? softmax(z) : z.map { 1 / (1 + exp(-$0)) }
        let sets = loss.perImage ? (0..<shape.batch).map { [$0] } : [Array(0..<shape.batch)]
        let channels = Array(loss.includesBackground || shape.channels == 1 ? 0..<shape.channels : 1..<shape.channels)
        var sum = 0.0
        for set in sets {
            for c in channels {
                var (both, ofP, ofT) = (0.0, 0.0, 0.0)
                for n in set {
                    for (position, i) in p.channel(n, c).enumerated() {
                        if isIgnored(n * shape.positions + position) { continue }
                        both += p.values[i] * t.values[i]
                        ofP += loss.squaredDenominator ? p.values[i] * p.values[i] : p.values[i]
                        ofT += loss.squaredDenominator ? t.values[i] * t.values[i] : t.values[i]
                    }
                }
                let share = (2 * both + loss.smoothNumerator) / (ofP + ofT + loss.smoothDenominator)
                sum += Double(loss.classWeights?[c] ?? 1) * (1 - share)
            }
        }
        return sum / Double(sets.count * channels.count)
    }

    @Test(arguments: shapes, [false, true]) func binaryCrossEntropy(shape: FeatureShape, weighted: Bool) {
        let t = PlainMap.random(shape, salt: 6).map { $0 > 0.5 ? 1 : abs($0) }
        let weights = weighted ? randomParameters(shape.channels, salt: 5, in: 0.2...4) : nil
        let loss = BinaryCrossEntropy(positiveWeights: weights)
        let map = TestMap(t)
        compare(shape) { z in
            var sum = 0.0
            positions(shape) { _, channels in
                for (c, i) in channels.enumerated() {
                    let p = 1 / (1 + exp(-z.values[i]))
                    sum -= Double(weights?[c] ?? 1) * t.values[i] * log(p) + (1 - t.values[i]) * log(1 - p)
                }
            }
            return sum / Double(shape.count)
        } _: { z, gradient, weight, adding, threads in
            loss.evaluate(z, targets: map.map, gradient: gradient, weight: weight, adding: adding, threads: threads)
        }
    }

    @Test(arguments: shapes) func meanSquaredError(shape: FeatureShape) {
        let t = PlainMap.random(shape, salt: 6)
        let map = TestMap(t)
        compare(shape) { z in
            zip(z.values, t.values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(shape.count)
        } _: { z, gradient, weight, adding, threads in
            MeanSquaredError().evaluate(
                z, targets: map.map, gradient: gradient, weight: weight, adding: adding, threads: threads)
        }
    }

    /// Confident and far logits give finite values and gradients.
    @Test func farLogits() {
        let shape = FeatureShape(1, 2, 1, 1, 4)
        let z = PlainMap(shape, [200, -200, 0, 90, -200, 200, 0, -90])
        let (logits, gradient) = (TestMap(z), TestMap(shape))
        let classes: [UInt8] = [0, 0, 1, 1]
        let value = CrossEntropy().evaluate(logits.map, targets: classes, gradient: gradient.map, threads: 1)
        #expect(abs(value - (0 + 400 + log(2.0) + 180) / 4) < 1e-4)
        #expect(gradient.plain.values == [0, -0.25, 0.125, 0.25, 0, 0.25, -0.125, -0.25])
        let focal = FocalLoss(gamma: 2).evaluate(logits.map, targets: classes, gradient: gradient.map, threads: 1)
        #expect(abs(focal - (0 + 400 + log(2.0) / 4 + 180) / 4) < 1e-4)
        #expect(gradient.plain.values.allSatisfy { $0.isFinite })
        let t = TestMap(PlainMap(shape, [1, 1, 0, 0, 1, 0, 0.5, 1]))
        let binary = BinaryCrossEntropy().evaluate(logits.map, targets: t.map, gradient: gradient.map, threads: 1)
        #expect(abs(binary - (0 + 200 + log(2.0) + 90 + 200 + 200 + log(2.0) + 90) / 8) < 1e-4)
        #expect(gradient.plain.values.allSatisfy { $0.isFinite })
    }

    @Test func nothingCounts() {
        let shape = FeatureShape(1, 3, 1, 2, 2)
        let (logits, gradient) = (TestMap(PlainMap.random(shape)), TestMap(shape))
        let classes = [UInt8](repeating: 255, count: 4)
        let value = CrossEntropy(ignoredClass: 255).evaluate(
            logits.map, targets: classes, gradient: gradient.map, threads: 1)
        #expect(value == 0)
        expectEqual(gradient, PlainMap(shape))
        let focal = FocalLoss(gamma: 2, ignoredClass: 255).evaluate(
            logits.map, targets: classes, gradient: gradient.map, threads: 1)
        #expect(focal == 0)
        expectEqual(gradient, PlainMap(shape))
    }

    /// Logits at positions that do not count may be anything.
    @Test(arguments: [Double.infinity, -.infinity, .nan]) func ignoredPositionsMayHoldAnything(value: Double) {
        let shape = FeatureShape(1, 3, 1, 4, 6)
        var z = PlainMap.random(shape)
        var classes = targets(shape, classes: 3)
        for n in [0, 5, 17, 23] { classes[n] = 255 }
        let plain = z
        for n in [0, 5, 17, 23] { for c in 0..<3 { z.values[c * shape.positions + n] = value } }
        func evaluate(_ z: PlainMap, _ loss: (FeatureMap, FeatureMap) -> Double) -> (Double, [Double]) {
            let (logits, gradient) = (TestMap(z), TestMap(shape))
            return (loss(logits.map, gradient.map), gradient.plain.values)
        }
        let losses: [(FeatureMap, FeatureMap) -> Double] =
            [
                { CrossEntropy(ignoredClass: 255).evaluate($0, targets: classes, gradient: $1, threads: 1) },
                { FocalLoss(gamma: 2, ignoredClass: 255).evaluate($0, targets: classes, gradient: $1, threads: 1) },
            ]
            + [SoftDice.Probabilities.softmax, .sigmoid].map { kind in
                { z, gradient in
                    classes.withUnsafeBufferPointer {
                        SoftDice(kind, ignoredClass: 255).evaluate(
                            z, targets: .classes($0.baseAddress!), gradient: gradient, threads: 1)
                    }
                }
            }
        for loss in losses {
            let (found, expected) = (evaluate(z, loss), evaluate(plain, loss))
            #expect(found.0 == expected.0 && found.0.isFinite)
            #expect(found.1 == expected.1)
        }
    }

    /// Nothing predicted, nothing there and nothing added above or below the line: a perfect match, and no slope.
    @Test func diceOfNothing() {
        let shape = FeatureShape(1, 2, 1, 1, 3)
        let (logits, gradient) = (TestMap(PlainMap(shape, [0, 1, 2, -200, -200, -200])), TestMap(shape))
        let none = TestMap(PlainMap(shape))
        let loss = SoftDice(.sigmoid, includesBackground: false, smoothNumerator: 0, smoothDenominator: 0)
        #expect(loss.evaluate(logits.map, targets: .map(none.map), gradient: gradient.map, threads: 1) == 0)
        expectEqual(gradient, PlainMap(shape))
    }

    @Test func classesThatAreNoChannelAreRefused() async {
        await #expect(processExitsWith: .failure) {
            let storage = FeatureStorage(FeatureShape(batch: 1, channels: 3, size: Extent3(1, 1, 2)))
            let logits = storage.map(FeatureShape(batch: 1, channels: 3, size: Extent3(1, 1, 2)))
            let classes: [UInt8] = [2, 3]
            _ = classes.withUnsafeBufferPointer {
                SoftDice(.softmax).evaluate(logits, targets: .classes($0.baseAddress!), gradient: nil, threads: 1)
            }
        }
    }
}
