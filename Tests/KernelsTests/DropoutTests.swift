import Kernels
import Testing

@Suite struct DropoutTests {
    static let shapes = FeatureShape.small + FeatureShape.large

    private let random = Philox(seed: 0x1234_5678_9abc_def0)

    /// Which values stay, from the scalar generator.
    private func stays(_ layer: Dropout, _ shape: FeatureShape, _ n: Int, _ c: Int, _ p: Int) -> Bool {
        let block = n * shape.blocks + c / 16
        let threshold = UInt32((layer.probability * 65536).rounded())
        if layer.channelwise {
            return random.words(SIMD4(UInt32(block * 4 + c % 16 / 4), 3, 5, 7))[c % 4] >> 16 >= threshold
        }
        let counter = block * ((shape.positions + 7) / 8 * 16) + p / 8 * 16 + c % 16
        let word = random.words(SIMD4(UInt32(counter), 3, 5, 7))[p % 4]
        return (p % 8 < 4 ? word >> 16 : word & 0xffff) >= threshold
    }

    @Test(arguments: [Dropout(probability: 0.3), Dropout(probability: 0.5, channelwise: true)], shapes)
    func dropsWhatTheGeneratorSays(layer: Dropout, shape: FeatureShape) {
        let x = PlainMap.random(shape)
        var expected = PlainMap(shape)
        for n in 0..<shape.batch {
            for c in 0..<shape.channels {
                for (p, i) in x.channel(n, c).enumerated() where stays(layer, shape, n, c, p) {
                    expected.values[i] = x.values[i] / (1 - (Double(layer.probability) * 65536).rounded() / 65536)
                }
            }
        }
        expectSameBits { threads in
            let (input, output) = (TestMap(x), TestMap(shape))
            layer.forward(input.map, to: output.map, random: random, place: (3, 5, 7), threads: threads)
            expectEqual(output, expected)
            // The gradient loses the same values.
            let (behind, before) = (TestMap(x), TestMap(shape))
            layer.backward(gradient: behind.map, to: before.map, random: random, place: (3, 5, 7), threads: threads)
            #expect(before.bits == output.bits)
            layer.backward(gradient: behind.map, to: behind.map, random: random, place: (3, 5, 7), threads: threads)
            #expect(behind.plain.values == output.plain.values)
            return [output]
        }
    }

    @Test func sharesAndPlaces() {
        let shape = FeatureShape(2, 32, 16, 16, 16)
        let ones = PlainMap(shape, [Double](repeating: 1, count: shape.count))
        let input = TestMap(ones)
        func kept(_ layer: Dropout, _ place: (UInt32, UInt32, UInt32)) -> [Bool] {
            let output = TestMap(shape)
            layer.forward(input.map, to: output.map, random: random, place: place, threads: 2)
            return output.plain.values.map { $0 != 0 }
        }
        let first = kept(Dropout(probability: 0.3), (0, 0, 0))
        let share = Double(first.filter { $0 }.count) / Double(shape.count)
        // Five standard deviations.
        #expect(abs(share - 0.7) < 5 * (0.21 / Double(shape.count)).squareRoot())
        let other = kept(Dropout(probability: 0.3), (0, 0, 1))
        let both = zip(first, other).filter { $0 && $1 }.count
        #expect(abs(Double(both) / Double(shape.count) - 0.49) < 5 * (0.25 / Double(shape.count)).squareRoot())
        #expect(kept(Dropout(probability: 1), (0, 0, 0)).allSatisfy { !$0 })
        #expect(kept(Dropout(probability: 0), (0, 0, 0)).allSatisfy { $0 })
    }
}
