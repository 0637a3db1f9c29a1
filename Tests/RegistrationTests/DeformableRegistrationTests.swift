import Kernels
import Registration
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct DeformableRegistrationTests {
    private let specimen = Specimen()

    /// A smooth bend that no affine map follows; some 4 mm at most.
    private func bend(_ p: SIMD3<Double>) -> SIMD3<Double> {
        p + SIMD3(4 * sin(p.y / 16), 3.5 * sin(p.z / 14 + 0.5), 3.5 * cos(p.x / 15))
    }

    private func options() -> RegistrationOptions {
        var options = RegistrationOptions()
        options.deformableLevels = [
            .init(spacingMillimetres: 8, iterations: 40), .init(spacingMillimetres: 4, iterations: 40),
            .init(spacingMillimetres: 2, iterations: 30),
        ]
        return options
    }

    /// Fixed(p) = specimen(bend(p)) and moving = specimen, turned: the forward map is bend, then turn.
    private func pair(movingFlip: SIMD3<Double> = [1, 1, 1]) throws -> (fixed: Volume, moving: Volume, turn: Affine) {
        let turn = rigid(degrees: [5, -4, 6], shift: [4, -5, 3])
        let back = try #require(turn.inverse)
        let fixed = specimen.draw(Specimen.grid(spacing: [2, 2, 2])) { specimen.t1w(bend($0)) }
        let moving = specimen.draw(Specimen.grid(spacing: [2, 2, 2], flip: movingFlip)) { specimen.t1w(back($0)) }
        return (fixed, moving, turn)
    }

    @Test(arguments: [SIMD3(1.0, 1, 1), SIMD3(-1, 1, -1)]) func recoversABend(flip: SIMD3<Double>) throws {
        let (fixed, moving, turn) = try pair(movingFlip: flip)
        let result = try register(fixed: fixed, moving: moving, options: options())
        let quality = result.quality
        #expect(try #require(quality.localCorrelationAfter) > (try #require(quality.localCorrelationBefore)) + 0.05)
        #expect(try #require(quality.smallestJacobian) > 0)
        #expect(quality.foldedFraction == 0)
        #expect(try #require(quality.inverseErrorLargestMillimetres) < 0.05)

        // The atlas labels drawn through the truth, and as the registration brings them.
        let back = try #require(turn.inverse)
        let labels = specimen.labels(moving.grid) { back($0) }
        let expected = specimen.labels(fixed.grid) { bend($0) }
        let straight = try labels.resampled(to: fixed.grid, through: .affine(result.affine))
        let found = try labels.resampled(to: fixed.grid, through: result.forward)
        for label in UInt16(1)...4 {
            #expect(dice(found, expected, label) > 0.9, "label \(label)")
            #expect(dice(found, expected, label) > dice(straight, expected, label), "label \(label)")
        }
        // And the other way round.
        let returned = try expected.resampled(to: moving.grid, through: result.inverse())
        for label in UInt16(1)...4 { #expect(dice(returned, labels, label) > 0.85, "label \(label)") }
    }

    @Test func forwardThenInverseIsWhereItStarted() throws {
        let (fixed, moving, _) = try pair()
        let result = try register(fixed: fixed, moving: moving, options: options())
        // World coordinates as images, taken there and back.
        for axis in 0..<3 {
            let coordinate = Volume(
                grid: fixed.grid,
                values: (0..<fixed.grid.count).map { n in
                    let (i, j, k) = (
                        n % fixed.grid.nx, n / fixed.grid.nx % fixed.grid.ny, n / (fixed.grid.nx * fixed.grid.ny)
                    )
                    return Float(fixed.grid.affine(SIMD3(Double(i), Double(j), Double(k)))[axis])
                })
            let there = result.forward.then(try result.inverse())
            let round = try coordinate.resampled(to: fixed.grid, through: there, outside: .nan)
            let errors = zip(round.values, coordinate.values).filter { $0.0.isFinite }.map { abs($0.0 - $0.1) }
            #expect(errors.count > fixed.grid.count / 2)
            // Half a voxel at worst: the displacement is known at voxel centres only.
            #expect(errors.max()! < 1)
            #expect(errors.reduce(0, +) / Float(errors.count) < 0.05)
        }
    }

    @Test func doesNotDependOnThreads() throws {
        let (fixed, moving, _) = try pair()
        var few = options()
        few.deformableLevels = [
            .init(spacingMillimetres: 8, iterations: 10), .init(spacingMillimetres: 4, iterations: 5),
        ]
        let one = try register(fixed: fixed, moving: moving, options: few, threads: 1)
        let three = try register(fixed: fixed, moving: moving, options: few, threads: 3)
        #expect(one.quality == three.quality)
        #expect(one.forwardField?.x == three.forwardField?.x)
        #expect(one.inverseField?.z == three.inverseField?.z)
    }

    @Test func anImageWithItselfStaysWhereItIs() throws {
        let head = specimen.draw(Specimen.grid(spacing: [3, 3, 3]), specimen.t1w)
        let result = try register(fixed: head, moving: head, options: options())
        #expect(specimen.meanDistance({ result.affine($0) }, { $0 }) < 0.3)
        let largest = try #require(result.quality.largestDisplacementMillimetres)
        #expect(largest < 1.5, "of 3 mm voxels, \(largest) mm")
        #expect(result.quality.overlap > 0.95)
    }
}
