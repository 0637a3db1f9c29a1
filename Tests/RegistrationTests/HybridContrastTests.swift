import Kernels
import Registration
import Testing

@Suite struct HybridContrastTests {
    private let grid = VoxelGrid(nx: 5, ny: 1, nz: 1, affine: .identity)

    @Test func darkensWhatIsParamagneticAndClips() throws {
        let t1w = Volume(grid: grid, values: [0, 50, 100, 100, .nan])
        let chi = Volume(grid: grid, values: [0, 0.1, 0.1, -0.2, .nan])
        let hybrid = try HybridContrast.make(t1w: t1w, chiPPM: chi)
        #expect(hybrid.values[0] == 0)
        #expect(abs(hybrid.values[1] - (127.5 - 40)) < 2)
        #expect(abs(hybrid.values[2] - (255 - 40)) < 2)
        #expect(hybrid.values[3] == 255)
        #expect(hybrid.values[4] == 0)
    }

    @Test func refusesAnotherGrid() {
        let other = VoxelGrid(nx: 4, ny: 1, nz: 1, affine: .identity)
        #expect(throws: GridError.self) {
            try HybridContrast.make(t1w: Volume(grid: grid), chiPPM: Volume(grid: other))
        }
    }
}
