// Convolution along one axis with any weights, in double precision. Products are rounded before they are added, at every
// instruction set level: results are the same bits everywhere.

typealias DoubleLanes = SIMD8<Double>

@inline(always)
func load8(_ p: UnsafePointer<Double>) -> DoubleLanes { UnsafeRawPointer(p).loadUnaligned(as: DoubleLanes.self) }

@inline(always)
func store8(_ v: DoubleLanes, _ p: UnsafeMutablePointer<Double>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: DoubleLanes.self)
}

/// Convolves rows along the fastest axis: value x of the target is Σ weights[t] · row[x + first − t · spacing] of the
/// extended row.
///
/// - Parameters:
///   - source, target: `rows` rows of `width` values; they may be the same memory, but not to add.
///   - places: where each of the `extent` values of the extended row comes from in the row; −1 for a zero.
///   - inner: the first value of the extended row that is the first of the row, when places from there on run along it.
///   - first: where the value of tap 0 for x = 0 is in the extended row.
///   - isAdded: adds to the target.
///   - extended: scratch of extent + 32 values.
@inline(never)
package func convolveAlongRows(
    _ source: UnsafePointer<Double>, _ target: UnsafeMutablePointer<Double>, width: Int, rows: Int,
    places: UnsafePointer<Int>, inner: Int, extent: Int, weights: UnsafePointer<Double>, taps: Int, first: Int,
    spacing: Int, isAdded: Bool, extended: UnsafeMutablePointer<Double>
) {
    for row in 0..<rows {
        let s = source + row * width
        let t = target + row * width
        for place in 0..<inner { extended[place] = places[place] < 0 ? 0 : s[places[place]] }
        (extended + inner).update(from: s, count: width)
        for place in (inner + width)..<extent { extended[place] = places[place] < 0 ? 0 : s[places[place]] }
        var x = 0
        while x + 32 <= width {
            var (s0, s1, s2, s3) = (DoubleLanes(), DoubleLanes(), DoubleLanes(), DoubleLanes())
            if isAdded {
                s0 = load8(t + x)
                s1 = load8(t + x + 8)
                s2 = load8(t + x + 16)
                s3 = load8(t + x + 24)
            }
            var p = UnsafePointer(extended) + x + first
            for tap in 0..<taps {
                let weight = DoubleLanes(repeating: weights[tap])
                s0 = s0 + weight * load8(p)
                s1 = s1 + weight * load8(p + 8)
                s2 = s2 + weight * load8(p + 16)
                s3 = s3 + weight * load8(p + 24)
                p -= spacing
            }
            store8(s0, t + x)
            store8(s1, t + x + 8)
            store8(s2, t + x + 16)
            store8(s3, t + x + 24)
            x += 32
        }
        while x < width {
            var sum = isAdded ? t[x] : 0
            for tap in 0..<taps { sum = sum + weights[tap] * extended[x + first - tap * spacing] }
            t[x] = sum
            x += 1
        }
    }
}

/// Convolves across planes: line a of the target is Σ weights[t] · line a + first − t · spacing of the extended axis.
///
/// - Parameters:
///   - source, target: lines of `width` values, `step` values apart; they may be the same memory.
///   - lines: of the target.
///   - places: which line of the source each of the `extent` lines of the extended axis is; −1 for zeros.
///   - first: where the line of tap 0 for a = 0 is on the extended axis.
///   - isAdded: adds to the target.
///   - extended: scratch of 32 · (extent + 1) values.
@inline(never)
package func convolveAcrossLines(
    _ source: UnsafePointer<Double>, _ target: UnsafeMutablePointer<Double>, width: Int, lines: Int, step: Int,
    places: UnsafePointer<Int>, extent: Int, weights: UnsafePointer<Double>, taps: Int, first: Int, spacing: Int,
    isAdded: Bool, extended: UnsafeMutablePointer<Double>
) {
    // 32 values of each line, side by side: lines lie a power of two apart more often than not, and would push each other
    // out of the cache while they are needed again.
    let own = extended + 32 * extent
    extended.update(repeating: 0, count: 32 * (extent + 1))
    var x = 0
    while x < width {
        let block = width - x < 32 ? width - x : 32
        for place in 0..<extent {
            let line = places[place]
            if line >= 0 && block == 32 {
                let (p, q) = (source + line * step + x, extended + 32 * place)
                store8(load8(p), q)
                store8(load8(p + 8), q + 8)
                store8(load8(p + 16), q + 16)
                store8(load8(p + 24), q + 24)
            } else if line >= 0 {
                (extended + 32 * place).update(from: source + line * step + x, count: block)
            } else {
                (extended + 32 * place).update(repeating: 0, count: block)
            }
        }
        for a in 0..<lines {
            let line = target + a * step + x
            let t = block == 32 ? line : own
            var (s0, s1, s2, s3) = (DoubleLanes(), DoubleLanes(), DoubleLanes(), DoubleLanes())
            if isAdded {
                if block < 32 { own.update(from: line, count: block) }
                s0 = load8(t)
                s1 = load8(t + 8)
                s2 = load8(t + 16)
                s3 = load8(t + 24)
            }
            var p = UnsafePointer(extended) + 32 * (a + first)
            for tap in 0..<taps {
                let weight = DoubleLanes(repeating: weights[tap])
                s0 = s0 + weight * load8(p)
                s1 = s1 + weight * load8(p + 8)
                s2 = s2 + weight * load8(p + 16)
                s3 = s3 + weight * load8(p + 24)
                p -= 32 * spacing
            }
            store8(s0, t)
            store8(s1, t + 8)
            store8(s2, t + 16)
            store8(s3, t + 24)
            if block < 32 { line.update(from: own, count: block) }
        }
        x += 32
    }
}
