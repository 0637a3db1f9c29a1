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

    /// What goes leaves no hole behind, and a hole belongs to the class next to it, whatever the numbers of the classes.
    @Test(arguments: [(UInt16(1), UInt16(2)), (2, 1)])
    func numbersOfClassesDecideNothing(outer: UInt16, inner: UInt16) {
        var labels = LabelMap(grid: Self.grid)
        func fill(_ x: Range<Int>, _ y: Range<Int>, _ z: Range<Int>, _ label: UInt16) {
            for k in z { for j in y { for i in x { labels.values[Self.grid.index(i, j, k)] = label } } }
        }
        fill(0..<9, 0..<8, 0..<8, outer)
        // A stray piece, and a ball with a hole.
        fill(1..<2, 1..<2, 1..<2, inner)
        fill(3..<8, 2..<7, 2..<7, inner)
        fill(5..<6, 4..<5, 4..<5, 0)
        RegionTidying(keepsLargestOnly: true, fillsHoles: true).apply(to: &labels, classes: 3)
        #expect(labels.values[Self.grid.index(1, 1, 1)] == outer && labels.values[Self.grid.index(5, 4, 4)] == inner)
        #expect(count(labels, inner) == 125 && count(labels, outer) == 9 * 8 * 8 - 125)
    }

    /// Any map, against the same on the whole grid, every class a set of its own.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func itIsThePlainDefinition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let map = LabelMap(
            grid: Self.grid,
            values: (0..<Self.grid.count).map { _ in random.uniform() < 0.55 ? UInt16(random.uniform() * 4) : 0 })
        var found = map
        RegionTidying(keepsLargestOnly: true, fillsHoles: true, smallestVoxels: 3).apply(to: &found, classes: 4)
        // A margin, so that what touches the edge of the grid has an outside as well.
        let box = Self.grid.box(from: SIMD3(repeating: -1), to: SIMD3(13, 11, 9))
        let kept = (1..<4).map { label in
            let region = Mask(grid: Self.grid, values: map.values.map { $0 == label ? 1 : 0 })
            let piece = region.copied(to: box).largestComponent()
            return piece.voxels >= 3 ? piece : Mask(grid: box.grid, values: piece.values.map { _ in 0 })
        }
        let filled = kept.map { $0.holesFilled() }
        for k in 0..<8 {
            for j in 0..<10 {
                for i in 0..<12 {
                    let place = box.grid.index(i + 1, j + 1, k + 1)
                    let own = kept.indices.first { kept[$0].values[place] != 0 }
                    let around = kept.indices.filter { filled[$0].values[place] != 0 }
                    let innermost = around.min { (filled[$0].voxels, $0) < (filled[$1].voxels, $1) }
                    #expect(found.values[Self.grid.index(i, j, k)] == ((own ?? innermost).map { UInt16($0 + 1) } ?? 0))
                }
            }
        }
    }
}
