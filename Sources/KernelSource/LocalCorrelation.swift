// Squared local cross-correlation in a cubic window and its derivative with respect to the moving image.
//
// With window sums taken plane by plane: products of a plane are summed along x, then y, into a ring of 2r + 1 planes,
// which are summed along z. For the small windows used (r = 1…4) direct sums of 2r + 1 values from the first cache
// level beat running sums, and they do not drift in single precision.
//
// Rows are whole multiples of 16 voxels. Beyond the edge of the grid the outermost value repeats.

/// What is summed over the window.
private let momentsOfOne = 0
private let momentsOfPair = 1
private let asTheyAre = 2

/// Values of scratch that the functions below need.
@inline(never)
package func correlationScratchCount(nx: Int, ny: Int, radius: Int) -> Int {
    3 * nx * ny * (2 * radius + 2) + 3 * (nx + 2 * radius + 32)
}

/// Window sums of up to three channels of one plane along x and y, into `target` (channel after channel).
@inline(__always)
private func sumPlane(
    _ kind: Int, _ channels: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
    _ nx: Int, _ ny: Int, _ radius: Int, _ scratch: UnsafeMutablePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
) {
    let plane = nx * ny
    let pitch = nx + 2 * radius + 32
    let rowSums = scratch
    let padded = scratch + 3 * plane
    for j in 0..<ny {
        let row = j * nx
        var x = 0
        while x < nx {
            let p = padded + 16 + x
            let va = load(a + row + x)
            if kind == asTheyAre {
                store(va, p)
                store(load(b + row + x), p + pitch)
                store(load(c + row + x), p + 2 * pitch)
            } else if kind == momentsOfOne {
                store(va, p)
                store(va * va, p + pitch)
            } else {
                let vb = load(b + row + x)
                store(vb, p)
                store(vb * vb, p + pitch)
                store(va * vb, p + 2 * pitch)
            }
            x += 16
        }
        for channel in 0..<channels {
            let p = padded + 16 + channel * pitch
            for d in 1..<(radius + 1) {
                p[-d] = p[0]
                p[nx - 1 + d] = p[nx - 1]
            }
            let t = rowSums + channel * plane + row
            x = 0
            while x < nx {
                var sum = load(p + x)
                for d in 1..<(radius + 1) { sum += load(p + x - d) + load(p + x + d) }
                store(sum, t + x)
                x += 16
            }
        }
    }
    for channel in 0..<channels {
        let s = rowSums + channel * plane
        let t = target + channel * plane
        for j in 0..<ny {
            var x = 0
            while x < nx {
                var sum = load(s + j * nx + x)
                for d in 1..<(radius + 1) {
                    sum += load(s + clamp(j - d, ny - 1) * nx + x) + load(s + clamp(j + d, ny - 1) * nx + x)
                }
                store(sum, t + j * nx + x)
                x += 16
            }
        }
    }
}

/// Window mean and window sum of squared deviations of one image, for planes first ..< end.
@inline(never)
package func localMoments(
    _ image: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, first: Int, end: Int, radius: Int,
    scratch: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, deviation: UnsafeMutablePointer<Float>
) {
    let plane = nx * ny
    let window = 2 * radius + 1
    let ring = scratch + 3 * plane + 3 * (nx + 2 * radius + 32)
    let count = Float(window * window * window)
    let (lower, upper) = (first - radius, end - 1 + radius)
    for k in lower..<(upper + 1) {
        let s = image + clamp(k, nz - 1) * plane
        sumPlane(momentsOfOne, 2, s, s, s, nx, ny, radius, scratch, ring + (k - lower) % window * 3 * plane)
        let centre = k - radius
        if centre < first { continue }
        var x = 0
        while x < plane {
            var (sum, squares) = (Lanes(), Lanes())
            for slot in 0..<window {
                let p = ring + slot * 3 * plane + x
                sum += load(p)
                squares += load(p + plane)
            }
            let m = sum * (1 / count)
            let spread = squares - m * sum
            store(m, mean + centre * plane + x)
            store(spread.replacing(with: 0, where: spread .< 0), deviation + centre * plane + x)
            x += 16
        }
    }
}

