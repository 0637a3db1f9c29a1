import Kernels

/// Random fields of a chosen smoothness: normal values on a coarse lattice, joined by cubic B-splines.
enum SmoothNoise {
    /// A field of mean about 0 and standard deviation about 1.
    ///
    /// - Parameters:
    ///   - counts: voxels along i, j, k.
    ///   - spacing: distance of lattice nodes in voxels; structures are about two of them wide.
    static func field(
        _ counts: (Int, Int, Int), spacingVoxels spacing: Double, _ random: inout RandomStream
    ) -> [Float] {
        let (x, y, z) = (Axis(counts.0, spacing), Axis(counts.1, spacing), Axis(counts.2, spacing))
        let nodes = random.normals(x.nodes * y.nodes * z.nodes)
        // Along x, then y, then z; each pass multiplies rows or planes by four weights.
        var alongX = [Float](repeating: 0, count: counts.0 * y.nodes * z.nodes)
        for row in 0..<(y.nodes * z.nodes) {
            for i in 0..<counts.0 {
                let first = x.first[i] + row * x.nodes
                let w = x.weights[i]
                let inner = w.y * nodes[first + 1] + w.z * nodes[first + 2]
                alongX[i + counts.0 * row] = w.x * nodes[first] + inner + w.w * nodes[first + 3]
            }
        }
        let alongY = blend(alongX, axis: y, counts: counts.1, width: counts.0, repeats: z.nodes)
        var result = blend(alongY, axis: z, counts: counts.2, width: counts.0 * counts.1, repeats: 1)
        // The mean square of cubic B-spline weights is 151/315 per axis.
        let scale = Float(1 / (0.479_365 * 0.479_365 * 0.479_365).squareRoot())
        for place in result.indices { result[place] *= scale }
        return result
    }

    /// Weighted sums of four consecutive runs of `width` values.
    private static func blend(_ source: [Float], axis: Axis, counts: Int, width: Int, repeats: Int) -> [Float] {
        var result = [Float](repeating: 0, count: width * counts * repeats)
        for r in 0..<repeats {
            for j in 0..<counts {
                let from = width * (axis.first[j] + axis.nodes * r)
                let to = width * (j + counts * r)
                let w = axis.weights[j]
                source.withUnsafeBufferPointer { source in
                    result.withUnsafeMutableBufferPointer { result in
                        for i in 0..<width {
                            let inner = w.y * source[from + i + width] + w.z * source[from + i + 2 * width]
                            result[to + i] = w.x * source[from + i] + inner + w.w * source[from + i + 3 * width]
                        }
                    }
                }
            }
        }
        return result
    }

    /// Which four nodes each voxel of an axis uses, and their weights.
    private struct Axis {
        let nodes: Int
        let first: [Int]
        let weights: [SIMD4<Float>]

        init(_ count: Int, _ spacing: Double) {
            nodes = Int(Double(count - 1) / spacing) + 4
            let places = (0..<count).map { Double($0) / spacing }
            first = places.map { Int($0) }
            weights = places.map { place in
                let t = Float(place - place.rounded(.down))
                let u = 1 - t
                let a = u * u * u / 6
                let b = (3 * t * t * t - 6 * t * t + 4) / 6
                let c = (3 * u * u * u - 6 * u * u + 4) / 6
                return SIMD4(a, b, c, t * t * t / 6)
            }
        }
    }
}
