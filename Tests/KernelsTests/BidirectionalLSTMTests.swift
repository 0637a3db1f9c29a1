import Glibc
import Kernels
import Testing

@Suite struct BidirectionalLSTMTests {
    struct Case: Sendable {
        var inputs, hidden, batch, times: Int
        var layer: BidirectionalLSTM { BidirectionalLSTM(inputs: inputs, hidden: hidden) }
        var shape: FeatureShape { FeatureShape(batch, inputs, 1, 1, times) }
    }

    static let cases = [
        Case(inputs: 1, hidden: 1, batch: 1, times: 1), Case(inputs: 3, hidden: 2, batch: 2, times: 4),
        Case(inputs: 17, hidden: 5, batch: 1, times: 3), Case(inputs: 4, hidden: 18, batch: 5, times: 2),
        Case(inputs: 40, hidden: 16, batch: 3, times: 7), Case(inputs: 7, hidden: 33, batch: 4, times: 1),
    ]

    /// weight_ih, weight_hh, bias_ih, bias_hh of one direction.
    private func parameters(_ test: Case, salt: UInt64) -> [[Double]] {
        let gates = 4 * test.hidden
        return [gates * test.inputs, gates * test.hidden, gates, gates].enumerated().map { n, count in
            randomParameters(count, salt: salt + UInt64(n), in: -0.6...0.6).map { Double($0) }
        }
    }

    /// The equations of `torch.nn.LSTM`.
    private func plain(_ test: Case, _ x: PlainMap, _ directions: [[[Double]]]) -> PlainMap {
        let hidden = test.hidden
        var y = PlainMap(FeatureShape(test.batch, 2 * hidden, 1, 1, test.times))
        func logistic(_ v: Double) -> Double { 1 / (1 + exp(-v)) }
        for n in 0..<test.batch {
            for (direction, p) in directions.enumerated() {
                var (h, c) = ([Double](repeating: 0, count: hidden), [Double](repeating: 0, count: hidden))
                for step in 0..<test.times {
                    let t = direction == 0 ? step : test.times - 1 - step
                    let sums = (0..<4 * hidden).map { row -> Double in
                        var sum = p[2][row] + p[3][row]
                        for k in 0..<test.inputs { sum += p[0][row * test.inputs + k] * x[n, k, 0, 0, t] }
                        for k in 0..<hidden { sum += p[1][row * hidden + k] * h[k] }
                        return sum
                    }
                    for u in 0..<hidden {
                        let (i, f) = (logistic(sums[u]), logistic(sums[hidden + u]))
                        let (g, o) = (tanh(sums[2 * hidden + u]), logistic(sums[3 * hidden + u]))
                        c[u] = f * c[u] + i * g
                        h[u] = o * tanh(c[u])
                        y[n, direction * hidden + u, 0, 0, t] = h[u]
                    }
                }
            }
        }
        return y
    }

    /// Memory of the parameters of both directions, or of their gradients.
    private final class Memory {
        let parts: [[FeatureStorage]]

        init(_ values: [[[Double]]]) {
            parts = values.map { direction in
                direction.map { part in
                    let storage = FeatureStorage(count: part.count)
                    for (n, value) in part.enumerated() { storage.base[n] = Float(value) }
                    return storage
                }
            }
        }

        func parameters(_ n: Int) -> BidirectionalLSTM.Direction {
            let p = parts[n]
            return BidirectionalLSTM.Direction(
                inputWeight: p[0].base, hiddenWeight: p[1].base, inputBias: p[2].base, hiddenBias: p[3].base)
        }

        func gradient(_ n: Int) -> BidirectionalLSTM.DirectionGradient {
            let p = parts[n]
            return BidirectionalLSTM.DirectionGradient(
                inputWeight: p[0].base, hiddenWeight: p[1].base, inputBias: p[2].base, hiddenBias: p[3].base)
        }

        func values(_ direction: Int, _ part: Int) -> [Double] {
            let storage = parts[direction][part]
            return (0..<storage.count).map { Double(storage.base[$0]) }
        }

        /// All values, to be compared bit by bit.
        var map: TestMap {
            let all = (0..<2).flatMap { direction in (0..<4).flatMap { values(direction, $0) } }
            return TestMap(PlainMap(FeatureShape(1, 1, 1, 1, all.count), all))
        }
    }

    /// Output, gradient with respect to the input and gradients of the parameters.
    private func run(
        _ test: Case, _ x: PlainMap, _ weights: PlainMap, _ directions: [[[Double]]], threads: Int
    ) -> (TestMap, TestMap, Memory) {
        let layer = test.layer
        let (input, output) = (TestMap(x), TestMap(layer.outputShape(test.shape)))
        let saved = FeatureStorage(count: layer.savedCount(for: test.shape))
        saved.base.update(repeating: .nan, count: saved.count)
        let parameters = Memory(directions)
        let gradients = Memory(directions.map { $0.map { $0.map { _ in Double.nan } } })
        layer.forward(
            input.map, (parameters.parameters(0), parameters.parameters(1)), to: output.map, saved: saved.base,
            threads: threads)
        let (behind, before) = (TestMap(weights), TestMap(test.shape))
        layer.backward(
            x: input.map, (parameters.parameters(0), parameters.parameters(1)), saved: saved.base,
            gradient: behind.map, to: before.map, (gradients.gradient(0), gradients.gradient(1)), threads: threads)
        withExtendedLifetime((parameters, input, behind)) {}
        return (output, before, gradients)
    }

    @Test(arguments: cases) func forwardAndBackward(test: Case) {
        let x = PlainMap.random(test.shape)
        let weights = PlainMap.random(test.layer.outputShape(test.shape), salt: 1)
        let directions = [parameters(test, salt: 10), parameters(test, salt: 20)]
        expectSameBits { threads in
            let (output, before, gradients) = run(test, x, weights, directions, threads: threads)
            return [output, before, gradients.map]
        }
        let (output, before, gradients) = run(test, x, weights, directions, threads: 1)
        expectEqual(output, plain(test, x, directions))
        expectEqual(
            before, numericalGradient(x, weights: weights) { plain(test, $0, directions) }, tolerance: 1e-5)
        for direction in 0..<2 {
            for part in 0..<4 {
                let found = gradients.values(direction, part)
                // A sample of the larger ones.
                let picked = Array(stride(from: 0, to: found.count, by: max(1, found.count / 40)))
                let numerical = picked.map { n -> Double in
                    let step = 1e-5
                    var moved = directions
                    moved[direction][part][n] += step
                    let above = plain(test, x, moved).dot(weights)
                    moved[direction][part][n] -= 2 * step
                    return (above - plain(test, x, moved).dot(weights)) / (2 * step)
                }
                #expect(relativeDifference(picked.map { found[$0] }, numerical) < 1e-5)
            }
        }
    }
}
