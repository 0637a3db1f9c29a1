import Kernels
import Testing

@Suite struct NormalisationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var layer: Normalisation
        var shape: FeatureShape
        var activation: Epilogue
        var testDescription: String { "\(layer.kind) \(activation) on \(shape)" }
    }

    static let cases: [Case] = {
        var cases: [Case] = []
        for shape in FeatureShape.small + FeatureShape.large where shape.batch * shape.positions > 1 {
            let divisors = (1...shape.channels).filter { shape.channels % $0 == 0 }
            var kinds: [Normalisation.Kind] = [.batch, .instance]
            kinds += [1, divisors[divisors.count / 2], shape.channels].map { .group($0) }
            for (n, kind) in kinds.enumerated() {
                if kind != .batch && shape.positions == 1 { continue }
                let activation: Epilogue = [.none, .relu, .leakyRelu(slope: 0.2)][(n + shape.channels) % 3]
                cases.append(
                    Case(layer: Normalisation(kind, epsilon: 1e-3), shape: shape, activation: activation))
            }
        }
        return cases
    }()

    /// Indices of the values that share statistics.
    private func sets(_ kind: Normalisation.Kind, _ shape: FeatureShape) -> [[Int]] {
        let plain = PlainMap(shape)
        switch kind {
        case .batch:
            return (0..<shape.channels).map { c in (0..<shape.batch).flatMap { plain.channel($0, c) } }
        case .instance:
            return (0..<shape.batch).flatMap { n in (0..<shape.channels).map { Array(plain.channel(n, $0)) } }
        case .group(let groups):
            let members = shape.channels / groups
            return (0..<shape.batch).flatMap { n in
                (0..<groups).map { g in (0..<members).flatMap { plain.channel(n, g * members + $0) } }
            }
        }
    }

    private func channel(_ index: Int, _ shape: FeatureShape) -> Int { index / shape.positions % shape.channels }

    private func activated(_ v: Double, _ activation: Epilogue) -> Double {
        switch activation {
        case .none: v
        case .relu: max(v, 0)
        case .leakyRelu(let slope): v < 0 ? v * Double(slope) : v
        }
    }

    private func plain(_ test: Case, _ x: PlainMap, _ scale: [Double], _ shift: [Double]) -> PlainMap {
        var y = PlainMap(x.shape)
        for set in sets(test.layer.kind, x.shape) {
            let mean = set.reduce(0) { $0 + x.values[$1] } / Double(set.count)
            let variance = set.reduce(0) { $0 + (x.values[$1] - mean) * (x.values[$1] - mean) } / Double(set.count)
            for i in set {
                let c = channel(i, x.shape)
                let v = (x.values[i] - mean) / (variance + Double(test.layer.epsilon)).squareRoot()
                y.values[i] = activated(v * scale[c] + shift[c], test.activation)
            }
        }
        return y
    }

    /// Gradients by the formula of Ioffe and Szegedy 2015.
    private func plainGradient(
        _ test: Case, _ x: PlainMap, _ scale: [Double], _ shift: [Double], _ weights: PlainMap
    ) -> (x: PlainMap, scale: [Double], shift: [Double]) {
        var dx = PlainMap(x.shape)
        var (dScale, dShift) = ([Double](repeating: 0, count: scale.count), [Double](repeating: 0, count: scale.count))
        for set in sets(test.layer.kind, x.shape) {
            let n = Double(set.count)
            let mean = set.reduce(0) { $0 + x.values[$1] } / n
            let variance = set.reduce(0) { $0 + (x.values[$1] - mean) * (x.values[$1] - mean) } / n
            let inverse = 1 / (variance + Double(test.layer.epsilon)).squareRoot()
            var g: [Double] = []
            for i in set {
                let c = channel(i, x.shape)
                let normal = (x.values[i] - mean) * inverse
                let before = normal * scale[c] + shift[c]
                let slope = activated(1, test.activation) * (before > 0 ? 1 : -activated(-1, test.activation))
                let behind = weights.values[i] * slope
                dScale[c] += behind * normal
                dShift[c] += behind
                g.append(behind * scale[c])
            }
            let meanG = g.reduce(0, +) / n
            let meanProduct = zip(set, g).reduce(0) { $0 + (x.values[$1.0] - mean) * inverse * $1.1 } / n
            for (i, g) in zip(set, g) {
                dx.values[i] = inverse * (g - meanG - (x.values[i] - mean) * inverse * meanProduct)
            }
        }
        return (dx, dScale, dShift)
    }

    @Test(arguments: cases) func forwardAndBackward(test: Case) {
        let (layer, shape) = (test.layer, test.shape)
        // Means far from zero.
        let x = PlainMap.random(shape).map { Double(Float($0 + 3)) }
        let weights = PlainMap.random(shape, salt: 1)
        let scale = randomParameters(shape.channels, salt: 2, in: 0.5...1.5)
        let shift = randomParameters(shape.channels, salt: 3)
        let (plainScale, plainShift) = (scale.map { Double($0) }, shift.map { Double($0) })
        let expected = plain(test, x, plainScale, plainShift)
        let gradient = plainGradient(test, x, plainScale, plainShift, weights)
        if shape.count < 100 {
            let numerical = numericalGradient(x, weights: weights) { plain(test, $0, plainScale, plainShift) }
            #expect(relativeDifference(gradient.x.values, numerical.values) < 1e-5)
            let ofScale = numericalGradient(plainScale) { plain(test, x, $0, plainShift).dot(weights) }
            #expect(relativeDifference(gradient.scale, ofScale) < 1e-5)
            let ofShift = numericalGradient(plainShift) { plain(test, x, plainScale, $0).dot(weights) }
            #expect(relativeDifference(gradient.shift, ofShift) < 1e-5)
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(shape))
            var saved = [Float](repeating: .nan, count: layer.savedCount(for: shape))
            layer.trainForward(
                input.map, scale: scale, shift: shift, to: output.map, saved: &saved, activation: test.activation,
                threads: threads)
            expectEqual(output, expected, tolerance: 1e-5)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            var (dScale, dShift) = (
                [Float](repeating: .nan, count: shape.channels), [Float](repeating: .nan, count: shape.channels)
            )
            layer.backward(
                x: input.map, saved: saved, scale: scale, shift: shift, gradient: behind.map,
                activation: test.activation, to: before.map, scaleGradient: &dScale, shiftGradient: &dShift,
                threads: threads)
            expectEqual(before, gradient.x, tolerance: 2e-5)
            #expect(relativeDifference(dScale.map { Double($0) }, gradient.scale) < 1e-5)
            #expect(relativeDifference(dShift.map { Double($0) }, gradient.shift) < 1e-5)
            layer.backward(
                x: input.map, saved: saved, scale: scale, shift: shift, gradient: behind.map,
                activation: test.activation, to: behind.map, scaleGradient: nil, shiftGradient: nil, threads: threads)
            #expect(behind.plain.values == before.plain.values)
            // At inference the same statistics, in place.
            layer.inferForward(
                input.map, running: nil, scale: scale, shift: shift, to: input.map, activation: test.activation,
                threads: threads)
            #expect(input.plain.values == output.plain.values)
            return [output, before, behind, input]
        }
    }

    @Test func withoutParametersScaleIsOneAndShiftZero() {
        let test = Case(layer: Normalisation(.batch), shape: FeatureShape(2, 5, 1, 3, 3), activation: .none)
        let x = PlainMap.random(test.shape)
        let (input, output) = (TestMap(x), TestMap(test.shape))
        var saved = [Float](repeating: 0, count: test.layer.savedCount(for: test.shape))
        test.layer.trainForward(input.map, scale: nil, shift: nil, to: output.map, saved: &saved, threads: 1)
        let (ones, zeros) = ([Double](repeating: 1, count: 5), [Double](repeating: 0, count: 5))
        expectEqual(output, plain(test, x, ones, zeros), tolerance: 1e-5)
        let weights = PlainMap.random(test.shape, salt: 1)
        let (behind, before) = (TestMap(weights), TestMap(test.shape))
        test.layer.backward(
            x: input.map, saved: saved, scale: nil, shift: nil, gradient: behind.map, to: before.map,
            scaleGradient: nil, shiftGradient: nil, threads: 1)
        expectEqual(before, plainGradient(test, x, ones, zeros, weights).x, tolerance: 1e-5)
    }

    /// new = 0.9·old + 0.1·batch, with the unbiased variance; inference then uses them.
    @Test(arguments: [Normalisation.Kind.batch, .instance]) func runningStatistics(kind: Normalisation.Kind) {
        let layer = Normalisation(kind)
        let shape = FeatureShape(2, 19, 3, 4, 5)
        var (mean, variance) = (randomParameters(19, salt: 5), randomParameters(19, salt: 6, in: 0.5...2))
        var expectedMean = mean.map { Double($0) }
        var expectedVariance = variance.map { Double($0) }
        for round in 0..<3 {
            let x = PlainMap.random(shape, salt: UInt64(round))
            let sets = sets(kind, shape)
            for c in 0..<19 {
                let own = sets.filter { channel($0[0], shape) == c }
                var (m, v) = (0.0, 0.0)
                for set in own {
                    let mean = set.reduce(0) { $0 + x.values[$1] } / Double(set.count)
                    m += mean / Double(own.count)
                    v +=
                        set.reduce(0) { $0 + (x.values[$1] - mean) * (x.values[$1] - mean) } / Double(set.count - 1)
                        / Double(own.count)
                }
                expectedMean[c] = 0.9 * expectedMean[c] + 0.1 * m
                expectedVariance[c] = 0.9 * expectedVariance[c] + 0.1 * v
            }
            let (input, output) = (TestMap(x), TestMap(shape))
            var saved = [Float](repeating: 0, count: layer.savedCount(for: shape))
            mean.withUnsafeMutableBufferPointer { mean in
                variance.withUnsafeMutableBufferPointer { variance in
                    layer.trainForward(
                        input.map, scale: nil, shift: nil, to: output.map, saved: &saved,
                        running: .init(mean: mean.baseAddress!, variance: variance.baseAddress!, momentum: 0.1),
                        threads: 2)
                }
            }
        }
        #expect(relativeDifference(mean.map { Double($0) }, expectedMean) < 1e-6)
        #expect(relativeDifference(variance.map { Double($0) }, expectedVariance) < 1e-6)

        let x = PlainMap.random(shape, salt: 9)
        var expected = PlainMap(shape)
        for i in x.values.indices {
            let c = channel(i, shape)
            expected.values[i] = (x.values[i] - expectedMean[c]) / (expectedVariance[c] + 1e-5).squareRoot()
        }
        let (input, output) = (TestMap(x), TestMap(shape))
        mean.withUnsafeMutableBufferPointer { mean in
            variance.withUnsafeMutableBufferPointer { variance in
                layer.inferForward(
                    input.map, running: .init(mean: mean.baseAddress!, variance: variance.baseAddress!), scale: nil,
                    shift: nil, to: output.map, threads: 2)
            }
        }
        expectEqual(output, expected)
    }

    /// A mean ten thousand times the deviation, and an outlier in the first position.
    @Test func statisticsAreSound() {
        let shape = FeatureShape(1, 3, 16, 16, 16)
        let noise = PlainMap.random(shape)
        var x = noise.map { Double(Float($0 + 10_000)) }
        x[0, 1, 0, 0, 0] = -100_000
        let test = Case(layer: Normalisation(.instance), shape: shape, activation: .none)
        let expected = plain(test, x, [1, 1, 1], [0, 0, 0])
        let (input, output) = (TestMap(x), TestMap(shape))
        test.layer.inferForward(input.map, running: nil, scale: nil, shift: nil, to: output.map, threads: 1)
        // Half a unit of the last place of 10,000, as which the mean is kept, is 8e-4 deviations; that must not show.
        for channel in 0..<3 {
            let (found, sound) = (
                Array(output.plain.values[x.channel(0, channel)]), Array(expected.values[x.channel(0, channel)])
            )
            #expect(relativeDifference(found, sound) < 2e-6)
        }
        // Nor in gradients.
        let weights = PlainMap.random(shape, salt: 1)
        let (behind, before, trained) = (TestMap(weights), TestMap(shape), TestMap(shape))
        var saved = [Float](repeating: 0, count: test.layer.savedCount(for: shape))
        test.layer.trainForward(input.map, scale: nil, shift: nil, to: trained.map, saved: &saved, threads: 1)
        #expect(trained.plain.values == output.plain.values)
        var (ofScale, ofShift) = ([Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3))
        test.layer.backward(
            x: input.map, saved: saved, scale: nil, shift: nil, gradient: behind.map, to: before.map,
            scaleGradient: &ofScale, shiftGradient: &ofShift, threads: 1)
        let gradient = plainGradient(test, x, [1, 1, 1], [0, 0, 0], weights)
        for channel in 0..<3 {
            let (found, sound) = (
                Array(before.plain.values[x.channel(0, channel)]), Array(gradient.x.values[x.channel(0, channel)])
            )
            #expect(relativeDifference(found, sound) < 5e-6)
        }
        #expect(relativeDifference(ofScale.map { Double($0) }, gradient.scale) < 5e-6)
    }

    /// Inference with running statistics, scale, shift and what follows.
    @Test(arguments: [Epilogue.none, .relu, .leakyRelu(slope: 0.2)]) func inference(activation: Epilogue) {
        let shape = FeatureShape(2, 19, 3, 4, 5)
        let (scale, shift) = (randomParameters(19, salt: 2, in: -1.5...1.5), randomParameters(19, salt: 3))
        var (mean, variance) = (randomParameters(19, salt: 5), randomParameters(19, salt: 6, in: 0.5...2))
        let x = PlainMap.random(shape, scale: 3)
        var expected = x
        for i in x.values.indices {
            let c = channel(i, shape)
            let v = (x.values[i] - Double(mean[c])) / (Double(variance[c]) + 1e-5).squareRoot()
            expected.values[i] = activated(v * Double(scale[c]) + Double(shift[c]), activation)
        }
        let (input, output) = (TestMap(x), TestMap(shape))
        mean.withUnsafeMutableBufferPointer { mean in
            variance.withUnsafeMutableBufferPointer { variance in
                Normalisation(.batch).inferForward(
                    input.map, running: .init(mean: mean.baseAddress!, variance: variance.baseAddress!), scale: scale,
                    shift: shift, to: output.map, activation: activation, threads: 2)
            }
        }
        expectEqual(output, expected)
    }

    @Test func groupsHaveNoRunningStatistics() async {
        await #expect(processExitsWith: .failure) {
            let shape = FeatureShape(batch: 1, channels: 4, size: Extent3(1, 1, 2))
            let storage = FeatureStorage(shape)
            let statistics = FeatureStorage(count: 4)
            Normalisation(.group(2)).inferForward(
                storage.map(shape), running: .init(mean: statistics.base, variance: statistics.base), scale: nil,
                shift: nil, to: storage.map(shape), threads: 1)
        }
    }
}
