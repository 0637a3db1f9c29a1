import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A linear map of points given relative to a centre, described by parameters that all count in millimetres: one unit
/// of any of them moves a point at the edge of the brain by about a millimetre, so that no scaling is left to tune.
///
/// Parameters: translation (3), rotation vector × radius (3), then symmetric stretch × radius (6) when affine.
struct LinearMap: Sendable {
    enum Kind: Int, Sendable {
        case rigid = 6
        case affine = 12
    }

    static let radiusMillimetres = 70.0

    let kind: Kind
    /// Fixed world point that rotations leave alone.
    let centre: SIMD3<Double>

    /// Point relative to `centre` → moving world mm.
    func affine(_ p: [Double]) -> Affine {
        let r = Self.rotation(SIMD3(p[3], p[4], p[5]) / Self.radiusMillimetres)
        let shift = centre + SIMD3(p[0], p[1], p[2])
        let turned = Affine(SIMD4(r.0, shift.x), SIMD4(r.1, shift.y), SIMD4(r.2, shift.z))
        guard kind == .affine else { return turned }
        let s = p[6..<12].map { $0 / Self.radiusMillimetres }
        return turned
            * Affine([1 + s[0], s[3], s[4], 0], [s[3], 1 + s[1], s[5], 0], [s[4], s[5], 1 + s[2], 0])
    }

    /// Fixed world mm → moving world mm.
    func worldMap(_ p: [Double]) -> Affine { affine(p) * .translation(-centre) }

    /// Gradient with respect to the parameters.
    ///
    /// - Parameters:
    ///   - slope: derivative with respect to the 3×4 matrix from point to moving voxel, row-major.
    ///   - worldToVoxel: of the moving image.
    func gradient(_ p: [Double], slope: [Double], worldToVoxel: Affine) -> [Double] {
        let step = 1e-3
        return p.indices.map { n in
            var (ahead, behind) = (p, p)
            ahead[n] += step
            behind[n] -= step
            let (a, b) = (worldToVoxel * affine(ahead), worldToVoxel * affine(behind))
            let rows = [a.rows.0 - b.rows.0, a.rows.1 - b.rows.1, a.rows.2 - b.rows.2]
            var sum = 0.0
            for r in 0..<3 {
                for c in 0..<4 { sum += slope[4 * r + c] * rows[r][c] / (2 * step) }
            }
            return sum
        }
    }

    /// Rows of the rotation about the direction of `w` by its length in radians (Rodrigues).
    static func rotation(_ w: SIMD3<Double>) -> (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>) {
        let angle = (w * w).sum().squareRoot()
        let a = angle < 1e-8 ? 1 : sin(angle) / angle
        let b = angle < 1e-8 ? 0.5 : (1 - cos(angle)) / (angle * angle)
        func row(_ e: SIMD3<Double>, _ cross: SIMD3<Double>, _ n: Int) -> SIMD3<Double> {
            e * (1 - b * (w * w).sum()) + cross * a + w * (b * w[n])
        }
        return (
            row([1, 0, 0], [0, -w.z, w.y], 0), row([0, 1, 0], [w.z, 0, -w.x], 1), row([0, 0, 1], [-w.y, w.x, 0], 2)
        )
    }
}
