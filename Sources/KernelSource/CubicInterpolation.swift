// Cubic convolution (Keys 1981, doi 10.1109/TASSP.1981.1163711, a = −1/2): passes through the values, exact for
// quadratics, four taps an axis and no prefilter.

/// Weights of the taps at −1, 0, 1 and 2 for a fraction in 0 ..< 1.
@inline(__always)
func cubicWeights(_ f: Lanes) -> (Lanes, Lanes, Lanes, Lanes) {
    let half = Lanes(repeating: 0.5)
    // ((−½f + 1)f − ½)f and so on, by Horner.
    let before = fused(fused(-half, f, Lanes(repeating: 1)), f, -half) * f
    let low = fused(fused(1.5 * f - 2.5, f, Lanes()), f, Lanes(repeating: 1))
    let high = fused(fused(Lanes(repeating: -1.5), f, Lanes(repeating: 2)), f, half) * f
    let after = fused(half, f, -half) * f * f
    return (before, low, high, after)
}

/// Lower voxel, still as a floating-point number, and fraction along one axis of n voxels, kept inside.
@inline(__always)
func cubicCorner(_ position: Lanes, _ n: Int) -> (low: Lanes, fraction: Lanes) {
    let inside = within(position, Float(n - 1))
    let low = within(inside.rounded(.down), Float(n > 1 ? n - 2 : 0))
    return (low, inside - low)
}

/// Tap n (0 ... 3) of an axis: its voxel, kept inside.
@inline(__always)
func cubicTap(_ low: Lanes, _ tap: Int, _ n: Int) -> WholeLanes { whole(within(low + Float(tap - 1), Float(n - 1))) }

/// Tricubic values at positions; the edge repeats for half a voxel beyond the outermost voxel centres, then `outside`.
/// An axis of one voxel takes one tap.
///
/// - Parameters: as of `sampleLinear`.
@inline(never)
package func sampleCubic(
    _ values: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, x: UnsafePointer<Float>, y: UnsafePointer<Float>,
    z: UnsafePointer<Float>, count: Int, outside: Float, target: UnsafeMutablePointer<Float>
) {
    let tapsY = ny > 1 ? 4 : 1
    let tapsZ = nz > 1 ? 4 : 1
    var n = 0
    while n < count {
        let (px, py, pz) = (load(x + n), load(y + n), load(z + n))
        let (i, fx) = cubicCorner(px, nx)
        let (j, fy) = cubicCorner(py, ny)
        let (k, fz) = cubicCorner(pz, nz)
        let (x0, x1, x2, x3) = cubicWeights(fx)
        let (y0, y1, y2, y3) = cubicWeights(fy)
        let (z0, z1, z2, z3) = cubicWeights(fz)
        let (i0, i1) = (cubicTap(i, 0, nx), cubicTap(i, 1, nx))
        let (i2, i3) = (cubicTap(i, 2, nx), cubicTap(i, 3, nx))
        var sum = Lanes()
        for c in 0..<tapsZ {
            let plane: WholeLanes = (tapsZ == 1 ? whole(k) : cubicTap(k, c, nz)) &* Int32(ny)
            let weightZ = tapsZ == 1 ? Lanes(repeating: 1) : (c < 2 ? (c == 0 ? z0 : z1) : (c == 2 ? z2 : z3))
            var planeSum = Lanes()
            for b in 0..<tapsY {
                let line: WholeLanes = (plane &+ (tapsY == 1 ? whole(j) : cubicTap(j, b, ny))) &* Int32(nx)
                let weightY = tapsY == 1 ? Lanes(repeating: 1) : (b < 2 ? (b == 0 ? y0 : y1) : (b == 2 ? y2 : y3))
                let (a0, a1, a2, a3) = (line &+ i0, line &+ i1, line &+ i2, line &+ i3)
                var (v0, v1, v2, v3) = (Lanes(), Lanes(), Lanes(), Lanes())
                for lane in 0..<16 {
                    v0[lane] = values[Int(a0[lane])]
                    v1[lane] = values[Int(a1[lane])]
                    v2[lane] = values[Int(a2[lane])]
                    v3[lane] = values[Int(a3[lane])]
                }
                let row = nx == 1 ? v1 : fused(v3, x3, fused(v2, x2, fused(v1, x1, v0 * x0)))
                planeSum = fused(row, weightY, planeSum)
            }
            sum = fused(planeSum, weightZ, sum)
        }
        let inside = isInside(px, nx) .& isInside(py, ny) .& isInside(pz, nz)
        let result = sum.replacing(with: outside, where: .!inside)
        if n + 16 <= count {
            store(result, target + n)
        } else {
            for lane in 0..<(count - n) { target[n + lane] = result[lane] }
        }
        n += 16
    }
}
