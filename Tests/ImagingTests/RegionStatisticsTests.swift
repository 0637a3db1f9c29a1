import Kernels
import Radiomics
import TestSupport
import Testing

@Suite("Region statistics")
struct RegionStatisticsTests {
    static let grid = VoxelGrid(nx: 13, ny: 11, nz: 9, affine: .scaling(SIMD3(0.5, 1, 2)))

    struct Sample {
        var map: Volume
        var labels: LabelMap
        var mask: Mask
    }

    /// Noise with regions 2, 5 and 300 at random places, some values missing.
    static func sample(seed: UInt64) -> Sample {
        var generator = SeededGenerator(seed: seed)
        var sample = Sample(map: Volume(grid: grid), labels: LabelMap(grid: grid), mask: Mask(grid: grid))
        for index in 0..<grid.count {
            sample.map.values[index] = Float(generator.gaussian()) * 0.05 + 0.02
            sample.labels.values[index] = [0, 2, 5, 300][Int(generator.next() % 4)]
            sample.mask.values[index] = generator.next() % 10 == 0 ? 0 : 1
            if generator.next() % 20 == 0 { sample.map.values[index] = .nan }
            if generator.next() % 50 == 0 { sample.map.values[index] = .infinity }
        }
        return sample
    }

    /// The definitions written out.
    struct Plain {
        var values: [Double]
        var voxels: Int
        var mean: Double { values.reduce(0, +) / Double(values.count) }
        var deviation: Double {
            (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
        }
        func percentile(_ p: Double) -> Double {
            let sorted = values.sorted()
            let position = p / 100 * Double(sorted.count - 1)
            let low = Int(position)
            let high = min(low + 1, sorted.count - 1)
            return sorted[low] + (position - Double(low)) * (sorted[high] - sorted[low])
        }

        init(_ s: Sample, _ label: UInt16) {
            let places = s.labels.values.indices.filter { s.labels.values[$0] == label }
            voxels = places.count
            values = places.filter { s.mask.values[$0] != 0 && s.map.values[$0].isFinite }.map {
                Double(s.map.values[$0])
            }
        }
    }

