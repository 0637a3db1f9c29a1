import Foundation
import Kernels

/// A smooth, invertible change of shape: where in the template a point of a subject comes from.
///
/// The displacement is the exponential of a random stationary velocity field, by scaling and squaring on a 5 mm lattice,
/// read with trilinear weights.
struct Deformation: Sendable {
    private static let spacing = 5.0
    private static let low = TemplateAnatomy.low - 15
    private static let counts: (Int, Int, Int) = {
        let size = TemplateAnatomy.high + 15 - low
        return (Int(size.x / spacing) + 2, Int(size.y / spacing) + 2, Int(size.z / spacing) + 2)
    }()

    /// mm, one per lattice node, x fastest.
    private var displacements: [SIMD3<Float>]

    static let identity = Deformation(
        displacements: [SIMD3<Float>](repeating: SIMD3(repeating: 0), count: counts.0 * counts.1 * counts.2))

    private init(displacements: [SIMD3<Float>]) { self.displacements = displacements }

    /// - Parameters:
    ///   - strength: 1 moves points by about 3 mm RMS.
    ///   - ventricleMillimetres: how far the walls of the lateral ventricles move out (negative: in).
    init(strength: Double, ventricleMillimetres: Double, _ random: inout RandomStream) {
        let count = Self.counts.0 * Self.counts.1 * Self.counts.2
        var velocity = [SIMD3<Float>](repeating: SIMD3(repeating: 0), count: count)
        for (millimetres, amplitude) in [(28.0, 0.7), (60.0, 1.6)] {
            for axis in 0..<3 {
                let part = SmoothNoise.field(Self.counts, spacingVoxels: millimetres / Self.spacing, &random)
                let scale = Float(amplitude * strength)
                for node in 0..<count { velocity[node][axis] += scale * part[node] }
            }
        }
        Self.addVentricles(to: &velocity, millimetres: ventricleMillimetres)
        let steps = 6
        for node in 0..<count { velocity[node] /= Float(1 << steps) }
        var field = Deformation(displacements: velocity)
        for _ in 0..<steps { field = field.composedWithItself() }
        self = field
    }

    /// How far the template position lies from the subject position `p`, mm.
    @inline(__always)
    func displacement(at p: SIMD3<Double>) -> SIMD3<Double> {
        let n = Self.counts
        let v = (p - Self.low) / Self.spacing
        let limit = SIMD3(Double(n.0 - 1), Double(n.1 - 1), Double(n.2 - 1)) - 1e-6
        let inside = pointwiseMin(pointwiseMax(v, SIMD3(repeating: 0)), limit)
        let (i, j, k) = (Int(inside.x), Int(inside.y), Int(inside.z))
        let f = SIMD3<Float>(inside - SIMD3(Double(i), Double(j), Double(k)))
        let base = i + n.0 * (j + n.1 * k)
        let (row, plane) = (n.0, n.0 * n.1)
        return displacements.withUnsafeBufferPointer { d in
            let a = d[base] + f.x * (d[base + 1] - d[base])
            let b = d[base + row] + f.x * (d[base + row + 1] - d[base + row])
            let c = d[base + plane] + f.x * (d[base + plane + 1] - d[base + plane])
            let e = d[base + row + plane] + f.x * (d[base + row + plane + 1] - d[base + row + plane])
            let lower = a + f.y * (b - a)
            let upper = c + f.y * (e - c)
            return SIMD3<Double>(lower + f.z * (upper - lower))
        }
    }

    private func composedWithItself() -> Deformation {
        var result = self
        for node in displacements.indices {
            let moved = Self.position(of: node) + SIMD3<Double>(displacements[node])
            result.displacements[node] = displacements[node] + SIMD3<Float>(displacement(at: moved))
        }
        return result
    }

    private static func position(of node: Int) -> SIMD3<Double> {
        let n = counts
        let (i, j, k) = (node % n.0, node / n.0 % n.1, node / (n.0 * n.1))
        return low + spacing * SIMD3(Double(i), Double(j), Double(k))
    }

    /// Pulls towards the axes of the lateral ventricles: what comes from near the axis is then seen further out.
    private static func addVentricles(to velocity: inout [SIMD3<Float>], millimetres: Double) {
        let axis: [SIMD3<Double>] = [
            [6, 24, 6], [6, 6, 15], [8, -10, 19], [12, -22, 20], [20, -36, 15], [25, -50, 8],
        ]
        let reach = 8.0
        for node in velocity.indices {
            let p = position(of: node)
            let q = SIMD3(abs(p.x), p.y, p.z)
            var nearest = SIMD3<Double>(repeating: .infinity)
            for (a, b) in zip(axis, axis.dropFirst()) {
                let step = b - a
                let t = min(1, max(0, ((q - a) * step).sum() / (step * step).sum()))
                let d = q - a - t * step
                if (d * d).sum() < (nearest * nearest).sum() { nearest = d }
            }
            let distance = (nearest * nearest).sum().squareRoot()
            guard distance > 0, distance < 4 * reach else { continue }
            let size = millimetres * distance / reach * exp(0.5 - distance * distance / (2 * reach * reach))
            var pull = nearest / distance * -size
            // Mirror back, and let the pull fade at the midline where left and right disagree.
            pull.x *= p.x < 0 ? -1 : 1
            pull.x *= min(1, q.x / 4)
            velocity[node] += SIMD3<Float>(pull)
        }
    }
}
