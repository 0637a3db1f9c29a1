// Loops over displacement fields in voxel units of their own grid. Rows are whole multiples of 16 voxels long: the
// callers choose their grids so.

/// Three trilinear values at the same positions, inside the grid or at its nearest edge point.
@inline(__always)
func linearTriple(
    _ fx: UnsafePointer<Float>, _ fy: UnsafePointer<Float>, _ fz: UnsafePointer<Float>, _ nx: Int, _ ny: Int,
    _ nz: Int, _ x: Lanes, _ y: Lanes, _ z: Lanes
) -> (Lanes, Lanes, Lanes) {
    let (i, wx) = corner(x, nx)
    let (j, wy) = corner(y, ny)
    let (k, wz) = corner(z, nz)
    let index: WholeLanes = i &+ Int32(nx) &* (j &+ Int32(ny) &* k)
    let up = ny > 1 ? nx : 0
    let above = nz > 1 ? nx * ny : 0
    return (
        eight(fx, index, nx > 1 ? 1 : 0, up, above, wx, wy, wz),
        eight(fy, index, nx > 1 ? 1 : 0, up, above, wx, wy, wz),
        eight(fz, index, nx > 1 ? 1 : 0, up, above, wx, wy, wz)
    )
}

/// Values of a moving image at displaced and linearly mapped voxels of row (j, k) of a field's grid.
///
/// - Parameters:
///   - values: moving image, nx·ny·nz.
///   - matrix: 3×4, row-major, voxels of the field's grid → voxels of the moving image.
///   - ux, uy, uz: the field's row, `width` values each, voxels of its own grid.
@inline(never)
package func warpRow(
    _ values: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, matrix: UnsafePointer<Float>, ux: UnsafePointer<Float>,
    uy: UnsafePointer<Float>, uz: UnsafePointer<Float>, width: Int, j: Int, k: Int, outside: Float,
    target: UnsafeMutablePointer<Float>
) {
    var i = 0
    let ramp = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    while i < width {
        let x = load(ux + i) + (ramp + Float(i))
        let y = load(uy + i) + Float(j)
        let z = load(uz + i) + Float(k)
        let px = mapped(matrix, x, y, z)
        let py = mapped(matrix + 4, x, y, z)
        let pz = mapped(matrix + 8, x, y, z)
        let v = linear(values, nx, ny, nz, px, py, pz)
        let inside = isInside(px, nx) .& isInside(py, ny) .& isInside(pz, nz)
        store(v.replacing(with: outside, where: .!inside), target + i)
        i += 16
    }
}

@inline(__always)
func mapped(_ row: UnsafePointer<Float>, _ x: Lanes, _ y: Lanes, _ z: Lanes) -> Lanes {
    let a = fused(x, Lanes(repeating: row[0]), Lanes(repeating: row[3]))
    let b = fused(y, Lanes(repeating: row[1]), a)
    return fused(z, Lanes(repeating: row[2]), b)
}

/// Row (j, k) of the composition "first v, then u": target(p) = v(p)·scale + u(p + v(p)·scale).
///
/// - Parameters:
///   - ux, uy, uz: whole field, nx·ny·nz; read at displaced places, so not the memory of the target.
///   - vx, vy, vz: row of the step taken first, nx values.
@inline(never)
package func composeRow(
    _ ux: UnsafePointer<Float>, _ uy: UnsafePointer<Float>, _ uz: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int,
    vx: UnsafePointer<Float>, vy: UnsafePointer<Float>, vz: UnsafePointer<Float>, scale: Float, j: Int, k: Int,
    targetX: UnsafeMutablePointer<Float>, targetY: UnsafeMutablePointer<Float>, targetZ: UnsafeMutablePointer<Float>
) {
    var i = 0
    let ramp = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    while i < nx {
        let (dx, dy, dz) = (load(vx + i) * scale, load(vy + i) * scale, load(vz + i) * scale)
        let u = linearTriple(ux, uy, uz, nx, ny, nz, dx + (ramp + Float(i)), dy + Float(j), dz + Float(k))
        store(dx + u.0, targetX + i)
        store(dy + u.1, targetY + i)
        store(dz + u.2, targetZ + i)
        i += 16
    }
}

