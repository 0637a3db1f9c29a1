import Kernels
import Segmentation
import TestSupport
import Testing

@Suite("Label fusion and overlap")
struct FusionTests {
    static let grid = VoxelGrid(nx: 24, ny: 22, nz: 20, affine: .scaling(SIMD3(1, 1, 1.5)))

    /// A textured image with a bright ball whose centre is moved along i, and its label.
    static func atlas(_ name: String, shift: Int, seed: UInt64) -> WarpedAtlas {
        var generator = SeededGenerator(seed: 77)
        var noise = SeededGenerator(seed: seed)
        var image = Volume(grid: grid)
        var labels = LabelMap(grid: grid)
        for k in 0..<20 {
            for j in 0..<22 {
                for i in 0..<24 {
                    let (x, y, z) = (Double(i - 12 - shift), Double(j - 11), Double(k - 10) * 1.5)
                    let inside = x * x + y * y + z * z < 49
                    image[i, j, k] = (inside ? 100 : 20) + Float(generator.gaussian()) * 2 + Float(noise.gaussian())
                    labels.values[grid.index(i, j, k)] = inside ? 4 : 0
                }
            }
        }
        return WarpedAtlas(name: name, image: image, labels: labels)
    }

    static func dice(_ labels: LabelMap, _ truth: LabelMap) throws -> Double {
        try #require(OverlapMetrics.ofLabels(labels, truth)[4]).dice
    }

    @Test(arguments: [LabelFusion.Method.localCorrelation, .joint])
    func similarAtlasesOutvoteTheMajority(method: LabelFusion.Method) throws {
        let target = Self.atlas("target", shift: 0, seed: 1)
        let good = Self.atlas("good", shift: 0, seed: 2)
        // Two atlases that make the same mistake.
        let bad = [Self.atlas("bad", shift: 3, seed: 3), Self.atlas("as bad", shift: 3, seed: 4)]
        let majority = try LabelFusion.fuse([good] + bad, target: target.image, method: .majority)
        let weighted = try LabelFusion.fuse([good] + bad, target: target.image, method: method)
        #expect(try Self.dice(majority.labels, target.labels) < 0.85)
        #expect(try Self.dice(weighted.labels, target.labels) > 0.97)
        // The result does not depend on the number of threads or on the order of the atlases.
        let again = try LabelFusion.fuse([bad[1], good, bad[0]], target: target.image, method: method, threads: 3)
        #expect(again.labels.values == weighted.labels.values)
    }

    @Test func tiesGoToTheEarlierAtlas() throws {
        let a = Self.atlas("a", shift: 0, seed: 2)
        let b = Self.atlas("b", shift: 3, seed: 3)
        let (labels, agreement) = try LabelFusion.fuse([a, b], target: a.image, method: .majority)
        #expect(labels.values == a.labels.values)
        let other = try LabelFusion.fuse([b, a], target: a.image, method: .majority)
        #expect(other.labels.values == b.labels.values)
        for index in 0..<Self.grid.count {
            let same = a.labels.values[index] == b.labels.values[index]
            #expect(agreement.values[index] == (same ? 1 : 0.5))
        }
    }

    @Test func oneAtlasIsPassedThrough() throws {
        let a = Self.atlas("a", shift: 2, seed: 2)
        for method in [LabelFusion.Method.majority, .localCorrelation, .joint] {
            #expect(try LabelFusion.fuse([a], target: a.image, method: method).labels.values == a.labels.values)
        }
    }

