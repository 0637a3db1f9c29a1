import Kernels
import Testing

@Suite struct PoolingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var pooling: Pooling
        var shape: FeatureShape
        var testDescription: String {
            "\(pooling.kind) \(pooling.kernel)/\(pooling.stride)+\(pooling.padding) on \(shape)"
        }
    }

    /// Every kernel that fits, with random strides and padding.
    static let cases: [Case] = {
        var generator = SeededGenerator(seed: seed)
        var cases: [Case] = []
        let fixed: [(Int, Int, Int)] = [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 1, 0), (5, 3, 2), (1, 2, 0)]
        for shape in [
            FeatureShape(1, 1, 1, 1, 1), FeatureShape(2, 3, 1, 7, 5), FeatureShape(1, 18, 4, 5, 6),
            FeatureShape(2, 5, 7, 3, 4), FeatureShape(1, 33, 5, 11, 13), FeatureShape(3, 16, 2, 2, 2),
        ] {
            for (kernel, stride, padding) in fixed {
                func along(_ value: Int, _ n: Int, _ other: Int) -> Int { n == 1 ? other : value }
                let size = shape.size
                for kind in [Pooling.Kind.max, .average] {
                    let pooling = Pooling(
                        kind,
                        kernel: Extent3(along(kernel, size.depth, 1), along(kernel, size.height, 1), kernel),
                        stride: Extent3(along(stride, size.depth, 1), along(stride, size.height, 1), stride),
                        padding: Extent3(along(padding, size.depth, 0), along(padding, size.height, 0), padding),
                        ceilMode: Bool.random(using: &generator), countIncludesPadding: Bool.random(using: &generator))
                    if pooling.outputSize(size) != nil { cases.append(Case(pooling: pooling, shape: shape)) }
                }
            }
        }
        // As many positions in windows as there are, but not each in one.
        cases += [
            Case(
                pooling: Pooling(.max, kernel: Extent3(1, 1, 2), stride: Extent3(1, 1, 3), padding: Extent3(0, 0, 1)),
                shape: FeatureShape(1, 2, 1, 2, 2)),
            Case(
                pooling: Pooling(.max, kernel: Extent3(1, 1, 2), stride: Extent3(1, 1, 3), ceilMode: true),
                shape: FeatureShape(1, 2, 1, 2, 4)),
        ]
        // Windows larger than the input.
        for kind in [Pooling.Kind.max, .average] {
            for counts in [false, true] {
                cases.append(
                    Case(
                        pooling: Pooling(
                            kind, kernel: Extent3(1, 3, 4), stride: Extent3(1, 2, 3), ceilMode: true,
                            countIncludesPadding: counts), shape: FeatureShape(1, 3, 2, 2, 2)))
            }
        }
        // Several pieces.
        for kind in [Pooling.Kind.max, .average] {
            cases.append(
                Case(
                    pooling: Pooling(kind, kernel: Extent3(3, 3, 3), stride: Extent3(2, 2, 2), padding: .one),
                    shape: FeatureShape(1, 17, 9, 31, 29)))
            cases.append(
                Case(pooling: Pooling(kind, kernel: Extent3(2, 2, 2)), shape: FeatureShape(2, 16, 10, 22, 34)))
            cases.append(
                Case(
                    pooling: Pooling(kind, kernel: Extent3(1, 2, 2), ceilMode: true),
                    shape: FeatureShape(1, 20, 1, 67, 61)))
        }
        return cases
    }()

    /// Positions of a window along one axis within the input, and by how many an average is divided.
    private func window(_ o: Int, _ n: Int, _ k: Int, _ s: Int, _ p: Int, _ withPadding: Bool) -> (Range<Int>, Int) {
        let begin = o * s - p
        let inside = max(0, begin)..<min(n, begin + k)
        return (inside, withPadding ? min(begin + k, n + p) - begin : inside.count)
    }

    /// Calls `body` with every output index, the input indices of its window and the divisor.
    private func forEachWindow(
        _ pooling: Pooling, _ x: FeatureShape, _ y: FeatureShape, _ body: (Int, [Int], Double) -> Void
    ) {
        let (plainX, plainY) = (PlainMap(x), PlainMap(y))
        for n in 0..<x.batch {
            for c in 0..<x.channels {
                for d in 0..<y.size.depth {
                    let (ds, dn) = window(
                        d, x.size.depth, pooling.kernel.depth, pooling.stride.depth, pooling.padding.depth,
                        pooling.countIncludesPadding)
                    for h in 0..<y.size.height {
                        let (hs, hn) = window(
                            h, x.size.height, pooling.kernel.height, pooling.stride.height, pooling.padding.height,
                            pooling.countIncludesPadding)
                        for w in 0..<y.size.width {
                            let (ws, wn) = window(
                                w, x.size.width, pooling.kernel.width, pooling.stride.width, pooling.padding.width,
                                pooling.countIncludesPadding)
                            var indices: [Int] = []
                            for i in ds { for j in hs { for k in ws { indices.append(plainX.index(n, c, i, j, k)) } } }
                            body(plainY.index(n, c, d, h, w), indices, Double(dn * hn * wn))
                        }
                    }
                }
            }
        }
    }

    /// - Parameter levels: number of distinct values; few make ties, of which the first must win.
    private func compare(_ test: Case, levels: Int?) throws {
        let (pooling, shape) = (test.pooling, test.shape)
        let size = try #require(pooling.outputSize(shape.size))
        let outputShape = FeatureShape(batch: shape.batch, channels: shape.channels, size: size)
        var x = PlainMap.random(shape)
        if let levels { x = x.map { ($0 * Double(levels)).rounded() } }
        let weights = PlainMap.random(outputShape, salt: 1)
        var (expected, gradient) = (PlainMap(outputShape), PlainMap(shape))
        forEachWindow(pooling, shape, outputShape) { o, window, divisor in
            switch pooling.kind {
            case .max:
                let best = window.dropFirst().reduce(window[0]) { x.values[$1] > x.values[$0] ? $1 : $0 }
                expected.values[o] = x.values[best]
                gradient.values[best] += weights.values[o]
            case .average:
                for i in window {
                    expected.values[o] += x.values[i] / divisor
                    gradient.values[i] += weights.values[o] / divisor
                }
            }
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(outputShape))
            pooling.forward(input.map, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, before) = (TestMap(weights), TestMap(shape))
            pooling.backward(x: input.map, y: output.map, gradient: behind.map, to: before.map, threads: threads)
            expectEqual(before, gradient)
            return [output, before]
        }
    }

    @Test(arguments: cases) func equalsThePlainFormula(test: Case) throws {
        try compare(test, levels: nil)
    }

    @Test(arguments: cases.filter { $0.pooling.kind == .max }) func firstOfEqualValuesGetsTheGradient(test: Case) throws
    {
        try compare(test, levels: 2)
    }

    /// Sizes that PyTorch gives.
    @Test func outputSizes() {
        func length(_ n: Int, _ k: Int, _ s: Int, _ p: Int, _ ceil: Bool) -> Int? {
            Pooling(
                .max, kernel: Extent3(1, 1, k), stride: Extent3(1, 1, s), padding: Extent3(0, 0, p), ceilMode: ceil
            ).outputSize(Extent3(1, 1, n))?.width
        }
        #expect(length(7, 2, 2, 0, false) == 3)
        #expect(length(7, 2, 2, 0, true) == 4)
        #expect(length(8, 3, 2, 1, false) == 4)
        #expect(length(8, 3, 2, 1, true) == 5)
        // The fourth window would begin behind the input.
        #expect(length(5, 2, 3, 1, true) == 2)
        #expect(length(1, 2, 2, 0, false) == nil)
        // Windows larger than the input, of which a last one still begins within it.
        #expect(length(1, 2, 2, 0, true) == 1)
        #expect(length(2, 4, 3, 0, true) == 1)
        #expect(length(1, 3, 2, 0, true) == nil)
        #expect(length(4, 2, 2, 2, false) == nil)
    }

    @Test func notANumberIsSeen() {
        var x = PlainMap.random(FeatureShape(1, 3, 4, 4, 4))
        x[0, 1, 2, 2, 2] = .nan
        let (input, output) = (TestMap(x), TestMap(FeatureShape(1, 3, 2, 2, 2)))
        Pooling(.max, kernel: Extent3(2, 2, 2)).forward(input.map, to: output.map, threads: 1)
        #expect(output.plain[0, 1, 1, 1, 1].isNaN)
        #expect(output.plain.values.filter(\.isNaN).count == 1)
        let top = TestMap(FeatureShape(1, 3, 1, 1, 1))
        GlobalMaxPooling.forward(input.map, to: top.map, threads: 1)
        #expect(top.plain.values.map(\.isNaN) == [false, true, false])

        // The gradient goes to it, also where a larger value is in the window.
        x[0, 1, 2, 2, 3] = 5
        let (held, behind, before) = (TestMap(x), TestMap(output.plain.map { _ in 2 }), TestMap(x.shape))
        Pooling(.max, kernel: Extent3(2, 2, 2)).backward(
            x: held.map, y: output.map, gradient: behind.map, to: before.map, threads: 1)
        #expect(before.plain[0, 1, 2, 2, 2] == 2)
        #expect(before.plain.values.reduce(0, +) == 2 * 3 * 8)
        let one = TestMap(top.plain.map { _ in 2 })
        GlobalMaxPooling.backward(x: held.map, y: top.map, gradient: one.map, to: before.map, threads: 1)
        #expect(before.plain[0, 1, 2, 2, 2] == 2)
        #expect(before.plain.values.reduce(0, +) == 2 * 3)
    }

    @Test(arguments: FeatureShape.small + FeatureShape.large) func global(shape: FeatureShape) {
        let pooled = FeatureShape(batch: shape.batch, channels: shape.channels, size: .one)
        // Few levels: ties.
        let x = PlainMap.random(shape).map { ($0 * 50).rounded() }
        let weights = PlainMap.random(pooled, salt: 1)
        var (mean, top) = (PlainMap(pooled), PlainMap(pooled))
        var (meanGradient, topGradient) = (PlainMap(shape), PlainMap(shape))
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                let indices = x.channel(n, c)
                mean[n, c, 0, 0, 0] = indices.reduce(0) { $0 + x.values[$1] } / Double(shape.positions)
                let best = indices.reduce(indices.lowerBound) { x.values[$1] > x.values[$0] ? $1 : $0 }
                top[n, c, 0, 0, 0] = x.values[best]
                topGradient.values[best] = weights[n, c, 0, 0, 0]
                for i in indices { meanGradient.values[i] = weights[n, c, 0, 0, 0] / Double(shape.positions) }
            }
        }
        expectSameBits { threads in
            let (input, means, tops) = (TestMap(x), TestMap(pooled), TestMap(pooled))
            GlobalAveragePooling.forward(input.map, to: means.map, threads: threads)
            GlobalMaxPooling.forward(input.map, to: tops.map, threads: threads)
            expectEqual(means, mean)
            expectEqual(tops, top)
            let (behind, ofMean, ofTop) = (TestMap(weights), TestMap(shape), TestMap(shape))
            GlobalAveragePooling.backward(gradient: behind.map, to: ofMean.map, threads: threads)
            GlobalMaxPooling.backward(
                x: input.map, y: tops.map, gradient: behind.map, to: ofTop.map, threads: threads)
            expectEqual(ofMean, meanGradient)
            expectEqual(ofTop, topGradient)
            return [means, tops, ofMean, ofTop]
        }
    }
}
