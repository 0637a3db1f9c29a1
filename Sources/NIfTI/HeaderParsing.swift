// Header bytes to `NIfTIHeader`. The layout, byte order and quaternion arithmetic are libnifti's; what a file may say is
// decided here, because the library repairs or prints what this program has to refuse or report.

import CNIfTI
import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The two header lengths, and the sum of both parts that has to be read to know which one it is.
enum HeaderLength {
    static let nifti1 = 348
    static let nifti2 = 540
}

extension NIfTIHeader {
    /// Parses the first bytes of an unpacked file.
    ///
    /// - Parameters:
    ///   - bytes: 348 bytes for NIfTI-1 or 540 for NIfTI-2, in file order.
    ///   - path: the name used in errors.
    ///   - maximumShear: largest cosine between two axes that is accepted; above it, the affine is refused.
    /// - Throws: `NIfTIError` for anything that makes the image unusable.
    static func parse(_ bytes: [UInt8], path: String, maximumShear: Double) throws -> NIfTIHeader {
        _ = quietLibrary
        let version = bytes.withUnsafeBytes {
            nifti_header_version($0.bindMemory(to: CChar.self).baseAddress, bytes.count)
        }
        switch version {
        case 1: return try parseVersion1(bytes, path: path, maximumShear: maximumShear)
        case 2: return try parseVersion2(bytes, path: path, maximumShear: maximumShear)
        case 0: throw NIfTIError.separateHeader(path: path)
        default: throw NIfTIError.notNIfTI(path: path, reason: "no NIfTI signature")
        }
    }

    private static func parseVersion1(_ bytes: [UInt8], path: String, maximumShear: Double) throws -> NIfTIHeader {
        var raw = nifti_1_header()
        let swapped = fill(&raw, bytes, length: HeaderLength.nifti1, version: 1)
        guard raw.magic.1 == UInt8(ascii: "+") else { throw NIfTIError.separateHeader(path: path) }
        let fields = RawFields(
            dimensions: list(raw.dim) { Int($0 as Int16) }, voxelSizes: list(raw.pixdim) { Double($0 as Float) },
            datatype: Int(raw.datatype), slope: Double(raw.scl_slope), intercept: Double(raw.scl_inter),
            dataOffset: Double(raw.vox_offset))
        try fields.check(path: path)
        guard let image = nifti_convert_n1hdr2nim(raw, "image.nii") else {
            throw NIfTIError.notNIfTI(path: path, reason: "the header is inconsistent")
        }
        defer { nifti_image_free(image) }
        return try build(
            image.pointee, fields, version: 1, swapped: swapped, path: path, maximumShear: maximumShear)
    }

    private static func parseVersion2(_ bytes: [UInt8], path: String, maximumShear: Double) throws -> NIfTIHeader {
        var raw = nifti_2_header()
        let swapped = fill(&raw, bytes, length: HeaderLength.nifti2, version: 2)
        guard raw.magic.1 == UInt8(ascii: "+") else { throw NIfTIError.separateHeader(path: path) }
        let fields = RawFields(
            dimensions: list(raw.dim) { Int($0 as Int64) }, voxelSizes: list(raw.pixdim) { $0 as Double },
            datatype: Int(raw.datatype), slope: raw.scl_slope, intercept: raw.scl_inter,
            dataOffset: Double(raw.vox_offset))
        try fields.check(path: path)
        guard let image = nifti_convert_n2hdr2nim(raw, "image.nii") else {
            throw NIfTIError.notNIfTI(path: path, reason: "the header is inconsistent")
        }
        defer { nifti_image_free(image) }
        return try build(
            image.pointee, fields, version: 2, swapped: swapped, path: path, maximumShear: maximumShear)
    }

    /// Copies the bytes into the library's struct, in this machine's byte order; true when they had to be swapped.
    private static func fill<Header>(_ header: inout Header, _ bytes: [UInt8], length: Int, version: Int32) -> Bool {
        withUnsafeMutableBytes(of: &header) { destination in
            precondition(destination.count == length && bytes.count >= length)
            destination.copyBytes(from: bytes[..<length])
            // The header opens with its own length.
            if destination.loadUnaligned(as: Int32.self) == Int32(length) { return false }
            swap_nifti_header(destination.baseAddress, version)
            return true
        }
    }

