import Kernels
import Testing

@Suite struct DeformationTests {
    static let lattices = [
        Lattice(nx: 16, ny: 17, nz: 18), Lattice(nx: 32, ny: 5, nz: 7), Lattice(nx: 16, ny: 1, nz: 1),
        Lattice(nx: 48, ny: 3, nz: 1),
    ]

    private func random(_ buffer: LatticeBuffer, salt: UInt64, scale: Float) {
        var generator = SeededGenerator(seed: seed &+ salt)
        for n in 0..<buffer.lattice.count { buffer.values[n] = scale * Float.random(in: -1...1, using: &generator) }
    }

    private func randomField(_ lattice: Lattice, salt: UInt64, scale: Float) -> LatticeField {
        let field = LatticeField(lattice)
        for (n, component) in field.components.enumerated() { random(component, salt: salt &+ UInt64(n), scale: scale) }
        return field
    }

    private func values(_ buffer: LatticeBuffer) -> [Float] {
        Array(UnsafeBufferPointer(start: buffer.values, count: buffer.lattice.count))
    }

    /// Trilinear value in double precision, the edge repeated.
    private func plain(_ values: [Float], _ n: SIMD3<Int>, _ p: SIMD3<Double>) -> Double {
        var sum = 0.0
        for corner in 0..<8 {
            var (weight, index, step) = (1.0, 0, 1)
            for axis in 0..<3 {
                let q = min(max(p[axis], 0), Double(n[axis] - 1))
                let low = min(Int(q), max(0, n[axis] - 2))
                let high = corner >> axis & 1
                weight *= high == 1 ? q - Double(low) : 1 - (q - Double(low))
                index += min(low + high, n[axis] - 1) * step
                step *= n[axis]
            }
            sum += weight * Double(values[index])
        }
        return sum
    }

    private func forEachVoxel(_ l: Lattice, _ body: (Int, SIMD3<Double>) -> Void) {
        for k in 0..<l.nz {
            for j in 0..<l.ny {
                for i in 0..<l.nx { body(i + l.nx * (j + l.ny * k), SIMD3(Double(i), Double(j), Double(k))) }
            }
        }
    }

    private func vector(_ f: LatticeField, _ n: Int) -> SIMD3<Double> {
        SIMD3(Double(f.x.values[n]), Double(f.y.values[n]), Double(f.z.values[n]))
    }

    @Test(arguments: lattices) func warpEqualsThePlainFormula(lattice: Lattice) {
        let moving = randomVolume(VoxelGrid(nx: 19, ny: 11, nz: 13, affine: .identity))
        let field = randomField(lattice, salt: 1, scale: 2)
        let matrix = Affine([0.9, 0.1, 0, 0.4], [-0.1, 0.6, 0.05, 0.3], [0, 0.1, 0.7, 0.2])
        let (one, three) = (LatticeBuffer(lattice), LatticeBuffer(lattice))
        field.warp(moving, matrix: matrix, outside: -5, into: one, threads: 1)
        field.warp(moving, matrix: matrix, outside: -5, into: three, threads: 3)
        #expect(values(one) == values(three))
        var inside = 0
        forEachVoxel(lattice) { n, p in
            let q = matrix(p + vector(field, n))
            let size = SIMD3(19.0, 11, 13)
            let margin = (0..<3).map { min(q[$0] + 0.5, size[$0] - 0.5 - q[$0]) }.min()!
            if abs(margin) < 1e-3 { return }
            let expected = margin < 0 ? -5 : plain(moving.values, SIMD3(19, 11, 13), q)
            if margin > 0 { inside += 1 }
            #expect(abs(Double(one.values[n]) - expected) < 1e-4)
        }
        #expect(inside > 0)
    }

