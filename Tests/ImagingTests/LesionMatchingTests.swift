import Kernels
import Segmentation
import TestSupport
import Testing

@Suite struct LesionMatchingTests {
    private static let grid = VoxelGrid(nx: 20, ny: 6, nz: 3, affine: .scaling(SIMD3(2, 1, 1)))

    /// Lesions as boxes along x: number and range, at one line.
    private static func map(_ boxes: [(UInt16, Range<Int>)]) -> LabelMap {
        var map = LabelMap(grid: grid)
        for (number, range) in boxes { for i in range { map.values[grid.index(i, 2, 1)] = number } }
        return map
    }

    @Test func overlapIsNotOneToOne() throws {
        // Two findings in lesion 1, one that joins lesions 2 and 3, one beside everything.
        let reference = Self.map([(1, 0..<5), (2, 7..<9), (3, 10..<12)])
        let prediction = Self.map([(1, 0..<2), (2, 3..<5), (3, 7..<12), (4, 15..<17)])
        let matches = try LesionMatches(reference: reference, prediction: prediction, rule: .overlap(voxels: 1))
        #expect(matches.sensitivity == 1 && matches.precision == 0.75 && matches.falseAlarms == 1)
        #expect(matches.pairs.count == 4)
        let strict = try LesionMatches(reference: reference, prediction: prediction, rule: .overlap(voxels: 3))
        // Two pieces of a lesion find it once, and one lesion is missed.
        let broken = try LesionMatches(
            reference: Self.map([(1, 0..<5), (2, 10..<12)]),
            prediction: Self.map([(1, 0..<2), (2, 3..<5), (3, 15..<17)]),
            rule: .overlap(voxels: 1))
        #expect(broken.rightPredictions == [1, 2] && broken.f1 == 2.0 / (2 + 1 + 1))
        #expect(strict.foundReferences.isEmpty && strict.f1 == 0)
    }

    /// What is too small is neither missed nor false, and may find what is not.
    @Test func smallLesionsAreNotAskedFor() throws {
        let reference = Self.map([(1, 0..<5), (2, 7..<9), (3, 12..<13)])
        let prediction = Self.map([(1, 1..<2), (2, 8..<12), (3, 14..<15), (4, 16..<20)])
        let contacts = try LesionContacts(reference, prediction)
        let matches = LesionMatches(contacts, rule: .overlap(voxels: 1), smallestVoxels: 3)
        #expect(matches.ignoredReferences == [2, 3] && matches.ignoredPredictions == [2, 3])
        #expect(matches.references == 1 && matches.foundReferences == [1] && matches.missed == 0)
        #expect(matches.predictions == 2 && matches.rightPredictions == [1] && matches.falseAlarms == 1)
        #expect(matches.sensitivity == 1 && matches.precision == 0.5)
        // One to one, a counted reference is served first: prediction 2 lies between both, nearer to the small one.
        let near = try LesionContacts(Self.map([(1, 0..<2), (2, 6..<10)]), Self.map([(1, 3..<5)]))
        let rule = LesionMatchingRule.centreDistance(millimetres: 8)
        #expect(LesionMatches(near, rule: rule).foundReferences == [1])
        #expect(LesionMatches(near, rule: rule, smallestVoxels: 3).foundReferences == [2])
        for rule in [
            LesionMatchingRule.overlap(voxels: 1), .intersectionOverUnion(0.1), .nearestReference(millimetres: 6),
        ] {
            #expect(LesionMatches(contacts, rule: rule, smallestVoxels: 1) == LesionMatches(contacts, rule: rule))
        }
    }

    @Test func intersectionOverUnionIsOneToOne() throws {
        let reference = Self.map([(1, 0..<4), (2, 6..<10)])
        let prediction = Self.map([(5, 0..<3), (6, 3..<4), (7, 7..<12)])
        let matches = try LesionMatches(
            reference: reference, prediction: prediction, rule: .intersectionOverUnion(0.25))
        #expect(matches.pairs == [.init(reference: 1, prediction: 5), .init(reference: 2, prediction: 7)])
        #expect(matches.falseAlarms == 1 && matches.missed == 0)
    }

    @Test func distancesAreMillimetres() throws {
        // Middles at voxels 1 and 4 along an axis of 2 mm: 6 mm apart.
        let reference = Self.map([(1, 0..<3)])
        let prediction = Self.map([(1, 4..<5)])
        for (limit, found) in [(6.0, 1), (5.9, 0)] {
            let matches = try LesionMatches(
                reference: reference, prediction: prediction, rule: .centreDistance(millimetres: limit))
            #expect(matches.foundReferences.count == found)
        }
        // VALDO's limit is strict.
        let strict = try LesionMatches(
            reference: reference, prediction: prediction, rule: .nearestReference(millimetres: 6))
        #expect(strict.foundReferences.isEmpty)
    }

    @Test func theNearestOfSeveralCounts() throws {
        let reference = Self.map([(1, 4..<7), (2, 15..<16)])
        let prediction = Self.map([(1, 1..<2), (2, 5..<6), (3, 9..<10)])
        let matches = try LesionMatches(
            reference: reference, prediction: prediction, rule: .nearestReference(millimetres: 20))
        #expect(matches.pairs == [.init(reference: 1, prediction: 2)])
        #expect(matches.sensitivity == 0.5 && matches.falseAlarms == 2)
        #expect(matches.f1 == 2.0 / (2 + 2 + 1))
        // Equally near: all count, and find one lesion of two.
        let twins = Self.map([(1, 3..<4), (2, 7..<8)])
        let both = try LesionMatches(reference: reference, prediction: twins, rule: .nearestReference(millimetres: 20))
        #expect(both.rightPredictions == [1, 2] && both.foundReferences == [1] && both.f1 == 2.0 / 3)
    }

    @Test func nobodyAndNothing() throws {
        let (some, none) = (Self.map([(1, 0..<2)]), Self.map([]))
        let missed = try LesionMatches(reference: some, prediction: none, rule: .overlap(voxels: 1))
        #expect(missed.sensitivity == 0 && missed.precision == nil && missed.f1 == 0)
        let alarm = try LesionMatches(reference: none, prediction: some, rule: .overlap(voxels: 1))
        #expect(alarm.sensitivity == nil && alarm.precision == 0 && alarm.f1 == nil)
        let other = LabelMap(grid: VoxelGrid(nx: 2, ny: 2, nz: 2, affine: .scaling(SIMD3(1, 1, 1))))
        #expect(throws: GridError.self) {
            try LesionMatches(reference: some, prediction: other, rule: .overlap(voxels: 1))
        }
    }
}
