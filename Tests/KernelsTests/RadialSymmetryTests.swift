import Foundation
import Testing

@testable import Kernels

@Suite struct RadialSymmetryTests {
    static func grid(_ nx: Int, _ ny: Int, _ nz: Int, spacing: SIMD3<Double> = .init(repeating: 1)) -> VoxelGrid {
        VoxelGrid(nx: nx, ny: ny, nz: nz, affine: .scaling(spacing))
    }

    /// The definition, voxel by voxel.
    static func plain(_ image: Volume, radius: Double, strictness: Double, isPlanar: Bool) -> [Float] {
        let grid = image.grid
        let spacing = grid.spacingMillimetres
        var (votes, lengths) = ([Double](repeating: 0, count: grid.count), [Double](repeating: 0, count: grid.count))
        func slope(_ p: SIMD3<Int>, _ axis: Int) -> Double {
            let last = SIMD3(grid.nx, grid.ny, grid.nz)[axis] - 1
            var (low, high) = (p, p)
            low[axis] = max(0, p[axis] - 1)
            high[axis] = min(last, p[axis] + 1)
            guard low != high else { return 0 }
            return Double(image[high.x, high.y, high.z] - image[low.x, low.y, low.z])
                / (Double(high[axis] - low[axis]) * spacing[axis])
        }
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let p = SIMD3(i, j, k)
                    let gradient = SIMD3(slope(p, 0), slope(p, 1), isPlanar ? 0 : slope(p, 2))
                    let length = (gradient * gradient).sum().squareRoot()
                    guard length > 0 else { continue }
                    for sign in [1.0, -1] {
                        let step = (gradient / length * radius / spacing).rounded(.toNearestOrEven) * sign
                        let to = p &+ SIMD3(Int(step.x), Int(step.y), Int(step.z))
                        guard to.min() >= 0, to.x < grid.nx, to.y < grid.ny, to.z < grid.nz else { continue }
                        votes[grid.index(to.x, to.y, to.z)] += sign
                        lengths[grid.index(to.x, to.y, to.z)] += sign * length
                    }
                }
            }
        }
        let k = Double(
            RadialSymmetry.sphere(radiusMillimetres: radius, spacing: spacing, isPlanar: isPlanar))
        let values = zip(votes, lengths).map { o, m in Float(m / k * pow(min(abs(o), k) / k, strictness)) }
        let sigma = SIMD3(repeating: radius / 4) / spacing
        return Volume(grid: grid, values: values)
            .smoothed(sigmaVoxels: isPlanar ? SIMD3(sigma.x, sigma.y, 0) : sigma).values
    }

    @Test(arguments: [false, true])
    func theTransformIsItsDefinition(isPlanar: Bool) {
        for spacing: SIMD3<Double> in [[1, 1, 1], [0.7, 1, 2.3]] {
            let grid = Self.grid(17, 19, 11, spacing: spacing)
            // Smooth: gradients of all directions and lengths.
            let image = randomVolume(grid, salt: 3).smoothed(sigmaVoxels: .init(repeating: 1.5))
            var symmetry = RadialSymmetry(radiiMillimetres: [1, 2.6])
            (symmetry.isPlanar, symmetry.strictness) = (isPlanar, 1.5)
            let found = symmetry.transform(image, threads: 3)
            #expect(found.mean.values == symmetry.transform(image, threads: 1).mean.values)
            let parts = [1, 2.6].map { Self.plain(image, radius: $0, strictness: 1.5, isPlanar: isPlanar) }
            var worst: Float = 0
            var largest: Float = 0
            var off = 0
            for n in image.values.indices {
                let expected = (parts[0][n] + parts[1][n]) / 2
                largest = max(largest, abs(expected))
                worst = max(worst, abs(expected - found.mean.values[n]))
                let scale = Float(pow(2.6, isPlanar ? 2 : 3))
                let better = abs(parts[0][n]) >= scale * abs(parts[1][n]) ? 0 : 1
                if expected != 0, parts[0][n] * parts[1][n] > 0, found.radius[n] != UInt8(better) { off += 1 }
            }
            #expect(worst < 1e-4 * largest, "\(worst) of \(largest)")
            #expect(off < grid.count / 1000)
        }
    }

    @Test func circlesAreAsLargeAsInThePaper() {
        // The eight neighbours, and then what a digital circle has.
        let one = SIMD3<Double>(repeating: 1)
        #expect(RadialSymmetry.sphere(radiusMillimetres: 1, spacing: one, isPlanar: true) == 8)
        #expect(RadialSymmetry.sphere(radiusMillimetres: 1, spacing: one, isPlanar: false) > 8)
        let three = RadialSymmetry.sphere(radiusMillimetres: 3, spacing: one, isPlanar: true)
        #expect(three >= 16 && three <= 20)
    }

    @Test func ballsAnswerAtTheirMiddleAndRadius() {
        for sign: Float in [1, -1] {
            let grid = Self.grid(33, 31, 29, spacing: [0.8, 1, 1.2])
            var image = Volume(grid: grid)
            let middle = SIMD3(16.0, 15, 14) * grid.spacingMillimetres
            for k in 0..<29 {
                for j in 0..<31 {
                    for i in 0..<33 {
                        let d = SIMD3(Double(i), Double(j), Double(k)) * grid.spacingMillimetres - middle
                        let distance = (d * d).sum().squareRoot()
                        image[i, j, k] = 5 + sign * Float(1 / (1 + exp((distance - 4) / 0.4)))
                    }
                }
            }
            let found = RadialSymmetry(radiiMillimetres: [2, 4, 6]).transform(image, threads: 2)
            let best = found.mean.values.indices.max { sign * found.mean.values[$0] < sign * found.mean.values[$1] }!
            #expect(best == grid.index(16, 15, 14))
            #expect(found.radius[best] == 1)
            #expect(sign * found.mean.values[best] > 0)
        }
    }
}
