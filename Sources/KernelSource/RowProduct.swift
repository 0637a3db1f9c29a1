// The one loop that nearly all the work of a network runs through: a matrix product whose rows are found through tables
// of offsets. What the rows and the steps of the sum are (positions and kernel elements of a convolution of any stride,
// dilation or size, frequencies of a fast convolution, elements of a matrix) is the caller's choice of tables.
//
// A tile of rows × blocks of 16 columns stays in registers during the whole sum; its size is the instruction set's.

/// target[row, block] = Σ over steps s and channels c of source[rows[row] + steps[s] + c] · weights[block][s][c], plus bias
/// or what is stored, then negative values times `slope`.
///
/// - Parameters:
///   - rows: offset of each row in `source`.
///   - steps: offset of each run of `channels` values in a row.
///   - weights: for each block `stepCount · channels` vectors of 16; blocks are `weightStride` values apart.
///   - targetRows: offset of each row in `target`; blocks are `targetStride` values apart.
///   - bias: 16 values per block; nil adds to what `target` holds.
///   - slope: of the negative side: 1 keeps values as they are, 0 is the rectifier.
@inline(never)
package func multiplyRows(
    _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ rowCount: Int, _ steps: UnsafePointer<Int>,
    _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ weightStride: Int, _ blocks: Int,
    _ target: UnsafeMutablePointer<Float>, _ targetStride: Int, _ targetRows: UnsafePointer<Int>,
    _ bias: UnsafePointer<Float>?, _ slope: Float
) {
    var block = 0
    #if QSM_V4
        while block &+ 2 <= blocks {
            multiplyTwoBlocks(
                source, rows, rowCount, steps, stepCount, channels, weights + block &* weightStride, weightStride,
                target + block &* targetStride, targetStride, targetRows, offset(bias, block &* 16), slope)
            block &+= 2
        }
    #endif
    while block < blocks {
        multiplyOneBlock(
            source, rows, rowCount, steps, stepCount, channels, weights + block &* weightStride,
            target + block &* targetStride, targetRows, offset(bias, block &* 16), slope)
        block &+= 1
    }
}

// Full tiles have calls of their own with a constant number of rows, for which nothing is then tested.

#if QSM_V4
    /// All rows of two blocks.
    @inline(__always)
    private func multiplyTwoBlocks(
        _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ rowCount: Int, _ steps: UnsafePointer<Int>,
        _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ weightStride: Int,
        _ target: UnsafeMutablePointer<Float>, _ targetStride: Int, _ targetRows: UnsafePointer<Int>,
        _ bias: UnsafePointer<Float>?, _ slope: Float
    ) {
        var row = 0
        while row &+ 8 <= rowCount {
            multiplyTileOfTwoBlocks(
                source, rows + row, 8, steps, stepCount, channels, weights, weightStride, target, targetStride,
                targetRows + row, bias, slope)
            row &+= 8
        }
        if row < rowCount {
            multiplyTileOfTwoBlocks(
                source, rows + row, rowCount &- row, steps, stepCount, channels, weights, weightStride, target,
                targetStride, targetRows + row, bias, slope)
        }
    }
#endif

/// All rows of one block.
@inline(__always)
private func multiplyOneBlock(
    _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ rowCount: Int, _ steps: UnsafePointer<Int>,
    _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>,
    _ targetRows: UnsafePointer<Int>, _ bias: UnsafePointer<Float>?, _ slope: Float
) {
    var row = 0
    while row &+ tileRows <= rowCount {
        multiplyTileOfOneBlock(
            source, rows + row, tileRows, steps, stepCount, channels, weights, target, targetRows + row, bias, slope)
        row &+= tileRows
    }
    if row < rowCount {
        multiplyTileOfOneBlock(
            source, rows + row, rowCount &- row, steps, stepCount, channels, weights, target, targetRows + row, bias,
            slope)
    }
}

@inline(__always)
private func offset(_ bias: UnsafePointer<Float>?, _ count: Int) -> UnsafePointer<Float>? {
    if let bias { return bias + count }
    return nil
}