    @Test func otherGridsAreRefusedByName() {
        let a = Self.atlas("a", shift: 0, seed: 2)
        let other = Volume(grid: VoxelGrid(nx: 24, ny: 22, nz: 20, affine: .identity))
        #expect {
            try LabelFusion.fuse([a], target: other, method: .majority)
        } throws: { "\($0)".contains("atlas a") }
    }

    @Test func overlapsAgreeWithCounts() throws {
        var generator = SeededGenerator(seed: 9)
        var (a, b) = (LabelMap(grid: Self.grid), LabelMap(grid: Self.grid))
        for index in 0..<Self.grid.count {
            a.values[index] = UInt16(generator.next() % 4)
            b.values[index] = UInt16(generator.next() % 5)
        }
        let all = try OverlapMetrics.ofLabels(a, b)
        #expect(all.keys.sorted() == [1, 2, 3, 4])
        for label in 1...4 as ClosedRange<UInt16> {
            let inA = a.values.indices.filter { a.values[$0] == label }
            let inB = b.values.indices.filter { b.values[$0] == label }
            let both = Set(inA).intersection(inB).count
            let found = try #require(all[label])
            #expect(abs(found.dice - 2 * Double(both) / Double(inA.count + inB.count)) < 1e-12)
            #expect(abs(found.jaccard - Double(both) / Double(inA.count + inB.count - both)) < 1e-12)
            let one = try OverlapMetrics(
                Mask(grid: Self.grid, values: a.values.map { $0 == label ? 1 : 0 }),
                Mask(grid: Self.grid, values: b.values.map { $0 == label ? 1 : 0 }))
            #expect(one == found)
        }
        let empty = try OverlapMetrics(Mask(grid: Self.grid), Mask(grid: Self.grid))
        #expect(empty.dice == 1 && empty.jaccard == 1 && empty.relativeVolumeDifference == nil)
    }

    /// One voxel, and the same with another 5 mm, or √52 mm, away: by the plain formula only one direction is that long.
    @Test(arguments: [(1.0, 5.0), (2.0, 52.0.squareRoot())])
    func hausdorffDistanceCountsMillimetres(spacing: Double, expected: Double) throws {
        let grid = VoxelGrid(nx: 5, ny: 6, nz: 2, affine: .scaling(SIMD3(spacing, 1, 1)))
        var (one, two) = (Mask(grid: grid), Mask(grid: grid))
        for place in [grid.index(0, 0, 0), grid.index(3, 4, 0)] { two.values[place] = 1 }
        one.values[grid.index(0, 0, 0)] = 1
        for (a, b) in [(one, two), (two, one)] {
            let found = try #require(try SurfaceDistances.between(a, b))
            #expect(abs(found.largest - expected) < 1e-6)
            // Pooled, the three distances are 0, 0 and that.
            #expect(abs(found.mean - expected / 3) < 1e-6)
        }
    }

    /// Against every pair of surface voxels.
    @Test func surfaceDistancesAgreeWithAllPairs() throws {
        let truth = Self.atlas("a", shift: 0, seed: 2).labels
        let moved = Self.atlas("b", shift: 3, seed: 3).labels
        func mask(_ labels: LabelMap) -> Mask { Mask(grid: Self.grid, values: labels.values.map { $0 == 4 ? 1 : 0 }) }
        func surface(_ mask: Mask) -> [SIMD3<Double>] {
            var points: [SIMD3<Double>] = []
            for k in 0..<20 {
                for j in 0..<22 {
                    for i in 0..<24 where mask.values[Self.grid.index(i, j, k)] == 1 {
                        let neighbours = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
                        let isSurface = neighbours.contains { d in
                            let (x, y, z) = (i + d.0, j + d.1, k + d.2)
                            guard (0..<24).contains(x), (0..<22).contains(y), (0..<20).contains(z) else { return true }
                            return mask.values[Self.grid.index(x, y, z)] == 0
                        }
                        if isSurface { points.append(Self.grid.affine(SIMD3(Double(i), Double(j), Double(k)))) }
                    }
                }
            }
            return points
        }
        let (a, b) = (surface(mask(truth)), surface(mask(moved)))
        func nearest(_ p: SIMD3<Double>, _ others: [SIMD3<Double>]) -> Double {
            others.map { (($0 - p) * ($0 - p)).sum().squareRoot() }.min()!
        }
        let all = (a.map { nearest($0, b) } + b.map { nearest($0, a) }).sorted()
        let found = try #require(try SurfaceDistances.between(mask(truth), mask(moved)))
        #expect(abs(found.largest - all.last!) < 1e-5)
        #expect(abs(found.mean - all.reduce(0, +) / Double(all.count)) < 1e-5)
        #expect(found.percentile95 <= found.largest && found.percentile95 >= found.mean)
        #expect(try SurfaceDistances.between(mask(truth), Mask(grid: Self.grid)) == nil)
    }
}
