import Kernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct LocalCorrelationTests {
    private let noise: Float = 0.05

    private func buffer(_ lattice: Lattice, salt: UInt64, range: ClosedRange<Float> = 0...1) -> LatticeBuffer {
        var generator = SeededGenerator(seed: seed &+ salt)
        let buffer = LatticeBuffer(lattice)
        for n in 0..<lattice.count { buffer.values[n] = Float.random(in: range, using: &generator) }
        return buffer
    }

    /// Weighted sum of squared correlations, in double precision.
    private func plain(_ f: [Double], _ m: [Double], _ w: [Double], _ l: Lattice, _ radius: Int) -> Double {
        let side = Double(2 * radius + 1)
        let floor = side * side * side * Double(noise * noise)
        var total = 0.0
        for k in 0..<l.nz {
            for j in 0..<l.ny {
                for i in 0..<l.nx {
                    var sums = [0.0, 0, 0, 0, 0]
                    for dk in -radius...radius {
                        for dj in -radius...radius {
                            for di in -radius...radius {
                                let n =
                                    min(max(i + di, 0), l.nx - 1)
                                    + l.nx * (min(max(j + dj, 0), l.ny - 1) + l.ny * min(max(k + dk, 0), l.nz - 1))
                                for (s, v) in [f[n], m[n], f[n] * f[n], m[n] * m[n], f[n] * m[n]].enumerated() {
                                    sums[s] += v
                                }
                            }
                        }
                    }
                    let count = side * side * side
                    let ff = sums[2] - sums[0] * sums[0] / count + floor
                    let mm = sums[3] - sums[1] * sums[1] / count + floor
                    let fm = sums[4] - sums[0] * sums[1] / count
                    total += w[i + l.nx * (j + l.ny * k)] * fm * fm / (ff * mm)
                }
            }
        }
        return total
    }

    private func doubles(_ b: LatticeBuffer) -> [Double] { (0..<b.lattice.count).map { Double(b.values[$0]) } }

    @Test(
        arguments: [Lattice(nx: 16, ny: 17, nz: 30), Lattice(nx: 32, ny: 5, nz: 7), Lattice(nx: 16, ny: 1, nz: 1)],
        [1, 2, 4])
    func scoreEqualsThePlainFormula(lattice: Lattice, radius: Int) {
        let (f, m, w) = (buffer(lattice, salt: 1), buffer(lattice, salt: 2), buffer(lattice, salt: 3))
        let metric = LocalCorrelation(fixed: f, weight: w, radius: radius, noise: noise, threads: 1)
        let score = metric.score(m, threads: 1)
        let expected = plain(doubles(f), doubles(m), doubles(w), lattice, radius) / doubles(w).reduce(0, +)
        #expect(abs(score - expected) < 1e-5)
        #expect(score == metric.score(m, threads: 3))
    }

    @Test(arguments: [1, 2]) func forceIsTheDerivativeTimesTheGradient(radius: Int) {
        let lattice = Lattice(nx: 16, ny: 11, nz: 28)
        let (f, m, w) = (buffer(lattice, salt: 4), buffer(lattice, salt: 5), buffer(lattice, salt: 6))
        let metric = LocalCorrelation(fixed: f, weight: w, radius: radius, noise: noise, threads: 1)
        _ = metric.score(m, threads: 1)
        let (force, other) = (LatticeField(lattice), LatticeField(lattice))
        let curvature = LatticeBuffer(lattice)
        metric.force(m, into: force, curvature: curvature, threads: 1)
        metric.force(m, into: other, curvature: curvature, threads: 3)
        let (fd, wd) = (doubles(f), doubles(w))
        var md = doubles(m)
        for (i, j, k) in [(8, 5, 14), (5, 4, 6), (11, 7, 24)] {
            let n = i + 16 * (j + 11 * k)
            let step = 1e-5
            md[n] += step
            let ahead = plain(fd, md, wd, lattice, radius)
            md[n] -= 2 * step
            let behind = plain(fd, md, wd, lattice, radius)
            md[n] += step
            let slope = (ahead - behind) / (2 * step)
            let gradient = SIMD3(md[n + 1] - md[n - 1], md[n + 16] - md[n - 16], md[n + 176] - md[n - 176]) / 2
            let found = SIMD3(Double(force.x.values[n]), Double(force.y.values[n]), Double(force.z.values[n]))
            let error = found - slope * gradient
            #expect((error * error).sum().squareRoot() < 1e-4 * max(1, abs(slope)))
            #expect(abs(slope) > 1e-3)
        }
        #expect((0..<lattice.count).allSatisfy { curvature.values[$0] >= 0 })
        #expect(force.x.values[0] == 0 && force.z.values[lattice.count - 1] == 0)
        for n in 0..<lattice.count { #expect(force.y.values[n] == other.y.values[n]) }
    }
}

@Suite struct MutualInformationTests {
    private let grid = makeGrid([13, 12, 11])
    private let bins = 16
    private let matrix = Affine([0.9, 0.05, 0, 1.2], [0.02, 1.05, -0.1, 0.8], [0, 0.1, 0.95, -0.3])

    private func smoothVolume() -> Volume { randomVolume(grid).smoothed(sigmaMillimetres: 1) }

    private func positions(_ count: Int) -> [SIMD3<Float>] {
        var generator = SeededGenerator(seed: seed &+ 7)
        return (0..<count).map { _ in
            SIMD3(
                Float.random(in: 0...12, using: &generator), Float.random(in: 0...11, using: &generator),
                Float.random(in: 0...10, using: &generator))
        }
    }

    /// The definition, sample by sample, in double precision.
    private func plain(
        _ p: [SIMD3<Float>], _ fixed: [Float], _ moving: Volume, _ range: ClosedRange<Float>, _ m: Affine
    )
        -> (value: Double, inside: Int)
    {
        var joint = [[Double]](repeating: [Double](repeating: 0, count: bins), count: bins)
        var inside = 0
        for (position, f) in zip(p, fixed) {
            let q = m(SIMD3(Double(position.x), Double(position.y), Double(position.z)))
            let last = SIMD3(12.0, 11, 10)
            guard (0..<3).allSatisfy({ q[$0] >= 0 && q[$0] <= last[$0] }) else { continue }
            inside += 1
            var value = 0.0
            for corner in 0..<8 {
                var weight = 1.0
                var at = SIMD3<Int>()
                for axis in 0..<3 {
                    let low = min(Int(q[axis]), [11, 10, 9][axis])
                    let high = corner >> axis & 1
                    weight *= high == 1 ? q[axis] - Double(low) : 1 - (q[axis] - Double(low))
                    at[axis] = low + high
                }
                value += weight * Double(moving[at.x, at.y, at.z])
            }
            let row = Int(min(max((f + 1) / 2 * Float(bins - 1) + 0.5, 0), Float(bins - 1)))
            let span = Double(range.upperBound - range.lowerBound)
            let scaled = 1 + (value - Double(range.lowerBound)) * Double(bins - 4) / span
            let bin = min(max(scaled, 1), Double(bins - 3))
            for column in 0..<bins { joint[row][column] += cubic(bin - Double(column)) }
        }
        let total = joint.flatMap(\.self).reduce(0, +)
        var value = 0.0
        for f in 0..<bins {
            for column in 0..<bins where joint[f][column] > 0 {
                let share = joint[f][column] / total
                let (pf, pm) = (joint[f].reduce(0, +) / total, joint.map { $0[column] }.reduce(0, +) / total)
                value += share * log(share / (pf * pm))
            }
        }
        return (value, inside)
    }

    private func cubic(_ x: Double) -> Double {
        let a = abs(x)
        if a < 1 { return 2.0 / 3 - a * a + a * a * a / 2 }
        return a < 2 ? (2 - a) * (2 - a) * (2 - a) / 6 : 0
    }

    @Test(arguments: [1, 37, 20_000]) func valueEqualsTheDefinition(count: Int) {
        let moving = smoothVolume()
        let p = positions(count)
        let fixed = p.map { $0.x / 6 - 1 + $0.y * 0.02 }
        let metric = MutualInformation(
            positions: p, fixedValues: fixed, fixedRange: -1...1, moving: moving, movingRange: -0.3...0.3, bins: bins)
        let found = metric.evaluate(matrix, wantsSlope: true, threads: 1)
        let expected = plain(p, fixed, moving, -0.3...0.3, matrix)
        #expect(abs(found.value - expected.value) < 1e-4)
        #expect(found.inside == expected.inside)
        let again = metric.evaluate(matrix, wantsSlope: true, threads: 3)
        #expect(again.value == found.value && again.slope == found.slope)
    }

    /// Inside the image only, so that no sample crosses the border between the two evaluations.
    @Test func slopeIsTheDerivative() {
        let moving = smoothVolume()
        let p = positions(20_000).map { $0 * 0.5 + SIMD3(2.5, 2.5, 2.5) }
        let fixed = p.map { $0.x / 6 - 1 + $0.y * 0.02 }
        let metric = MutualInformation(
            positions: p, fixedValues: fixed, fixedRange: -1...1, moving: moving, movingRange: -1...1, bins: bins)
        let start = Affine([0.9, 0.05, 0, 0.4], [0.02, 0.95, -0.1, 0.8], [0, 0.1, 0.95, -0.3])
        let slope = metric.evaluate(start, wantsSlope: true, threads: 1).slope
        for n in 0..<12 {
            func value(_ change: Double) -> Double {
                var m = start
                var rows = [m.rows.0, m.rows.1, m.rows.2]
                rows[n / 4][n % 4] += change
                m = Affine(rows[0], rows[1], rows[2])
                return metric.evaluate(m, wantsSlope: false, threads: 1).value
            }
            let step = n % 4 == 3 ? 4e-3 : 1e-3
            let expected = (value(step) - value(-step)) / (2 * step)
            #expect(abs(slope[n] - expected) < 0.02 * abs(expected) + 2e-4, "coefficient \(n)")
        }
    }
}