/// Values and derivatives along the three axes between the eight voxels at `index`.
@inline(__always)
func eightWithSlopes(
    _ values: UnsafePointer<Float>, _ index: WholeLanes, _ right: Int, _ up: Int, _ above: Int, _ fx: Lanes,
    _ fy: Lanes, _ fz: Lanes
) -> (value: Lanes, dx: Lanes, dy: Lanes, dz: Lanes) {
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
}

/// One Newton step of the inversion of u for row (j, k): with the residual e = v + u(p + v), v −= (1 + ∇u)⁻¹·e.
///
/// - Parameters:
///   - vx, vy, vz: row of the inverse, changed in place.
///   - bound: longest step, in voxels.
/// - Returns: the largest squared |e| before the step.
@inline(never)
package func invertRow(
    _ ux: UnsafePointer<Float>, _ uy: UnsafePointer<Float>, _ uz: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int,
    vx: UnsafeMutablePointer<Float>, vy: UnsafeMutablePointer<Float>, vz: UnsafeMutablePointer<Float>, bound: Float,
    j: Int, k: Int
) -> Float {
    let right = nx > 1 ? 1 : 0
    let up = ny > 1 ? nx : 0
    let above = nz > 1 ? nx * ny : 0
    var i = 0
    var worst = Lanes()
    let ramp = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    while i < nx {
        let (px, py, pz) = (load(vx + i), load(vy + i), load(vz + i))
        let (ci, wx) = corner(px + (ramp + Float(i)), nx)
        let (cj, wy) = corner(py + Float(j), ny)
        let (ck, wz) = corner(pz + Float(k), nz)
        let index: WholeLanes = ci &+ Int32(nx) &* (cj &+ Int32(ny) &* ck)
        let x = eightWithSlopes(ux, index, right, up, above, wx, wy, wz)
        let y = eightWithSlopes(uy, index, right, up, above, wx, wy, wz)
        let z = eightWithSlopes(uz, index, right, up, above, wx, wy, wz)
        let (ex, ey, ez) = (px + x.value, py + y.value, pz + z.value)
        let square = fused(ex, ex, fused(ey, ey, ez * ez))
        worst = worst.replacing(with: square, where: square .> worst)
        // Cramer's rule on the rows of 1 + ∇u.
        let (a, b, c) = (x.dx + 1, x.dy, x.dz)
        let (d, e, f) = (y.dx, y.dy + 1, y.dz)
        let (g, h, m) = (z.dx, z.dy, z.dz + 1)
        let c0 = e * m - f * h
        let c1 = f * g - d * m
        let c2 = d * h - e * g
        var determinant = fused(a, c0, fused(b, c1, c * c2))
        // Where space is nearly folded a full step would overshoot.
        determinant = determinant.replacing(with: 0.05, where: determinant .< 0.05)
        let inverse = 1 / determinant
        var sx = (ex * c0 + ey * (c * h - b * m) + ez * (b * f - c * e)) * inverse
        var sy = (ex * c1 + ey * (a * m - c * g) + ez * (c * d - a * f)) * inverse
        var sz = (ex * c2 + ey * (b * g - a * h) + ez * (a * e - b * d)) * inverse
        let length = fused(sx, sx, fused(sy, sy, sz * sz))
        let tooLong = length .> bound * bound
        let shrink = (bound * inverseSquareRoot(length + 1e-12)).replacing(with: 1, where: .!tooLong)
        (sx, sy, sz) = (sx * shrink, sy * shrink, sz * shrink)
        store(px - sx, vx + i)
        store(py - sy, vy + i)
        store(pz - sz, vz + i)
        i += 16
    }
    return worst.max()
}

/// Largest squared length of `count` vectors; a multiple of 16.
@inline(never)
package func largestSquare(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafePointer<Float>, count: Int
) -> Float {
    var worst = Lanes()
    var i = 0
    while i < count {
        let (a, b, c) = (load(x + i), load(y + i), load(z + i))
        let square = fused(a, a, fused(b, b, c * c))
        worst = worst.replacing(with: square, where: square .> worst)
        i += 16
    }
    return worst.max()
}