    private static func build(
        _ image: nifti_image, _ fields: RawFields, version: Int, swapped: Bool, path: String, maximumShear: Double
    ) throws -> NIfTIHeader {
        guard let datatype = NIfTIDatatype(rawValue: fields.datatype) else {
            let name =
                nifti_datatype_string(Int32(fields.datatype)).map { String(cString: $0).lowercased() } ?? "unknown"
            throw NIfTIError.unsupportedDatatype(path: path, name: name)
        }
        let placement = try Placement.decide(image, fields, path: path, maximumShear: maximumShear)
        var warnings = placement.warnings
        var (slope, intercept) = (fields.slope, fields.intercept)
        if slope.isFinite && slope != 0 {
            if !intercept.isFinite {
                warnings.append(.scalingNotFinite)
                intercept = 0
            }
        } else {
            if !slope.isFinite && !slope.isNaN { warnings.append(.scalingNotFinite) }
            (slope, intercept) = (1, 0)
        }
        let description = withUnsafeBytes(of: image.descrip) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return NIfTIHeader(
            path: path, version: version, bigEndian: swapped == (Int(littleEndian: 1) == 1),
            dimensions: fields.dimensions, datatype: datatype, datatypeName: "\(datatype)", slope: slope,
            intercept: intercept, qformCode: Int(image.qform_code), sformCode: Int(image.sform_code),
            affineSource: placement.source, affine: placement.affine,
            frameStep: fields.dimensions.count > 3 ? image.pixdim.4 : nil, intentCode: Int(image.intent_code),
            descriptionText: description, dataOffset: Int(image.iname_offset), warnings: warnings)
    }

    /// The library prints its complaints on standard error unless told not to; ours are thrown.
    private static let quietLibrary: Void = nifti_set_debug_level(0)
}

/// The fields that the library repairs silently, as stored.
private struct RawFields {
    /// Without the leading count of axes.
    var dimensions: [Int]
    var voxelSizes: SIMD3<Double>
    var datatype: Int
    var slope: Double
    var intercept: Double
    var dataOffset: Double

    init(
        dimensions: [Int], voxelSizes: [Double], datatype: Int, slope: Double, intercept: Double, dataOffset: Double
    ) {
        let axes = dimensions[0]
        self.dimensions = (1...7).contains(axes) ? Array(dimensions[1...axes]) : []
        self.voxelSizes = SIMD3(voxelSizes[1], voxelSizes[2], voxelSizes[3])
        (self.datatype, self.slope, self.intercept, self.dataOffset) = (datatype, slope, intercept, dataOffset)
    }

    func check(path: String) throws {
        guard !dimensions.isEmpty, dimensions.allSatisfy({ $0 > 0 }) else {
            throw NIfTIError.badDimensions(path: path, dimensions: dimensions)
        }
        var count = 16
        for size in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { throw NIfTIError.badDimensions(path: path, dimensions: dimensions) }
            count = product
        }
        guard dataOffset.isFinite, dataOffset >= 0, dataOffset < 1e15 else {
            throw NIfTIError.notNIfTI(path: path, reason: "the offset of the voxels is \(dataOffset)")
        }
    }
}

/// The affine and where it came from.
private struct Placement {
    var affine: Affine
    var source: NIfTIHeader.AffineSource
    var warnings: [NIfTIWarning] = []

