import Foundation
import Kernels

/// How a head lies in the scanner and where the voxels of its images are.
struct Geometry {
    /// Template axes (mm, before deformation) to scanner world, at the T1w scan.
    let poseAnatomical: Affine
    /// The same at the gradient echo, a small movement later.
    let poseGradientEcho: Affine
    /// Factors from the template's axes to millimetres of this head.
    let size: SIMD3<Double>
    /// Millimetres of this head (axes of the template) to scanner world, at either scan: a rotation and a shift.
    let headAnatomical: Affine
    let headGradientEcho: Affine
    let anatomical: VoxelGrid
    let gradientEcho: VoxelGrid

    /// Extent of a whole head and of a brain, mm, and their middles in template axes.
    private static let head = (size: SIMD3(178.0, 228, 196), middle: SIMD3(0.0, -11, -5))
    private static let brain = (size: SIMD3(154.0, 196, 156), middle: SIMD3(0.0, -16, 8))

    /// - Parameter isAligned: anatomical images share grid and pose with the gradient echo; else a small movement lies
    ///   between and they cover the whole head.
    init(voxelMillimetres voxel: Double, isAligned: Bool = false, _ random: inout RandomStream) {
        let size = SIMD3<Double>(repeating: 1) + random.normalVector(0.025)
        let still = Self.rigid(
            random.normalVector(4), SIMD3(random.normal(0, 4), random.normal(0, 8), random.normal(0, 8)))
        let moved = Self.rigid(random.normalVector(0.7), random.normalVector(0.8)) * still
        self.size = size
        headAnatomical = isAligned ? moved : still
        headGradientEcho = moved
        poseAnatomical = headAnatomical * .scaling(size)
        poseGradientEcho = moved * .scaling(size)
        let anatomicalAxes = ["RAS", "LAS", "LPS", "PSR"][Int(random.next() % 4)]
        let gradientEchoAxes = ["RAS", "LAS", "LPS", "RAS"][Int(random.next() % 4)]
        let tilt = SIMD3(random.normal(0, 9), random.normal(0, 4), random.normal(0, 3))
        let isOblique = random.uniform() < 0.4
        gradientEcho = Self.grid(
            Self.brain.size, centre: poseGradientEcho(Self.brain.middle), voxel: voxel,
            tilt: isOblique ? tilt : .init(repeating: 0), axes: gradientEchoAxes)
        anatomical =
            isAligned
            ? gradientEcho
            : Self.grid(
                Self.head.size, centre: poseAnatomical(Self.head.middle), voxel: voxel, tilt: .init(repeating: 0),
                axes: anatomicalAxes)
    }

    /// A rotation (degrees about x, y, z) followed by a shift (mm).
    static func rigid(_ degrees: SIMD3<Double>, _ shift: SIMD3<Double>) -> Affine {
        let r = Rotation(degrees: degrees)
        return Affine(SIMD4(r.row(0), shift.x), SIMD4(r.row(1), shift.y), SIMD4(r.row(2), shift.z))
    }

    /// A grid of isotropic voxels around a world position.
    ///
    /// - Parameters:
    ///   - size: extent to the right, front and top in mm.
    ///   - tilt: degrees by which the grid is turned against the world.
    ///   - axes: world direction of voxel axes i, j, k, such as `LPS`.
    static func grid(
        _ size: SIMD3<Double>, centre: SIMD3<Double>, voxel: Double, tilt: SIMD3<Double>, axes: String
    ) -> VoxelGrid {
        let rotation = Rotation(degrees: tilt)
        var columns: [SIMD3<Double>] = []
        var counts: [Int] = []
        for letter in axes {
            let (axis, sign): (Int, Double) =
                switch letter {
                case "R": (0, 1)
                case "L": (0, -1)
                case "A": (1, 1)
                case "P": (1, -1)
                case "S": (2, 1)
                default: (2, -1)
                }
            columns.append(rotation.column(axis) * (sign * voxel))
            counts.append(Int((size[axis] / voxel).rounded(.up)))
        }
        var corner = centre
        for axis in 0..<3 { corner -= columns[axis] * (Double(counts[axis] - 1) / 2) }
        func row(_ r: Int) -> SIMD4<Double> { SIMD4(columns[0][r], columns[1][r], columns[2][r], corner[r]) }
        return VoxelGrid(nx: counts[0], ny: counts[1], nz: counts[2], affine: Affine(row(0), row(1), row(2)))
    }
}
