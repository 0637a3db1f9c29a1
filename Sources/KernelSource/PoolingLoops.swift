// Pooling of one block of sixteen channels of one image.
//
// `g` describes the geometry in 16 whole numbers: input depth, height, width; output depth, height, width; kernel,
// stride and padding, three each; and whether padding counts in averages.

@inline(always)
func windowBegin(_ output: Int, _ stride: Int, _ padding: Int) -> Int { max(0, output * stride - padding) }

@inline(always)
func windowEnd(_ output: Int, _ stride: Int, _ padding: Int, _ kernel: Int, _ size: Int) -> Int {
    min(size, output * stride - padding + kernel)
}

/// Positions by which an average along one axis is divided.
@inline(always)
func windowCount(
    _ output: Int, _ stride: Int, _ padding: Int, _ kernel: Int, _ size: Int, _ withPadding: Bool
) -> Int {
    let begin = output * stride - padding
    if withPadding { return min(size + padding, begin + kernel) - begin }
    return min(size, begin + kernel) - max(0, begin)
}

/// First output whose window reaches position `p` or a later one.
@inline(always)
func firstWindow(_ p: Int, _ stride: Int, _ padding: Int, _ kernel: Int) -> Int {
    let reach = p + padding - kernel + 1
    return reach <= 0 ? 0 : (reach + stride - 1) / stride
}

/// Largest value of each window, for `rows` rows of the output; not a number where a window holds one.
@inline(never)
package func maximumPoolRows(
    _ g: UnsafePointer<Int>, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ first: Int, _ rows: Int
) {
    let (depth, height, width) = (g[0], g[1], g[2])
    let (outputHeight, outputWidth) = (g[4], g[5])
    for row in first..<first + rows {
        let (od, oh) = (row / outputHeight, row % outputHeight)
        let (d0, d1) = (windowBegin(od, g[9], g[12]), windowEnd(od, g[9], g[12], g[6], depth))
        let (h0, h1) = (windowBegin(oh, g[10], g[13]), windowEnd(oh, g[10], g[13], g[7], height))
        let target = y + row * outputWidth * 16
        var ow = 0
        while ow < outputWidth {
            let (w0, w1) = (windowBegin(ow, g[11], g[14]), windowEnd(ow, g[11], g[14], g[8], width))
            var top = Lanes(repeating: -.infinity)
            var d = d0
            while d < d1 {
                var h = h0
                while h < h1 {
                    var p = x + ((d * height + h) * width + w0) * 16
                    let end = p + (w1 - w0) * 16
                    while p < end {
                        let v = load(p)
                        top.replace(with: v, where: (v .> top) .| (v .!= v))
                        p += 16
                    }
                    h += 1
                }
                d += 1
            }
            store(top, target + ow * 16)
            ow += 1
        }
    }
}

/// Mean of each window, for `rows` rows of the output.
@inline(never)
package func averagePoolRows(
    _ g: UnsafePointer<Int>, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ first: Int, _ rows: Int
) {
    let (depth, height, width) = (g[0], g[1], g[2])
    let (outputHeight, outputWidth) = (g[4], g[5])
    let withPadding = g[15] != 0
    // Most windows lie within the map.
    let whole = g[6] * g[7] * g[8]
    let share = 1 / Float(whole)
    for row in first..<first + rows {
        let (od, oh) = (row / outputHeight, row % outputHeight)
        let (d0, d1) = (windowBegin(od, g[9], g[12]), windowEnd(od, g[9], g[12], g[6], depth))
        let (h0, h1) = (windowBegin(oh, g[10], g[13]), windowEnd(oh, g[10], g[13], g[7], height))
        let counted =
            windowCount(od, g[9], g[12], g[6], depth, withPadding)
            * windowCount(oh, g[10], g[13], g[7], height, withPadding)
        let target = y + row * outputWidth * 16
        for ow in 0..<outputWidth {
            let (w0, w1) = (windowBegin(ow, g[11], g[14]), windowEnd(ow, g[11], g[14], g[8], width))
            var sum = Lanes()
            var d = d0
            while d < d1 {
                var h = h0
                while h < h1 {
                    var p = x + ((d * height + h) * width + w0) * 16
                    let end = p + (w1 - w0) * 16
                    while p < end {
                        sum += load(p)
                        p += 16
                    }
                    h += 1
                }
                d += 1
            }
            let all = counted * windowCount(ow, g[11], g[14], g[8], width, withPadding)
            store(sum * (all == whole ? share : 1 / Float(all)), target + ow * 16)
        }
    }
}

/// Where v is the largest value; where that is not a number (`isNone`), whatever is not a number either.
@inline(always)
func isLargest(_ v: Lanes, _ top: Lanes, _ isNone: SIMDMask<WholeLanes>) -> SIMDMask<WholeLanes> {
    (v .== top) .| ((v .!= v) .& isNone)
}

