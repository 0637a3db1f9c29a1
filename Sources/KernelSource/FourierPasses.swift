// Discrete Fourier transforms of eight lines at a time: value n of line l lies at 8 n + l, real and imaginary parts apart.
// Each pass of the Stockham scheme turns `count / radix` groups and writes them in the order of the next, so that nothing is
// ever sorted by reversed bits. The inverse transform is the same with real and imaginary parts exchanged.

/// All passes of one transform.
///
/// - Parameters:
///   - real, imaginary, otherReal, otherImaginary: 8 · count values each; the passes go to and fro between them.
///   - factors: radices 2, 3, 4 or 5 whose product is `count`.
///   - cosines, sines: of −2π n / count, count values each.
/// - Returns: whether the result is in the other pair.
@inline(never)
package func transformEightLines(
    _ real: UnsafeMutablePointer<Double>, _ imaginary: UnsafeMutablePointer<Double>,
    _ otherReal: UnsafeMutablePointer<Double>, _ otherImaginary: UnsafeMutablePointer<Double>, count: Int,
    factors: UnsafePointer<Int>, factorCount: Int, cosines: UnsafePointer<Double>, sines: UnsafePointer<Double>
) -> Bool {
    var isOther = false
    var length = count
    var runs = 1
    for pass in 0..<factorCount {
        let radix = factors[pass]
        let groups = length / radix
        let from = (isOther ? otherReal : real, isOther ? otherImaginary : imaginary)
        let to = (isOther ? real : otherReal, isOther ? imaginary : otherImaginary)
        switch radix {
        case 2: passOfTwo(from.0, from.1, to.0, to.1, groups, runs, cosines, sines)
        case 3: passOfThree(from.0, from.1, to.0, to.1, groups, runs, cosines, sines)
        case 4: passOfFour(from.0, from.1, to.0, to.1, groups, runs, cosines, sines)
        default: passOfFive(from.0, from.1, to.0, to.1, groups, runs, cosines, sines)
        }
        length = groups
        runs *= radix
        isOther = !isOther
    }
    return isOther
}

@inline(always)
private func times(_ a: DoubleLanes, _ b: DoubleLanes, _ cosine: Double, _ sine: Double) -> (DoubleLanes, DoubleLanes) {
    let (c, s) = (DoubleLanes(repeating: cosine), DoubleLanes(repeating: sine))
    return (a * c - b * s, a * s + b * c)
}

@inline(always)
private func passOfTwo(
    _ xr: UnsafePointer<Double>, _ xi: UnsafePointer<Double>, _ yr: UnsafeMutablePointer<Double>,
    _ yi: UnsafeMutablePointer<Double>, _ groups: Int, _ runs: Int, _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>
) {
    for p in 0..<groups {
        let (c, s) = (cosines[p * runs], sines[p * runs])
        for q in 0..<runs {
            let a = 8 * (q + runs * p)
            let b = 8 * (q + runs * (p + groups))
            let (ar, ai, br, bi) = (load8(xr + a), load8(xi + a), load8(xr + b), load8(xi + b))
            let o = 8 * (q + runs * 2 * p)
            store8(ar + br, yr + o)
            store8(ai + bi, yi + o)
            let (r, i) = times(ar - br, ai - bi, c, s)
            store8(r, yr + o + 8 * runs)
            store8(i, yi + o + 8 * runs)
        }
    }
}

@inline(always)
private func passOfThree(
    _ xr: UnsafePointer<Double>, _ xi: UnsafePointer<Double>, _ yr: UnsafeMutablePointer<Double>,
    _ yi: UnsafeMutablePointer<Double>, _ groups: Int, _ runs: Int, _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>
) {
    let half = 0.5
    let root = 0.86602540378443864676
    for p in 0..<groups {
        let (c1, s1) = (cosines[p * runs], sines[p * runs])
        let (c2, s2) = (cosines[2 * p * runs], sines[2 * p * runs])
        for q in 0..<runs {
            let a = 8 * (q + runs * p)
            let step = 8 * runs * groups
            let (ar, ai) = (load8(xr + a), load8(xi + a))
            let (br, bi) = (load8(xr + a + step), load8(xi + a + step))
            let (cr, ci) = (load8(xr + a + 2 * step), load8(xi + a + 2 * step))
            let (sr, si) = (br + cr, bi + ci)
            let (dr, di) = ((br - cr) * root, (bi - ci) * root)
            let (mr, mi) = (ar - sr * half, ai - si * half)
            let o = 8 * (q + runs * 3 * p)
            store8(ar + sr, yr + o)
            store8(ai + si, yi + o)
            let (r1, i1) = times(mr + di, mi - dr, c1, s1)
            let (r2, i2) = times(mr - di, mi + dr, c2, s2)
            store8(r1, yr + o + 8 * runs)
            store8(i1, yi + o + 8 * runs)
            store8(r2, yr + o + 16 * runs)
            store8(i2, yi + o + 16 * runs)
        }
    }
}