/// The same product for `count` independent sets of equal shape, `…Step` values apart, without bias: the frequencies of
/// a fast convolution.
///
/// - Parameter zero: 16 · blocks zeros; nil adds to what `target` holds.
@inline(never)
package func multiplySets(
    _ count: Int, _ source: UnsafePointer<Float>, _ sourceStep: Int, _ rows: UnsafePointer<Int>, _ rowCount: Int,
    _ steps: UnsafePointer<Int>, _ stepCount: Int, _ weights: UnsafePointer<Float>, _ weightStep: Int,
    _ weightStride: Int, _ blocks: Int, _ target: UnsafeMutablePointer<Float>, _ targetStep: Int, _ targetStride: Int,
    _ targetRows: UnsafePointer<Int>, _ zero: UnsafePointer<Float>?
) {
    for set in 0..<count {
        multiplyRows(
            source + set &* sourceStep, rows, rowCount, steps, stepCount, 16, weights + set &* weightStep, weightStride,
            blocks, target + set &* targetStep, targetStride, targetRows, zero, 1)
    }
}

@inline(__always)
private func finish(
    _ sum: Lanes, _ target: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>?, _ slope: Float
) {
    let start = if let bias { load(bias) } else { load(target) }
    store(scaledIfNegative(sum + start, slope), target)
}

/// Rows of a tile of one block.
@inline(__always)
private var tileRows: Int {
    #if QSM_V4
        12
    #elseif QSM_V3 || arch(arm64)
        6
    #else
        2
    #endif
}

