// Output side of fast convolutions, and their weights. See WinogradInput.swift.

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

/// First pass: along width, for `tiles` tiles in each of `lineCount` lines.
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

/// Second pass: along depth and height, for `count` consecutive positions; adds the bias and multiplies negative values
/// by `slope`.
///
/// - Parameters:
///   - depthInputs, heightInputs: as in `winogradInputLines`.
///   - targets: start of each of the lines of outputs, height fastest; lines outside the map point to scratch.
@inline(never)
package func winogradOutputLines(
    _ depthInputs: Int, _ heightInputs: Int, _ lines: UnsafePointer<Float>, _ lineStride: Int, _ count: Int,
    _ targets: UnsafePointer<UnsafeMutablePointer<Float>>, _ offset: Int, _ bias: UnsafePointer<Float>, _ slope: Float
) {
    let constant = load(bias)
    for position in 0..<count {
        let s = lines + position &* 16
        let at = offset &+ position &* 16
        @inline(__always)
        func get(_ n: Int) -> Lanes { load(s + lineStride &* n) }
        @inline(__always)
        func put(_ sum: Lanes, _ n: Int) {
            let value = sum + constant
            store(value.replacing(with: value * slope, where: value .< 0), targets[n] + at)
        }
        if heightInputs == 4 {
            @inline(__always)
            func line(_ n: Int) -> (Lanes, Lanes) { winogradOutput(get(n), get(n + 1), get(n + 2), get(n + 3)) }
            if depthInputs == 1 {
                let y = line(0)
                put(y.0, 0)
                put(y.1, 1)
            } else {
                let (r0, r1, r2, r3) = (line(0), line(4), line(8), line(12))
                let y0 = winogradOutput(r0.0, r1.0, r2.0, r3.0)
                let y1 = winogradOutput(r0.1, r1.1, r2.1, r3.1)
                put(y0.0, 0)
                put(y1.0, 1)
                put(y0.1, 2)
                put(y1.1, 3)
            }
        } else {
            typealias Four = (Lanes, Lanes, Lanes, Lanes)
            @inline(__always)
            func line(_ n: Int) -> Four {
                winogradOutput(get(n), get(n + 1), get(n + 2), get(n + 3), get(n + 4), get(n + 5))
            }
            @inline(__always)
            func putFour(_ y: Four, _ first: Int, _ step: Int) {
                put(y.0, first)
                put(y.1, first + step)
                put(y.2, first + 2 * step)
                put(y.3, first + 3 * step)
            }
            if depthInputs == 1 {
                putFour(line(0), 0, 1)
            } else if depthInputs == 4 {
                let (r0, r1, r2, r3) = (line(0), line(6), line(12), line(18))
                @inline(__always)
                func column(_ n: Int, _ m0: Lanes, _ m1: Lanes, _ m2: Lanes, _ m3: Lanes) {
                    let y = winogradOutput(m0, m1, m2, m3)
                    put(y.0, n)
                    put(y.1, n + 4)
                }
                column(0, r0.0, r1.0, r2.0, r3.0)
                column(1, r0.1, r1.1, r2.1, r3.1)
                column(2, r0.2, r1.2, r2.2, r3.2)
                column(3, r0.3, r1.3, r2.3, r3.3)
            } else {
                let (r0, r1, r2, r3, r4, r5) = (line(0), line(6), line(12), line(18), line(24), line(30))
                putFour(winogradOutput(r0.0, r1.0, r2.0, r3.0, r4.0, r5.0), 0, 4)
                putFour(winogradOutput(r0.1, r1.1, r2.1, r3.1, r4.1, r5.1), 1, 4)
                putFour(winogradOutput(r0.2, r1.2, r2.2, r3.2, r4.2, r5.2), 2, 4)
                putFour(winogradOutput(r0.3, r1.3, r2.3, r3.3, r4.3, r5.3), 3, 4)
            }
        }
    }
}

/// Weights of one input channel and 16 output channels along one axis: `outer` × 3 × `inner` vectors become
/// `outer` × `frequencies` × `inner`, of 4 or 6 frequencies.
@inline(never)
package func winogradWeights(
    _ frequencies: Int, _ outer: Int, _ inner: Int, _ source: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
) {
    for o in 0..<outer {
        for i in 0..<inner {
            let s = source + (o &* 3 &* inner &+ i) &* 16
            let t = target + (o &* frequencies &* inner &+ i) &* 16
            let step = inner &* 16
            let (g0, g1, g2) = (load(s), load(s + step), load(s + step &* 2))
            if frequencies == 4 {
                let even = (g0 + g2) * 0.5
                store(g0, t)
                store(fused(g1, Lanes(repeating: 0.5), even), t + step)
                store(fused(g1, Lanes(repeating: -0.5), even), t + step &* 2)
                store(g2, t + step &* 3)
            } else {
                let evenA = fused(g2, Lanes(repeating: 0.5), g0) * -0.666_666_7
                let oddA = g1 * -0.471_404_52
                let evenB = fused(g2, Lanes(repeating: 2), g0) * 0.166_666_67
                let oddB = g1 * 0.235_702_26
                store(g0, t)
                store(evenA + oddA, t + step)
                store(evenA - oddA, t + step &* 2)
                store(evenB + oddB, t + step &* 3)
                store(evenB - oddB, t + step &* 4)
                store(g2, t + step &* 5)
            }
        }
    }
}
