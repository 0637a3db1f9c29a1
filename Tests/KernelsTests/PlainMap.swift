import Kernels
import Testing

/// A feature map as plain double-precision values, [batch][channel][depth][height][width]: what the layers are compared
/// with is written on it, as naively as possible.
struct PlainMap {
    let shape: FeatureShape
    var values: [Double]

    init(_ shape: FeatureShape, _ values: [Double]? = nil) {
        (self.shape, self.values) = (shape, values ?? [Double](repeating: 0, count: shape.count))
    }

    static func random(_ shape: FeatureShape, salt: UInt64 = 0, scale: Double = 1) -> PlainMap {
        var generator = SeededGenerator(seed: seed &+ salt)
        // Whole steps of single precision, so that both sides see the same number.
        let values = (0..<shape.count).map { _ in
            Double(Float(Double.random(in: -1...1, using: &generator) * scale))
        }
        return PlainMap(shape, values)
    }

    func index(_ n: Int, _ c: Int, _ d: Int, _ h: Int, _ w: Int) -> Int {
        (((n * shape.channels + c) * shape.size.depth + d) * shape.size.height + h) * shape.size.width + w
    }

    subscript(n: Int, c: Int, d: Int, h: Int, w: Int) -> Double {
        get { values[index(n, c, d, h, w)] }
        set { values[index(n, c, d, h, w)] = newValue }
    }

    /// Values of one channel of one image.
    func channel(_ n: Int, _ c: Int) -> Range<Int> {
        let first = (n * shape.channels + c) * shape.positions
        return first..<first + shape.positions
    }

    func map(_ f: (Double) -> Double) -> PlainMap { PlainMap(shape, values.map(f)) }

    func dot(_ other: PlainMap) -> Double { zip(values, other.values).reduce(0) { $0 + $1.0 * $1.1 } }
}

/// A feature map for a test: a view into wider storage whose remaining values must not change.
final class TestMap {
    let map: FeatureMap
    private let storage: FeatureStorage
    private let lead: Int
    static let filler: Float = 777

    /// - Parameter isView: whether images lie further apart than the shape says.
    init(_ shape: FeatureShape, isView: Bool = true) {
        lead = isView ? shape.blockStride : 0
        let imageStride = shape.imageStride + (isView ? 2 * shape.blockStride + 16 : 0)
        storage = FeatureStorage(count: shape.batch * imageStride + lead)
        for n in 0..<storage.count { storage.base[n] = Self.filler }
        map = FeatureMap(shape: shape, base: storage.base + lead, imageStride: imageStride)
    }

    convenience init(_ plain: PlainMap, isView: Bool = true) {
        self.init(plain.shape, isView: isView)
        plain.values.map { Float($0) }.withUnsafeBufferPointer { map.fill(fromPlanar: $0.baseAddress!) }
    }

    /// Everything, bit by bit.
    var bits: [UInt32] { (0..<storage.count).map { storage.base[$0].bitPattern } }

    var plain: PlainMap { PlainMap(map.shape, map.tensor().values.map { Double($0) }) }

    /// Whether padding channels are zero and nothing outside the view was touched.
    var isIntact: Bool {
        let shape = map.shape
        var isInside = [Bool](repeating: false, count: storage.count)
        for image in 0..<shape.batch {
            for block in 0..<shape.blocks {
                let start = lead + image * map.imageStride + block * shape.blockStride
                for n in 0..<shape.blockStride {
                    isInside[start + n] = true
                    if block * 16 + n % 16 >= shape.channels && storage.base[start + n] != 0 { return false }
                }
            }
        }
        for n in 0..<storage.count where !isInside[n] && storage.base[n] != Self.filler { return false }
        return true
    }
}

/// Largest difference, relative to the largest expected value.
func relativeDifference(_ found: [Double], _ expected: [Double]) -> Double {
    precondition(found.count == expected.count, "arrays of equal length")
    let largest = expected.reduce(1e-6) { max($0, abs($1)) }
    return zip(found, expected).reduce(0) { worst, pair in
        // Not a number on both sides is no difference; on one side it is an endless one.
        if pair.0.isNaN || pair.1.isNaN { return pair.0.isNaN && pair.1.isNaN ? worst : .infinity }
        return max(worst, abs(pair.0 - pair.1))
    } / largest
}

func expectEqual(
    _ found: TestMap, _ expected: PlainMap, tolerance: Double = 2e-6, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let difference = relativeDifference(found.plain.values, expected.values)
    #expect(difference < tolerance, comment, sourceLocation: sourceLocation)
    #expect(found.isIntact, comment, sourceLocation: sourceLocation)
}

/// Gradient of Σ weights · function(x) by central differences, in double precision.
func numericalGradient(_ x: PlainMap, weights: PlainMap, _ function: (PlainMap) -> PlainMap) -> PlainMap {
    numericalGradient(x) { function($0).dot(weights) }
}

func numericalGradient(_ x: PlainMap, _ function: (PlainMap) -> Double) -> PlainMap {
    PlainMap(x.shape, numericalGradient(x.values) { function(PlainMap(x.shape, $0)) })
}

func numericalGradient(_ x: [Double], _ function: ([Double]) -> Double) -> [Double] {
    let step = 1e-5
    return x.indices.map { n in
        var moved = x
        moved[n] = x[n] + step
        let above = function(moved)
        moved[n] = x[n] - step
        return (above - function(moved)) / (2 * step)
    }
}

/// Runs `body` with 1, 2 and 3 threads; its maps must come out with the same bits.
func expectSameBits(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (_ threads: Int) -> [TestMap]
) {
    let one = body(1).map(\.bits)
    #expect(body(2).map(\.bits) == one, sourceLocation: sourceLocation)
    #expect(body(3).map(\.bits) == one, sourceLocation: sourceLocation)
}

extension FeatureShape {
    init(_ batch: Int, _ channels: Int, _ depth: Int, _ height: Int, _ width: Int) {
        self.init(batch: batch, channels: channels, size: Extent3(depth, height, width))
    }

    /// Small enough for finite differences; odd, prime and tiny sizes.
    static let small: [FeatureShape] = [
        FeatureShape(1, 1, 1, 1, 1), FeatureShape(2, 3, 1, 5, 7), FeatureShape(1, 17, 2, 3, 2),
        FeatureShape(3, 5, 3, 2, 3), FeatureShape(1, 33, 1, 2, 3), FeatureShape(2, 16, 1, 1, 5),
    ]

    /// Several pieces per block, several blocks; all but the last large enough for several threads.
    static let large: [FeatureShape] = [
        FeatureShape(2, 19, 11, 13, 17), FeatureShape(1, 40, 1, 61, 53), FeatureShape(3, 16, 7, 9, 23),
        FeatureShape(2, 35, 1, 1, 1),
    ]
}

/// A value per channel.
func randomParameters(_ count: Int, salt: UInt64, in range: ClosedRange<Double> = -1...1) -> [Float] {
    var generator = SeededGenerator(seed: seed &+ salt)
    return (0..<count).map { _ in Float(Double.random(in: range, using: &generator)) }
}
