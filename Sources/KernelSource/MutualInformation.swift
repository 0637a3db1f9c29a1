// Joint histogram of two images with a cubic B-spline window on the moving side, and the derivative of their mutual
// information with respect to an affine map (Mattes et al., IEEE Trans Med Imaging 22 (2003) 120–128).

/// Trilinear values and their derivatives, in moving voxels, at mapped positions.
///
/// - Parameters:
///   - matrix: 3×4, row-major: position (as stored in x, y, z) → moving voxel.
///   - x, y, z: `count` positions, padded to a multiple of 16.
///   - value, dx, dy, dz: results, padded likewise.
///   - inside: 1 where the position lies within the outermost voxel centres, else 0; padding lanes are 0.
@inline(never)
package func sampleWithGradient(
    _ values: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, matrix: UnsafePointer<Float>, x: UnsafePointer<Float>,
    y: UnsafePointer<Float>, z: UnsafePointer<Float>, count: Int, value: UnsafeMutablePointer<Float>,
    dx: UnsafeMutablePointer<Float>, dy: UnsafeMutablePointer<Float>, dz: UnsafeMutablePointer<Float>,
    inside: UnsafeMutablePointer<Float>
) {
    let right = nx > 1 ? 1 : 0
    let up = ny > 1 ? nx : 0
    let above = nz > 1 ? nx * ny : 0
    var n = 0
    while n < count {
        let (sx, sy, sz) = (load(x + n), load(y + n), load(z + n))
        let px = mapped(matrix, sx, sy, sz)
        let py = mapped(matrix + 4, sx, sy, sz)
        let pz = mapped(matrix + 8, sx, sy, sz)
        let (i, fx) = corner(px, nx)
        let (j, fy) = corner(py, ny)
        let (k, fz) = corner(pz, nz)
        let index: WholeLanes = i &+ Int32(nx) &* (j &+ Int32(ny) &* k)
        let found = eightWithSlopes(values, index, right, up, above, fx, fy, fz)
        store(found.value, value + n)
        store(found.dx, dx + n)
        store(found.dy, dy + n)
        store(found.dz, dz + n)
        var isIn = (px .>= 0) .& (px .<= Float(nx - 1)) .& (py .>= 0) .& (py .<= Float(ny - 1))
        isIn = isIn .& (pz .>= 0) .& (pz .<= Float(nz - 1))
        var flag = Lanes().replacing(with: 1, where: isIn)
        if n + 16 > count {
            for lane in (count - n)..<16 { flag[lane] = 0 }
        }
        store(flag, inside + n)
        n += 16
    }
}

/// Weights of a cubic B-spline centred at `bin` + 1 + fraction for bins bin ... bin + 3.
@inline(__always)
private func cubicWeights(_ f: Float) -> SIMD4<Float> {
    let g = 1 - f
    let f2 = f * f
    let g2 = g * g
    let w0 = g2 * g * (1 / 6)
    let w3 = f2 * f * (1 / 6)
    let w1 = (2.0 / 3) - f2 * (1 - f * 0.5)
    let w2 = (2.0 / 3) - g2 * (1 - g * 0.5)
    return SIMD4(w0, w1, w2, w3)
}

/// Derivatives of `cubicWeights`.
@inline(__always)
private func cubicSlopes(_ f: Float) -> SIMD4<Float> {
    let g = 1 - f
    let w0 = g * g * -0.5
    let w3 = f * f * 0.5
    let w1 = f * (1.5 * f - 2)
    let w2 = g * (2 - 1.5 * g)
    return SIMD4(w0, w1, w2, w3)
}

