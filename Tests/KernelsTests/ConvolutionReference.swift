import Kernels
import TestSupport

/// Convolutions as nested loops over their definition, in double precision; planar arrays in PyTorch's order.
enum ConvolutionReference {
    /// Calls `body` with the indices of input, output and weight of every product that a convolution sums.
    static func forEachProduct(
        _ g: ConvolutionGeometry, batch: Int, input: Extent3, output: Extent3,
        _ body: (_ input: Int, _ output: Int, _ weight: Int) -> Void
    ) {
        let (inputs, outputs) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
        for n in 0..<batch {
            for co in 0..<g.outputChannels {
                for c in 0..<inputs {
                    let ci = co / outputs * inputs + c
                    for kd in 0..<g.kernel.depth {
                        for kh in 0..<g.kernel.height {
                            for kw in 0..<g.kernel.width {
                                let w =
                                    (((co * inputs + c) * g.kernel.depth + kd) * g.kernel.height + kh)
                                    * g.kernel.width + kw
                                for od in 0..<output.depth {
                                    let d = od * g.stride.depth + kd * g.dilation.depth - g.padding.depth
                                    if d < 0 || d >= input.depth { continue }
                                    for oh in 0..<output.height {
                                        let h = oh * g.stride.height + kh * g.dilation.height - g.padding.height
                                        if h < 0 || h >= input.height { continue }
                                        for ow in 0..<output.width {
                                            let x = ow * g.stride.width + kw * g.dilation.width - g.padding.width
                                            if x < 0 || x >= input.width { continue }
                                            let i = ((n * g.inputChannels + ci) * input.depth + d) * input.height + h
                                            let o = ((n * g.outputChannels + co) * output.depth + od) * output.height
                                            body(i * input.width + x, (o + oh) * output.width + ow, w)
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds the bias of its channel to every value.
    static func add(_ bias: [Float], to values: inout [Double], batch: Int, positions: Int) {
        for n in 0..<batch {
            for (c, b) in bias.enumerated() {
                for p in 0..<positions { values[(n * bias.count + c) * positions + p] += Double(b) }
            }
        }
    }

    /// Sums over batch and positions.
    static func channelSums(_ values: [Float], batch: Int, channels: Int, positions: Int) -> [Double] {
        (0..<channels).map { c in
            var sum = 0.0
            for n in 0..<batch {
                for p in 0..<positions { sum += Double(values[(n * channels + c) * positions + p]) }
            }
            return sum
        }
    }

    /// Largest difference, relative to the largest expected magnitude.
    static func error(_ values: [Float], _ expected: [Double]) -> Double {
        precondition(values.count == expected.count)
        var (difference, magnitude) = (0.0, 1e-30)
        for (a, b) in zip(values, expected) {
            if !a.isFinite { return .infinity }
            difference = max(difference, abs(Double(a) - b))
            magnitude = max(magnitude, abs(b))
        }
        return difference / magnitude
    }
}

/// A map in memory of its own that is wider than it: blocks of other channels around it hold a mark which nobody may
/// touch, the way parts of a concatenation lie side by side.
struct SurroundedMap {
    static let mark: Float = 12345.5
    let storage: FeatureStorage
    let map: FeatureMap
    private let whole: FeatureMap

    init(_ shape: FeatureShape, surrounded: Bool) {
        let lanes = FeatureShape.lanes
        var wide = shape
        if surrounded { wide.channels = (shape.blocks + 2) * lanes }
        storage = FeatureStorage(wide)
        whole = storage.map(wide)
        if surrounded {
            storage.base.update(repeating: Self.mark, count: wide.storedCount)
            map = whole.channels(from: lanes, count: shape.channels)
        } else {
            map = whole
        }
    }

    init(_ shape: FeatureShape, planar: [Float], surrounded: Bool) {
        self.init(shape, surrounded: surrounded)
        map.fill(fromPlanar: planar)
    }

    var planar: [Float] { map.tensor().values }

    /// Padding lanes are zero and the surroundings as they were.
    var isClean: Bool {
        let (shape, lanes) = (map.shape, FeatureShape.lanes)
        for image in 0..<shape.batch {
            let last = map.block(shape.blocks - 1, image: image)
            for p in 0..<shape.positions {
                for lane in (shape.channels - (shape.blocks - 1) * lanes)..<lanes where last[p * lanes + lane] != 0 {
                    return false
                }
            }
            guard whole.shape.blocks > shape.blocks else { continue }
            let (before, after) = (
                whole.block(0, image: image), whole.block(whole.shape.blocks - 1, image: image)
            )
            for n in 0..<shape.blockStride where before[n] != Self.mark || after[n] != Self.mark { return false }
        }
        return true
    }
}

extension SeededGenerator {
    /// Uniform in −1 … 1.
    mutating func values(_ count: Int) -> [Float] {
        var values: [Float] = []
        for _ in 0..<count { values.append(Float(Double(next() >> 11) * 0x1p-52 - 1)) }
        return values
    }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(next() % UInt64(values.count))] }
}
