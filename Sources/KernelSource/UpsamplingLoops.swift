// Rows of enlarged maps, sixteen channels per position. Which input positions an output position mixes is given by
// tables along each axis.

/// Row of a linearly enlarged map.
///
/// - Parameters:
///   - a, b, c, d: input rows at (lower depth, lower height), (lower, upper), (upper, lower), (upper, upper).
///   - depthWeight, heightWeight: of the upper rows, 0 … 1.
///   - low, high, weight: per output position, the two input positions and the weight of the second.
///   - mixed: scratch of one input row.
@inline(never)
package func linearUpsampleRow(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    _ depthWeight: Float, _ heightWeight: Float, _ width: Int, _ low: UnsafePointer<Int32>,
    _ high: UnsafePointer<Int32>, _ weight: UnsafePointer<Float>, _ mixed: UnsafeMutablePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ outputWidth: Int
) {
    let (ab, cd) = (1 - depthWeight, depthWeight)
    let (wa, wb, wc, wd) = (ab * (1 - heightWeight), ab * heightWeight, cd * (1 - heightWeight), cd * heightWeight)
    var i = 0
    if depthWeight == 0 {
        while i < width * 16 {
            store(fused(load(b + i), Lanes(repeating: wb), load(a + i) * wa), mixed + i)
            i += 16
        }
    } else {
        while i < width * 16 {
            let lower = fused(load(b + i), Lanes(repeating: wb), load(a + i) * wa)
            let upper = fused(load(d + i), Lanes(repeating: wd), load(c + i) * wc)
            store(lower + upper, mixed + i)
            i += 16
        }
    }
    for w in 0..<outputWidth {
        let (from, to) = (load(mixed + Int(low[w]) * 16), load(mixed + Int(high[w]) * 16))
        let share = weight[w]
        store(fused(to, Lanes(repeating: share), from * (1 - share)), y + w * 16)
    }
}

/// Transpose of the mixing along the width: gradient of an input row, overwritten, from that of its enlarged row.
@inline(never)
package func linearUpsampleBackwardRow(
    _ dy: UnsafePointer<Float>, _ outputWidth: Int, _ low: UnsafePointer<Int32>, _ high: UnsafePointer<Int32>,
    _ weight: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ width: Int
) {
    for w in 0..<width { store(Lanes(), dx + w * 16) }
    for w in 0..<outputWidth {
        let g = load(dy + w * 16)
        let (from, to) = (dx + Int(low[w]) * 16, dx + Int(high[w]) * 16)
        let share = weight[w]
        store(fused(g, Lanes(repeating: 1 - share), load(from)), from)
        store(fused(g, Lanes(repeating: share), load(to)), to)
    }
}

/// y += x·factor over `count` positions, or y = x·factor.
@inline(never)
package func addScaled(
    _ x: UnsafePointer<Float>, _ factor: Float, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ overwrites: Int
) {
    let f = Lanes(repeating: factor)
    var i = 0
    if overwrites != 0 {
        while i < count * 16 {
            store(load(x + i) * f, y + i)
            i += 16
        }
    } else {
        while i < count * 16 {
            store(fused(load(x + i), f, load(y + i)), y + i)
            i += 16
        }
    }
}

/// y at position w is x at position source[w].
@inline(never)
package func takePositions(
    _ x: UnsafePointer<Float>, _ source: UnsafePointer<Int32>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    for w in 0..<count { store(load(x + Int(source[w]) * 16), y + w * 16) }
}

/// y at position w is the sum of x at positions first[w] ..< first[w + 1].
@inline(never)
package func sumPositions(
    _ x: UnsafePointer<Float>, _ first: UnsafePointer<Int32>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    for w in 0..<count {
        var sum = Lanes()
        var p = Int(first[w])
        let end = Int(first[w + 1])
        while p < end {
            sum += load(x + p * 16)
            p += 1
        }
        store(sum, y + w * 16)
    }
}
