import Foundation

/// Where a lesion is, in millimetres of a head. Everything can be asked for at another width, as lesions look wider in
/// images that T2* weights.
enum LesionShape: Sendable {
    case ellipsoid(Ellipsoid)
    case tubes(Tubes)

    /// An ellipsoid, smooth or with bumps.
    struct Ellipsoid: Sendable {
        let centre: SIMD3<Double>
        let semiAxes: SIMD3<Double>
        let rotation: Rotation
        /// Wave vectors of the bumps on the unit sphere; none: smooth.
        let bumps: [SIMD3<Double>]

        private static let bumpHeight = 0.07

        /// Largest radius over that of the smooth one.
        var reach: Double { 1 + Self.bumpHeight * Double(bumps.count) }

        /// Direction from the centre in the axes of the ellipsoid (unit), and distance from it with the surface at 1.
        func polar(_ p: SIMD3<Double>) -> (direction: SIMD3<Double>, distance: Double) {
            let d = p - centre
            let q =
                SIMD3((rotation.column(0) * d).sum(), (rotation.column(1) * d).sum(), (rotation.column(2) * d).sum())
                / semiAxes
            let length = (q * q).sum().squareRoot()
            let direction = q / max(length, 1e-9)
            var surface = 1.0
            for bump in bumps { surface += Self.bumpHeight * cos((direction * bump).sum()) }
            return (direction, length / surface)
        }

        /// Of a sphere of the same volume, mm.
        var radius: Double { cbrt(semiAxes.x * semiAxes.y * semiAxes.z) }
    }

    /// Balls swept along straight pieces, with a radius at either end.
    struct Tubes: Sendable {
        struct Piece: Sendable {
            let start: SIMD3<Double>
            let step: SIMD3<Double>
            let startRadius: Double
            let endRadius: Double
        }

        let pieces: [Piece]

        init(_ pieces: [Piece]) { self.pieces = pieces }

        /// One line of points with their radii.
        init(points: [SIMD3<Double>], radii: [Double]) {
            pieces = zip(zip(points, points.dropFirst()), zip(radii, radii.dropFirst())).map { ends, radii in
                Piece(start: ends.0, step: ends.1 - ends.0, startRadius: radii.0, endRadius: radii.1)
            }
        }

        /// How far below the surface, mm; negative outside.
        func depth(_ p: SIMD3<Double>, widened: Double) -> Double {
            var best = -Double.infinity
            for piece in pieces {
                let d = p - piece.start
                let t = min(1, max(0, (d * piece.step).sum() / max(1e-12, (piece.step * piece.step).sum())))
                let off = d - t * piece.step
                let radius = piece.startRadius + t * (piece.endRadius - piece.startRadius)
                best = max(best, widened * radius - (off * off).sum().squareRoot())
            }
            return best
        }

        /// Moved and enlarged about the origin.
        func mapped(scale: Double, shift: SIMD3<Double>) -> Tubes {
            Tubes(
                pieces.map {
                    Piece(
                        start: $0.start * scale + shift, step: $0.step * scale, startRadius: $0.startRadius * scale,
                        endRadius: $0.endRadius * scale)
                })
        }
    }

    /// A bound on how far a point is from the surface, mm: at least so much below it where positive, above it where
    /// negative.
    func clearance(_ p: SIMD3<Double>, widened: Double) -> Double {
        switch self {
        case .ellipsoid(let ellipsoid):
            return (widened - ellipsoid.polar(p).distance) * ellipsoid.semiAxes.min() / (ellipsoid.reach * 1.2)
        case .tubes(let tubes): return tubes.depth(p, widened: widened)
        }
    }

    func contains(_ p: SIMD3<Double>, widened: Double) -> Bool {
        switch self {
        case .ellipsoid(let ellipsoid): ellipsoid.polar(p).distance < widened
        case .tubes(let tubes): tubes.depth(p, widened: widened) > 0
        }
    }

    /// A box that holds it.
    func bounds(widened: Double) -> (low: SIMD3<Double>, high: SIMD3<Double>) {
        switch self {
        case .ellipsoid(let e):
            let reach = SIMD3<Double>(repeating: e.semiAxes.max() * e.reach * widened)
            return (e.centre - reach, e.centre + reach)
        case .tubes(let tubes):
            var (low, high) = (SIMD3(repeating: Double.infinity), SIMD3(repeating: -Double.infinity))
            for piece in tubes.pieces {
                let (a, b) = (piece.startRadius * widened, piece.endRadius * widened)
                let end = piece.start + piece.step
                low = pointwiseMin(low, pointwiseMin(piece.start - a, end - b))
                high = pointwiseMax(high, pointwiseMax(piece.start + a, end + b))
            }
            return (low, high)
        }
    }

    /// Its middle: the centre, or the mean of the ends of its pieces.
    var middle: SIMD3<Double> {
        switch self {
        case .ellipsoid(let ellipsoid): return ellipsoid.centre
        case .tubes(let tubes):
            let sum = tubes.pieces.reduce(SIMD3<Double>(repeating: 0)) { $0 + $1.start + $1.step / 2 }
            return sum / Double(max(1, tubes.pieces.count))
        }
    }

    /// Thickness of its thinnest part, mm.
    var thinnest: Double {
        switch self {
        case .ellipsoid(let ellipsoid): 2 * ellipsoid.semiAxes.min()
        case .tubes(let tubes): 2 * (tubes.pieces.map { min($0.startRadius, $0.endRadius) }.min() ?? 0)
        }
    }
}