#if QSM_V4
    /// 8 rows × 32 columns. Rows beyond `present` repeat the last one and are not stored.
    @inline(__always)
    private func multiplyTileOfTwoBlocks(
        _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ present: Int, _ steps: UnsafePointer<Int>,
        _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ weightStride: Int,
        _ target: UnsafeMutablePointer<Float>, _ targetStride: Int, _ targetRows: UnsafePointer<Int>,
        _ bias: UnsafePointer<Float>?, _ slope: Float
    ) {
        let last = present &- 1
        let p0 = source + rows[0]
        let p1 = source + rows[min(1, last)]
        let p2 = source + rows[min(2, last)]
        let p3 = source + rows[min(3, last)]
        let p4 = source + rows[min(4, last)]
        let p5 = source + rows[min(5, last)]
        let p6 = source + rows[min(6, last)]
        let p7 = source + rows[min(7, last)]
        var a0 = Lanes.zero, b0 = Lanes.zero
        var a1 = Lanes.zero, b1 = Lanes.zero
        var a2 = Lanes.zero, b2 = Lanes.zero
        var a3 = Lanes.zero, b3 = Lanes.zero
        var a4 = Lanes.zero, b4 = Lanes.zero
        var a5 = Lanes.zero, b5 = Lanes.zero
        var a6 = Lanes.zero, b6 = Lanes.zero
        var a7 = Lanes.zero, b7 = Lanes.zero
        var u = weights
        var v = weights + weightStride
        @inline(__always)
        func add(_ at: Int) {
            let w = load(u)
            let z = load(v)
            let x0 = Lanes(repeating: p0[at])
            a0 = fused(x0, w, a0)
            b0 = fused(x0, z, b0)
            let x1 = Lanes(repeating: p1[at])
            a1 = fused(x1, w, a1)
            b1 = fused(x1, z, b1)
            let x2 = Lanes(repeating: p2[at])
            a2 = fused(x2, w, a2)
            b2 = fused(x2, z, b2)
            let x3 = Lanes(repeating: p3[at])
            a3 = fused(x3, w, a3)
            b3 = fused(x3, z, b3)
            let x4 = Lanes(repeating: p4[at])
            a4 = fused(x4, w, a4)
            b4 = fused(x4, z, b4)
            let x5 = Lanes(repeating: p5[at])
            a5 = fused(x5, w, a5)
            b5 = fused(x5, z, b5)
            let x6 = Lanes(repeating: p6[at])
            a6 = fused(x6, w, a6)
            b6 = fused(x6, z, b6)
            let x7 = Lanes(repeating: p7[at])
            a7 = fused(x7, w, a7)
            b7 = fused(x7, z, b7)
            u += 16
            v += 16
        }
        if channels == 1 {
            for step in 0..<stepCount { add(steps[step]) }
        } else {
            for step in 0..<stepCount {
                let first = steps[step]
                for channel in 0..<channels { add(first &+ channel) }
            }
        }
        var t = target + targetRows[0]
        finish(a0, t, bias, slope)
        finish(b0, t + targetStride, offset(bias, 16), slope)
        if last < 1 { return }
        t = target + targetRows[1]
        finish(a1, t, bias, slope)
        finish(b1, t + targetStride, offset(bias, 16), slope)
        if last < 2 { return }
        t = target + targetRows[2]
        finish(a2, t, bias, slope)
        finish(b2, t + targetStride, offset(bias, 16), slope)
        if last < 3 { return }
        t = target + targetRows[3]
        finish(a3, t, bias, slope)
        finish(b3, t + targetStride, offset(bias, 16), slope)
        if last < 4 { return }
        t = target + targetRows[4]
        finish(a4, t, bias, slope)
        finish(b4, t + targetStride, offset(bias, 16), slope)
        if last < 5 { return }
        t = target + targetRows[5]
        finish(a5, t, bias, slope)
        finish(b5, t + targetStride, offset(bias, 16), slope)
        if last < 6 { return }
        t = target + targetRows[6]
        finish(a6, t, bias, slope)
        finish(b6, t + targetStride, offset(bias, 16), slope)
        if last < 7 { return }
        t = target + targetRows[7]
        finish(a7, t, bias, slope)
        finish(b7, t + targetStride, offset(bias, 16), slope)
    }

    /// 12 rows × 16 columns. Rows beyond `present` repeat the last one and are not stored.
    @inline(__always)
    private func multiplyTileOfOneBlock(
        _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ present: Int, _ steps: UnsafePointer<Int>,
        _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>,
        _ targetRows: UnsafePointer<Int>, _ bias: UnsafePointer<Float>?, _ slope: Float
    ) {
        let last = present &- 1
        let p0 = source + rows[0]
        let p1 = source + rows[min(1, last)]
        let p2 = source + rows[min(2, last)]
        let p3 = source + rows[min(3, last)]
        let p4 = source + rows[min(4, last)]
        let p5 = source + rows[min(5, last)]
        let p6 = source + rows[min(6, last)]
        let p7 = source + rows[min(7, last)]
        let p8 = source + rows[min(8, last)]
        let p9 = source + rows[min(9, last)]
        let p10 = source + rows[min(10, last)]
        let p11 = source + rows[min(11, last)]
        var a0 = Lanes.zero
        var a1 = Lanes.zero
        var a2 = Lanes.zero
        var a3 = Lanes.zero
        var a4 = Lanes.zero
        var a5 = Lanes.zero
        var a6 = Lanes.zero
        var a7 = Lanes.zero
        var a8 = Lanes.zero
        var a9 = Lanes.zero
        var a10 = Lanes.zero
        var a11 = Lanes.zero
        var u = weights
        @inline(__always)
        func add(_ at: Int) {
            let w = load(u)
            let x0 = Lanes(repeating: p0[at])
            a0 = fused(x0, w, a0)
            let x1 = Lanes(repeating: p1[at])
            a1 = fused(x1, w, a1)
            let x2 = Lanes(repeating: p2[at])
            a2 = fused(x2, w, a2)
            let x3 = Lanes(repeating: p3[at])
            a3 = fused(x3, w, a3)
            let x4 = Lanes(repeating: p4[at])
            a4 = fused(x4, w, a4)
            let x5 = Lanes(repeating: p5[at])
            a5 = fused(x5, w, a5)
            let x6 = Lanes(repeating: p6[at])
            a6 = fused(x6, w, a6)
            let x7 = Lanes(repeating: p7[at])
            a7 = fused(x7, w, a7)
            let x8 = Lanes(repeating: p8[at])
            a8 = fused(x8, w, a8)
            let x9 = Lanes(repeating: p9[at])
            a9 = fused(x9, w, a9)
            let x10 = Lanes(repeating: p10[at])
            a10 = fused(x10, w, a10)
            let x11 = Lanes(repeating: p11[at])
            a11 = fused(x11, w, a11)
            u += 16
        }
        if channels == 1 {
            for step in 0..<stepCount { add(steps[step]) }
        } else {
            for step in 0..<stepCount {
                let first = steps[step]
                for channel in 0..<channels { add(first &+ channel) }
            }
        }
        var t = target + targetRows[0]
        finish(a0, t, bias, slope)
        if last < 1 { return }
        t = target + targetRows[1]
        finish(a1, t, bias, slope)
        if last < 2 { return }
        t = target + targetRows[2]
        finish(a2, t, bias, slope)
        if last < 3 { return }
        t = target + targetRows[3]
        finish(a3, t, bias, slope)
        if last < 4 { return }
        t = target + targetRows[4]
        finish(a4, t, bias, slope)
        if last < 5 { return }
        t = target + targetRows[5]
        finish(a5, t, bias, slope)
        if last < 6 { return }
        t = target + targetRows[6]
        finish(a6, t, bias, slope)
        if last < 7 { return }
        t = target + targetRows[7]
        finish(a7, t, bias, slope)
        if last < 8 { return }
        t = target + targetRows[8]
        finish(a8, t, bias, slope)
        if last < 9 { return }
        t = target + targetRows[9]
        finish(a9, t, bias, slope)
        if last < 10 { return }
        t = target + targetRows[10]
        finish(a10, t, bias, slope)
        if last < 11 { return }
        t = target + targetRows[11]
        finish(a11, t, bias, slope)
    }
