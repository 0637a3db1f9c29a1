import Foundation

/// Fast radial symmetry transform: how much gradients around a voxel point at it, or away from it, at one of several
/// distances. Bright balls give positive values at their middles, dark ones negative.
///
/// Every voxel votes, with its gradient's direction and length, for the two places at a distance n along and against the
/// gradient. Votes O and lengths M at a place give F = M/k · (min(|O|, k)/k)^α, smoothed by a Gaussian of n/4; the
/// transform is the mean over distances. k is what a perfect ball gives: the number of voxels of the digital sphere (circle)
/// of that radius.
///
/// - Source: Loy and Zelinsky, IEEE Trans Pattern Anal Mach Intell 25 (2003) 959–973; in three dimensions alike.
package struct RadialSymmetry: Sendable {
    /// Distances in mm, each above 0.
    package var radiiMillimetres: [Double]
    /// α: how much voices from all sides count over a few loud ones; 1 is lenient, 2 the usual, 3 strict.
    package var strictness = 2.0
    /// Gradients shorter than this, per mm, have no vote.
    package var smallestGradient = 0.0
    /// Each slice by itself (planes of the first two axes), in place of the volume.
    package var isPlanar = false

    package init(radiiMillimetres: [Double]) { self.radiiMillimetres = radiiMillimetres }

    package struct Response: Sendable {
        /// Mean over the distances, in units of the image per mm.
        package let mean: Volume
        /// By voxel, which of the distances answers most in the direction of the mean.
        package let radius: [UInt8]
    }

    /// - Parameters:
    ///   - image: any grid; voxel axes are taken as orthogonal.
    ///   - threads: the result does not depend on it.
    package func transform(_ image: Volume, threads: Int = 1) -> Response {
        precondition(!radiiMillimetres.isEmpty && radiiMillimetres.allSatisfy { $0 > 0 }, "distances are above 0")
        let grid = image.grid
        let gradient = Gradient(of: image, isPlanar: isPlanar, threads: threads)
        // A distance at a time: its votes are added in the order of voxels, whatever the threads.
        let parts = Parallel.map(radiiMillimetres.count, threads: threads) { n in
            votes(gradient, grid, radius: radiiMillimetres[n])
        }
        var mean = [Float](repeating: 0, count: grid.count)
        var radius = [UInt8](repeating: 0, count: grid.count)
        let share = 1 / Float(parts.count)
        // Smoothing spreads larger distances wider; they are compared as if all kernels had one height.
        let heights = radiiMillimetres.map { Float(pow($0, isPlanar ? 2 : 3)) }
        for voxel in mean.indices {
            var sum: Float = 0
            for part in parts { sum += part[voxel] }
            mean[voxel] = sum * share
            let sign: Float = sum < 0 ? -1 : 1
            var best = 0
            for n in parts.indices
            where sign * parts[n][voxel] * heights[n] > sign * parts[best][voxel] * heights[best] { best = n }
            radius[voxel] = UInt8(best)
        }
        return Response(mean: Volume(grid: grid, values: mean), radius: radius)
    }

    /// Voxels of the digital sphere or circle: those whose votes along their radius meet in the middle.
    static func sphere(radiusMillimetres radius: Double, spacing: SIMD3<Double>, isPlanar: Bool) -> Int {
        let reach = (SIMD3<Double>(repeating: radius) / spacing).rounded(.up)
        let (i, j, k) = (Int(reach.x), Int(reach.y), isPlanar ? 0 : Int(reach.z))
        var count = 0
        for z in -k...k {
            for y in -j...j {
                for x in -i...i {
                    let place = SIMD3(Double(x), Double(y), Double(z))
                    let p = place * spacing
                    let length = (p * p).sum().squareRoot()
                    guard length > 0 else { continue }
                    if (p * (radius / length) / spacing).rounded(.toNearestOrEven) == place { count += 1 }
                }
            }
        }
        return count
    }

    private func votes(_ gradient: Gradient, _ grid: VoxelGrid, radius: Double) -> [Float] {
        let spacing = grid.spacingMillimetres
        let k = Float(max(1, Self.sphere(radiusMillimetres: radius, spacing: spacing, isPlanar: isPlanar)))
        let reach = SIMD3<Float>(SIMD3<Double>(repeating: radius) / spacing)
        var orientation = [Float](repeating: 0, count: grid.count)
        var magnitude = [Float](repeating: 0, count: grid.count)
        let smallest = Float(max(smallestGradient, 1e-30))
        orientation.withUnsafeMutableBufferPointer { orientation in
            magnitude.withUnsafeMutableBufferPointer { magnitude in
                var voxel = 0
                for c in 0..<grid.nz {
                    for b in 0..<grid.ny {
                        for a in 0..<grid.nx {
                            defer { voxel += 1 }
                            let length = gradient.length[voxel]
                            guard length >= smallest else { continue }
                            let direction = SIMD3(gradient.x[voxel], gradient.y[voxel], gradient.z[voxel]) / length
                            let step = (direction * reach).rounded(.toNearestOrEven)
                            let (i, j, k) = (Int(step.x), Int(step.y), Int(step.z))
                            func vote(_ i: Int, _ j: Int, _ k: Int, _ sign: Float) {
                                guard i >= 0, i < grid.nx, j >= 0, j < grid.ny, k >= 0, k < grid.nz else { return }
                                let place = grid.index(i, j, k)
                                orientation[place] += sign
                                magnitude[place] += sign * length
                            }
                            vote(a + i, b + j, c + k, 1)
                            vote(a - i, b - j, c - k, -1)
                        }
                    }
                }
            }
        }
        let power = Float(strictness)
        for voxel in orientation.indices {
            let share = min(abs(orientation[voxel]), k) / k
            magnitude[voxel] = share == 0 ? 0 : magnitude[voxel] / k * pow(share, power)
        }
        let sigma = SIMD3(repeating: 0.25 * radius) / spacing
        return Volume(grid: grid, values: magnitude)
            .smoothed(sigmaVoxels: isPlanar ? SIMD3(sigma.x, sigma.y, 0) : sigma).values
    }
}

