import Testing

@testable import Kernels

/// A position that is not a number lies outside, and where the edge repeats for ever it is the first voxel.
struct NotANumberPositionTests {
    private let volume = Extent3(3, 4, 5)
    private var values: [Float] { (0..<volume.product).map { Float($0 + 1) } }

    /// Not a number along width only: the first of the line j = 2, k = 1, the same for the whole patch.
    private var map: PatchMap {
        PatchMap(size: Extent3(1, 1, 20), affine: Affine([0, 0, 0, .nan], [0, 0, 0, 2], [0, 0, 0, 1]))
    }
    private var first: Float { values[(1 * 4 + 2) * 5] }

    @Test(arguments: [false, true]) func patches(isCubic: Bool) {
        var result = [Float](repeating: 0, count: 20)
        map.sample(values, volume: volume, isCubic: isCubic, beyond: .edge, to: &result)
        #expect(result.allSatisfy { $0 == first })
        map.sample(values, volume: volume, isCubic: isCubic, beyond: .value(-7), to: &result)
        #expect(result.allSatisfy { $0 == -7 })
    }

    @Test func nearestVoxels() {
        var result = [Float](repeating: 0, count: 20)
        map.sampleNearest(values, volume: volume, outside: nil, to: &result)
        #expect(result.allSatisfy { $0 == first })
        map.sampleNearest(values, volume: volume, outside: -7, to: &result)
        #expect(result.allSatisfy { $0 == -7 })
    }

    @Test func displacements() {
        let (x, y, z) = (
            [Float](repeating: .nan, count: 16), [Float](repeating: 2, count: 16), [Float](repeating: 1, count: 16)
        )
        var (a, b, c) = (
            [Float](repeating: 0, count: 16), [Float](repeating: 0, count: 16), [Float](repeating: 0, count: 16)
        )
        addDisplacement(values, values, values, 5, 4, 3, x, y, z, 16, &a, &b, &c)
        #expect(a.allSatisfy { $0 == first } && b == a && c == a)
    }
}