@inline(always)
private func passOfFour(
    _ xr: UnsafePointer<Double>, _ xi: UnsafePointer<Double>, _ yr: UnsafeMutablePointer<Double>,
    _ yi: UnsafeMutablePointer<Double>, _ groups: Int, _ runs: Int, _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>
) {
    let step = 8 * runs * groups
    for p in 0..<groups {
        let (c1, s1) = (cosines[p * runs], sines[p * runs])
        let (c2, s2) = (cosines[2 * p * runs], sines[2 * p * runs])
        let (c3, s3) = (cosines[3 * p * runs], sines[3 * p * runs])
        for q in 0..<runs {
            let a = 8 * (q + runs * p)
            let (ar, ai) = (load8(xr + a), load8(xi + a))
            let (br, bi) = (load8(xr + a + step), load8(xi + a + step))
            let (cr, ci) = (load8(xr + a + 2 * step), load8(xi + a + 2 * step))
            let (dr, di) = (load8(xr + a + 3 * step), load8(xi + a + 3 * step))
            let (er, ei) = (ar + cr, ai + ci)
            let (fr, fi) = (ar - cr, ai - ci)
            let (gr, gi) = (br + dr, bi + di)
            let (hr, hi) = (br - dr, bi - di)
            let o = 8 * (q + runs * 4 * p)
            store8(er + gr, yr + o)
            store8(ei + gi, yi + o)
            let (r1, i1) = times(fr + hi, fi - hr, c1, s1)
            let (r2, i2) = times(er - gr, ei - gi, c2, s2)
            let (r3, i3) = times(fr - hi, fi + hr, c3, s3)
            store8(r1, yr + o + 8 * runs)
            store8(i1, yi + o + 8 * runs)
            store8(r2, yr + o + 16 * runs)
            store8(i2, yi + o + 16 * runs)
            store8(r3, yr + o + 24 * runs)
            store8(i3, yi + o + 24 * runs)
        }
    }
}

@inline(always)
private func passOfFive(
    _ xr: UnsafePointer<Double>, _ xi: UnsafePointer<Double>, _ yr: UnsafeMutablePointer<Double>,
    _ yi: UnsafeMutablePointer<Double>, _ groups: Int, _ runs: Int, _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>
) {
    let (k1, k2) = (0.30901699437494742410, -0.80901699437494742410)
    let (j1, j2) = (0.95105651629515357212, 0.58778525229247312917)
    let step = 8 * runs * groups
    for p in 0..<groups {
        for q in 0..<runs {
            let a = 8 * (q + runs * p)
            let (ar, ai) = (load8(xr + a), load8(xi + a))
            let (br, bi) = (load8(xr + a + step), load8(xi + a + step))
            let (cr, ci) = (load8(xr + a + 2 * step), load8(xi + a + 2 * step))
            let (dr, di) = (load8(xr + a + 3 * step), load8(xi + a + 3 * step))
            let (er, ei) = (load8(xr + a + 4 * step), load8(xi + a + 4 * step))
            let (tr, ti) = (br + er, bi + ei)
            let (ur, ui) = (cr + dr, ci + di)
            let (vr, vi) = (br - er, bi - ei)
            let (wr, wi) = (cr - dr, ci - di)
            let m1r = ar + tr * k1 + ur * k2
            let m1i = ai + ti * k1 + ui * k2
            let m2r = ar + tr * k2 + ur * k1
            let m2i = ai + ti * k2 + ui * k1
            let n1r = vr * j1 + wr * j2
            let n1i = vi * j1 + wi * j2
            let n2r = vr * j2 - wr * j1
            let n2i = vi * j2 - wi * j1
            let o = 8 * (q + runs * 5 * p)
            store8(ar + tr + ur, yr + o)
            store8(ai + ti + ui, yi + o)
            let (r1, i1) = times(m1r + n1i, m1i - n1r, cosines[p * runs], sines[p * runs])
            let (r2, i2) = times(m2r + n2i, m2i - n2r, cosines[2 * p * runs], sines[2 * p * runs])
            let (r3, i3) = times(m2r - n2i, m2i + n2r, cosines[3 * p * runs], sines[3 * p * runs])
            let (r4, i4) = times(m1r - n1i, m1i + n1r, cosines[4 * p * runs], sines[4 * p * runs])
            store8(r1, yr + o + 8 * runs)
            store8(i1, yi + o + 8 * runs)
            store8(r2, yr + o + 16 * runs)
            store8(i2, yi + o + 16 * runs)
            store8(r3, yr + o + 24 * runs)
            store8(i3, yi + o + 24 * runs)
            store8(r4, yr + o + 32 * runs)
            store8(i4, yi + o + 32 * runs)
        }
    }
}

