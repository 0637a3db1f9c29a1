// Softmax over the channels of each position: `blocks` blocks of sixteen, `stride` values from one to the next.

/// - Parameters:
///   - y: may be x.
///   - isLogarithm: 1: the logarithm of softmax.
///   - rows: scratch of 256·blocks values.
@inline(never)
package func softmax(
    _ isLogarithm: Int, _ x: UnsafePointer<Float>, _ channels: Int, _ stride: Int,
    _ rows: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let blocks = (channels + 15) / 16
    var first = 0
    while first < count {
        let n = min(16, count - first)
        gatherRows(x + first * 16, blocks, stride, n, rows)
        let top = largestRow(rows, channels)
        if isLogarithm == 0 {
            let factor = 1 / exponentiateRows(rows, channels, top)
            for c in 0..<channels { store(load(rows + c * 16) * factor, rows + c * 16) }
        } else {
            var sum = Lanes()
            for c in 0..<channels {
                let distance = load(rows + c * 16) - top
                store(distance, rows + c * 16)
                sum += exponential(distance)
            }
            let all = logarithm(sum)
            for c in 0..<channels { store(load(rows + c * 16) - all, rows + c * 16) }
        }
        scatterRows(rows, blocks, stride, n, y + first * 16, 0)
        first += n
    }
}

/// dx = y·(dy − Σ dy·y); for logarithms (`isLogarithm` 1) dx = dy − eʸ·Σ dy. dx may be dy.
///
/// - Parameter keep: ones for the lanes of the last block that are channels.
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
