import Kernels
import Registration
import Testing

@Suite struct LinearRegistrationTests {
    private let specimen = Specimen()

    /// Small and large movements; grids with flipped axes, oblique, anisotropic.
    @Test(arguments: [
        (SIMD3(1.0, -0.8, 0.6), SIMD3(0.7, -0.4, 1.1), SIMD3(1.0, 1, 1), 0.0, SIMD3(2.0, 2, 2)),
        (SIMD3(12, -9, 14), SIMD3(9, -14, 6), SIMD3(-1, 1, 1), 8, SIMD3(2, 2, 2)),
        (SIMD3(-5, 20, 3), SIMD3(-30, 22, 35), SIMD3(-1, -1, 1), -11, SIMD3(1.5, 1.5, 3)),
    ])
    func recoversARigidMovementBetweenContrasts(
        degrees: SIMD3<Double>, shift: SIMD3<Double>, flip: SIMD3<Double>, turn: Double, spacing: SIMD3<Double>
    ) throws {
        let truth = rigid(degrees: degrees, shift: shift)
        let back = try #require(truth.inverse)
        let fixed = specimen.draw(Specimen.grid(spacing: [2, 2, 2]), specimen.t1w)
        let base = Specimen.grid(spacing: spacing, flip: flip, turnDegrees: turn)
        let movingGrid = VoxelGrid(nx: base.nx, ny: base.ny, nz: base.nz, affine: .translation(shift) * base.affine)
        let moving = specimen.draw(movingGrid) { specimen.t2starw(back($0)) }
        let result = try register(fixed: fixed, moving: moving, options: .sameSubject)
        #expect(specimen.meanDistance({ result.affine($0) }, { truth($0) }) < 0.3)
        #expect(result.forwardField == nil)
        #expect(result.quality.mutualInformationAfter > result.quality.mutualInformationBefore)
        #expect(abs(result.affine.determinant - 1) < 1e-9)
    }

    @Test func recoversAnAffineMap() throws {
        let truth =
            rigid(degrees: [4, -6, 8], shift: [5, -6, 7])
            * Affine([1.1, 0.03, 0, 0], [0.03, 0.92, 0, 0], [0, 0.04, 1.06, 0])
        let back = try #require(truth.inverse)
        let grid = Specimen.grid(spacing: [2, 2, 2])
        var options = RegistrationOptions()
        options.model = .affine
        let result = try register(
            fixed: specimen.draw(grid, specimen.t1w), moving: specimen.draw(grid) { specimen.t1w(back($0)) },
            options: options)
        #expect(specimen.meanDistance({ result.affine($0) }, { truth($0) }) < 0.4)
    }

    @Test func doesNotDependOnThreads() throws {
        let truth = rigid(degrees: [3, 2, -4], shift: [2, 3, -2])
        let back = try #require(truth.inverse)
        let grid = Specimen.grid(spacing: [3, 3, 3])
        let fixed = specimen.draw(grid, specimen.t1w)
        let moving = specimen.draw(grid) { specimen.t2starw(back($0)) }
        let one = try register(fixed: fixed, moving: moving, options: .sameSubject, threads: 1)
        let three = try register(fixed: fixed, moving: moving, options: .sameSubject, threads: 3)
        #expect(one.affine == three.affine)
        #expect(one.quality == three.quality)
    }

    @Test func aMaskKeepsWhatIsOutsideFromCounting() throws {
        // A bright block that stays behind while the head moves.
        let truth = rigid(degrees: [0, 0, 6], shift: [6, 0, 0])
        let back = try #require(truth.inverse)
        let grid = Specimen.grid(spacing: [2, 2, 2])
        func block(_ p: SIMD3<Double>) -> Bool { p.y > 46 && abs(p.x) < 40 }
        let fixed = specimen.draw(grid) { block($0) ? 900 : specimen.t1w($0) }
        let moving = specimen.draw(grid) { block($0) ? 900 : specimen.t1w(back($0)) }
        var mask = Mask(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let p = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    mask.values[grid.index(i, j, k)] = (p * p).sum() < 38 * 38 ? 1 : 0
                }
            }
        }
        let masked = try register(fixed: fixed, moving: moving, fixedMask: mask, options: .sameSubject)
        #expect(specimen.meanDistance({ masked.affine($0) }, { truth($0) }) < 0.3)
    }

    @Test func imagesWithoutContentAreRefused() throws {
        let grid = Specimen.grid(spacing: [4, 4, 4])
        let head = specimen.draw(grid, specimen.t1w)
        #expect(throws: RegistrationError.noContrast(name: "the moving image")) {
            try register(fixed: head, moving: Volume(grid: grid, filledWith: 3))
        }
        #expect(throws: RegistrationError.noContrast(name: "the fixed image")) {
            try register(fixed: Volume(grid: grid, filledWith: .nan), moving: head)
        }
        #expect(throws: RegistrationError.emptyMask(name: "the fixed image", voxels: 0)) {
            try register(fixed: head, moving: head, fixedMask: Mask(grid: grid))
        }
        let other = Mask(grid: Specimen.grid(spacing: [5, 5, 5]), filledWith: 1)
        #expect(throws: GridError.self) { try register(fixed: head, moving: head, fixedMask: other) }
    }

    @Test func progressCanStopIt() throws {
        struct Stop: Error {}
        let grid = Specimen.grid(spacing: [4, 4, 4])
        let head = specimen.draw(grid, specimen.t1w)
        var calls = 0
        #expect(throws: Stop.self) {
            try register(fixed: head, moving: head) { _ in
                calls += 1
                if calls == 2 { throw Stop() }
            }
        }
        #expect(calls == 2)
    }
}
