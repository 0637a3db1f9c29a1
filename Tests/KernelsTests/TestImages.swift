import Kernels

/// The seed of every random image of this target; printed by Swift Testing with a failing argument.
let seed: UInt64 = 20_240_611

/// SplitMix64: the same stream on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Awkward sizes: no multiple of the lane count, one voxel, single lines and planes, more than one block.
let awkwardSizes: [SIMD3<Int>] = [
    [16, 17, 18], [19, 20, 21], [1, 1, 1], [1, 7, 5], [33, 1, 1], [2, 3, 1], [70, 9, 3],
]

func makeGrid(_ size: SIMD3<Int>, spacing: SIMD3<Double> = [1, 1, 1]) -> VoxelGrid {
    VoxelGrid(nx: size.x, ny: size.y, nz: size.z, affine: .scaling(spacing))
}

func randomVolume(_ grid: VoxelGrid, salt: UInt64 = 0) -> Volume {
    var generator = SeededGenerator(seed: seed &+ salt)
    return Volume(grid: grid, values: (0..<grid.count).map { _ in Float.random(in: -1...1, using: &generator) })
}

func randomMask(_ grid: VoxelGrid, share: Double, salt: UInt64 = 0) -> Mask {
    var generator = SeededGenerator(seed: seed &+ salt)
    return Mask(
        grid: grid, values: (0..<grid.count).map { _ in Double.random(in: 0..<1, using: &generator) < share ? 1 : 0 })
}

/// Oblique, left-handed and anisotropic: nothing cancels.
let obliqueAffine = Affine([-1.1, 0.2, 0.1, 12], [0.15, 0.9, -0.3, -7], [0.05, 0.25, 1.6, 3])

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count, "arrays of equal length")
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
