/// A 3×4 affine map from voxel index (i, j, k) to world millimetres, RAS+ (x to the right, y to the front, z up).
///
/// The same type serves for maps between worlds (rigid and affine registration): then both sides are millimetres.
package struct Affine: Sendable, Hashable {
    /// Row-major: `rows[r]` holds the three linear coefficients and the translation of output coordinate r.
    package var rows: (SIMD4<Double>, SIMD4<Double>, SIMD4<Double>)

    package init(_ x: SIMD4<Double>, _ y: SIMD4<Double>, _ z: SIMD4<Double>) { rows = (x, y, z) }

    package static let identity = Affine([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])

    package static func scaling(_ s: SIMD3<Double>) -> Affine {
        Affine([s.x, 0, 0, 0], [0, s.y, 0, 0], [0, 0, s.z, 0])
    }

    package static func translation(_ t: SIMD3<Double>) -> Affine {
        Affine([1, 0, 0, t.x], [0, 1, 0, t.y], [0, 0, 1, t.z])
    }

    package static func == (a: Affine, b: Affine) -> Bool {
        a.rows.0 == b.rows.0 && a.rows.1 == b.rows.1 && a.rows.2 == b.rows.2
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(rows.0)
        hasher.combine(rows.1)
        hasher.combine(rows.2)
    }

    /// The image of a point.
    package func callAsFunction(_ p: SIMD3<Double>) -> SIMD3<Double> {
        let q = SIMD4(p, 1)
        return SIMD3((rows.0 * q).sum(), (rows.1 * q).sum(), (rows.2 * q).sum())
    }

    /// The image of a direction (without the translation).
    package func direction(_ d: SIMD3<Double>) -> SIMD3<Double> {
        let q = SIMD4(d, 0)
        return SIMD3((rows.0 * q).sum(), (rows.1 * q).sum(), (rows.2 * q).sum())
    }

    /// Column c of the linear part: the world vector of one step along voxel axis c.
    package func column(_ c: Int) -> SIMD3<Double> { SIMD3(rows.0[c], rows.1[c], rows.2[c]) }

    package var translation: SIMD3<Double> { column(3) }

    /// Composition: `(a * b)(p) == a(b(p))`.
    package static func * (a: Affine, b: Affine) -> Affine {
        func row(_ r: SIMD4<Double>) -> SIMD4<Double> {
            let x: SIMD4<Double> = r.x * b.rows.0
            let y: SIMD4<Double> = r.y * b.rows.1
            let z: SIMD4<Double> = r.z * b.rows.2
            return x + y + z + SIMD4(0, 0, 0, r.w)
        }
        return Affine(row(a.rows.0), row(a.rows.1), row(a.rows.2))
    }

    /// Determinant of the linear part.
    package var determinant: Double {
        let (a, b, c) = (column(0), column(1), column(2))
        let cross = SIMD3(b.y * c.z - b.z * c.y, b.z * c.x - b.x * c.z, b.x * c.y - b.y * c.x)
        return (a * cross).sum()
    }

    /// The inverse map; nil when the linear part is singular.
    package var inverse: Affine? {
        let d = determinant
        guard d.isFinite, abs(d) > 1e-12 else { return nil }
        func cross(_ p: SIMD3<Double>, _ q: SIMD3<Double>) -> SIMD3<Double> {
            SIMD3(p.y * q.z - p.z * q.y, p.z * q.x - p.x * q.z, p.x * q.y - p.y * q.x)
        }
        let (a, b, c) = (column(0), column(1), column(2))
        let (x, y, z) = (cross(b, c) / d, cross(c, a) / d, cross(a, b) / d)
        let t = translation
        return Affine(
            SIMD4(x, -(x * t).sum()), SIMD4(y, -(y * t).sum()), SIMD4(z, -(z * t).sum()))
    }

    /// Lengths of the three columns: voxel sizes in mm when the map is a voxel-to-world map.
    package var columnLengths: SIMD3<Double> {
        SIMD3(
            (column(0) * column(0)).sum().squareRoot(), (column(1) * column(1)).sum().squareRoot(),
            (column(2) * column(2)).sum().squareRoot())
    }

    /// Largest absolute cosine between two columns; 0 when the axes are orthogonal, over about 0.01 when sheared.
    package var shear: Double {
        let l = columnLengths
        let (a, b, c) = (column(0) / l.x, column(1) / l.y, column(2) / l.z)
        return max(abs((a * b).sum()), max(abs((a * c).sum()), abs((b * c).sum())))
    }
}