#elseif QSM_V3 || arch(arm64)
    /// 6 rows × 16 columns. Rows beyond `present` repeat the last one and are not stored.
    @inline(__always)
    private func multiplyTileOfOneBlock(
        _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ present: Int, _ steps: UnsafePointer<Int>,
        _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>,
        _ targetRows: UnsafePointer<Int>, _ bias: UnsafePointer<Float>?, _ slope: Float
    ) {
        let last = present &- 1
        let p0 = source + rows[0]
        let p1 = source + rows[min(1, last)]
        let p2 = source + rows[min(2, last)]
        let p3 = source + rows[min(3, last)]
        let p4 = source + rows[min(4, last)]
        let p5 = source + rows[min(5, last)]
        var a0 = Lanes.zero
        var a1 = Lanes.zero
        var a2 = Lanes.zero
        var a3 = Lanes.zero
        var a4 = Lanes.zero
        var a5 = Lanes.zero
        var u = weights
        @inline(__always)
        func add(_ at: Int) {
            let w = load(u)
            let x0 = Lanes(repeating: p0[at])
            a0 = fused(x0, w, a0)
            let x1 = Lanes(repeating: p1[at])
            a1 = fused(x1, w, a1)
            let x2 = Lanes(repeating: p2[at])
            a2 = fused(x2, w, a2)
            let x3 = Lanes(repeating: p3[at])
            a3 = fused(x3, w, a3)
            let x4 = Lanes(repeating: p4[at])
            a4 = fused(x4, w, a4)
            let x5 = Lanes(repeating: p5[at])
            a5 = fused(x5, w, a5)
            u += 16
        }
        if channels == 1 {
            for step in 0..<stepCount { add(steps[step]) }
        } else {
            for step in 0..<stepCount {
                let first = steps[step]
                for channel in 0..<channels { add(first &+ channel) }
            }
        }
        var t = target + targetRows[0]
        finish(a0, t, bias, slope)
        if last < 1 { return }
        t = target + targetRows[1]
        finish(a1, t, bias, slope)
        if last < 2 { return }
        t = target + targetRows[2]
        finish(a2, t, bias, slope)
        if last < 3 { return }
        t = target + targetRows[3]
        finish(a3, t, bias, slope)
        if last < 4 { return }
        t = target + targetRows[4]
        finish(a4, t, bias, slope)
        if last < 5 { return }
        t = target + targetRows[5]
        finish(a5, t, bias, slope)
    }
#else
    /// 2 rows × 16 columns. Rows beyond `present` repeat the last one and are not stored.
    @inline(__always)
    private func multiplyTileOfOneBlock(
        _ source: UnsafePointer<Float>, _ rows: UnsafePointer<Int>, _ present: Int, _ steps: UnsafePointer<Int>,
        _ stepCount: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>,
        _ targetRows: UnsafePointer<Int>, _ bias: UnsafePointer<Float>?, _ slope: Float
    ) {
        let last = present &- 1
        let p0 = source + rows[0]
        let p1 = source + rows[min(1, last)]
        var a0 = Lanes.zero
        var a1 = Lanes.zero
        var u = weights
        @inline(__always)
        func add(_ at: Int) {
            let w = load(u)
            let x0 = Lanes(repeating: p0[at])
            a0 = fused(x0, w, a0)
            let x1 = Lanes(repeating: p1[at])
            a1 = fused(x1, w, a1)
            u += 16
        }
        if channels == 1 {
            for step in 0..<stepCount { add(steps[step]) }
        } else {
            for step in 0..<stepCount {
                let first = steps[step]
                for channel in 0..<channels { add(first &+ channel) }
            }
        }
        var t = target + targetRows[0]
        finish(a0, t, bias, slope)
        if last < 1 { return }
        t = target + targetRows[1]
        finish(a1, t, bias, slope)
    }
#endif