/// Gradient of the largest values for input positions d0 ..< d1, h0 ..< h1 and the whole width: each output's gradient
/// goes to the first position of its window that holds the largest value (or is not a number, where one is not), lane by
/// lane.
@inline(never)
package func maximumPoolBackward(
    _ g: UnsafePointer<Int>, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>, _ d0: Int, _ d1: Int, _ h0: Int, _ h1: Int
) {
    let (depth, height, width) = (g[0], g[1], g[2])
    let (outputDepth, outputHeight, outputWidth) = (g[3], g[4], g[5])
    // Windows side by side: every position is in one window, or at most in one.
    let isApart = g[6] <= g[9] && g[7] <= g[10] && g[8] <= g[11]
    let isTiled = g[6] == g[9] && g[7] == g[10] && g[8] == g[11] && g[12] + g[13] + g[14] == 0
    let isCovered =
        isTiled && g[6] * outputDepth == depth && g[7] * outputHeight == height && g[8] * outputWidth == width
    if !isCovered {
        for d in d0..<d1 {
            let begin = dx + (d * height + h0) * width * 16
            var i = 0
            while i < (h1 - h0) * width * 16 {
                store(Lanes(), begin + i)
                i += 16
            }
        }
    }
    var od = firstWindow(d0, g[9], g[12], g[6])
    while od < outputDepth {
        let (windowD0, windowD1) = (windowBegin(od, g[9], g[12]), windowEnd(od, g[9], g[12], g[6], depth))
        if windowD0 >= d1 { break }
        var oh = firstWindow(h0, g[10], g[13], g[7])
        while oh < outputHeight {
            let (windowH0, windowH1) = (windowBegin(oh, g[10], g[13]), windowEnd(oh, g[10], g[13], g[7], height))
            if windowH0 >= h1 { break }
            let row = (od * outputHeight + oh) * outputWidth * 16
            for ow in 0..<outputWidth {
                let (w0, w1) = (windowBegin(ow, g[11], g[14]), windowEnd(ow, g[11], g[14], g[8], width))
                let top = load(y + row + ow * 16)
                let isNone = top .!= top
                // What has not found its position yet.
                var rest = load(dy + row + ow * 16)
                var d = windowD0
                while d < min(windowD1, d1) {
                    var h = windowH0
                    while h < windowH1 {
                        var i = ((d * height + h) * width + w0) * 16
                        let end = i + (w1 - w0) * 16
                        let isInside = d >= d0 && h >= h0 && h < h1
                        while i < end {
                            let hit = isLargest(load(x + i), top, isNone)
                            if isInside {
                                let found = rest.replacing(with: 0, where: .!hit)
                                store(isApart ? found : load(dx + i) + found, dx + i)
                            }
                            rest.replace(with: 0, where: hit)
                            i += 16
                        }
                        h += 1
                    }
                    d += 1
                }
            }
            oh += 1
        }
        od += 1
    }
}

/// Gradient of the means, for `rows` rows of the input: the sum over all windows that hold the position.
@inline(never)
package func averagePoolBackwardRows(
    _ g: UnsafePointer<Int>, _ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ first: Int, _ rows: Int
) {
    let (depth, height, width) = (g[0], g[1], g[2])
    let (outputDepth, outputHeight, outputWidth) = (g[3], g[4], g[5])
    let withPadding = g[15] != 0
    // Most windows lie within the map.
    let whole = g[6] * g[7] * g[8]
    let share = 1 / Float(whole)
    for row in first..<first + rows {
        let (d, h) = (row / height, row % height)
        let (od0, od1) = (firstWindow(d, g[9], g[12], g[6]), min(outputDepth, (d + g[12]) / g[9] + 1))
        let (oh0, oh1) = (firstWindow(h, g[10], g[13], g[7]), min(outputHeight, (h + g[13]) / g[10] + 1))
        let target = dx + row * width * 16
        // Windows ow0 ..< ow1 hold the position w.
        var (ow0, ow1) = (0, 0)
        for w in 0..<width {
            while ow0 < outputWidth && ow0 * g[11] - g[14] + g[8] <= w { ow0 += 1 }
            while ow1 < outputWidth && ow1 * g[11] - g[14] <= w { ow1 += 1 }
            var sum = Lanes()
            var od = od0
            while od < od1 {
                let deep = windowCount(od, g[9], g[12], g[6], depth, withPadding)
                var oh = oh0
                while oh < oh1 {
                    let area = deep * windowCount(oh, g[10], g[13], g[7], height, withPadding)
                    let source = dy + (od * outputHeight + oh) * outputWidth * 16
                    var ow = ow0
                    while ow < ow1 {
                        let all = area * windowCount(ow, g[11], g[14], g[8], width, withPadding)
                        let part = Lanes(repeating: all == whole ? share : 1 / Float(all))
                        sum = fused(load(source + ow * 16), part, sum)
                        ow += 1
                    }
                    oh += 1
                }
                od += 1
            }
            store(sum, target + w * 16)
        }
    }
}

/// Sum (0) or largest value (1) of `count` positions, lane by lane.
@inline(never)
package func poolAll(_ kind: Int, _ x: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Double>, _ count: Int) {
    var i = 0
    if kind == 1 {
        var top = Lanes(repeating: -.infinity)
        while i < count * 16 {
            let v = load(x + i)
            top.replace(with: v, where: (v .> top) .| (v .!= v))
            i += 16
        }
        for lane in 0..<16 { result[lane] = Double(top[lane]) }
        return
    }
    for lane in 0..<16 { result[lane] = 0 }
    while i < count * 16 {
        let end = min(i + 1024, count * 16)
        var sum = Lanes()
        while i < end {
            sum += load(x + i)
            i += 16
        }
        for lane in 0..<16 { result[lane] += Double(sum[lane]) }
    }
}

/// Gives `gradient` (16 values, used up) to the first position that holds `top`, lane by lane, and zero to the others.
@inline(never)
package func giveToFirst(
    _ x: UnsafePointer<Float>, _ top: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>, _ count: Int
) {
    let value = load(top)
    let isNone = value .!= value
    var rest = load(gradient)
    var i = 0
    while i < count * 16 {
        let hit = isLargest(load(x + i), value, isNone)
        store(rest.replacing(with: 0, where: .!hit), dx + i)
        rest.replace(with: 0, where: hit)
        i += 16
    }
}

/// The same 16 values at `count` positions.
@inline(never)
package func fillPositions(_ value: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int) {
    let v = load(value)
    var i = 0
    while i < count * 16 {
        store(v, y + i)
        i += 16
    }
}