/// Adds samples to a joint histogram.
///
/// - Parameters:
///   - row: bin of the fixed value, 0 ..< fixed bins.
///   - value: moving value in bins; held to 1 … bins − 3, so that its window fits.
///   - inside: samples with 0 are left out.
///   - histogram: fixed bins × `bins`, moving bin fastest; added to.
@inline(never)
package func addToJointHistogram(
    row: UnsafePointer<UInt8>, value: UnsafePointer<Float>, inside: UnsafePointer<Float>, count: Int, bins: Int,
    histogram: UnsafeMutablePointer<Float>
) {
    let last = Float(bins - 3)
    for n in 0..<count where inside[n] != 0 {
        let v = min(max(value[n], 1), last)
        let low = min(Int(v), bins - 4)
        let p = UnsafeMutableRawPointer(histogram + Int(row[n]) * bins + low - 1)
        let sum = p.loadUnaligned(as: SIMD4<Float>.self) + cubicWeights(v - Float(low))
        p.storeBytes(of: sum, as: SIMD4<Float>.self)
    }
}

/// Sums, over samples, of dMI/dvalue times the spatial derivative, times position: the derivative of mutual information
/// with respect to the 3×4 matrix from position to moving voxel.
///
/// - Parameters:
///   - logRatio: fixed bins × `bins`: log p(f, m)/p(m).
///   - valueScale: bins per unit of the moving image.
///   - result: 12 values, row-major as the matrix; overwritten.
@inline(never)
package func mutualInformationSlope(
    row: UnsafePointer<UInt8>, value: UnsafePointer<Float>, inside: UnsafePointer<Float>, dx: UnsafePointer<Float>,
    dy: UnsafePointer<Float>, dz: UnsafePointer<Float>, x: UnsafePointer<Float>, y: UnsafePointer<Float>,
    z: UnsafePointer<Float>, count: Int, bins: Int, logRatio: UnsafePointer<Float>, weight: UnsafeMutablePointer<Float>,
    result: UnsafeMutablePointer<Double>
) {
    let last = Float(bins - 3)
    var n = 0
    while n < count {
        let v = value[n]
        if inside[n] == 0 || v <= 1 || v >= last {
            weight[n] = 0
        } else {
            let low = min(Int(v), bins - 4)
            let ratio = UnsafeRawPointer(logRatio + Int(row[n]) * bins + low - 1).loadUnaligned(as: SIMD4<Float>.self)
            weight[n] = (ratio * cubicSlopes(v - Float(low))).sum()
        }
        n += 1
    }
    while n % 16 != 0 {
        weight[n] = 0
        n += 1
    }
    var (r0, r1, r2, r3) = (Lanes(), Lanes(), Lanes(), Lanes())
    var (r4, r5, r6, r7) = (Lanes(), Lanes(), Lanes(), Lanes())
    var (r8, r9, r10, r11) = (Lanes(), Lanes(), Lanes(), Lanes())
    n = 0
    while n < count {
        let w = load(weight + n)
        let (px, py, pz) = (load(x + n), load(y + n), load(z + n))
        let gx = w * load(dx + n)
        r0 = fused(gx, px, r0)
        r1 = fused(gx, py, r1)
        r2 = fused(gx, pz, r2)
        r3 += gx
        let gy = w * load(dy + n)
        r4 = fused(gy, px, r4)
        r5 = fused(gy, py, r5)
        r6 = fused(gy, pz, r6)
        r7 += gy
        let gz = w * load(dz + n)
        r8 = fused(gz, px, r8)
        r9 = fused(gz, py, r9)
        r10 = fused(gz, pz, r10)
        r11 += gz
        n += 16
    }
    result[0] = lanesSum(r0)
    result[1] = lanesSum(r1)
    result[2] = lanesSum(r2)
    result[3] = lanesSum(r3)
    result[4] = lanesSum(r4)
    result[5] = lanesSum(r5)
    result[6] = lanesSum(r6)
    result[7] = lanesSum(r7)
    result[8] = lanesSum(r8)
    result[9] = lanesSum(r9)
    result[10] = lanesSum(r10)
    result[11] = lanesSum(r11)
}

/// Sum of the lanes in double precision, in lane order.
@inline(__always)
private func lanesSum(_ v: Lanes) -> Double {
    var sum = 0.0
    for lane in 0..<16 { sum += Double(v[lane]) }
    return sum
}
