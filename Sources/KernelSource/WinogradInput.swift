// Input side of fast convolutions with kernels of three elements per axis (Winograd 1980; Lavin and Gray 2016, doi
// 10.1109/CVPR.2016.435). An axis is cut into tiles of two outputs, four inputs, or of four outputs, six inputs. The
// latter uses the points 0, ±√½, ±√2, ∞, whose rounding error is several times smaller than that of 0, ±1, ±2, ∞.

/// Transform of four inputs of an axis.
@inline(__always)
func winogradInput(_ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes) -> (Lanes, Lanes, Lanes, Lanes) {
    (x0 - x2, x1 + x2, x2 - x1, x1 - x3)
}

/// Transform of six inputs of an axis.
@inline(__always)
func winogradInput(
    _ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes, _ x4: Lanes, _ x5: Lanes
) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
    let evenA = fused(x2, Lanes(repeating: -2), x4)
    let oddA = fused(x1, Lanes(repeating: -2), x3) * 0.707_106_77
    let evenB = fused(x2, Lanes(repeating: -0.5), x4)
    let oddB = fused(x1, Lanes(repeating: -0.5), x3) * 1.414_213_5
    return (
        fused(x2, Lanes(repeating: -2.5), x0 + x4), evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB,
        fused(x3, Lanes(repeating: -2.5), x1 + x5)
    )
}

/// First pass: along depth and height, for `count` consecutive positions of a line.
///
/// - Parameters:
///   - depthInputs, heightInputs: 1 and 4, 1 and 6, 4 and 4, 4 and 6, or 6 and 6.
///   - lines: start of each of the depthInputs · heightInputs lines.
///   - offset: where in the lines to begin.
///   - target: depthInputs · heightInputs lines, `targetStride` values apart.
@inline(never)
package func winogradInputLines(
    _ depthInputs: Int, _ heightInputs: Int, _ lines: UnsafePointer<UnsafePointer<Float>>, _ offset: Int, _ count: Int,
    _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
    for position in 0..<count {
        let at = offset &+ position &* 16
        let t = target + position &* 16
        if heightInputs == 4 {
            @inline(__always)
            func line(_ n: Int) -> (Lanes, Lanes, Lanes, Lanes) {
                winogradInput(
                    load(lines[n] + at), load(lines[n + 1] + at), load(lines[n + 2] + at), load(lines[n + 3] + at))
            }
            if depthInputs == 1 {
                let y = line(0)
                store(y.0, t)
                store(y.1, t + targetStride)
                store(y.2, t + targetStride &* 2)
                store(y.3, t + targetStride &* 3)
            } else {
                let (r0, r1, r2, r3) = (line(0), line(4), line(8), line(12))
                @inline(__always)
                func column(_ n: Int, _ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes) {
                    let y = winogradInput(x0, x1, x2, x3)
                    store(y.0, t + targetStride &* n)
                    store(y.1, t + targetStride &* (n + 4))
                    store(y.2, t + targetStride &* (n + 8))
                    store(y.3, t + targetStride &* (n + 12))
                }
                column(0, r0.0, r1.0, r2.0, r3.0)
                column(1, r0.1, r1.1, r2.1, r3.1)
                column(2, r0.2, r1.2, r2.2, r3.2)
                column(3, r0.3, r1.3, r2.3, r3.3)
            }
        } else {
            typealias Six = (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes)
            @inline(__always)
            func line(_ n: Int) -> Six {
                winogradInput(
                    load(lines[n] + at), load(lines[n + 1] + at), load(lines[n + 2] + at), load(lines[n + 3] + at),
                    load(lines[n + 4] + at), load(lines[n + 5] + at))
            }
            @inline(__always)
            func put(_ y: Six, _ first: Int, _ step: Int) {
                store(y.0, t + targetStride &* first)
                store(y.1, t + targetStride &* (first + step))
                store(y.2, t + targetStride &* (first + 2 * step))
                store(y.3, t + targetStride &* (first + 3 * step))
                store(y.4, t + targetStride &* (first + 4 * step))
                store(y.5, t + targetStride &* (first + 5 * step))
            }
            if depthInputs == 1 {
                put(line(0), 0, 1)
            } else if depthInputs == 4 {
                let (r0, r1, r2, r3) = (line(0), line(6), line(12), line(18))
                @inline(__always)
                func column(_ n: Int, _ x0: Lanes, _ x1: Lanes, _ x2: Lanes, _ x3: Lanes) {
                    let y = winogradInput(x0, x1, x2, x3)
                    store(y.0, t + targetStride &* n)
                    store(y.1, t + targetStride &* (n + 6))
                    store(y.2, t + targetStride &* (n + 12))
                    store(y.3, t + targetStride &* (n + 18))
                }
                column(0, r0.0, r1.0, r2.0, r3.0)
                column(1, r0.1, r1.1, r2.1, r3.1)
                column(2, r0.2, r1.2, r2.2, r3.2)
                column(3, r0.3, r1.3, r2.3, r3.3)
                column(4, r0.4, r1.4, r2.4, r3.4)
                column(5, r0.5, r1.5, r2.5, r3.5)
            } else {
                let (r0, r1, r2, r3, r4, r5) = (line(0), line(6), line(12), line(18), line(24), line(30))
                put(winogradInput(r0.0, r1.0, r2.0, r3.0, r4.0, r5.0), 0, 6)
                put(winogradInput(r0.1, r1.1, r2.1, r3.1, r4.1, r5.1), 1, 6)
                put(winogradInput(r0.2, r1.2, r2.2, r3.2, r4.2, r5.2), 2, 6)
                put(winogradInput(r0.3, r1.3, r2.3, r3.3, r4.3, r5.3), 3, 6)
                put(winogradInput(r0.4, r1.4, r2.4, r3.4, r4.4, r5.4), 4, 6)
                put(winogradInput(r0.5, r1.5, r2.5, r3.5, r4.5, r5.5), 5, 6)
            }
        }
    }
}

/// Second pass: along width, for `tiles` tiles in each of `lineCount` lines.
///
/// - Parameters:
///   - widthInputs: 4 or 6; tiles begin 2 or 4 positions apart.
///   - target: frequency f of line n at (n · widthInputs + f) · frequencyStride, tiles 16 values apart.
@inline(never)
package func winogradInputTiles(
    _ widthInputs: Int, _ lines: UnsafePointer<Float>, _ lineStride: Int, _ lineCount: Int, _ tiles: Int,
    _ target: UnsafeMutablePointer<Float>, _ frequencyStride: Int
) {
    for line in 0..<lineCount {
        var s = lines + line &* lineStride
        var t = target + line &* widthInputs &* frequencyStride
        if widthInputs == 4 {
            for _ in 0..<tiles {
                let y = winogradInput(load(s), load(s + 16), load(s + 32), load(s + 48))
                store(y.0, t)
                store(y.1, t + frequencyStride)
                store(y.2, t + frequencyStride &* 2)
                store(y.3, t + frequencyStride &* 3)
                s += 32
                t += 16
            }
        } else {
            for _ in 0..<tiles {
                let y = winogradInput(
                    load(s), load(s + 16), load(s + 32), load(s + 48), load(s + 64), load(s + 80))
                store(y.0, t)
                store(y.1, t + frequencyStride)
                store(y.2, t + frequencyStride &* 2)
                store(y.3, t + frequencyStride &* 3)
                store(y.4, t + frequencyStride &* 4)
                store(y.5, t + frequencyStride &* 5)
                s += 64
                t += 16
            }
        }
    }
}
