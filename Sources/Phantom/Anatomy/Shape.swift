import Foundation

/// Solids of the analytic anatomy. A shape answers with its depth: mm below its surface, negative outside. Depths are
/// close to distances near the surface, which is where they decide.
enum Shape {
    /// |x/a|ⁿ + |y/b|ⁿ + |z/c|ⁿ < 1 about a centre, turned (degrees) about the x, then the y, then the z axis. The exponent
    /// n is 2, or 5/2 for a boxier solid.
    struct Ellipsoid {
        let centre: SIMD3<Double>
        let semiAxes: SIMD3<Double>
        let isBoxy: Bool
        /// Rows are the axes of the shape in the world.
        private let axes: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)

        init(
            _ centre: SIMD3<Double>, _ semiAxes: SIMD3<Double>, isBoxy: Bool = false, turnX: Double = 0,
            turnY: Double = 0, turnZ: Double = 0
        ) {
            (self.centre, self.semiAxes, self.isBoxy) = (centre, semiAxes, isBoxy)
            let rotation = Rotation(degrees: SIMD3(turnX, turnY, turnZ))
            // The shape is turned, so a point is turned back: rows of the transpose.
            axes = (rotation.column(0), rotation.column(1), rotation.column(2))
        }

        /// Position in the axes of the shape, mm from its centre.
        func local(_ p: SIMD3<Double>) -> SIMD3<Double> {
            let d = p - centre
            return SIMD3((axes.0 * d).sum(), (axes.1 * d).sum(), (axes.2 * d).sum())
        }

        func depth(_ p: SIMD3<Double>) -> Double { depth(local: local(p)) }

        func depth(local q: SIMD3<Double>) -> Double {
            let u = q / semiAxes
            if !isBoxy {
                let k0 = (u * u).sum().squareRoot()
                let g = u / semiAxes
                let k1 = (g * g).sum().squareRoot()
                return k1 < 1e-9 ? semiAxes.min() : k0 * (1 - k0) / k1
            }
            // (1 − k) / |∇k| for the norm k of u with exponent 5/2.
            let (x, y, z) = (abs(u.x), abs(u.y), abs(u.z))
            let powers = SIMD3(x * x.squareRoot(), y * y.squareRoot(), z * z.squareRoot())
            let sum = (powers * SIMD3(x, y, z)).sum()
            if sum < 1e-12 { return semiAxes.min() }
            let k = pow(sum, 0.4)
            let g = powers * (k / sum) / semiAxes
            return (1 - k) / (g * g).sum().squareRoot()
        }
    }

    /// Balls swept along a polyline, with a radius per point.
    struct Tube {
        private let segments:
            [(start: SIMD3<Double>, step: SIMD3<Double>, square: Double, radius: Double, taper: Double)]
        private let low: SIMD3<Double>
        private let high: SIMD3<Double>
        private let isExactFarAway: Bool

        /// - Parameters:
        ///   - points: x, y, z and radius in mm.
        ///   - isExactFarAway: without it, depths outside the bounding box are only bounds.
        init(_ points: [SIMD4<Double>], isExactFarAway: Bool = false) {
            self.isExactFarAway = isExactFarAway
            var (low, high) = (SIMD3(repeating: Double.infinity), SIMD3(repeating: -Double.infinity))
            for p in points {
                low = pointwiseMin(low, SIMD3(p.x, p.y, p.z) - p.w)
                high = pointwiseMax(high, SIMD3(p.x, p.y, p.z) + p.w)
            }
            (self.low, self.high) = (low, high)
            segments = zip(points, points.dropFirst()).map { a, b in
                let (start, end) = (SIMD3(a.x, a.y, a.z), SIMD3(b.x, b.y, b.z))
                let step = end - start
                return (start, step, (step * step).sum(), a.w, b.w - a.w)
            }
        }

        func depth(_ p: SIMD3<Double>) -> Double {
            if !isExactFarAway {
                let away = pointwiseMax(low - p, p - high).max()
                if away > 0 { return -away }
            }
            var best = -Double.infinity
            for s in segments {
                let t = min(1, max(0, ((p - s.start) * s.step).sum() / s.square))
                let d = p - s.start - t * s.step
                best = max(best, s.radius + t * s.taper - (d * d).sum().squareRoot())
            }
            return best
        }
    }

    /// The larger depth, rounded over `width` mm where both are close: a union without a crease.
    static func union(_ a: Double, _ b: Double, smoothing width: Double) -> Double {
        let h = max(0, width - abs(a - b)) / width
        return max(a, b) + h * h * width / 4
    }

    static func intersection(_ a: Double, _ b: Double, smoothing width: Double) -> Double {
        -union(-a, -b, smoothing: width)
    }
}

/// A rotation about x, then y, then z.
struct Rotation {
    private let rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)

    init(degrees: SIMD3<Double>) {
        let r = degrees * (Double.pi / 180)
        let (cx, sx, cy, sy, cz, sz) = (cos(r.x), sin(r.x), cos(r.y), sin(r.y), cos(r.z), sin(r.z))
        rows = (
            SIMD3(cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
            SIMD3(sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
            SIMD3(-sy, cy * sx, cy * cx)
        )
    }

    func row(_ r: Int) -> SIMD3<Double> { r == 0 ? rows.0 : r == 1 ? rows.1 : rows.2 }

    func column(_ c: Int) -> SIMD3<Double> { SIMD3(rows.0[c], rows.1[c], rows.2[c]) }
}
