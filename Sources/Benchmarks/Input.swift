import Kernels

/// The input of every benchmark: smooth, without symmetry, and the same in every language.
enum Input {
    static func grid(_ edge: Int) -> VoxelGrid { VoxelGrid(nx: edge, ny: edge, nz: edge, affine: .identity) }

    /// Value of voxel n: a 32-bit linear congruential generator's high bits, in 0…1 (Numerical Recipes' constants).
    static func noise(_ edge: Int) -> Volume {
        var state: UInt32 = 1
        return Volume(
            grid: grid(edge),
            values: (0..<edge * edge * edge).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return Float(state >> 8) / 16_777_216
            })
    }

    static func checksum(_ values: [Float]) -> Double {
        var sum = 0.0
        for (n, value) in values.enumerated() { sum += Double(value) * Double(n % 7 + 1) }
        return sum
    }
}
