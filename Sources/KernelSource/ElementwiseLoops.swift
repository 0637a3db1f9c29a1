// Sums and products of maps, and moves between their channels. `count` is in positions of sixteen channels.

/// y = finished(a + b); y may be either.
@inline(never)
package func addMaps(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ kind: Int,
    _ slope: Float
) {
    var i = 0
    while i < count * 16 {
        store(finished(load(a + i) + load(b + i), kind, slope), y + i)
        i += 16
    }
}

/// y = a·b, or y += a·b; y may be either.
///
/// - Parameter kind: of b: 0 a value for each of a, 1 a first lane for each position, 2 sixteen values for all positions.
@inline(never)
package func multiplyMaps(
    _ kind: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    var i = 0
    switch kind {
    case 0:
        while i < count * 16 {
            store(load(a + i) * load(b + i), y + i)
            i += 16
        }
    case 1:
        while i < count * 16 {
            store(load(a + i) * b[i], y + i)
            i += 16
        }
    default:
        let factor = load(b)
        while i < count * 16 {
            store(load(a + i) * factor, y + i)
            i += 16
        }
    }
}

/// First lane of y: sum of a·b over all channels of a position; other lanes zero.
@inline(never)
package func sumProductsOverChannels(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ blocks: Int, _ stride: Int,
    _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    for i in 0..<count {
        let (p, q) = (a + i * 16, b + i * 16)
        var sum = Lanes()
        for block in 0..<blocks { sum = fused(load(p + block * stride), load(q + block * stride), sum) }
        store(Lanes(), y + i * 16)
        y[i * 16] = sumOfLanes(sum)
    }
}

/// Sixteen sums of a·b over `count` positions; overwritten.
@inline(never)
package func sumProductsOverPositions(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Double>, _ count: Int
) {
    for lane in 0..<16 { sums[lane] = 0 }
    var i = 0
    while i < count * 16 {
        let end = min(i + 1024, count * 16)
        var sum = Lanes()
        while i < end {
            sum = fused(load(a + i), load(b + i), sum)
            i += 16
        }
        for lane in 0..<16 { sums[lane] += Double(sum[lane]) }
    }
}

/// Lane l of y takes lane l + offset of x for the lanes of the mask; the others become zero, or stay (`adds` 1).
///
/// - Parameter offset: −15 … 15; masked lanes lie within the block of x.
@inline(never)
package func moveLanes(
    _ x: UnsafePointer<Float>, _ offset: Int, _ keep: UnsafePointer<UInt32>, _ adds: Int,
    _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let mask = load(keep)
    // A shifted vector reaches into the position before or behind: within the map for all positions but one.
    let begin = offset < 0 ? 1 : 0
    let end = offset > 0 ? count - 1 : count
    if begin > 0 || end < count {
        let edge = (offset < 0 ? 0 : count - 1) * 16
        for lane in 0..<16 {
            if keep[lane] != 0 {
                y[edge + lane] = x[edge + lane + offset]
            } else if adds == 0 {
                y[edge + lane] = 0
            }
        }
    }
    var i = begin * 16
    if adds == 0 {
        while i < end * 16 {
            store(kept(load(x + i + offset), mask), y + i)
            i += 16
        }
    } else {
        while i < end * 16 {
            let moved = bits(load(x + i + offset)) & mask
            store(lanes(moved | (bits(load(y + i)) & ~mask)), y + i)
            i += 16
        }
    }
}