    static func decide(_ image: nifti_image, _ fields: RawFields, path: String, maximumShear: Double) throws
        -> Placement
    {
        let unit: Double =
            switch image.xyz_units {
            case NIFTI_UNITS_METER: 1000
            case NIFTI_UNITS_MICRON: 0.001
            default: 1
            }
        let sform = Affine(image.sto_xyz, unit: unit)
        let qform = Affine(image.qto_xyz, unit: unit)
        let sizes = fields.voxelSizes * unit
        var placement: Placement
        if image.sform_code > 0 {
            placement = Placement(affine: sform, source: .sform)
        } else if image.qform_code > 0 {
            placement = Placement(affine: qform, source: .qform)
        } else {
            placement = Placement(affine: .scaling(sizes), source: .voxelSizes, warnings: [.noOrientation])
        }
        // The library turns a zero voxel size into 1 mm; where the sizes are what places the voxels, that is a guess.
        if placement.source != .sform, !(sizes.x > 0 && sizes.y > 0 && sizes.z > 0), fields.dimensions.count >= 3 {
            guard sizes.x.isFinite, sizes.y.isFinite, sizes.z.isFinite else {
                throw NIfTIError.affineNotFinite(path: path, source: "voxel sizes")
            }
            throw NIfTIError.affineSingular(path: path, source: "voxel size of zero or less")
        }
        try placement.check(path: path, maximumShear: maximumShear)
        placement.compare(sform: sform, qform: qform, image, fields, sizes: sizes)
        return placement
    }

    private mutating func check(path: String, maximumShear: Double) throws {
        let name = source.rawValue
        for row in [affine.rows.0, affine.rows.1, affine.rows.2] {
            guard (0..<4).allSatisfy({ row[$0].isFinite }) else {
                throw NIfTIError.affineNotFinite(path: path, source: name)
            }
        }
        let lengths = affine.columnLengths
        let volume = lengths.x * lengths.y * lengths.z
        // Relative to the product of the lengths, so that small voxels are not mistaken for flat ones.
        guard volume > 0, affine.inverse != nil, abs(affine.determinant) > 1e-3 * volume else {
            throw NIfTIError.affineSingular(path: path, source: name)
        }
        let shear = affine.shear
        let degrees = rounded(asin(min(1, shear)) * 180 / .pi)
        guard shear <= maximumShear else {
            throw NIfTIError.affineSheared(path: path, source: name, degreesOffSquare: degrees)
        }
        if shear > 1e-3 { warnings.append(.slightShear(degrees: degrees)) }
    }

    private mutating func compare(
        sform: Affine, qform: Affine, _ image: nifti_image, _ fields: RawFields, sizes: SIMD3<Double>
    ) {
        let axes = fields.dimensions + [1, 1, 1]
        if image.sform_code > 0 && image.qform_code > 0 {
            var worst = 0.0
            for corner in 0..<8 {
                let p = SIMD3(
                    corner & 1 == 0 ? 0 : Double(axes[0] - 1), corner & 2 == 0 ? 0 : Double(axes[1] - 1),
                    corner & 4 == 0 ? 0 : Double(axes[2] - 1))
                let d = sform(p) - qform(p)
                worst = max(worst, (d * d).sum().squareRoot())
            }
            // Single-precision quaternions alone are good to about a hundredth of a millimetre.
            if !(worst <= 0.1) { warnings.append(.formsDisagree(millimetres: rounded(worst))) }
        }
        let lengths = affine.columnLengths
        let difference = lengths - sizes
        let worst = max(abs(difference.x), abs(difference.y), abs(difference.z))
        if !(worst <= 0.01) {
            warnings.append(.spacingDisagrees(voxelSizes: rounded(sizes), affine: rounded(lengths)))
        }
    }
}

extension Affine {
    /// From the library's matrix, lengths multiplied by `unit`.
    fileprivate init(_ m: nifti_dmat44, unit: Double) {
        func row(_ r: (Double, Double, Double, Double)) -> SIMD4<Double> { SIMD4(r.0, r.1, r.2, r.3) * unit }
        self.init(row(m.m.0), row(m.m.1), row(m.m.2))
    }
}

/// To three decimals, for messages.
private func rounded(_ x: Double) -> Double { x.isFinite ? (x * 1000).rounded() / 1000 : x }

private func rounded(_ x: SIMD3<Double>) -> SIMD3<Double> { SIMD3(rounded(x.x), rounded(x.y), rounded(x.z)) }

/// A C array, which arrives as a tuple, as a list.
private func list<Tuple, Element, Value>(_ tuple: Tuple, _ value: (Element) -> Value) -> [Value] {
    withUnsafeBytes(of: tuple) { $0.bindMemory(to: Element.self).map(value) }
}
