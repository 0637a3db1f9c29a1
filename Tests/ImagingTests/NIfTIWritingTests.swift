import Foundation
import Kernels
import NIfTI
import TestSupport
import Testing

@Suite("Writing NIfTI")
struct NIfTIWritingTests {
    /// Oblique, left-handed, of unequal spacing.
    static let grid: VoxelGrid = {
        let (c, s) = (cosineOf20, sineOf20)
        return VoxelGrid(
            nx: 13, ny: 7, nz: 5,
            affine: Affine(
                [-0.9 * c, -1.1 * s, 0, 60.25], [-0.9 * s, 1.1 * c, 0, -33.5], [0, 0, 2.5, 12]))
    }()
    private static let cosineOf20 = 0.939692620785908
    private static let sineOf20 = 0.342020143325669

    static func values(seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<grid.count).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    @Test(arguments: ["a.nii", "a.nii.gz", "with space ü.nii.gz"])
    func roundTrips(name: String) throws {
        let folder = try ScratchFolder()
        let path = folder(name)
        var values = Self.values(seed: 3)
        (values[0], values[1]) = (.nan, .infinity)
        try NIfTIFile.write(Volume(grid: Self.grid, values: values), to: path)
        let (volume, header) = try NIfTIFile.read(path)
        #expect(volume.values.map(\.bitPattern) == values.map(\.bitPattern))
        #expect(volume.grid.matches(Self.grid, toleranceMillimetres: 1e-4))
        #expect((header.sformCode, header.qformCode) == (1, 1))
        // The quaternion says the same as the sform.
        #expect(header.warnings.isEmpty)

        let mask = Mask(grid: Self.grid, values: values.map { $0 > 0 ? 1 : 0 })
        try NIfTIFile.write(mask, to: path)
        #expect(try NIfTIFile.readMask(path).values == mask.values)
        for (largest, datatype) in [(200, NIfTIDatatype.uint8), (60000, .uint16)] {
            let labels = LabelMap(
                grid: Self.grid, values: (0..<Self.grid.count).map { UInt16($0 * largest / 500) })
            try NIfTIFile.write(labels, to: path)
            #expect(try NIfTIFile.readLabelMap(path).values == labels.values)
            #expect(try NIfTIFile.readHeader(path).datatype == datatype)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path) == [name],
            "nothing is left beside")
    }

    @Test func equalInputGivesEqualBytes() throws {
        let folder = try ScratchFolder()
        let volume = Volume(grid: Self.grid, values: Self.values(seed: 4))
        try NIfTIFile.write(volume, to: folder("a.nii.gz"))
        try NIfTIFile.write(volume, to: folder("b.nii.gz"))
        let (a, b) = (
            FileManager.default.contents(atPath: folder("a.nii.gz")),
            FileManager.default.contents(atPath: folder("b.nii.gz"))
        )
        #expect(a == b && a != nil)
        // No time stamp in the gzip header.
        #expect(a?[4..<8].allSatisfy { $0 == 0 } == true)
    }

    @Test func displacementsAreStoredAlongLPS() throws {
        let folder = try ScratchFolder()
        let (x, y, z) = (Self.values(seed: 5), Self.values(seed: 6), Self.values(seed: 7))
        try NIfTIFile.write(DisplacementField(grid: Self.grid, x: x, y: y, z: z), to: folder("w.nii"))
        let bytes = try #require(FileManager.default.contents(atPath: folder("w.nii")))
        let stored = bytes.dropFirst(352).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        #expect(stored == x.map { -$0 } + y.map { -$0 } + z)
        #expect(
            bytes[40..<52].withUnsafeBytes { Array($0.bindMemory(to: Int16.self)) } == [
                5, 13, 7, 5, 1, 3,
            ])
        #expect(bytes[68..<70].withUnsafeBytes { $0.load(as: Int16.self) } == 1007)
        let back = try NIfTIFile.readDisplacementField(folder("w.nii"))
        #expect(back.x == x && back.y == y && back.z == z)
        #expect(throws: NIfTIError.severalVolumes(path: folder("w.nii"), dimensions: [13, 7, 5, 1, 3])) {
            try NIfTIFile.readVolume(folder("w.nii"))
        }
    }

    @Test func refusalsLeaveNothingBehind() throws {
        let folder = try ScratchFolder()
        let mask = Mask(grid: Self.grid)
        #expect(throws: NIfTIError.badName(path: folder("a.img"))) {
            try NIfTIFile.write(mask, to: folder("a.img"))
        }
        let path = folder("none/a.nii")
        #expect(throws: NIfTIError.cannotWrite(path: path, reason: "No such file or directory")) {
            try NIfTIFile.write(mask, to: path)
        }
        // A folder stands where the file should go, so the last step fails.
        try FileManager.default.createDirectory(
            atPath: folder("b.nii"), withIntermediateDirectories: false)
        #expect(throws: NIfTIError.self) { try NIfTIFile.write(mask, to: folder("b.nii")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b.nii"])
    }
}
