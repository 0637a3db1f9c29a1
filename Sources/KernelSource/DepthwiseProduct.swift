// Convolutions in which every channel sees itself only: a lane is a channel throughout.

/// target[row] = Σ over steps of source[rows[row] + steps[s]] · weights[s] + bias, then negative values times `slope`;
/// all of 16 values.
@inline(never)
package func convolveLanes(
    _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ rowCount: Int, _ steps: UnsafePointer<Int>,
    _ stepCount: Int, _ weights: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>,
    _ targetRows: UnsafePointer<Int>, _ bias: UnsafePointer<Float>, _ slope: Float
) {
    let start = load(bias)
    let last = rowCount &- 1
    var row = 0
    // Four rows at a time hide the latency of the sums.
    while row < rowCount {
        let (i1, i2, i3) = (min(row &+ 1, last), min(row &+ 2, last), min(row &+ 3, last))
        let (p0, p1, p2, p3) = (source + rows[row], source + rows[i1], source + rows[i2], source + rows[i3])
        var (a0, a1, a2, a3) = (start, start, start, start)
        for step in 0..<stepCount {
            let at = steps[step]
            let w = load(weights + step &* 16)
            a0 = fused(load(p0 + at), w, a0)
            a1 = fused(load(p1 + at), w, a1)
            a2 = fused(load(p2 + at), w, a2)
            a3 = fused(load(p3 + at), w, a3)
        }
        // Rows beyond the end repeat the last one and store the same values again.
        store(scaledIfNegative(a0, slope), target + targetRows[row])
        store(scaledIfNegative(a1, slope), target + targetRows[i1])
        store(scaledIfNegative(a2, slope), target + targetRows[i2])
        store(scaledIfNegative(a3, slope), target + targetRows[i3])
        row &+= 4
    }
}

/// sums[s] += Σ over rows of source[rows[row] + steps[s]] · gradient[row]; all of 16 values, `gradient` contiguous.
@inline(never)
package func correlateLanes(
    _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ rowCount: Int, _ steps: UnsafePointer<Int>,
    _ stepCount: Int, _ gradient: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
) {
    let last = stepCount &- 1
    var step = 0
    while step < stepCount {
        let (i1, i2, i3) = (min(step &+ 1, last), min(step &+ 2, last), min(step &+ 3, last))
        let (p0, p1, p2, p3) = (source + steps[step], source + steps[i1], source + steps[i2], source + steps[i3])
        var (a0, a1, a2, a3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        for row in 0..<rowCount {
            let at = rows[row]
            let g = load(gradient + row &* 16)
            a0 = fused(load(p0 + at), g, a0)
            a1 = fused(load(p1 + at), g, a1)
            a2 = fused(load(p2 + at), g, a2)
            a3 = fused(load(p3 + at), g, a3)
        }
        store(load(sums + step &* 16) + a0, sums + step &* 16)
        if step < last { store(load(sums + i1 &* 16) + a1, sums + i1 &* 16) }
        if step &+ 1 < last { store(load(sums + i2 &* 16) + a2, sums + i2 &* 16) }
        if step &+ 2 < last { store(load(sums + i3 &* 16) + a3, sums + i3 &* 16) }
        step &+= 4
    }
}

/// Sum of `count` consecutive groups of 16 values, lane by lane.
@inline(never)
package func sumLanes(_ values: UnsafePointer<Float>, _ count: Int, _ sum: UnsafeMutablePointer<Float>) {
    var (a0, a1, a2, a3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
    var n = 0
    while n &+ 4 <= count {
        let p = values + n &* 16
        a0 += load(p)
        a1 += load(p + 16)
        a2 += load(p + 32)
        a3 += load(p + 48)
        n &+= 4
    }
    while n < count {
        a0 += load(values + n &* 16)
        n &+= 1
    }
    store((a0 + a1) + (a2 + a3), sum)
}

/// The first `lanes` of each of `count` groups of 16 values, close together.
@inline(never)
package func gatherLanes(
    _ source: UnsafePointer<Float>, _ lanes: Int, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
    if lanes == 1 {
        for n in 0..<count { target[n] = source[n &* 16] }
        return
    }
    for n in 0..<count {
        let (s, t) = (source + n &* 16, target + n &* lanes)
        for lane in 0..<lanes { t[lane] = s[lane] }
    }
}
