// Positions and the values found there. Positions are voxel indices as Float, three separate rows of `count` values.
//
// A position that is not a number lies outside; where there is no outside, because the edge repeats for ever, it counts as
// the first voxel of its axis.

/// Whole parts of values in 0 ..< 2²³. (The plain vector conversion takes a slow generic path.)
@inline(always)
func whole(_ v: Lanes) -> WholeLanes {
    unsafeBitCast(v + 8_388_608, to: WholeLanes.self) & 0x7f_ffff
}

/// Between 0 and `last`; what is not a number becomes 0: wherever a voxel is needed for a position that is none, it is the
/// first. (By replacing: the pointwise minimum is not always inlined, and would then be a function that these files may
/// not hold.)
@inline(always)
func within(_ v: Lanes, _ last: Float) -> Lanes {
    v.replacing(with: Lanes(repeating: last), where: v .> last).replacing(with: Lanes(), where: .!(v .> 0))
}

/// Lower corner and fraction along one axis of n voxels, kept inside.
@inline(always)
func corner(_ position: Lanes, _ n: Int) -> (index: WholeLanes, fraction: Lanes) {
    let inside = within(position, Float(n - 1))
    let low = within(inside.rounded(.down), Float(n > 1 ? n - 2 : 0))
    return (whole(low), inside - low)
}

/// Which positions are no farther than half a voxel outside the grid.
@inline(always)
func isInside(_ position: Lanes, _ n: Int) -> SIMDMask<WholeLanes> {
    (position .>= -0.5) .& (position .<= Float(n) - 0.5)
}

@inline(always)
func linear(
    _ values: UnsafePointer<Float>, _ nx: Int, _ ny: Int, _ nz: Int, _ x: Lanes, _ y: Lanes, _ z: Lanes
) -> Lanes {
    let (i, fx) = corner(x, nx)
    let (j, fy) = corner(y, ny)
    let (k, fz) = corner(z, nz)
    let index: WholeLanes = i &+ Int32(nx) &* (j &+ Int32(ny) &* k)
    return eight(values, index, nx > 1 ? 1 : 0, ny > 1 ? nx : 0, nz > 1 ? nx * ny : 0, fx, fy, fz)
}

/// Blends the eight voxels at `index`, one step to the right, up and above.
///
/// With 32 wide registers the corners are gathered into vectors and blended there. With 16 narrower ones that spills, and
/// reading back vectors written piece by piece stalls; blending lane by lane is four times as fast.
@inline(always)
func eight(
    _ values: UnsafePointer<Float>, _ index: WholeLanes, _ right: Int, _ up: Int, _ above: Int, _ fx: Lanes,
    _ fy: Lanes, _ fz: Lanes
) -> Lanes {
    #if QSM_V4 || arch(arm64)
        var (a0, a1, b0, b1) = (Lanes(), Lanes(), Lanes(), Lanes())
        var (c0, c1, d0, d1) = (Lanes(), Lanes(), Lanes(), Lanes())
        for lane in 0..<16 {
            let p = values + Int(index[lane])
            (a0[lane], a1[lane]) = (p[0], p[right])
            (b0[lane], b1[lane]) = (p[up], p[up + right])
            let q = p + above
            (c0[lane], c1[lane]) = (q[0], q[right])
            (d0[lane], d1[lane]) = (q[up], q[up + right])
        }
        let a = fused(a1 - a0, fx, a0)
        let b = fused(b1 - b0, fx, b0)
        let c = fused(c1 - c0, fx, c0)
        let d = fused(d1 - d0, fx, d0)
        let low = fused(b - a, fy, a)
        let high = fused(d - c, fy, c)
        return fused(high - low, fz, low)
    #else
        var result = Lanes()
        for lane in 0..<16 {
            let p = values + Int(index[lane])
            let q = p + above
            let (x, y) = (fx[lane], fy[lane])
            let a = fused(p[right] - p[0], x, p[0])
            let b = fused(p[up + right] - p[up], x, p[up])
            let c = fused(q[right] - q[0], x, q[0])
            let d = fused(q[up + right] - q[up], x, q[up])
            let low = fused(b - a, y, a)
            let high = fused(d - c, y, c)
            result[lane] = fused(high - low, fz[lane], low)
        }
        return result
    #endif
}

