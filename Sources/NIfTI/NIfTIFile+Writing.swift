import CNIfTI
import Kernels

// Writing. Files are NIfTI-1 in this machine's byte order (NIfTI-2 only when an axis is longer than 32767), placed by
// sform and qform with code 1 (scanner), lengths in millimetres, no scaling. Equal input gives equal bytes.

extension NIfTIFile {
    /// Writes single-precision values. The name must end in `.nii` or `.nii.gz`.
    package static func write(_ volume: Volume, to path: String) throws {
        try volume.values.withUnsafeBytes {
            try write(.init(volume.grid, .float32), [$0], to: path, level: Effort.continuous)
        }
    }

    /// Writes several volumes of one grid as one 4-D image.
    package static func write(_ volumes: [Volume], to path: String) throws {
        precondition(!volumes.isEmpty, "an image has a volume")
        let layout = ImageLayout(volumes[0].grid, .float32, frames: volumes.count)
        guard path.hasSuffix(".nii") || path.hasSuffix(".nii.gz") else { throw NIfTIError.badName(path: path) }
        let sink = try GzipSink(path: path, level: Effort.continuous)
        try layout.headerBytes.withUnsafeBytes { try sink.write($0) }
        for volume in volumes { try volume.values.withUnsafeBytes { try sink.write($0) } }
        try sink.finish()
    }

    /// Writes 0 and 1 as bytes.
    package static func write(_ mask: Mask, to path: String) throws {
        try mask.values.withUnsafeBytes {
            try write(.init(mask.grid, .uint8), [$0], to: path, level: Effort.discrete)
        }
    }

    /// Writes labels as bytes when all fit, else as 16-bit unsigned values.
    package static func write(_ labels: LabelMap, to path: String) throws {
        if labels.values.allSatisfy({ $0 <= 255 }) {
            let bytes = labels.values.map { UInt8($0) }
            try bytes.withUnsafeBytes {
                try write(.init(labels.grid, .uint8), [$0], to: path, level: Effort.discrete)
            }
        } else {
            try labels.values.withUnsafeBytes {
                try write(.init(labels.grid, .uint16), [$0], to: path, level: Effort.discrete)
            }
        }
    }

    /// Writes a displacement field as ITK and ANTs read it: 5-D (nx×ny×nz×1×3), vector intent (1007), components in
    /// millimetres along LPS world axes, so the first two are negated on the way.
    package static func write(_ field: DisplacementField, to path: String) throws {
        // 0 − x rather than −x: no negative zeros, which would change the bytes of an unchanged field.
        let (left, back) = (field.x.map { 0 - $0 }, field.y.map { 0 - $0 })
        try left.withUnsafeBytes { left in
            try back.withUnsafeBytes { back in
                try field.z.withUnsafeBytes { up in
                    try write(
                        .init(field.grid, .float32, components: 3), [left, back, up], to: path, level: Effort.continuous
                    )
                }
            }
        }
    }

    /// zlib's effort. Noise hardly packs at any level and the highest costs ten times the lowest; labels do pack.
    private enum Effort {
        static let continuous = 1
        static let discrete = 6
    }

    private static func write(
        _ layout: ImageLayout, _ parts: [UnsafeRawBufferPointer], to path: String, level: Int
    ) throws {
        guard path.hasSuffix(".nii") || path.hasSuffix(".nii.gz") else { throw NIfTIError.badName(path: path) }
        let sink = try GzipSink(path: path, level: level)
        try layout.headerBytes.withUnsafeBytes { try sink.write($0) }
        for part in parts { try sink.write(part) }
        try sink.finish()
    }
}

/// The shape of an image to be written, and its header.
private struct ImageLayout {
    let grid: VoxelGrid
    let datatype: NIfTIDatatype
    /// 1 for plain images; more make a 5-D image of vectors.
    let components: Int
    /// More than 1 make a 4-D image.
    let frames: Int

    init(_ grid: VoxelGrid, _ datatype: NIfTIDatatype, components: Int = 1, frames: Int = 1) {
        (self.grid, self.datatype, self.components, self.frames) = (grid, datatype, components, frames)
    }

    /// Header and the four bytes that say "no extensions".
    var headerBytes: [UInt8] {
        let axes = components > 1 ? 5 : frames > 1 ? 4 : 3
        let dimensions = [axes, grid.nx, grid.ny, grid.nz, frames, components, 1, 1].map { Int64($0) }
        let long = max(grid.nx, grid.ny, grid.nz) > Int(Int16.max)
        guard let image = nifti_make_new_nim(dimensions, Int32(datatype.rawValue), 0) else {
            preconditionFailure("libnifti refuses \(grid)")
        }
        defer { nifti_image_free(image) }
        image.pointee.nifti_type = Int32(long ? NIFTI_FTYPE_NIFTI2_1 : NIFTI_FTYPE_NIFTI1_1)
        image.pointee.iname_offset = long ? 544 : 352
        image.pointee.xyz_units = NIFTI_UNITS_MM
        image.pointee.time_units = NIFTI_UNITS_SEC
        if components > 1 { image.pointee.intent_code = Int32(IntentCode.vector) }
        place(&image.pointee)
        if long {
            var header = nifti_2_header()
            let code = nifti_convert_nim2n2hdr(image, &header)
            precondition(code == 0, "libnifti refuses \(grid)")
            return withUnsafeBytes(of: header) { Array($0) } + [0, 0, 0, 0]
        }
        var header = nifti_1_header()
        let code = nifti_convert_nim2n1hdr(image, &header)
        precondition(code == 0, "libnifti refuses \(grid)")
        return withUnsafeBytes(of: header) { Array($0) } + [0, 0, 0, 0]
    }

    private func place(_ image: inout nifti_image) {
        let affine = grid.affine
        func row(_ r: SIMD4<Double>) -> (Double, Double, Double, Double) { (r.x, r.y, r.z, r.w) }
        image.sto_xyz.m = (row(affine.rows.0), row(affine.rows.1), row(affine.rows.2), (0, 0, 0, 1))
        image.sform_code = NIFTI_XFORM_SCANNER_ANAT
        image.qto_xyz = image.sto_xyz
        var (dx, dy, dz) = (0.0, 0.0, 0.0)
        nifti_dmat44_to_quatern(
            image.sto_xyz, &image.quatern_b, &image.quatern_c, &image.quatern_d, &image.qoffset_x, &image.qoffset_y,
            &image.qoffset_z, &dx, &dy, &dz, &image.qfac)
        // A quaternion cannot say shear; then the sform alone places the image.
        image.qform_code = affine.shear < 1e-4 ? NIFTI_XFORM_SCANNER_ANAT : NIFTI_XFORM_UNKNOWN
        let spacing = grid.spacingMillimetres
        image.pixdim = (image.qfac, spacing.x, spacing.y, spacing.z, 1, 1, 1, 1)
        (image.dx, image.dy, image.dz) = (spacing.x, spacing.y, spacing.z)
    }
}
