import Foundation
import Kernels
import NIfTI
import Testing

@Suite("Reading NIfTI")
struct NIfTIReadingTests {
    static let count = 5 * 4 * 3

    /// Every stored type, both byte orders, both versions, with and without scaling.
    @Test(arguments: [1, 2], [false, true])
    func decodesEveryType(version: Int, bigEndian: Bool) throws {
        let folder = try ScratchFolder()
        func check<T: Numeric>(_ type: T.Type, _ code: Int, _ values: [T], _ expected: [Double]) throws {
            for (slope, intercept) in [(0.0, 5.0), (2.5, -3.0), (.nan, .nan)] {
                var raw = RawNIfTI()
                (raw.version, raw.bigEndian, raw.datatype) = (version, bigEndian, code)
                (raw.slope, raw.intercept, raw.bitpix) = (slope, intercept, MemoryLayout<T>.size * 8)
                raw.voxels = values.flatMap { raw.bytes($0) }
                let path = try folder.file("x.nii", raw.file)
                let packed = try folder.file("x.nii.gz", gzipStored(raw.file))
                let want = expected.map { Float(slope.isNaN || slope == 0 ? $0 : $0 * slope + intercept) }
                #expect(try NIfTIFile.readVolume(path).values == want, "\(type) \(slope)")
                #expect(try NIfTIFile.readVolume(packed).values == want, "\(type) \(slope), packed")
            }
        }
        let n = Self.count
        func integers<T: FixedWidthInteger>(_ type: T.Type, _ code: Int) throws {
            let values = (0..<n).map { i in
                i == 0 ? T.min : i == 1 ? T.max : T(truncatingIfNeeded: i &* 7919 &- 100)
            }
            try check(type, code, values, values.map { Double($0) })
        }
        try integers(UInt8.self, 2)
        try integers(Int16.self, 4)
        try integers(Int32.self, 8)
        try integers(Int8.self, 256)
        try integers(UInt16.self, 512)
        try integers(UInt32.self, 768)
        try integers(Int64.self, 1024)
        try integers(UInt64.self, 1280)
        let floats = (0..<n).map { Float($0) * 0.37 - 4 }
        try check(Float.self, 16, floats, floats.map { Double($0) })
        let doubles = (0..<n).map { Double($0) * 0.37 - 4 }
        try check(Double.self, 64, doubles, doubles)
    }

    static let values = (0..<count).map { Float($0) }

    @Test func sformCountsBeforeQformAndVoxelSizes() throws {
        let folder = try ScratchFolder()
        func read(_ configure: (inout RawNIfTI) -> Void) throws -> NIfTIHeader {
            let raw = RawNIfTI.floats(Self.values, configure: configure)
            return try NIfTIFile.readHeader(folder.file("x.nii", raw.file))
        }
        let both = try read { ($0.qformCode, $0.quaternion) = (1, [0, 0, 0, 7, 8, 9]) }
        #expect(both.affineSource == .sform)
        #expect(both.affine == Affine([2, 0, 0, -10], [0, 2, 0, -20], [0, 0, 2, -30]))
        #expect(both.warnings == [.formsDisagree(millimetres: 50.931)])

        // A quarter turn about z with a left-handed third axis, against the formula of the standard written out.
        let h = 0.5.squareRoot()
        let quarter = try read {
            ($0.sformCode, $0.qformCode, $0.quaternion) = (0, 2, [0, 0, h, 7, 8, 9])
            $0.pixdim = [-1, 1, 2, 3, 0, 0, 0, 0]
        }
        #expect(quarter.affineSource == .qform)
        let p = quarter.affine(SIMD3(1, 1, 1))
        let want = SIMD3<Double>(7 - 2, 8 + 1, 9 - 3)
        #expect(abs((p - want).sum()) < 1e-5)
        #expect(quarter.warnings.isEmpty)

        let none = try read { ($0.sformCode, $0.pixdim) = (0, [0, 1, 2, 3, 0, 0, 0, 0]) }
        #expect(none.affineSource == .voxelSizes)
        #expect(none.affine == .scaling(SIMD3(1, 2, 3)))
        #expect(none.warnings == [.noOrientation])
    }