/// What `eight` gives, and its derivatives along the three axes, per voxel.
@inline(always)
func eightWithSlopes(
    _ values: UnsafePointer<Float>, _ index: WholeLanes, _ right: Int, _ up: Int, _ above: Int, _ fx: Lanes,
    _ fy: Lanes, _ fz: Lanes
) -> (value: Lanes, dx: Lanes, dy: Lanes, dz: Lanes) {
    #if QSM_V4 || arch(arm64)
        var (a0, a1, b0, b1) = (Lanes(), Lanes(), Lanes(), Lanes())
        var (c0, c1, d0, d1) = (Lanes(), Lanes(), Lanes(), Lanes())
        for lane in 0..<16 {
            let p = values + Int(index[lane])
            (a0[lane], a1[lane]) = (p[0], p[right])
            (b0[lane], b1[lane]) = (p[up], p[up + right])
            let q = p + above
            (c0[lane], c1[lane]) = (q[0], q[right])
            (d0[lane], d1[lane]) = (q[up], q[up + right])
        }
        let (ax, bx, cx, ex) = (a1 - a0, b1 - b0, c1 - c0, d1 - d0)
        let a = fused(ax, fx, a0)
        let b = fused(bx, fx, b0)
        let c = fused(cx, fx, c0)
        let d = fused(ex, fx, d0)
        let low = fused(b - a, fy, a)
        let high = fused(d - c, fy, c)
        let lowX = fused(bx - ax, fy, ax)
        let highX = fused(ex - cx, fy, cx)
        return (
            fused(high - low, fz, low), fused(highX - lowX, fz, lowX), fused((d - c) - (b - a), fz, b - a), high - low
        )
    #else
        var (value, dx, dy, dz) = (Lanes(), Lanes(), Lanes(), Lanes())
        for lane in 0..<16 {
            let p = values + Int(index[lane])
            let q = p + above
            let (x, y, z) = (fx[lane], fy[lane], fz[lane])
            let (ax, bx) = (p[right] - p[0], p[up + right] - p[up])
            let (cx, ex) = (q[right] - q[0], q[up + right] - q[up])
            let a = fused(ax, x, p[0])
            let b = fused(bx, x, p[up])
            let c = fused(cx, x, q[0])
            let d = fused(ex, x, q[up])
            let low = fused(b - a, y, a)
            let high = fused(d - c, y, c)
            let lowX = fused(bx - ax, y, ax)
            let highX = fused(ex - cx, y, cx)
            value[lane] = fused(high - low, z, low)
            dx[lane] = fused(highX - lowX, z, lowX)
            dy[lane] = fused((d - c) - (b - a), z, b - a)
            dz[lane] = high - low
        }
        return (value, dx, dy, dz)
    #endif
}

/// Trilinear values at positions; beyond the outermost voxel centres the edge repeats for half a voxel, then `outside`.
///
/// - Parameters:
///   - values: nx·ny·nz values, x fastest.
///   - x, y, z: `count` positions each, voxel units. They are padded: readable up to the next multiple of 16.
///   - target: `count` values.
@inline(never)
package func sampleLinear(
    _ values: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, x: UnsafePointer<Float>, y: UnsafePointer<Float>,
    z: UnsafePointer<Float>, count: Int, outside: Float, target: UnsafeMutablePointer<Float>
) {
    var n = 0
    while n < count {
        let (px, py, pz) = (load(x + n), load(y + n), load(z + n))
        let v = linear(values, nx, ny, nz, px, py, pz)
        let inside = isInside(px, nx) .& isInside(py, ny) .& isInside(pz, nz)
        let result = v.replacing(with: outside, where: .!inside)
        if n + 16 <= count {
            store(result, target + n)
        } else {
            for lane in 0..<(count - n) { target[n + lane] = result[lane] }
        }
        n += 16
    }
}

/// Adds a displacement found at positions to other positions: `target += field(position)`; the edge repeats outside.
///
/// - Parameters:
///   - fieldX, fieldY, fieldZ: three components, nx·ny·nz values each.
///   - x, y, z: where to look, voxel units of the field; padded to a multiple of 16.
///   - targetX, targetY, targetZ: what is changed; padded likewise. May be x, y, z themselves.
@inline(never)
package func addDisplacement(
    _ fieldX: UnsafePointer<Float>, _ fieldY: UnsafePointer<Float>, _ fieldZ: UnsafePointer<Float>, nx: Int, ny: Int,
    nz: Int, x: UnsafePointer<Float>, y: UnsafePointer<Float>, z: UnsafePointer<Float>, count: Int,
    targetX: UnsafeMutablePointer<Float>, targetY: UnsafeMutablePointer<Float>, targetZ: UnsafeMutablePointer<Float>
) {
    var n = 0
    while n < count {
        let (px, py, pz) = (load(x + n), load(y + n), load(z + n))
        store(load(targetX + n) + linear(fieldX, nx, ny, nz, px, py, pz), targetX + n)
        store(load(targetY + n) + linear(fieldY, nx, ny, nz, px, py, pz), targetY + n)
        store(load(targetZ + n) + linear(fieldZ, nx, ny, nz, px, py, pz), targetZ + n)
        n += 16
    }
}

/// Fills a row with `start + n · step` per coordinate, n = 0 …; writes up to the next multiple of 16.
@inline(never)
package func fillLine(
    count: Int, startX: Float, startY: Float, startZ: Float, stepX: Float, stepY: Float, stepZ: Float,
    x: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>, z: UnsafeMutablePointer<Float>
) {
    var n = 0
    var position = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    while n < count {
        store(fused(position, Lanes(repeating: stepX), Lanes(repeating: startX)), x + n)
        store(fused(position, Lanes(repeating: stepY), Lanes(repeating: startY)), y + n)
        store(fused(position, Lanes(repeating: stepZ), Lanes(repeating: startZ)), z + n)
        position += 16
        n += 16
    }
}

/// Maps positions by a 3×4 matrix (12 values, row-major); padded to a multiple of 16. Source and target may be the same.
@inline(never)
package func transformPositions(
    _ matrix: UnsafePointer<Float>, count: Int, x: UnsafePointer<Float>, y: UnsafePointer<Float>,
    z: UnsafePointer<Float>, targetX: UnsafeMutablePointer<Float>, targetY: UnsafeMutablePointer<Float>,
    targetZ: UnsafeMutablePointer<Float>
) {
    var n = 0
    while n < count {
        let (px, py, pz) = (load(x + n), load(y + n), load(z + n))
        for row in 0..<3 {
            let m = matrix + 4 * row
            var r = fused(px, Lanes(repeating: m[0]), Lanes(repeating: m[3]))
            r = fused(py, Lanes(repeating: m[1]), r)
            r = fused(pz, Lanes(repeating: m[2]), r)
            store(r, (row == 0 ? targetX : (row == 1 ? targetY : targetZ)) + n)
        }
        n += 16
    }
}
