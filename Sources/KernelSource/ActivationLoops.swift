// Functions applied to every value of a map. `count` is in positions of sixteen channels.

/// What follows a layer that can finish its values while storing them: 0 nothing, 1 ReLU, 2 leaky ReLU.
@inline(always)
func finished(_ v: Lanes, _ kind: Int, _ slope: Float) -> Lanes {
    switch kind {
    case 0: v
    case 1: v.replacing(with: 0, where: v .< 0)
    default: v.replacing(with: v * slope, where: v .< 0)
    }
}

/// Gradient before `finished`, from the gradient behind it and any values that have the sign of its argument.
@inline(always)
func unfinished(_ g: Lanes, _ sign: Lanes, _ kind: Int, _ slope: Float) -> Lanes {
    switch kind {
    case 0: g
    case 1: g.replacing(with: 0, where: sign .<= 0)
    default: g.replacing(with: g * slope, where: sign .<= 0)
    }
}

/// - Parameters:
///   - kind: 1 ReLU, 2 leaky ReLU, 3 sigmoid, 4 tanh, 5 swish.
///   - keep: ones for the lanes that are channels.
///   - y: may be x.
@inline(never)
package func activate(
    _ kind: Int, _ slope: Float, _ keep: UnsafePointer<UInt32>, _ x: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let mask = load(keep)
    let end = count * 16
    var i = 0
    switch kind {
    case 1, 2:
        while i < end {
            store(finished(load(x + i), kind, slope), y + i)
            i += 16
        }
    case 3:
        while i < end {
            store(kept(logistic(load(x + i)), mask), y + i)
            i += 16
        }
    case 4:
        while i < end {
            store(hyperbolicTangent(load(x + i)), y + i)
            i += 16
        }
    default:
        while i < end {
            let v = load(x + i)
            store(v * logistic(v), y + i)
            i += 16
        }
    }
}

/// - Parameters:
///   - x: what went in; read by swish only.
///   - y: what came out; not read by swish.
///   - dx: may be dy.
@inline(never)
package func activateBackward(
    _ kind: Int, _ slope: Float, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>, _ count: Int
) {
    let end = count * 16
    var i = 0
    switch kind {
    case 1, 2:
        while i < end {
            store(unfinished(load(dy + i), load(y + i), kind, slope), dx + i)
            i += 16
        }
    case 3:
        while i < end {
            let v = load(y + i)
            store(load(dy + i) * (v * (1 - v)), dx + i)
            i += 16
        }
    case 4:
        while i < end {
            let v = load(y + i)
            store(load(dy + i) * (1 - v * v), dx + i)
            i += 16
        }
    default:
        while i < end {
            let v = load(x + i)
            let s = logistic(v)
            store(load(dy + i) * fused(v * s, 1 - s, s), dx + i)
            i += 16
        }
    }
}

/// Leaky ReLU with a slope per lane.
@inline(never)
package func activateWithSlopes(
    _ slopes: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let slope = load(slopes)
    var i = 0
    while i < count * 16 {
        let v = load(x + i)
        store(v.replacing(with: v * slope, where: v .< 0), y + i)
        i += 16
    }
}

/// - Parameters:
///   - dx: may be dy.
///   - slopeGradient: 16 sums of x·dy over negative x; overwritten.
@inline(never)
package func activateWithSlopesBackward(
    _ slopes: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>, _ slopeGradient: UnsafeMutablePointer<Double>, _ count: Int
) {
    let slope = load(slopes)
    for lane in 0..<16 { slopeGradient[lane] = 0 }
    var i = 0
    while i < count * 16 {
        let end = min(i + 1024, count * 16)
        var sum = Lanes()
        while i < end {
            let v = load(x + i)
            let g = load(dy + i)
            let isNegative = v .<= 0
            sum += (v * g).replacing(with: 0, where: v .> 0)
            store(g.replacing(with: g * slope, where: isNegative), dx + i)
            i += 16
        }
        for lane in 0..<16 { slopeGradient[lane] += Double(sum[lane]) }
    }
}
