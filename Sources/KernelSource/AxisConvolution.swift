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
///   - source, target: `rows` rows of `width` values; not the same memory.
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

/// Convolves across planes: line a of the target is Σ weights[t] · line places[a + first − t · spacing] of the source.
///
/// - Parameters:
///   - source, target: `lines` lines of `width` values, `step` values apart; not the same memory.
///   - places: where each line of the extended axis comes from; −1 for a line of zeros.
///   - first: where the line of tap 0 for a = 0 is on the extended axis.
///   - isAdded: adds to the target.
@inline(never)
package func convolveAcrossLines(
    _ source: UnsafePointer<Double>, _ target: UnsafeMutablePointer<Double>, width: Int, lines: Int, step: Int,
    places: UnsafePointer<Int>, weights: UnsafePointer<Double>, taps: Int, first: Int, spacing: Int, isAdded: Bool
) {
    var x = 0
    // Blocks of 32 values keep all the source lines of one sum in the first cache level.
    while x + 32 <= width {
        for a in 0..<lines {
            let t = target + a * step + x
            var (s0, s1, s2, s3) = (DoubleLanes(), DoubleLanes(), DoubleLanes(), DoubleLanes())
            if isAdded {
                s0 = load8(t)
                s1 = load8(t + 8)
                s2 = load8(t + 16)
                s3 = load8(t + 24)
            }
            var place = places + a + first
            for tap in 0..<taps {
                let line = place[0]
                place -= spacing
                if line < 0 { continue }
                let p = source + line * step + x
                let weight = DoubleLanes(repeating: weights[tap])
                s0 = s0 + weight * load8(p)
                s1 = s1 + weight * load8(p + 8)
                s2 = s2 + weight * load8(p + 16)
                s3 = s3 + weight * load8(p + 24)
            }
            store8(s0, t)
            store8(s1, t + 8)
            store8(s2, t + 16)
            store8(s3, t + 24)
        }
        x += 32
    }
    while x < width {
        for a in 0..<lines {
            var sum = isAdded ? target[a * step + x] : 0
            for tap in 0..<taps {
                let line = places[a + first - tap * spacing]
                if line >= 0 { sum = sum + weights[tap] * source[line * step + x] }
            }
            target[a * step + x] = sum
        }
        x += 1
    }
}
