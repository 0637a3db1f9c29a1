// Statistics and normalisation of one block of sixteen channels. `count` is in positions.

/// Mean and sum of squared deviations of each lane over `count` positions: one pass over memory.
///
/// Each stretch of 256 positions fits the first-level cache and is read twice, for its mean and for its deviations from
/// it, so nothing large is ever subtracted; stretches are merged in double precision (Chan, Golub and LeVeque 1983).
@inline(never)
package func channelMoments(
    _ x: UnsafePointer<Float>, _ count: Int, _ mean: UnsafeMutablePointer<Double>,
    _ squares: UnsafeMutablePointer<Double>
) {
    for lane in 0..<16 { (mean[lane], squares[lane]) = (0, 0) }
    var first = 0
    while first < count {
        let n = min(256, count - first)
        let p = x + first * 16
        var (s0, s1, s2, s3) = (Lanes(), Lanes(), Lanes(), Lanes())
        var i = 0
        while i + 64 <= n * 16 {
            s0 += load(p + i)
            s1 += load(p + i + 16)
            s2 += load(p + i + 32)
            s3 += load(p + i + 48)
            i += 64
        }
        while i < n * 16 {
            s0 += load(p + i)
            i += 16
        }
        let m = ((s0 + s1) + (s2 + s3)) * (1 / Float(n))
        var (d0, d1) = (Lanes(), Lanes())
        var (q0, q1, q2, q3) = (Lanes(), Lanes(), Lanes(), Lanes())
        i = 0
        while i + 64 <= n * 16 {
            let (a, b) = (load(p + i) - m, load(p + i + 16) - m)
            let (c, d) = (load(p + i + 32) - m, load(p + i + 48) - m)
            d0 += a + b
            d1 += c + d
            q0 = fused(a, a, q0)
            q1 = fused(b, b, q1)
            q2 = fused(c, c, q2)
            q3 = fused(d, d, q3)
            i += 64
        }
        while i < n * 16 {
            let a = load(p + i) - m
            d0 += a
            q0 = fused(a, a, q0)
            i += 16
        }
        let d = d0 + d1
        let q = (q0 + q1) + (q2 + q3)
        let (before, added) = (Double(first), Double(n))
        let total = before + added
        for lane in 0..<16 {
            // What rounding left of the stretch's mean.
            let residue = Double(d[lane]) / added
            let stretchMean = Double(m[lane]) + residue
            let difference = stretchMean - mean[lane]
            mean[lane] += difference * (added / total)
            squares[lane] += Double(q[lane]) - residue * residue * added
            squares[lane] += difference * difference * (before * added / total)
        }
        first += n
    }
}

@inline(always)
func normalised(_ v: Lanes, _ mean: Lanes, _ factor: Lanes, _ shift: Lanes) -> Lanes {
    fused(v - mean, factor, shift)
}

/// y = finished((x − mean)·factor + shift); y may be x.
@inline(never)
package func normalise(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ mean: UnsafePointer<Float>,
    _ factor: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ kind: Int, _ slope: Float
) {
    let (m, f, s) = (load(mean), load(factor), load(shift))
    var i = 0
    while i < count * 16 {
        store(finished(normalised(load(x + i), m, f, s), kind, slope), y + i)
        i += 16
    }
}

/// Sums over `count` positions, per lane: of g, the gradient before the activation, and of g·(x − mean).
@inline(never)
package func normaliseBackwardSums(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ count: Int, _ mean: UnsafePointer<Float>,
    _ factor: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ kind: Int, _ slope: Float,
    _ gradientSum: UnsafeMutablePointer<Double>, _ productSum: UnsafeMutablePointer<Double>
) {
    let (m, f, s) = (load(mean), load(factor), load(shift))
    for lane in 0..<16 { (gradientSum[lane], productSum[lane]) = (0, 0) }
    var i = 0
    while i < count * 16 {
        let end = min(i + 1024, count * 16)
        var (sum, product) = (Lanes(), Lanes())
        while i < end {
            let centred = load(x + i) - m
            let g = unfinished(load(dy + i), fused(centred, f, s), kind, slope)
            sum += g
            product = fused(g, centred, product)
            i += 16
        }
        for lane in 0..<16 {
            gradientSum[lane] += Double(sum[lane])
            productSum[lane] += Double(product[lane])
        }
    }
}

/// dx = g·factor − offset − (x − mean)·tilt, g as above; dx may be dy.
@inline(never)
package func normaliseBackward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ count: Int,
    _ mean: UnsafePointer<Float>, _ factor: UnsafePointer<Float>, _ shift: UnsafePointer<Float>,
    _ offset: UnsafePointer<Float>, _ tilt: UnsafePointer<Float>, _ kind: Int, _ slope: Float
) {
    let (m, f, s) = (load(mean), load(factor), load(shift))
    let (o, t) = (load(offset), load(tilt))
    var i = 0
    while i < count * 16 {
        let centred = load(x + i) - m
        let g = unfinished(load(dy + i), fused(centred, f, s), kind, slope)
        store(fused(g, f, -fused(centred, t, o)), dx + i)
        i += 16
    }
}
