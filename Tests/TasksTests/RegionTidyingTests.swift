import Kernels
import TestSupport
import Testing

@testable import Tasks

@Suite struct RegionTidyingTests {
    private static let grid = VoxelGrid(nx: 12, ny: 10, nz: 8, affine: .scaling(SIMD3(1, 1, 1)))

    /// A hollow box of 1 with a voxel of 2 and one of background inside, a box of 1 apart from it, and some of 2.
    private func labels() -> LabelMap {
        var labels = LabelMap(grid: Self.grid)
        func fill(_ x: Range<Int>, _ y: Range<Int>, _ z: Range<Int>, _ label: UInt16) {
            for k in z { for j in y { for i in x { labels.values[Self.grid.index(i, j, k)] = label } } }
        }
        fill(0..<5, 0..<4, 0..<4, 1)
        fill(1..<2, 1..<2, 1..<2, 0)
        fill(3..<4, 2..<3, 2..<3, 2)
        fill(8..<10, 0..<2, 0..<2, 1)
        fill(8..<11, 6..<9, 5..<7, 2)
        return labels
    }

    private func count(_ labels: LabelMap, _ label: UInt16) -> Int { labels.values.count { $0 == label } }

    private func tidied(_ change: (inout RegionTidying) -> Void) -> LabelMap {
        var tidying = RegionTidying()
        change(&tidying)
        var labels = labels()
        tidying.apply(to: &labels, classes: 3)
        return labels
    }

    @Test func nothingIsChangedUnasked() {
        let labels = labels()
        #expect(count(labels, 1) == 78 + 8 && count(labels, 2) == 1 + 18)
        #expect(tidied { _ in }.values == labels.values)
    }

    @Test func theLargestPieceOfEveryClassStays() {
        let labels = tidied { $0.keepsLargestOnly = true }
        #expect(count(labels, 1) == 78 && count(labels, 2) == 18)
        // What was of another piece is background, also inside another class.
        #expect(labels.values[Self.grid.index(3, 2, 2)] == 0 && labels.values[Self.grid.index(8, 0, 0)] == 0)
    }

    @Test func enclosedBackgroundIsFilledAndOtherClassesStay() {
        let labels = tidied { $0.fillsHoles = true }
        #expect(count(labels, 1) == 79 + 8 && count(labels, 2) == 19)
        #expect(labels.values[Self.grid.index(1, 1, 1)] == 1 && labels.values[Self.grid.index(3, 2, 2)] == 2)
    }

    @Test func piecesWithTooFewVoxelsGo() {
        #expect(count(tidied { $0.smallestVoxels = 8 }, 1) == 86)
        let labels = tidied { $0.smallestVoxels = 8.5 }
        #expect(count(labels, 1) == 78 && count(labels, 2) == 18)
        #expect(count(tidied { $0.smallestVoxels = 1000 }, 2) == 0)
    }

    /// Any map, against one class at a time on the whole grid.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func itIsThePlainDefinition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let map = LabelMap(
            grid: Self.grid,
            values: (0..<Self.grid.count).map { _ in random.uniform() < 0.55 ? UInt16(random.uniform() * 4) : 0 })
        var found = map
        RegionTidying(keepsLargestOnly: true, fillsHoles: true, smallestVoxels: 3).apply(to: &found, classes: 4)
        var plain = map
        for label in 1..<4 {
            let region = Mask(grid: Self.grid, values: plain.values.map { $0 == label ? 1 : 0 })
            // A margin, so that what touches the edge of the grid has an outside as well.
            let box = Self.grid.box(from: SIMD3(repeating: -1), to: SIMD3(13, 11, 9))
            let pieces = region.copied(to: box).largestComponent().holesFilled()
            let kept = pieces.voxels >= 3 ? pieces : Mask(grid: box.grid, values: pieces.values.map { _ in 0 })
            for k in 0..<8 {
                for j in 0..<10 {
                    for i in 0..<12 {
                        let n = Self.grid.index(i, j, k)
                        let isInside = kept.values[box.grid.index(i + 1, j + 1, k + 1)] != 0
                        if plain.values[n] == label, !isInside { plain.values[n] = 0 }
                        if plain.values[n] == 0, isInside { plain.values[n] = UInt16(label) }
                    }
                }
            }
        }
        #expect(found.values == plain.values)
    }
}