    @Test func metresAndMicrometresBecomeMillimetres() throws {
        let folder = try ScratchFolder()
        for (units, factor) in [(1, 1000.0), (2, 1), (3, 0.001), (0, 1)] {
            let raw = RawNIfTI.floats(Self.values) { raw in
                raw.units = units
                raw.pixdim = [1, 2 / factor, 2 / factor, 2 / factor, 0, 0, 0, 0]
                raw.srow = [
                    [2 / factor, 0, 0, -10 / factor], [0, 2 / factor, 0, 0], [0, 0, 2 / factor, 0],
                ]
            }
            let header = try NIfTIFile.readHeader(folder.file("x.nii", raw.file))
            #expect(abs(header.spacingMillimetres.x - 2) < 1e-6)
            #expect(abs(header.affine.translation.x + 10) < 1e-5)
            #expect(header.warnings.isEmpty)
        }
    }

    @Test func trailingAxesOfLengthOneAreIgnoredAndFramesAreChosen() throws {
        let folder = try ScratchFolder()
        let five = RawNIfTI.floats(Self.values) { $0.dim = [5, 5, 4, 3, 1, 1, 1, 1] }
        #expect(try NIfTIFile.readVolume(folder.file("five.nii", five.file)).values == Self.values)
        let two = RawNIfTI.floats(Self.values + Self.values.map { -$0 }) {
            $0.dim = [4, 5, 4, 3, 2, 1, 1, 1]
        }
        let path = try folder.file("two.nii.gz", gzipStored(two.file))
        #expect(try NIfTIFile.readVolume(path, frame: 0).values == Self.values)
        #expect(try NIfTIFile.readVolume(path, frame: 1).values == Self.values.map { -$0 })
        #expect(throws: NIfTIError.severalVolumes(path: path, dimensions: [5, 4, 3, 2])) {
            try NIfTIFile.readVolume(path)
        }
        #expect(throws: NIfTIError.noSuchFrame(path: path, frame: 2, frames: 2)) {
            try NIfTIFile.readVolume(path, frame: 2)
        }
    }

    @Test func extensionsAreSkipped() throws {
        let folder = try ScratchFolder()
        var raw = RawNIfTI.floats(Self.values)
        raw.voxOffset = 352 + 4000
        let file = raw.header + [UInt8](repeating: 77, count: 4000) + raw.voxels
        #expect(try NIfTIFile.readVolume(folder.file("x.nii", file)).values == Self.values)
        #expect(
            try NIfTIFile.readVolume(folder.file("x.nii.gz", gzipStored(file))).values == Self.values)
    }

    @Test func blockwiseGzipAndPaddingAreRead() throws {
        let folder = try ScratchFolder()
        let file = RawNIfTI.floats(Self.values).file
        let members = gzipStored(Array(file[..<100])) + gzipStored([]) + gzipStored(Array(file[100...]))
        for (name, bytes) in [
            ("a.nii.gz", members), ("b.nii.gz", members + [UInt8](repeating: 0, count: 700)),
        ] {
            #expect(try NIfTIFile.readVolume(folder.file(name, bytes)).values == Self.values)
        }
    }

    @Test func masksAreThresholdedAndLabelsMustBeWhole() throws {
        let folder = try ScratchFolder()
        var values = Self.values
        let path = try folder.file("x.nii", RawNIfTI.floats(values).file)
        #expect(try NIfTIFile.readMask(path).values == values.map { $0 > 0.5 ? 1 : 0 })
        #expect(try NIfTIFile.readLabelMap(path).values == values.map { UInt16($0) })
        // Noise of scaling is no fraction.
        for (value, label) in [(Float(-0.0005), UInt16(0)), (2.9995, 3), (65535, 65535)] {
            values[7] = value
            #expect(try NIfTIFile.readLabelMap(folder.file("z.nii", RawNIfTI.floats(values).file)).values[7] == label)
        }
        for bad in [Float(2.5), -0.002, -1, -1e30, 65535.01, 65535.5, 65536, 1e30, .nan, .infinity] {
            values[7] = bad
            let path = try folder.file("y.nii", RawNIfTI.floats(values).file)
            #expect {
                try NIfTIFile.readLabelMap(path)
            } throws: { error in
                guard case .labelOutOfRange(path, let value) = error as? NIfTIError else { return false }
                return value == Double(bad) || (value.isNaN && bad.isNaN)
            }
        }
    }

    @Test func damagedFilesAreNamedAsWhatTheyAre() throws {
        let folder = try ScratchFolder()
        let good = RawNIfTI.floats(Self.values)
        let whole = good.file.count
        /// Writes the bytes, reads them and compares the error.
        func expect(
            _ name: String, _ bytes: [UInt8], _ want: (String) -> NIfTIError, at: SourceLocation
        ) throws {
            let path = try folder.file(name, bytes)
            let error = #expect(throws: NIfTIError.self, sourceLocation: at) {
                try NIfTIFile.readVolume(path)
            }
            #expect(error == want(path), sourceLocation: at)
            // One sentence naming the file.
            #expect(error?.description.hasPrefix(path) == true, sourceLocation: at)
        }
        func expect(
            _ configure: (inout RawNIfTI) -> Void, _ want: (String) -> NIfTIError,
            at: SourceLocation = #_sourceLocation
        ) throws {
            try expect("x.nii", RawNIfTI.floats(Self.values, configure: configure).file, want, at: at)
        }
        let here = #_sourceLocation
        #expect(throws: NIfTIError.missing(path: folder("none.nii"))) {
            try NIfTIFile.readVolume(folder("none.nii"))
        }
        #expect(throws: NIfTIError.unreadable(path: folder.path, reason: "it is not a regular file")) {
            try NIfTIFile.readVolume(folder.path)
        }
        try expect("x.nii", [], { .empty(path: $0) }, at: here)
        try expect("x.nii.gz", [], { .empty(path: $0) }, at: here)
        try expect("x.nii.gz", good.file, { .notGzip(path: $0, looksLikeNIfTI: true) }, at: here)
        try expect(
            "x.nii.gz", Array("plain text".utf8), { .notGzip(path: $0, looksLikeNIfTI: false) }, at: here)
        try expect("x.nii", gzipStored(good.file), { .gzipWithoutSuffix(path: $0) }, at: here)
        try expect(
            "x.nii", Array("plain text, too short for a header".utf8),
            { .notNIfTI(path: $0, reason: "no NIfTI signature") }, at: here)
        try expect(
            "x.nii", Array(good.file[..<200]),
            { .notNIfTI(path: $0, reason: "it holds only 200 bytes, less than a header") }, at: here)
        try expect(
            "x.nii.gz", gzipStored([]),
            { .notNIfTI(path: $0, reason: "it holds only 0 bytes, less than a header") }, at: here)
        try expect(
            "x.nii", Array(good.file[..<500]),
            { .truncated(path: $0, expectedBytes: whole, foundBytes: 500) }, at: here)
        // A whole gzip stream of a file that was already short.
        try expect(
            "x.nii.gz", gzipStored(Array(good.file[..<500])),
            { .truncated(path: $0, expectedBytes: whole, foundBytes: 500) }, at: here)
        let packed = gzipStored(good.file)
        try expect(
            "x.nii.gz", Array(packed[..<(15 + 500)]),
            { .truncatedGzip(path: $0, expectedBytes: whole, foundBytes: 500) }, at: here)
        try expect(
            "x.nii.gz", Array(packed[..<(15 + 200)]),
            { .truncatedGzip(path: $0, expectedBytes: nil, foundBytes: 200) }, at: here)
        // All voxels are there, the checksum is not.
        try expect(
            "x.nii.gz", Array(packed.dropLast(5)),
            { .truncatedGzip(path: $0, expectedBytes: whole, foundBytes: whole) }, at: here)
        var flipped = packed
        flipped[15 + 400] ^= 1
        try expect(
            "x.nii.gz", flipped, { .damagedGzip(path: $0, reason: "incorrect data check") }, at: here)

        try expect({ $0.magic = "ni1" }, { .separateHeader(path: $0) })
        try expect({ $0.magic = "\0\0\0" }, { .separateHeader(path: $0) })
        try expect({ $0.dim = [2, 5, 4, 1, 1, 1, 1, 1] }, { .flat(path: $0, dimensions: [5, 4]) })
        try expect(
            { $0.dim = [3, 5, 12, 1, 1, 1, 1, 1] }, { .flat(path: $0, dimensions: [5, 12, 1]) })
        try expect(
            { $0.dim = [5, 5, 4, 1, 1, 3, 1, 1] }, { .flat(path: $0, dimensions: [5, 4, 1, 1, 3]) })
        try expect(
            { $0.dim = [3, 5, 0, 3, 1, 1, 1, 1] }, { .badDimensions(path: $0, dimensions: [5, 0, 3]) })
        try expect(
            { $0.dim = [3, 5, -4, 3, 1, 1, 1, 1] }, { .badDimensions(path: $0, dimensions: [5, -4, 3]) })
        try expect(
            { ($0.datatype, $0.bitpix, $0.dim) = (32, 64, [3, 5, 2, 3, 1, 1, 1, 1]) },
            { .unsupportedDatatype(path: $0, name: "complex64") })
        try expect(
            { ($0.datatype, $0.bitpix) = (128, 24) }, { .unsupportedDatatype(path: $0, name: "rgb24") })
        try expect({ $0.srow[1][1] = .nan }, { .affineNotFinite(path: $0, source: "sform") })
        try expect({ $0.srow[2] = [0, 0, 0, 0] }, { .affineSingular(path: $0, source: "sform") })
        try expect({ $0.srow[2] = [2, 0, 0, 0] }, { .affineSingular(path: $0, source: "sform") })
        try expect(
            { $0.srow[0][1] = 0.2 },
            { .affineSheared(path: $0, source: "sform", degreesOffSquare: 5.711) })
        try expect(
            { ($0.sformCode, $0.pixdim) = (0, [1, 2, 0, 2, 0, 0, 0, 0]) },
            { .affineSingular(path: $0, source: "voxel size of zero or less") })
        // A header that asks for 8 petabytes must be refused, not served.
        let huge = RawNIfTI.floats(Self.values) {
            ($0.version, $0.dim) = (2, [3, 1 << 17, 1 << 17, 1 << 17, 1, 1, 1, 1])
        }
        try expect(
            "x.nii.gz", gzipStored(huge.file),
            {
                .absurdSize(
                    path: $0, dimensions: [1 << 17, 1 << 17, 1 << 17], fileBytes: gzipStored(huge.file).count)
            }, at: here)
        let overflowing = RawNIfTI.floats(Self.values) {
            ($0.version, $0.dim) = (2, [3, 1 << 40, 1 << 40, 1 << 40, 1, 1, 1, 1])
        }
        try expect(
            "x.nii", overflowing.file,
            { .badDimensions(path: $0, dimensions: [1 << 40, 1 << 40, 1 << 40]) }, at: here)
    }

    @Test func slightShearIsReadAndReported() throws {
        let folder = try ScratchFolder()
        let raw = RawNIfTI.floats(Self.values) { $0.srow[0][1] = 0.02 }
        let (_, header) = try NIfTIFile.read(folder.file("x.nii", raw.file))
        #expect(header.warnings == [.slightShear(degrees: 0.573)])
    }

    /// A tilted image is readable by those who accept the tilt.
    @Test func headerOfAShearedImageCanBeRead() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("x.nii", RawNIfTI.floats(Self.values) { $0.srow[0][1] = 0.4 }.file)
        #expect(try NIfTIFile.readHeader(path, maximumShear: 1).affine.shear > 0.1)
    }
}
