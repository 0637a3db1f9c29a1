// The weight gradient of fast convolutions: the gradient of the outputs goes through the transpose of the output
// transform, the sums of products through that of the weights'. See WinogradInput.swift.

/// Transform of two gradients of an axis.
@inline(__always)
private func winogradGradient(_ y0: Lanes, _ y1: Lanes) -> (Lanes, Lanes, Lanes, Lanes) {
    (y0, y0 + y1, y0 - y1, -y1)
}

/// Transform of four gradients of an axis.
@inline(__always)
private func winogradGradient(
    _ y0: Lanes, _ y1: Lanes, _ y2: Lanes, _ y3: Lanes
) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
    let evenA = fused(y2, Lanes(repeating: 0.5), y0)
    let oddA = fused(y3, Lanes(repeating: 0.5), y1) * 0.707_106_77
    let evenB = fused(y2, Lanes(repeating: 2), y0)
    let oddB = fused(y3, Lanes(repeating: 2), y1) * 1.414_213_5
    return (y0, evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, y3)
}

/// Along depth or height: `count` consecutive positions of 2 or 4 lines become 4 or 6 lines of frequencies.
///
/// - Parameters:
///   - frequencies: 4 or 6.
///   - lines: start of each of the lines.
///   - offset: where in them to begin.
///   - target: lines `targetStride` values apart.
@inline(never)
package func winogradGradientLines(
    _ frequencies: Int, _ lines: UnsafePointer<UnsafePointer<Float>>, _ offset: Int, _ count: Int,
    _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
    let (l0, l1) = (lines[0] + offset, lines[1] + offset)
    let (t0, t1) = (target, target + targetStride)
    let (t2, t3) = (t1 + targetStride, t1 + targetStride &* 2)
    let end = count &* 16
    var at = 0
    if frequencies == 4 {
        while at < end {
            let y = winogradGradient(load(l0 + at), load(l1 + at))
            store(y.0, t0 + at)
            store(y.1, t1 + at)
            store(y.2, t2 + at)
            store(y.3, t3 + at)
            at &+= 16
        }
    } else {
        let (l2, l3) = (lines[2] + offset, lines[3] + offset)
        let (t4, t5) = (t3 + targetStride, t3 + targetStride &* 2)
        while at < end {
            let y = winogradGradient(load(l0 + at), load(l1 + at), load(l2 + at), load(l3 + at))
            store(y.0, t0 + at)
            store(y.1, t1 + at)
            store(y.2, t2 + at)
            store(y.3, t3 + at)
            store(y.4, t4 + at)
            store(y.5, t5 + at)
            at &+= 16
        }
    }
}

/// Along width, for `tiles` tiles of 2 or 4 positions in each of `lineCount` lines.
///
/// - Parameters:
///   - frequencies: 4 or 6.
///   - target: frequency f of line n at (n · frequencies + f) · frequencyStride, tiles 16 values apart.
@inline(never)
package func winogradGradientTiles(
    _ frequencies: Int, _ lines: UnsafePointer<Float>, _ lineStride: Int, _ lineCount: Int, _ tiles: Int,
    _ target: UnsafeMutablePointer<Float>, _ frequencyStride: Int
) {
    for line in 0..<lineCount {
        var s = lines + line &* lineStride
        var t = target + line &* frequencies &* frequencyStride
        if frequencies == 4 {
            for _ in 0..<tiles {
                let y = winogradGradient(load(s), load(s + 16))
                store(y.0, t)
                store(y.1, t + frequencyStride)
                store(y.2, t + frequencyStride &* 2)
                store(y.3, t + frequencyStride &* 3)
                s += 32
                t += 16
            }
        } else {
            for _ in 0..<tiles {
                let y = winogradGradient(load(s), load(s + 16), load(s + 32), load(s + 48))
                store(y.0, t)
                store(y.1, t + frequencyStride)
                store(y.2, t + frequencyStride &* 2)
                store(y.3, t + frequencyStride &* 3)
                store(y.4, t + frequencyStride &* 4)
                store(y.5, t + frequencyStride &* 5)
                s += 64
                t += 16
            }
        }
    }
}

/// Sums of one input channel and 16 output channels along one axis: `outer` × `frequencies` × `inner` vectors become
/// `outer` × 3 × `inner`, from 4 or 6 frequencies.
@inline(never)
package func winogradWeightSums(
    _ frequencies: Int, _ outer: Int, _ inner: Int, _ source: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
) {
    let step = inner &* 16
    for o in 0..<outer {
        for i in 0..<inner {
            let s = source + (o &* frequencies &* inner &+ i) &* 16
            let t = target + (o &* 3 &* inner &+ i) &* 16
            let (u0, u1, u2, u3) = (load(s), load(s + step), load(s + step &* 2), load(s + step &* 3))
            if frequencies == 4 {
                let even = (u1 + u2) * 0.5
                store(u0 + even, t)
                store((u1 - u2) * 0.5, t + step)
                store(u3 + even, t + step &* 2)
            } else {
                let (u4, u5) = (load(s + step &* 4), load(s + step &* 5))
                let (evenA, evenB) = (u1 + u2, u3 + u4)
                let zeroth = fused(evenA, Lanes(repeating: -0.666_666_7), u0)
                store(fused(evenB, Lanes(repeating: 0.166_666_67), zeroth), t)
                store(fused(u1 - u2, Lanes(repeating: -0.471_404_52), (u3 - u4) * 0.235_702_26), t + step)
                store(fused(evenB - evenA, Lanes(repeating: 0.333_333_34), u5), t + step &* 2)
            }
        }
    }
}

/// target += source, `count` groups of 16 values.
@inline(never)
package func addLanes(_ source: UnsafePointer<Float>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for n in 0..<count {
        let at = n &* 16
        store(load(target + at) + load(source + at), target + at)
    }
}
