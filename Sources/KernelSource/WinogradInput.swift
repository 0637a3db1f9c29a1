// Input side of fast convolutions with kernels of three elements per axis (Winograd 1980; Lavin and Gray 2016, doi
// 10.1109/CVPR.2016.435). An axis is cut into tiles of two outputs, four inputs, or of four outputs, six inputs. The
// latter uses the points 0, ±√½, ±√2, ∞, whose rounding error is several times smaller than that of 0, ±1, ±2, ∞.

/// Transform of four inputs of an axis.
@inline(__always)
func winogradInput(_ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes) -> (Lanes, Lanes, Lanes, Lanes) {
    (x0 - x2, x1 + x2, x2 - x1, x1 - x3)
}

/// Transform of six inputs of an axis.
@inline(__always)
func winogradInput(
    _ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes, _ x4: Lanes, _ x5: Lanes
) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
    let evenA = fused(x2, Lanes(repeating: -2), x4)
    let oddA = fused(x1, Lanes(repeating: -2), x3) * 0.707_106_77
    let evenB = fused(x2, Lanes(repeating: -0.5), x4)
    let oddB = fused(x1, Lanes(repeating: -0.5), x3) * 1.414_213_5
    return (
        fused(x2, Lanes(repeating: -2.5), x0 + x4), evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB,
        fused(x3, Lanes(repeating: -2.5), x1 + x5)
    )
}

/// Along depth or height: `count` consecutive positions of 4 or 6 lines become as many lines of frequencies.
///
/// - Parameters:
///   - lines: start of each of the lines.
///   - offset: where in them to begin.
///   - target: lines `targetStride` values apart.
@inline(never)
package func winogradInputLines(
    _ inputs: Int, _ lines: UnsafePointer<UnsafePointer<Float>>, _ offset: Int, _ count: Int,
    _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
    let (l0, l1, l2, l3) = (lines[0] + offset, lines[1] + offset, lines[2] + offset, lines[3] + offset)
    let (t0, t1) = (target, target + targetStride)
    let (t2, t3) = (t1 + targetStride, t1 + targetStride &* 2)
    let end = count &* 16
    var at = 0
    if inputs == 4 {
        while at < end {
            let y = winogradInput(load(l0 + at), load(l1 + at), load(l2 + at), load(l3 + at))
            store(y.0, t0 + at)
            store(y.1, t1 + at)
            store(y.2, t2 + at)
            store(y.3, t3 + at)
            at &+= 16
        }
    } else {
        let (l4, l5) = (lines[4] + offset, lines[5] + offset)
        let (t4, t5) = (t3 + targetStride, t3 + targetStride &* 2)
        while at < end {
            let y = winogradInput(
                load(l0 + at), load(l1 + at), load(l2 + at), load(l3 + at), load(l4 + at), load(l5 + at))
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

/// Along width, for `tiles` tiles in each of `lineCount` lines.
///
/// - Parameters:
///   - widthInputs: 4 or 6; tiles begin 2 or 4 positions apart.
///   - target: frequency f of line n at (n · widthInputs + f) · frequencyStride, tiles 16 values apart.
@inline(never)
package func winogradInputTiles(
    _ widthInputs: Int, _ lines: UnsafePointer<Float>, _ lineStride: Int, _ lineCount: Int, _ tiles: Int,
    _ target: UnsafeMutablePointer<Float>, _ frequencyStride: Int
) {
    for line in 0..<lineCount {
        var s = lines + line &* lineStride
        var t = target + line &* widthInputs &* frequencyStride
        if widthInputs == 4 {
            for _ in 0..<tiles {
                let y = winogradInput(load(s), load(s + 16), load(s + 32), load(s + 48))
                store(y.0, t)
                store(y.1, t + frequencyStride)
                store(y.2, t + frequencyStride &* 2)
                store(y.3, t + frequencyStride &* 3)
                s += 32
                t += 16
            }
        } else {
            for _ in 0..<tiles {
                let y = winogradInput(
                    load(s), load(s + 16), load(s + 32), load(s + 48), load(s + 64), load(s + 80))
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