/// Central differences per mm, one-sided at the edges; zero across slices in plane.
private struct Gradient {
    let x: [Float]
    let y: [Float]
    let z: [Float]
    let length: [Float]

    init(of image: Volume, isPlanar: Bool, threads: Int) {
        let grid = image.grid
        let spacing = SIMD3<Float>(grid.spacingMillimetres)
        let plane = grid.nx * grid.ny
        var x = [Float](repeating: 0, count: grid.count)
        var (y, z, length) = (x, x, x)
        x.withUnsafeMutableBufferPointer { x in
            y.withUnsafeMutableBufferPointer { y in
                z.withUnsafeMutableBufferPointer { z in
                    length.withUnsafeMutableBufferPointer { length in
                        image.values.withUnsafeBufferPointer { v in
                            // Every slice writes its own part.
                            nonisolated(unsafe) let (x, y, z, length) = (x, y, z, length)
                            Parallel.forEach(grid.nz, threads: threads) { k in
                                let (below, above) = (max(0, k - 1), min(grid.nz - 1, k + 1))
                                let perZ = isPlanar || above == below ? 0 : 1 / (Float(above - below) * spacing.z)
                                for j in 0..<grid.ny {
                                    let (front, back) = (max(0, j - 1), min(grid.ny - 1, j + 1))
                                    let perY = back == front ? 0 : 1 / (Float(back - front) * spacing.y)
                                    let row = plane * k + grid.nx * j
                                    let (rowBelow, rowAbove) = (
                                        plane * below + grid.nx * j, plane * above + grid.nx * j
                                    )
                                    let (rowFront, rowBack) = (
                                        plane * k + grid.nx * front, plane * k + grid.nx * back
                                    )
                                    for i in 0..<grid.nx {
                                        let (left, right) = (max(0, i - 1), min(grid.nx - 1, i + 1))
                                        let perX = right == left ? 0 : 1 / (Float(right - left) * spacing.x)
                                        let gx = (v[row + right] - v[row + left]) * perX
                                        let gy = (v[rowBack + i] - v[rowFront + i]) * perY
                                        let gz = (v[rowAbove + i] - v[rowBelow + i]) * perZ
                                        (x[row + i], y[row + i], z[row + i]) = (gx, gy, gz)
                                        length[row + i] = (gx * gx + gy * gy + gz * gz).squareRoot()
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        (self.x, self.y, self.z, self.length) = (x, y, z, length)
    }
}
