import Kernels
import Testing

@Suite struct ArrangementTests {
    @Test(
        arguments: [[3, 5], [16, 1], [1, 16, 2], [17, 30], [40], [2, 2, 2, 33], [31, 33]],
        [
            Extent3(1, 1, 1), Extent3(1, 3, 5), Extent3(11, 13, 17),
        ])
    func concatenation(channels: [Int], size: Extent3) {
        let parts = channels.enumerated().map { n, count in
            PlainMap.random(FeatureShape(batch: 2, channels: count, size: size), salt: UInt64(n))
        }
        var whole = PlainMap(FeatureShape(batch: 2, channels: channels.reduce(0, +), size: size))
        for n in 0..<2 {
            var first = 0
            for part in parts {
                for c in 0..<part.shape.channels {
                    whole.values.replaceSubrange(whole.channel(n, first + c), with: part.values[part.channel(n, c)])
                }
                first += part.shape.channels
            }
        }
        expectSameBits { threads in
            let output = TestMap(whole.shape)
            Concatenation.forward(parts.map { TestMap($0) }.map { kept($0) }, to: output.map, threads: threads)
            expectEqual(output, whole)
            let gradients = parts.map { TestMap($0.shape) }
            Concatenation.backward(gradient: output.map, to: gradients.map(\.map), threads: threads)
            for (gradient, part) in zip(gradients, parts) { expectEqual(gradient, part) }
            return [output] + gradients
        }
        held.removeAll()
    }

    /// Keeps the memory behind a map until the end of a test.
    private func kept(_ map: TestMap) -> FeatureMap {
        held.append(map)
        return map.map
    }

    private final class Held {
        var maps: [TestMap] = []
        func append(_ map: TestMap) { maps.append(map) }
        func removeAll() { maps.removeAll() }
    }

    private let held = Held()

    @Test(arguments: FeatureShape.small + FeatureShape.large, [1, 2, 4])
    func addition(shape: FeatureShape, count: Int) {
        let parts = (0..<count).map { PlainMap.random(shape, salt: UInt64($0)) }
        let weights = PlainMap.random(shape, salt: 9)
        for activation in [Epilogue.none, .relu, .leakyRelu(slope: 0.3)] {
            var (expected, gradient) = (PlainMap(shape), PlainMap(shape))
            for i in expected.values.indices {
                let sum = parts.reduce(0) { $0 + $1.values[i] }
                let slope = sum > 0 || activation == .none ? 1 : activation == .relu ? 0 : Double(Float(0.3))
                expected.values[i] = sum * slope
                gradient.values[i] = weights.values[i] * slope
            }
            expectSameBits { threads in
                let (inputs, output) = (parts.map { TestMap($0) }, TestMap(shape))
                Addition.forward(inputs.map(\.map), to: output.map, activation: activation, threads: threads)
                expectEqual(output, expected)
                let (behind, before) = (TestMap(weights), TestMap(shape))
                Addition.backward(
                    y: output.map, activation: activation, gradient: behind.map, to: before.map, threads: threads)
                expectEqual(before, gradient)
                // Into the first of them.
                Addition.forward(inputs.map(\.map), to: inputs[0].map, activation: activation, threads: threads)
                #expect(inputs[0].plain.values == output.plain.values)
                return [output, before, inputs[0]]
            }
        }
    }

    @Test(arguments: FeatureShape.small + FeatureShape.large, [0, 1, 2])
    func multiplication(shape: FeatureShape, kind: Int) {
        let other = [
            shape, FeatureShape(batch: shape.batch, channels: 1, size: shape.size),
            FeatureShape(batch: shape.batch, channels: shape.channels, size: .one),
        ][kind]
        let (a, b) = (PlainMap.random(shape), PlainMap.random(other, salt: 1))
        let weights = PlainMap.random(shape, salt: 2)
        var (expected, da, db) = (PlainMap(shape), PlainMap(shape), PlainMap(other))
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                for (p, i) in a.channel(n, c).enumerated() {
                    let j = b.channel(n, other.channels == 1 ? 0 : c).lowerBound + (other.positions == 1 ? 0 : p)
                    expected.values[i] = a.values[i] * b.values[j]
                    da.values[i] = weights.values[i] * b.values[j]
                    db.values[j] += weights.values[i] * a.values[i]
                }
            }
        }
        expectSameBits { threads in
            let (first, second, output) = (TestMap(a), TestMap(b), TestMap(shape))
            Multiplication.forward(first.map, second.map, to: output.map, threads: threads)
            expectEqual(output, expected)
            let (behind, ofFirst, ofSecond) = (TestMap(weights), TestMap(shape), TestMap(other))
            Multiplication.backward(
                first.map, second.map, gradient: behind.map, to: ofFirst.map, ofSecond.map, threads: threads)
            expectEqual(ofFirst, da)
            expectEqual(ofSecond, db)
            Multiplication.backward(
                first.map, second.map, gradient: behind.map, to: behind.map, ofSecond.map, threads: threads)
            expectEqual(behind, da)
            expectEqual(ofSecond, db)
            return [output, ofFirst, ofSecond]
        }
    }

    @Test(arguments: [FeatureShape(2, 5, 3, 4, 7), FeatureShape(1, 20, 5, 1, 1), FeatureShape(3, 32, 1, 2, 2)])
    func slicesOfVolumes(shape: FeatureShape) {
        let x = PlainMap.random(shape)
        let sliced = Reordering.slices(of: shape)
        var expected = PlainMap(sliced)
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                for d in 0..<shape.size.depth {
                    for h in 0..<shape.size.height {
                        for w in 0..<shape.size.width {
                            expected[n * shape.size.depth + d, c, 0, h, w] = x[n, c, d, h, w]
                        }
                    }
                }
            }
        }
        let (volumes, slices, back) = (TestMap(x), TestMap(sliced), TestMap(shape))
        Reordering.volumesToSlices(volumes.map, to: slices.map, threads: 2)
        expectEqual(slices, expected)
        Reordering.slicesToVolumes(slices.map, to: back.map, threads: 2)
        #expect(back.bits == volumes.bits)
    }

    @Test func sequencesOfVectors() {
        let shape = FeatureShape(2, 19, 1, 1, 7)
        let x = PlainMap.random(shape)
        var expected = PlainMap(FeatureShape(14, 19, 1, 1, 1))
        for n in 0..<2 {
            for c in 0..<19 { for t in 0..<7 { expected[n * 7 + t, c, 0, 0, 0] = x[n, c, 0, 0, t] } }
        }
        let (sequences, vectors, back) = (TestMap(x), TestMap(expected.shape), TestMap(shape))
        Reordering.sequencesToVectors(sequences.map, to: vectors.map, threads: 2)
        expectEqual(vectors, expected)
        Reordering.vectorsToSequences(vectors.map, to: back.map, threads: 2)
        #expect(back.bits == sequences.bits)
    }
}
