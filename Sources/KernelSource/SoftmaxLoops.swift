// Softmax over the channels of each position: `blocks` blocks of sixteen, `stride` values from one to the next.

/// Channels of a vector of the last block, and minus infinity in the lanes that are none.
@inline(__always)
func orLowest(_ v: Lanes, _ mask: LaneBits) -> Lanes {
    lanes((bits(v) & mask) | (bits(Lanes(repeating: -.infinity)) & ~mask))
}

/// Largest channel of one position.
@inline(__always)
func largestChannel(_ p: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ mask: LaneBits) -> Float {
    var top = orLowest(load(p + (blocks - 1) * stride), mask)
    for b in 0..<blocks - 1 { top = larger(top, load(p + b * stride)) }
    return largestLane(top)
}

/// Writes exp(channel − top) of one position, `targetStride` values from block to block; returns their sum.
@inline(__always)
func exponentials(
    _ p: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ mask: LaneBits, _ top: Float,
    _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) -> Float {
    let last = blocks - 1
    let e = kept(exponential(load(p + last * stride) - top), mask)
    store(e, target + last * targetStride)
    var sum = e
    for b in 0..<last {
        let e = exponential(load(p + b * stride) - top)
        store(e, target + b * targetStride)
        sum += e
    }
    return sumOfLanes(sum)
}

/// - Parameters:
///   - keep: ones for the lanes of the last block that are channels.
///   - y: may be x.
@inline(never)
package func softmax(
    _ x: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ keep: UnsafePointer<UInt32>,
    _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let mask = load(keep)
    for i in 0..<count {
        let (p, q) = (x + i * 16, y + i * 16)
        let top = largestChannel(p, blocks, stride, mask)
        let factor = 1 / exponentials(p, blocks, stride, mask, top, q, stride)
        for b in 0..<blocks { store(load(q + b * stride) * factor, q + b * stride) }
    }
}

/// Logarithm of softmax; y may be x.
///
/// - Parameter scratch: 16·blocks + 32 values.
@inline(never)
package func logarithmicSoftmax(
    _ x: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ keep: UnsafePointer<UInt32>,
    _ scratch: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let mask = load(keep)
    let (tops, sums) = (scratch, scratch + 16)
    for lane in 0..<16 { (tops[lane], sums[lane]) = (0, 1) }
    var first = 0
    while first < count {
        let n = min(16, count - first)
        for j in 0..<n {
            let p = x + (first + j) * 16
            tops[j] = largestChannel(p, blocks, stride, mask)
            sums[j] = exponentials(p, blocks, stride, mask, tops[j], scratch + 32, 16)
        }
        store(logarithm(load(sums)), sums)
        for j in 0..<n {
            let (p, q) = (x + (first + j) * 16, y + (first + j) * 16)
            let (top, sum) = (tops[j], sums[j])
            for b in 0..<blocks - 1 { store((load(p + b * stride) - top) - sum, q + b * stride) }
            let last = (blocks - 1) * stride
            store(kept((load(p + last) - top) - sum, mask), q + last)
        }
        first += n
    }
}

/// dx = y·(dy − Σ dy·y); for logarithms (`isLogarithm` 1) dx = dy − eʸ·Σ dy. dx may be dy.
@inline(never)
package func softmaxBackward(
    _ isLogarithm: Int, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ blocks: Int, _ stride: Int,
    _ keep: UnsafePointer<UInt32>, _ dx: UnsafeMutablePointer<Float>, _ count: Int
) {
    let mask = load(keep)
    let all = LaneBits(repeating: .max)
    for i in 0..<count {
        let (p, g, q) = (y + i * 16, dy + i * 16, dx + i * 16)
        var sum = Lanes()
        if isLogarithm == 0 {
            for b in 0..<blocks { sum = fused(load(p + b * stride), load(g + b * stride), sum) }
            let total = sumOfLanes(sum)
            for b in 0..<blocks {
                store(load(p + b * stride) * (load(g + b * stride) - total), q + b * stride)
            }
        } else {
            for b in 0..<blocks { sum += load(g + b * stride) }
            let total = Lanes(repeating: -sumOfLanes(sum))
            for b in 0..<blocks {
                let e = kept(exponential(load(p + b * stride)), b == blocks - 1 ? mask : all)
                store(fused(e, total, load(g + b * stride)), q + b * stride)
            }
        }
    }
}
