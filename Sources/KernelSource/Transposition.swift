// Sixteen positions of sixteen channels, turned so that a vector holds one channel of sixteen positions. What works
// across channels is then done for sixteen positions at once, and for the channels that there are: a loss over five
// classes computes five exponentials for sixteen positions, not sixteen.

typealias Tile = (
    Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes
)

/// Values of the two in turns.
@inline(always)
func alternating(_ even: SIMD8<Float>, _ odd: SIMD8<Float>) -> Lanes {
    var v = Lanes()
    v.evenHalf = even
    v.oddHalf = odd
    return v
}

@inline(always)
func lowerMixed(_ a: Lanes, _ b: Lanes) -> Lanes { alternating(a.lowHalf, b.lowHalf) }

@inline(always)
func upperMixed(_ a: Lanes, _ b: Lanes) -> Lanes { alternating(a.highHalf, b.highHalf) }

/// A perfect shuffle of the 256 values; four of them transpose the tile. (The compiler finds its own instructions for the
/// four together; measured, they beat 64 shuffles in so many instructions.)
@inline(always)
func shuffled(_ t: Tile) -> Tile {
    (
        lowerMixed(t.0, t.8), upperMixed(t.0, t.8), lowerMixed(t.1, t.9), upperMixed(t.1, t.9),
        lowerMixed(t.2, t.10), upperMixed(t.2, t.10), lowerMixed(t.3, t.11), upperMixed(t.3, t.11),
        lowerMixed(t.4, t.12), upperMixed(t.4, t.12), lowerMixed(t.5, t.13), upperMixed(t.5, t.13),
        lowerMixed(t.6, t.14), upperMixed(t.6, t.14), lowerMixed(t.7, t.15), upperMixed(t.7, t.15)
    )
}

/// Transposes 16 × 16 values.
@inline(never)
func transpose(_ p: UnsafePointer<Float>, _ q: UnsafeMutablePointer<Float>) {
    var t: Tile = (
        load(p), load(p + 16), load(p + 32), load(p + 48), load(p + 64), load(p + 80), load(p + 96), load(p + 112),
        load(p + 128), load(p + 144), load(p + 160), load(p + 176), load(p + 192), load(p + 208), load(p + 224),
        load(p + 240)
    )
    t = shuffled(t)
    t = shuffled(t)
    t = shuffled(t)
    t = shuffled(t)
    store(t.0, q)
    store(t.1, q + 16)
    store(t.2, q + 32)
    store(t.3, q + 48)
    store(t.4, q + 64)
    store(t.5, q + 80)
    store(t.6, q + 96)
    store(t.7, q + 112)
    store(t.8, q + 128)
    store(t.9, q + 144)
    store(t.10, q + 160)
    store(t.11, q + 176)
    store(t.12, q + 192)
    store(t.13, q + 208)
    store(t.14, q + 224)
    store(t.15, q + 240)
}

/// Writes the channels of `n` positions, at most 16, as rows of 16 positions: those that there are not as zeros.
///
/// - Parameters:
///   - stride: from block to block of p.
///   - rows: 256·blocks values; channel c of position j at 16·c + j.
@inline(always)
func gatherRows(
    _ p: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ n: Int, _ rows: UnsafeMutablePointer<Float>
) {
    for b in 0..<blocks {
        let (source, target) = (p + b * stride, rows + b * 256)
        if n == 16 {
            transpose(source, target)
        } else {
            for j in 0..<16 { store(j < n ? load(source + j * 16) : Lanes(), target + j * 16) }
            transpose(target, target)
        }
    }
}

/// The way back; `rows` is used up. Adds to what is there where `adds` is 1.
@inline(always)
func scatterRows(
    _ rows: UnsafeMutablePointer<Float>, _ blocks: Int, _ stride: Int, _ n: Int, _ q: UnsafeMutablePointer<Float>,
    _ adds: Int
) {
    for b in 0..<blocks {
        let (source, target) = (rows + b * 256, q + b * stride)
        if n == 16 && adds == 0 {
            transpose(source, target)
        } else {
            transpose(source, source)
            for j in 0..<n {
                let v = load(source + j * 16)
                store(adds == 0 ? v : v + load(target + j * 16), target + j * 16)
            }
        }
    }
}

/// Largest of `channels` rows, position by position.
@inline(always)
func largestRow(_ rows: UnsafePointer<Float>, _ channels: Int) -> Lanes {
    var top = load(rows)
    var c = 1
    while c < channels {
        top = larger(top, load(rows + c * 16))
        c += 1
    }
    return top
}

/// Replaces `channels` rows by the exponentials of their distance from `top`; returns their sums.
@inline(always)
func exponentiateRows(_ rows: UnsafeMutablePointer<Float>, _ channels: Int, _ top: Lanes) -> Lanes {
    var sum = Lanes()
    for c in 0..<channels {
        let e = exponential(load(rows + c * 16) - top)
        store(e, rows + c * 16)
        sum += e
    }
    return sum
}
