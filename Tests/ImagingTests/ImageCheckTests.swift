import Kernels
import NIfTI
import TestSupport
import Testing

@Suite("Checks of what an image holds")
struct ImageCheckTests {
    static let grid = VoxelGrid(nx: 10, ny: 10, nz: 10, affine: .scaling(SIMD3(1, 1, 1)))

    /// 0.1·noise, so that 99 % of |values| lie below 0.1.
    static func noise(scale: Float) -> Volume {
        var generator = SeededGenerator(seed: 11)
        return Volume(grid: grid, values: (0..<1000).map { _ in Float.random(in: -scale...scale, using: &generator) })
    }

    @Test func numbersAgreeWithPlainSums() throws {
        var volume = Self.noise(scale: 0.1)
        var mask = Mask(grid: Self.grid)
        for index in 0..<500 { mask.values[index] = 1 }
        (volume.values[3], volume.values[4], volume.values[5], volume.values[6]) = (.nan, .infinity, -.infinity, 0)
        (volume.values[700], volume.values[701]) = (.nan, 77)
        let contents = try ImageContents(of: volume, within: mask)
        let kept = volume.values[..<500].filter(\.isFinite)
        #expect(contents.voxels == 500 && contents.notANumber == 1 && contents.infinite == 2 && contents.zeros == 1)
        #expect(contents.missingOutside == 1)
        #expect(contents.minimum == kept.min() && contents.maximum == kept.max())
        #expect(abs(contents.mean - kept.reduce(0.0) { $0 + Double($1) } / Double(kept.count)) < 1e-12)
        let sorted = kept.map(abs).sorted()
        #expect((sorted[490]...sorted[495]).contains(contents.absolutePercentile99))
        #expect(throws: GridError.self) {
            try ImageContents(of: volume, within: Mask(grid: VoxelGrid(nx: 9, ny: 10, nz: 10, affine: .identity)))
        }
    }

    static func kinds(_ findings: [ImageFinding]) -> [String] { findings.map { "\($0.severity) \($0.kind)" } }

    @Test func emptyConstantAndMissingValuesAreFound() throws {
        func check(_ values: [Float]) throws -> [String] {
            let contents = try ImageContents(of: Volume(grid: Self.grid, values: values))
            return Self.kinds(ImageCheck.values(contents, named: "x.nii", masked: true))
        }
        var values = Self.noise(scale: 0.1).values
        #expect(try check(values) == [])
        #expect(try check([Float](repeating: 0, count: 1000)) == ["error allZero"])
        #expect(try check([Float](repeating: 3, count: 1000)) == ["error constant"])
        #expect(try check([Float](repeating: .nan, count: 1000)) == ["error noFiniteValues"])
        values[0] = .nan
        #expect(try check(values) == ["warning missingValues"])
        values[10] = .infinity
        #expect(try check(values) == ["error missingValues"])
        for index in 20..<80 { values[index] = 0 }
        #expect(try check(values) == ["error missingValues", "warning zeroInsideMask"])
    }

    @Test(arguments: [
        (0.1, ImageCheck.SusceptibilityUnit.ppm, [String]()), (100, .ppb, []), (100, .ppm, ["error probablyPPB"]),
        (0.1, .ppb, ["error probablyPPM"]), (1e6, .ppm, ["error implausibleUnits"]),
        (3, .ppm, ["error implausibleUnits"]), (1e-5, .ppm, ["error implausibleUnits"]),
        (1e5, .ppb, ["error implausibleUnits"]),
    ])
    func unitsAreJudgedByRange(scale: Double, unit: ImageCheck.SusceptibilityUnit, want: [String]) throws {
        let contents = try ImageContents(of: Self.noise(scale: Float(scale)))
        let findings = ImageCheck.susceptibilityUnits(contents, named: "x.nii", declared: unit)
        #expect(Self.kinds(findings) == want)
        #expect(findings.allSatisfy { $0.description.contains("x.nii") && $0.description.contains("Units") })
    }

    @Test func gridsAreCompared() {
        func compare(_ other: VoxelGrid) -> [ImageFinding] {
            ImageCheck.sameGrid(Self.grid, named: "a.nii", other, named: "b.nii")
        }
        #expect(compare(Self.grid) == [])
        #expect(compare(VoxelGrid(nx: 10, ny: 10, nz: 10, affine: .translation(SIMD3(0.05, 0, 0)))) == [])
        #expect(Self.kinds(compare(VoxelGrid(nx: 10, ny: 10, nz: 9, affine: .identity))) == ["error gridMismatch"])
        let moved = compare(VoxelGrid(nx: 10, ny: 10, nz: 10, affine: .translation(SIMD3(0, 0, 60))))
        #expect(Self.kinds(moved) == ["error placedApart"])
        #expect(moved[0].description.contains("60 mm apart;"))
        let mirrored = compare(VoxelGrid(nx: 10, ny: 10, nz: 10, affine: .scaling(SIMD3(-1, 1, 1))))
        #expect(mirrored[0].description.contains("18 mm apart and mirrored"))
    }

    @Test func masksMustBeOfTheSizeOfABrain() {
        let small = Mask(grid: Self.grid, filledWith: 1)
        #expect(Self.kinds(ImageCheck.brainMask(small, named: "m.nii")) == ["warning maskVolume"])
        #expect(Self.kinds(ImageCheck.brainMask(Mask(grid: Self.grid), named: "m.nii")) == ["error emptyMask"])
        let large = VoxelGrid(nx: 10, ny: 10, nz: 10, affine: .scaling(SIMD3(11, 11, 11)))
        #expect(ImageCheck.brainMask(Mask(grid: large, filledWith: 1), named: "m.nii").isEmpty)
    }
}
