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

/// One step of the inversion of u for row (j, k): e = v + u(p + v); v −= damping·e. Returns the largest squared |e|.
///
/// - Parameter vx, vy, vz: row of the inverse, changed in place.
@inline(never)
package func invertRow(
    _ ux: UnsafePointer<Float>, _ uy: UnsafePointer<Float>, _ uz: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int,
    vx: UnsafeMutablePointer<Float>, vy: UnsafeMutablePointer<Float>, vz: UnsafeMutablePointer<Float>, damping: Float,
    j: Int, k: Int
) -> Float {
    var i = 0
    var worst = Lanes()
    let ramp = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    while i < nx {
        let (dx, dy, dz) = (load(vx + i), load(vy + i), load(vz + i))
        let u = linearTriple(ux, uy, uz, nx, ny, nz, dx + (ramp + Float(i)), dy + Float(j), dz + Float(k))
        let (ex, ey, ez) = (dx + u.0, dy + u.1, dz + u.2)
        let square = fused(ex, ex, fused(ey, ey, ez * ez))
        worst = worst.replacing(with: square, where: square .> worst)
        store(dx - ex * damping, vx + i)
        store(dy - ey * damping, vy + i)
        store(dz - ez * damping, vz + i)
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