    @Test(arguments: lattices) func compositionEqualsThePlainFormula(lattice: Lattice) {
        let field = randomField(lattice, salt: 11, scale: 1.5)
        let step = randomField(lattice, salt: 21, scale: 2)
        let (one, three) = (LatticeField(lattice), LatticeField(lattice))
        field.composed(after: step, scale: 0.5, into: one, threads: 1)
        field.composed(after: step, scale: 0.5, into: three, threads: 3)
        let size = SIMD3(lattice.nx, lattice.ny, lattice.nz)
        let source = field.components.map(values)
        forEachVoxel(lattice) { n, p in
            let d = vector(step, n) * 0.5
            let expected =
                d + SIMD3(plain(source[0], size, p + d), plain(source[1], size, p + d), plain(source[2], size, p + d))
            let error = vector(one, n) - expected
            #expect((error * error).sum() < 1e-9)
        }
        for (a, b) in zip(one.components, three.components) { #expect(values(a) == values(b)) }
    }

    /// A smooth field that shrinks space to a fifth in places: a plain fixed-point iteration diverges on it.
    @Test func inverseUndoesAStrongDisplacement() {
        let lattice = Lattice(nx: 48, ny: 40, nz: 41)
        let field = randomField(lattice, salt: 31, scale: 1)
        let scratch = LatticeBuffer(lattice)
        field.smooth(GaussianTaps(sigmaVoxels: 3), scratch: scratch, threads: 1)
        field.taper(width: 6, threads: 1)
        let longest = field.largestLength(threads: 1)
        for component in field.components {
            for n in 0..<lattice.count { component.values[n] *= 3.6 / longest }
        }
        let jacobian = LatticeBuffer(lattice)
        field.jacobian(into: jacobian, threads: 1)
        let smallest = values(jacobian).min()!
        #expect(smallest > 0 && smallest < 0.4)
        let (one, three) = (LatticeField(lattice), LatticeField(lattice))
        field.invert(into: one, scratch: (scratch, LatticeBuffer(lattice)), threads: 1)
        field.invert(into: three, scratch: (scratch, LatticeBuffer(lattice)), threads: 3)
        for (a, b) in zip(one.components, three.components) { #expect(values(a) == values(b)) }
        let round = LatticeField(lattice)
        field.composed(after: one, scale: 1, into: round, threads: 1)
        #expect(round.largestLength(threads: 1) < 0.01)
        one.composed(after: field, scale: 1, into: round, threads: 1)
        // The other way round both are interpolated, so it is only nearly so.
        #expect(round.rootMeanSquare(threads: 1) < 0.1)
    }

    @Test func jacobianOfALinearFieldIsItsDeterminant() {
        let lattice = Lattice(nx: 16, ny: 6, nz: 5)
        let field = LatticeField(lattice)
        let linear = Affine([0.1, 0.2, 0, 0], [-0.1, 0.3, 0.05, 0], [0.02, 0, -0.4, 0])
        forEachVoxel(lattice) { n, p in
            let d = linear(p)
            field.x.values[n] = Float(d.x)
            field.y.values[n] = Float(d.y)
            field.z.values[n] = Float(d.z)
        }
        let expected = Affine([1.1, 0.2, 0, 0], [-0.1, 1.3, 0.05, 0], [0.02, 0, 0.6, 0]).determinant
        let jacobian = LatticeBuffer(lattice)
        field.jacobian(into: jacobian, threads: 1)
        forEachVoxel(lattice) { n, p in
            let isBorder = p.x == 0 || p.y == 0 || p.z == 0 || p.x == 15 || p.y == 5 || p.z == 4
            #expect(abs(Double(jacobian.values[n]) - (isBorder ? 1 : expected)) < 1e-5)
        }
    }

    @Test(arguments: lattices) func sizesAndTaper(lattice: Lattice) {
        let field = randomField(lattice, salt: 41, scale: 2)
        let lengths = (0..<lattice.count).map { (vector(field, $0) * vector(field, $0)).sum() }
        #expect(abs(Double(field.largestLength(threads: 2)) - lengths.max()!.squareRoot()) < 1e-5)
        let mean = lengths.reduce(0, +) / Double(lattice.count)
        #expect(abs(field.rootMeanSquare(threads: 2) - mean.squareRoot()) < 1e-5)
        let before = field.components.map(values)
        field.taper(width: 2, threads: 3)
        forEachVoxel(lattice) { n, p in
            let size = SIMD3(Double(lattice.nx - 1), Double(lattice.ny - 1), Double(lattice.nz - 1))
            let weight = (0..<3).map { Float(min(1, min(p[$0], size[$0] - p[$0]) / 2)) }.reduce(1, *)
            #expect(abs(field.y.values[n] - before[1][n] * weight) < 1e-6)
        }
    }

    @Test(arguments: lattices) func stepsAreForcesOverCurvature(lattice: Lattice) {
        let field = randomField(lattice, salt: 61, scale: 3)
        let curvature = LatticeBuffer(lattice)
        random(curvature, salt: 71, scale: 1)
        for n in 0..<lattice.count { curvature.values[n] = abs(curvature.values[n]) }
        let mean = values(curvature).map(Double.init).reduce(0, +) / Double(lattice.count)
        let before = (0..<lattice.count).map { vector(field, $0) }
        field.toSteps(curvature: curvature, damping: 0.2, scale: 1.5, bound: 0.4, threads: 3)
        for n in 0..<lattice.count {
            let raw = before[n] * 1.5 / (Double(curvature.values[n]) + 0.2 * mean)
            let expected = raw / (1 + (raw * raw).sum() / 0.16).squareRoot()
            let error = vector(field, n) - expected
            #expect((error * error).sum() < 1e-10)
        }
        #expect(field.largestLength(threads: 1) <= 0.4001)
    }

    @Test func fieldsGoFromLatticeToLatticeAndToTheWorld() throws {
        let coarse = VoxelGrid(nx: 16, ny: 9, nz: 8, affine: obliqueAffine * .scaling([2, 2, 2]))
        let fine = VoxelGrid(nx: 32, ny: 17, nz: 15, affine: obliqueAffine)
        let field = randomField(Lattice(nx: 16, ny: 9, nz: 8), salt: 51, scale: 1)
        let finer = LatticeField(Lattice(nx: 32, ny: 17, nz: 15))
        finer.copy(from: field, grid: coarse, to: fine, threads: 2)
        // In the world both say the same where their voxels coincide.
        let (a, b) = (field.inWorld(coarse), finer.inWorld(fine))
        for (i, j, k) in [(0, 0, 0), (3, 4, 5), (15, 8, 7)] {
            let (n, m) = (coarse.index(i, j, k), fine.index(2 * i, 2 * j, 2 * k))
            #expect(abs(a.x[n] - b.x[m]) < 1e-4 && abs(a.y[n] - b.y[m]) < 1e-4 && abs(a.z[n] - b.z[m]) < 1e-4)
            let expected = obliqueAffine.direction(vector(field, n) * 2)
            #expect(abs(Double(a.x[n]) - expected.x) < 1e-4 && abs(Double(a.z[n]) - expected.z) < 1e-4)
        }
    }
}
