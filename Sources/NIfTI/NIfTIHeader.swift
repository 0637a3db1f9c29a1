import Kernels

/// What a NIfTI header says, with the orientation already decided.
///
/// Which affine counts: the sform when its code is positive, else the qform when its code is positive, else plain
/// scaling by the voxel sizes with a `noOrientation` warning (left and right are then unknown). Lengths given in metres
/// or micrometres are turned into millimetres; unknown units are taken as millimetres, as every other reader does.
package struct NIfTIHeader: Sendable {
    package enum AffineSource: String, Sendable { case sform, qform, voxelSizes = "voxel sizes" }

    package var path: String
    /// 1 or 2.
    package var version: Int
    package var bigEndian: Bool
    /// Sizes of all axes as stored, for example [64, 64, 32] or [64, 64, 32, 1, 3].
    package var dimensions: [Int]
    package var datatype: NIfTIDatatype
    package var datatypeName: String
    /// Stored value × slope + intercept = value. 1 and 0 when the header asks for no scaling.
    package var slope: Double
    package var intercept: Double
    package var qformCode: Int
    package var sformCode: Int
    package var affineSource: AffineSource
    package var affine: Affine
    /// Seconds, or whatever the header's fourth axis counts; nil when there is none.
    package var frameStep: Double?
    package var intentCode: Int
    package var descriptionText: String
    /// Bytes before the first voxel.
    package var dataOffset: Int
    package var warnings: [NIfTIWarning]

    /// Volumes in the file: the product of axes 4 and up.
    package var frames: Int { dimensions.dropFirst(3).reduce(1, *) }

    package var spacingMillimetres: SIMD3<Double> { affine.columnLengths }

    /// The grid of one volume. Missing axes count as one voxel.
    package var grid: VoxelGrid {
        func size(_ axis: Int) -> Int { axis < dimensions.count ? dimensions[axis] : 1 }
        return VoxelGrid(nx: size(0), ny: size(1), nz: size(2), affine: affine)
    }

    package var volumeBytes: Int { grid.count * datatype.bytes }

    /// Bytes of the whole file, unpacked.
    package var fileBytes: Int { dataOffset + volumeBytes * frames }
}

/// Something odd in a header that does not keep the image from being read.
package enum NIfTIWarning: Sendable, Equatable {
    /// Neither sform nor qform is coded.
    case noOrientation
    /// sform and qform are both coded and place some corner this far apart.
    case formsDisagree(millimetres: Double)
    /// The voxel sizes field and the affine differ.
    case spacingDisagrees(voxelSizes: SIMD3<Double>, affine: SIMD3<Double>)
    /// Slope or intercept is not finite and is ignored.
    case scalingNotFinite
    /// The axes are off square by less than what is refused.
    case slightShear(degrees: Double)
}

extension NIfTIWarning: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noOrientation:
            "the header gives no orientation (sform and qform codes are 0), so left and right are unknown"
        case .formsDisagree(let millimetres):
            "sform and qform disagree by up to \(millimetres) mm; the sform is used"
        case .spacingDisagrees(let sizes, let affine):
            "the voxel sizes field (\(sizes.x)×\(sizes.y)×\(sizes.z) mm) differs from the affine "
                + "(\(affine.x)×\(affine.y)×\(affine.z) mm); the affine is used"
        case .scalingNotFinite:
            "scl_slope or scl_inter is not finite, so stored values are used as they are"
        case .slightShear(let degrees):
            "the axes are \(degrees)° off square"
        }
    }
}

/// Stored number types that have one real value per voxel.
package enum NIfTIDatatype: Int, Sendable {
    case uint8 = 2
    case int16 = 4
    case int32 = 8
    case float32 = 16
    case float64 = 64
    case int8 = 256
    case uint16 = 512
    case uint32 = 768
    case int64 = 1024
    case uint64 = 1280

    package var bytes: Int {
        switch self {
        case .uint8, .int8: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float32: 4
        case .float64, .int64, .uint64: 8
        }
    }
}