/// The three terms from which the derivative is made, for planes first ..< end, and the correlation itself.
///
/// With window sums s_ff, s_mm, s_fm of products of deviations, the squared correlation is s_fm²/(s_ff·s_mm), and
/// a = 2·s_fm/(s_ff·s_mm), b = 2·s_fm²/(s_ff·s_mm²), c = b·mean_m − a·mean_f.
///
/// - Parameters:
///   - mean, deviation: of the fixed image, from `localMoments`.
///   - weight: how much each window counts, 0…1.
///   - floor: added to s_ff and s_mm; keeps windows without contrast from counting.
///   - sums: [Σ weight·s_fm²/(s_ff·s_mm), Σ weight], in this order, overwritten.
@inline(never)
package func correlationTerms(
    _ fixed: UnsafePointer<Float>, mean: UnsafePointer<Float>, deviation: UnsafePointer<Float>,
    moving: UnsafePointer<Float>, weight: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, first: Int, end: Int,
    radius: Int, floor: Float, scratch: UnsafeMutablePointer<Float>, a: UnsafeMutablePointer<Float>,
    b: UnsafeMutablePointer<Float>, c: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Double>
) {
    let plane = nx * ny
    let window = 2 * radius + 1
    let ring = scratch + 3 * plane + 3 * (nx + 2 * radius + 32)
    let count = Float(window * window * window)
    let (lower, upper) = (first - radius, end - 1 + radius)
    var (total, totalWeight) = (0.0, 0.0)
    for k in lower..<(upper + 1) {
        let offset = clamp(k, nz - 1) * plane
        let (f, m) = (fixed + offset, moving + offset)
        sumPlane(momentsOfPair, 3, f, m, m, nx, ny, radius, scratch, ring + (k - lower) % window * 3 * plane)
        let centre = k - radius
        if centre < first { continue }
        let at = centre * plane
        var x = 0
        var (score, weights) = (Lanes(), Lanes())
        while x < plane {
            let w = load(weight + at + x)
            var (sumM, sumMM, sumFM) = (Lanes(), Lanes(), Lanes())
            for slot in 0..<window {
                let p = ring + slot * 3 * plane + x
                sumM += load(p)
                sumMM += load(p + plane)
                sumFM += load(p + 2 * plane)
            }
            let meanF = load(mean + at + x)
            let meanM = sumM * (1 / count)
            let fm = sumFM - meanF * sumM
            var mm = sumMM - meanM * sumM
            mm = mm.replacing(with: 0, where: mm .< 0) + floor
            let ff = load(deviation + at + x) + floor
            let inverse = 1 / (ff * mm)
            let correlation = fm * fm * inverse
            let va = w * 2 * fm * inverse
            let vb = w * 2 * correlation / mm
            store(va, a + at + x)
            store(vb, b + at + x)
            store(vb * meanM - va * meanF, c + at + x)
            score += w * correlation
            weights += w
            x += 16
        }
        for lane in 0..<16 {
            total += Double(score[lane])
            totalWeight += Double(weights[lane])
        }
    }
    sums[0] = total
    sums[1] = totalWeight
}

/// Derivative of the summed correlation with respect to displacement, for planes first ..< end, per voxel:
/// g·∇m with g = B[a]·f − B[b]·m + B[c] and window sums B. Zero on the border of the grid.
///
/// - Parameters:
///   - moving: the warped moving image; readable 16 values before its start and after its end.
///   - curvature: B[b]·|∇m|², the negative second derivative along ∇m when the windows' statistics are held.
@inline(never)
package func correlationForce(
    _ fixed: UnsafePointer<Float>, moving: UnsafePointer<Float>, a: UnsafePointer<Float>, b: UnsafePointer<Float>,
    c: UnsafePointer<Float>, nx: Int, ny: Int, nz: Int, first: Int, end: Int, radius: Int,
    scratch: UnsafeMutablePointer<Float>, forceX: UnsafeMutablePointer<Float>, forceY: UnsafeMutablePointer<Float>,
    forceZ: UnsafeMutablePointer<Float>, curvature: UnsafeMutablePointer<Float>
) {
    let plane = nx * ny
    let window = 2 * radius + 1
    let ring = scratch + 3 * plane + 3 * (nx + 2 * radius + 32)
    let (lower, upper) = (first - radius, end - 1 + radius)
    for k in lower..<(upper + 1) {
        let offset = clamp(k, nz - 1) * plane
        sumPlane(
            asTheyAre, 3, a + offset, b + offset, c + offset, nx, ny, radius, scratch,
            ring + (k - lower) % window * 3 * plane)
        let centre = k - radius
        if centre < first { continue }
        for j in 0..<ny {
            let row = j * nx
            let at = centre * plane + row
            var x = 0
            if centre == 0 || centre == nz - 1 || j == 0 || j == ny - 1 {
                while x < nx {
                    store(Lanes(), forceX + at + x)
                    store(Lanes(), forceY + at + x)
                    store(Lanes(), forceZ + at + x)
                    store(Lanes(), curvature + at + x)
                    x += 16
                }
                continue
            }
            while x < nx {
                var (sumA, sumB, sumC) = (Lanes(), Lanes(), Lanes())
                for slot in 0..<window {
                    let p = ring + slot * 3 * plane + row + x
                    sumA += load(p)
                    sumB += load(p + plane)
                    sumC += load(p + 2 * plane)
                }
                let m = moving + at + x
                let value = fused(sumA, load(fixed + at + x), sumC) - sumB * load(m)
                let slopeX = (load(m + 1) - load(m - 1)) * 0.5
                let slopeY = (load(m + nx) - load(m - nx)) * 0.5
                let slopeZ = (load(m + plane) - load(m - plane)) * 0.5
                store(value * slopeX, forceX + at + x)
                store(value * slopeY, forceY + at + x)
                store(value * slopeZ, forceZ + at + x)
                store(sumB * fused(slopeX, slopeX, fused(slopeY, slopeY, slopeZ * slopeZ)), curvature + at + x)
                x += 16
            }
            (forceX[at], forceY[at], forceZ[at], curvature[at]) = (0, 0, 0, 0)
            let last = at + nx - 1
            (forceX[last], forceY[last], forceZ[last], curvature[last]) = (0, 0, 0, 0)
        }
    }
}
