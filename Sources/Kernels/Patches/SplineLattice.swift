/// A smooth field over a patch from few values: a uniform cubic B-spline on a coarse lattice, seen at every voxel.
package struct SplineLattice: Sendable {
    /// The patch, in voxels.
    package let size: Extent3
    /// Lattice points along each axis.
    package let nodes: Extent3
    /// One value per lattice point, width fastest.
    package let values: [Float]
    private let depth, height, width: [Tap]

    /// First lattice point of the four that reach a voxel, and their weights.
    private struct Tap: Sendable {
        var first: Int
        var weights: SIMD4<Float>
    }

    /// Lattice points that a patch needs when they are `spacing` voxels apart; one along an axis of one voxel.
    ///
    /// - Parameter spacing: along i, j, k (width, height, depth).
    package static func nodes(size: Extent3, spacingVoxels spacing: SIMD3<Double>) -> Extent3 {
        func count(_ n: Int, _ spacing: Double) -> Int { n == 1 ? 1 : Int(Double(n - 1) / spacing) + 4 }
        return Extent3(count(size.depth, spacing.z), count(size.height, spacing.y), count(size.width, spacing.x))
    }

    /// As many voxels apart along every axis.
    package static func nodes(size: Extent3, spacingVoxels spacing: Double) -> Extent3 {
        nodes(size: size, spacingVoxels: SIMD3(repeating: spacing))
    }

    /// - Parameters:
    ///   - spacing: distance of lattice points in voxels along i, j, k, at least 1.
    ///   - values: as many as `nodes(size:spacingVoxels:)` says.
    package init(size: Extent3, spacingVoxels spacing: SIMD3<Double>, values: [Float]) {
        precondition(spacing.min() >= 1, "lattice points lie at least one voxel apart, not \(spacing)")
        nodes = Self.nodes(size: size, spacingVoxels: spacing)
        precondition(values.count == nodes.product, "\(values.count) values for a lattice of \(nodes)")
        (self.size, self.values) = (size, values)
        depth = Self.taps(size.depth, spacing.z)
        height = Self.taps(size.height, spacing.y)
        width = Self.taps(size.width, spacing.x)
    }

    package init(size: Extent3, spacingVoxels spacing: Double, values: [Float]) {
        self.init(size: size, spacingVoxels: SIMD3(repeating: spacing), values: values)
    }

    private static func taps(_ count: Int, _ spacing: Double) -> [Tap] {
        if count == 1 { return [Tap(first: 0, weights: SIMD4(1, 0, 0, 0))] }
        return (0..<count).map { n in
            let position = Double(n) / spacing
            let first = Int(position)
            let f = position - Double(first)
            let g = 1 - f
            return Tap(
                first: first,
                weights: SIMD4(
                    Float(g * g * g / 6), Float((3 * f * f * f - 6 * f * f + 4) / 6),
                    Float((3 * g * g * g - 6 * g * g + 4) / 6), Float(f * f * f / 6)))
        }
    }

    /// The field along row (0 ..< width, y, z) of the patch, written to `target`.
    package func row(y: Int, z: Int, to target: UnsafeMutablePointer<Float>) {
        let (tapZ, tapY) = (depth[z], height[y])
        withUnsafeTemporaryAllocation(of: Float.self, capacity: nodes.width + 3) { line in
            line.initialize(repeating: 0)
            values.withUnsafeBufferPointer { values in
                for c in 0..<min(4, nodes.depth) {
                    for b in 0..<min(4, nodes.height) {
                        let weight = tapZ.weights[c] * tapY.weights[b]
                        let from = ((tapZ.first + c) * nodes.height + tapY.first + b) * nodes.width
                        for a in 0..<nodes.width { line[a] += weight * values[from + a] }
                    }
                }
            }
            width.withUnsafeBufferPointer { taps in
                for x in 0..<size.width {
                    let (tap, from) = (taps[x], taps[x].first)
                    target[x] =
                        line[from] * tap.weights[0] + line[from + 1] * tap.weights[1] + line[from + 2] * tap.weights[2]
                        + line[from + 3] * tap.weights[3]
                }
            }
        }
    }
}