/// Jacobian determinants of p + u(p) along row (j, k), by central differences; one-sided nothing: border voxels give 1.
@inline(never)
package func jacobianRow(
    _ ux: UnsafePointer<Float>, _ uy: UnsafePointer<Float>, _ uz: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int,
    j: Int, k: Int, target: UnsafeMutablePointer<Float>
) {
    if j == 0 || k == 0 || j == ny - 1 || k == nz - 1 || nx < 3 {
        for i in 0..<nx { target[i] = 1 }
        return
    }
    let row = nx * (j + ny * k)
    let plane = nx * ny
    for i in 0..<nx {
        if i == 0 || i == nx - 1 {
            target[i] = 1
            continue
        }
        let p = row + i
        let xx = 1 + (ux[p + 1] - ux[p - 1]) / 2
        let yx = (uy[p + 1] - uy[p - 1]) / 2
        let zx = (uz[p + 1] - uz[p - 1]) / 2
        let xy = (ux[p + nx] - ux[p - nx]) / 2
        let yy = 1 + (uy[p + nx] - uy[p - nx]) / 2
        let zy = (uz[p + nx] - uz[p - nx]) / 2
        let xz = (ux[p + plane] - ux[p - plane]) / 2
        let yz = (uy[p + plane] - uy[p - plane]) / 2
        let zz = 1 + (uz[p + plane] - uz[p - plane]) / 2
        let a: Float = xx * (yy * zz - yz * zy)
        let b: Float = xy * (yx * zz - yz * zx)
        let c: Float = xz * (yx * zy - yy * zx)
        target[i] = a - b + c
    }
}

/// Sum of squared lengths of `count` vectors; a multiple of 16. Single precision within runs of 4096 values.
@inline(never)
package func sumOfSquares(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafePointer<Float>, count: Int
) -> Double {
    var total = 0.0
    var i = 0
    while i < count {
        let end = i + 4096 < count ? i + 4096 : count
        var sum = Lanes()
        while i < end {
            let (a, b, c) = (load(x + i), load(y + i), load(z + i))
            sum += fused(a, a, fused(b, b, c * c))
            i += 16
        }
        for lane in 0..<16 { total += Double(sum[lane]) }
    }
    return total
}

/// Sum of `count` values; a multiple of 16. Single precision within runs of 4096 values.
@inline(never)
package func sumOfValues(_ values: UnsafePointer<Float>, count: Int) -> Double {
    var total = 0.0
    var i = 0
    while i < count {
        let end = i + 4096 < count ? i + 4096 : count
        var sum = Lanes()
        while i < end {
            sum += load(values + i)
            i += 16
        }
        for lane in 0..<16 { total += Double(sum[lane]) }
    }
    return total
}

/// Turns forces into steps: v = scale·force/(curvature + damping), shortened smoothly to v/√(1 + |v|²/bound²).
///
/// - Parameter inverseSquare: one over the squared bound.
@inline(never)
package func forceToStep(
    _ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ z: UnsafeMutablePointer<Float>,
    curvature: UnsafePointer<Float>, count: Int, damping: Float, scale: Float, inverseSquare: Float
) {
    var i = 0
    while i < count {
        let share = scale / (load(curvature + i) + damping)
        let (a, b, c) = (load(x + i) * share, load(y + i) * share, load(z + i) * share)
        let square = fused(a, a, fused(b, b, c * c))
        let shorten = inverseSquareRoot(fused(square, Lanes(repeating: inverseSquare), Lanes(repeating: 1)))
        store(a * shorten, x + i)
        store(b * shorten, y + i)
        store(c * shorten, z + i)
        i += 16
    }
}

/// Multiplies row values by a weight each and by a common one.
@inline(never)
package func scaleRow(
    _ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ z: UnsafeMutablePointer<Float>, width: Int,
    weights: UnsafePointer<Float>, common: Float
) {
    var i = 0
    while i < width {
        let w = load(weights + i) * common
        store(load(x + i) * w, x + i)
        store(load(y + i) * w, y + i)
        store(load(z + i) * w, z + i)
        i += 16
    }
}