    static func near(_ a: Double?, _ b: Double, _ tolerance: Double = 1e-9) -> Bool {
        a.map { abs($0 - b) <= tolerance } ?? false
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func agreesWithPlainDefinitions(seed: UInt64) throws {
        let s = Self.sample(seed: seed)
        let (regions, references) = try RegionStatistics.measure(
            s.map, in: s.labels, within: s.mask, references: [.none, .wholeBrain])
        #expect(regions.map(\.label) == [2, 5, 300])
        let brain = s.map.values.indices.filter { s.mask.values[$0] != 0 && s.map.values[$0].isFinite }
        let brainMean = brain.reduce(0.0) { $0 + Double(s.map.values[$1]) } / Double(brain.count)
        #expect(references.map(\.name) == ["none", "whole_brain"])
        #expect(references[1].voxels == brain.count && Self.near(references[1].subtracted, brainMean))
        for region in regions {
            let plain = Plain(s, region.label)
            #expect(region.voxels == plain.voxels && region.missingVoxels == plain.voxels - plain.values.count)
            #expect(Self.near(region.volumeCubicMillimetres, Double(plain.voxels)))
            for (result, subtracted) in zip(region.results, [0, brainMean]) {
                #expect(Self.near(result.subtracted, subtracted))
                #expect(Self.near(result.mean, plain.mean - subtracted))
                #expect(Self.near(result.standardDeviation, plain.deviation))
                #expect(Self.near(result.median, plain.percentile(50) - subtracted))
                #expect(Self.near(result.percentile5, plain.percentile(5) - subtracted))
                #expect(Self.near(result.percentile25, plain.percentile(25) - subtracted))
                #expect(Self.near(result.percentile75, plain.percentile(75) - subtracted))
                #expect(Self.near(result.percentile95, plain.percentile(95) - subtracted))
                #expect(Self.near(result.minimum, plain.percentile(0) - subtracted))
                #expect(Self.near(result.maximum, plain.percentile(100) - subtracted))
                var away = plain
                away.values = plain.values.map { abs($0 - plain.percentile(50)) }
                #expect(Self.near(result.medianAbsoluteDeviation, away.percentile(50), 1e-8))
                let threshold = plain.mean + plain.deviation
                let high = plain.values.filter { $0 > threshold }
                #expect(Self.near(result.high?.threshold, threshold - subtracted))
                #expect(result.high?.voxels == high.count)
                #expect(Self.near(result.high?.mean, high.reduce(0, +) / Double(high.count) - subtracted))
            }
        }
    }

    /// A block with a one-voxel rim of another value.
    static func block() -> (map: Volume, labels: LabelMap) {
        var (map, labels) = (Volume(grid: grid, filledWith: 1), LabelMap(grid: grid))
        for k in 2..<7 {
            for j in 2..<9 {
                for i in 3..<10 {
                    labels.values[grid.index(i, j, k)] = 7
                    let inner = (3..<6).contains(k) && (3..<8).contains(j) && (4..<9).contains(i)
                    map[i, j, k] = inner ? 0.25 : 9
                }
            }
        }
        return (map, labels)
    }

    @Test func theCoreLeavesTheRimOut() throws {
        let (map, labels) = Self.block()
        let result = try RegionStatistics.measure(map, in: labels).regions[0].results[0]
        #expect(result.coreVoxels == 3 * 5 * 5 && result.coreMean == 0.25)
        #expect(result.mean > 1)
    }

    @Test func fluidIsReferencedWithoutItsRim() throws {
        let (map, labels) = Self.block()
        let csf = SusceptibilityReference.csf(ventricles: [7, 8])
        let (regions, references) = try RegionStatistics.measure(
            map, in: labels, labels: [7, 99], references: [csf, .regions(name: "gone", labels: [99], peeled: false)])
        #expect(references[0].peeled && references[0].voxels == 75 && references[0].subtracted == 0.25)
        #expect(references[1].subtracted == nil && references[1].voxels == 0)
        // No result against a reference without voxels; a label that does not occur is reported as such.
        #expect(regions.map(\.voxels) == [245, 0])
        #expect(regions[0].results.map(\.reference) == ["csf"] && regions[1].results.isEmpty)
        #expect(regions[1].missingFraction == 1)
    }

    @Test func smallFluidRegionsKeepTheirRim() throws {
        var (map, labels) = Self.block()
        // Only three slices of the block left: too few voxels without the rim.
        for k in 5..<7 {
            for j in 0..<11 {
                for i in 0..<13 { labels.values[Self.grid.index(i, j, k)] = 0 }
            }
        }
        map[4, 4, 4] = 0.5
        let reference = try RegionStatistics.measure(
            map, in: labels, references: [.csf(ventricles: [7])]
        ).references[0]
        #expect(!reference.peeled && reference.voxels == 147)
    }

    @Test func rulesForTheHighPart() throws {
        var (map, labels) = (Volume(grid: Self.grid, filledWith: 0.001), LabelMap(grid: Self.grid))
        for value in 1...100 {
            map.values[value] = Float(value)
            labels.values[value] = 1
        }
        func high(_ rule: HighSubregionRule?, _ reference: SusceptibilityReference = .none) throws -> HighSubregion? {
            try RegionStatistics.measure(map, in: labels, references: [reference], highSubregion: rule).regions[0]
                .results[0].high
        }
        #expect(try high(.percentile(75))?.voxels == 25)
        #expect(try high(.absolute([1: 90]))?.mean == 95.5)
        #expect(try high(.absolute([1: 100]))?.mean == nil)
        #expect(try high(.absolute([2: 1])) == nil)
        #expect(try high(nil) == nil)
        // Absolute thresholds hold after subtracting the reference: 50.5 + 40 = 90.5.
        let referenced = try high(.absolute([1: 40]), .regions(name: "self", labels: [1], peeled: false))
        #expect(referenced?.voxels == 10 && Self.near(referenced?.mean, 45))
    }

    @Test func coverageEndsAtPatchesOfZeros() throws {
        var map = Volume(grid: Self.grid, filledWith: 1)
        // A corner, at the edge of the grid: not covered at any size. A single zero inside: a value. A large hole: not.
        map[0, 0, 0] = 0
        map[6, 5, 4] = 0
        for k in 1..<4 {
            for j in 6..<9 {
                for i in 8..<11 { map[i, j, k] = 0 }
            }
        }
        map[3, 3, 3] = .nan
        let coverage = try Coverage.mask(of: map)
        #expect(Self.grid.count - coverage.voxels == 1 + 27 + 1)
        #expect(coverage.values[Self.grid.index(6, 5, 4)] == 1 && coverage.values[0] == 0)
    }

    @Test func otherGridsAreRefused() {
        let (map, _) = Self.block()
        let other = LabelMap(grid: VoxelGrid(nx: 13, ny: 11, nz: 9, affine: .identity))
        #expect(throws: GridError.self) { try RegionStatistics.measure(map, in: other) }
    }
}