/// Multiplies eight lines, value by value, by complex factors that they share.
@inline(never)
package func multiplyEightLines(
    _ real: UnsafeMutablePointer<Double>, _ imaginary: UnsafeMutablePointer<Double>, count: Int,
    cosines: UnsafePointer<Double>, sines: UnsafePointer<Double>
) {
    for n in 0..<count {
        let (r, i) = times(load8(real + 8 * n), load8(imaginary + 8 * n), cosines[n], sines[n])
        store8(r, real + 8 * n)
        store8(i, imaginary + 8 * n)
    }
}

typealias DoubleTile = (
    DoubleLanes, DoubleLanes, DoubleLanes, DoubleLanes, DoubleLanes, DoubleLanes, DoubleLanes, DoubleLanes
)

@inline(always)
private func mixed(_ a: SIMD4<Double>, _ b: SIMD4<Double>) -> DoubleLanes {
    var v = DoubleLanes()
    v.evenHalf = a
    v.oddHalf = b
    return v
}

/// A perfect shuffle of the 64 values; three of them transpose the tile.
@inline(always)
private func shuffled(_ t: DoubleTile) -> DoubleTile {
    (
        mixed(t.0.lowHalf, t.4.lowHalf), mixed(t.0.highHalf, t.4.highHalf), mixed(t.1.lowHalf, t.5.lowHalf),
        mixed(t.1.highHalf, t.5.highHalf), mixed(t.2.lowHalf, t.6.lowHalf), mixed(t.2.highHalf, t.6.highHalf),
        mixed(t.3.lowHalf, t.7.lowHalf), mixed(t.3.highHalf, t.7.highHalf)
    )
}

/// Writes eight rows, `sourceStep` apart, as eight columns, `targetStep` apart: value n of row l goes to n · targetStep + l.
/// With `isBack` value l of column n goes to l · targetStep + n.
///
/// - Parameter count: values of a row, or columns.
@inline(never)
package func turnEightLines(
    _ source: UnsafePointer<Double>, _ target: UnsafeMutablePointer<Double>, count: Int, sourceStep: Int,
    targetStep: Int, isBack: Bool
) {
    var n = 0
    while n + 8 <= count {
        // Tiles of eight by eight: whole rows of the one are columns of the other.
        let p = isBack ? source + n * sourceStep : source + n
        let q = isBack ? target + n : target + n * targetStep
        var t: DoubleTile = (
            load8(p), load8(p + sourceStep), load8(p + 2 * sourceStep), load8(p + 3 * sourceStep),
            load8(p + 4 * sourceStep), load8(p + 5 * sourceStep), load8(p + 6 * sourceStep), load8(p + 7 * sourceStep)
        )
        t = shuffled(shuffled(shuffled(t)))
        store8(t.0, q)
        store8(t.1, q + targetStep)
        store8(t.2, q + 2 * targetStep)
        store8(t.3, q + 3 * targetStep)
        store8(t.4, q + 4 * targetStep)
        store8(t.5, q + 5 * targetStep)
        store8(t.6, q + 6 * targetStep)
        store8(t.7, q + 7 * targetStep)
        n += 8
    }
    while n < count {
        for lane in 0..<8 {
            if isBack {
                target[lane * targetStep + n] = source[n * sourceStep + lane]
            } else {
                target[n * targetStep + lane] = source[lane * sourceStep + n]
            }
        }
        n += 1
    }
}
