// Output side of fast convolutions. See WinogradInput.swift.

/// Two outputs of an axis from four sums.
@inline(__always)
func winogradOutput(_ m0: Lanes, _ m1: Lanes, _ m2: Lanes, _ m3: Lanes) -> (Lanes, Lanes) {
    (m0 + m1 + m2, m1 - m2 - m3)
}

/// Four outputs of an axis from six sums.
@inline(__always)
func winogradOutput(
    _ m0: Lanes, _ m1: Lanes, _ m2: Lanes, _ m3: Lanes, _ m4: Lanes, _ m5: Lanes
) -> (Lanes, Lanes, Lanes, Lanes) {
    let (sumA, sumB) = (m1 + m2, m3 + m4)
    let (oddA, oddB) = ((m1 - m2) * 0.707_106_77, (m3 - m4) * 1.414_213_5)
    return (
        m0 + sumA + sumB, oddA + oddB, fused(sumA, Lanes(repeating: 0.5), sumB * 2),
        fused(oddA, Lanes(repeating: 0.5), fused(oddB, Lanes(repeating: 2), m5))
    )
}

/// Along width, for `tiles` tiles in each of `lineCount` lines.
///
/// - Parameters:
///   - widthInputs: 4 or 6; a tile gives 2 or 4 positions.
///   - sums: frequency f of line n at (n · widthInputs + f) · frequencyStride, tiles 16 values apart.
@inline(never)
package func winogradOutputTiles(
    _ widthInputs: Int, _ sums: UnsafePointer<Float>, _ frequencyStride: Int, _ tiles: Int,
    _ lines: UnsafeMutablePointer<Float>, _ lineStride: Int, _ lineCount: Int
) {
    for line in 0..<lineCount {
        var s = sums + line &* widthInputs &* frequencyStride
        var t = lines + line &* lineStride
        if widthInputs == 4 {
            for _ in 0..<tiles {
                let y = winogradOutput(
                    load(s), load(s + frequencyStride), load(s + frequencyStride &* 2), load(s + frequencyStride &* 3))
                store(y.0, t)
                store(y.1, t + 16)
                s += 16
                t += 32
            }
        } else {
            for _ in 0..<tiles {
                let y = winogradOutput(
                    load(s), load(s + frequencyStride), load(s + frequencyStride &* 2), load(s + frequencyStride &* 3),
                    load(s + frequencyStride &* 4), load(s + frequencyStride &* 5))
                store(y.0, t)
                store(y.1, t + 16)
                store(y.2, t + 32)
                store(y.3, t + 48)
                s += 16
                t += 64
            }
        }
    }
}

/// Along height or depth: `count` consecutive positions of 4 or 6 lines of sums become 2 or 4 lines of outputs; adds the
/// bias and multiplies negative values by `slope`.
///
/// - Parameters:
///   - lines: `lineStride` values apart.
///   - targets: start of each of the lines of outputs; those outside the map point to scratch.
@inline(never)
package func winogradOutputLines(
    _ inputs: Int, _ lines: UnsafePointer<Float>, _ lineStride: Int, _ count: Int,
    _ targets: UnsafePointer<UnsafeMutablePointer<Float>>, _ bias: UnsafePointer<Float>, _ slope: Float
) {
    let constant = load(bias)
    let (l0, l1) = (lines, lines + lineStride)
    let (l2, l3) = (l1 + lineStride, l1 + lineStride &* 2)
    let (t0, t1) = (targets[0], targets[1])
    let end = count &* 16
    var at = 0
    if inputs == 4 {
        while at < end {
            let y = winogradOutput(load(l0 + at), load(l1 + at), load(l2 + at), load(l3 + at))
            store(scaledIfNegative(y.0 + constant, slope), t0 + at)
            store(scaledIfNegative(y.1 + constant, slope), t1 + at)
            at &+= 16
        }
    } else {
        let (l4, l5) = (l3 + lineStride, l3 + lineStride &* 2)
        let (t2, t3) = (targets[2], targets[3])
        while at < end {
            let y = winogradOutput(
                load(l0 + at), load(l1 + at), load(l2 + at), load(l3 + at), load(l4 + at), load(l5 + at))
            store(scaledIfNegative(y.0 + constant, slope), t0 + at)
            store(scaledIfNegative(y.1 + constant, slope), t1 + at)
            store(scaledIfNegative(y.2 + constant, slope), t2 + at)
            store(scaledIfNegative(y.3 + constant, slope), t3 + at)
            at &+= 16
        }
    }
}
