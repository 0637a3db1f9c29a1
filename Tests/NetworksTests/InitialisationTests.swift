import Kernels
import Networks
import Testing

struct InitialisationTests {
    private static let network: Network = {
        var builder = NetworkBuilder()
        var x = try! builder.input("x", channels: 20, rank: 3)
        x = try! builder.convolution("conv", x, channels: 60, kernel: 3)
        x = try! builder.batchNormalisation("bn", x)
        return try! builder.network(outputs: [x])
    }()

    /// Mean, variance and largest magnitude of 32,400 values, against those of each distribution.
    @Test(arguments: Initialisation.allCases) func weightsHaveTheVarianceTheyShould(_ kind: Initialisation) throws {
        let weights = Self.network.initialWeights(kind, seed: 12)
        let values = try #require(weights["conv.weight"]).values.map(Double.init)
        let (fanIn, fanOut) = (20.0 * 27, 60.0 * 27)
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
        let largest = values.map(abs).max()!
        let expected: (variance: Double, limit: Double) =
            switch kind {
            case .heNormal: (2 / fanIn, 2 * (2 / fanIn).squareRoot() / 0.8796)
            case .heUniform: (2 / fanIn, (6 / fanIn).squareRoot())
            case .kaimingFanOut: (2 / fanOut, 6 * (2 / fanOut).squareRoot())
            case .xavierUniform: (2 / (fanIn + fanOut), (6 / (fanIn + fanOut)).squareRoot())
            case .pytorch: (1 / (3 * fanIn), 1 / fanIn.squareRoot())
            }
        #expect(abs(variance / expected.variance - 1) < 0.03)
        #expect(abs(mean) < 4 * (expected.variance / Double(values.count)).squareRoot())
        #expect(largest <= expected.limit * 1.0001)
        #expect(largest > expected.limit * 0.6)
        let biases = try #require(weights["conv.bias"]).values
        #expect(biases.allSatisfy { $0 == 0 } == (kind != .pytorch))
        #expect(weights["bn.weight"]?.values == [Float](repeating: 1, count: 60))
        #expect(weights["bn.running_var"]?.values == [Float](repeating: 1, count: 60))
        #expect(weights["bn.bias"]?.values == [Float](repeating: 0, count: 60))
    }

    @Test func theSeedAloneDecides() {
        let first = Self.network.initialWeights(.heNormal, seed: 3)
        #expect(first == Self.network.initialWeights(.heNormal, seed: 3))
        #expect(first != Self.network.initialWeights(.heNormal, seed: 4))
    }
}
