import Kernels
import Radiomics
import TestSupport
import Testing

/// The fast matrices against the plain ones on many small random regions, in every aggregation.
@Suite struct TextureTests {
    /// Averages the features of parts; a part without features counts for nothing.
    private func mean(_ parts: [[Double]?]) -> [Double]? {
        let present = parts.compactMap { $0 }
        guard let first = present.first else { return nil }
        return first.indices.map { n in present.reduce(0) { $0 + $1[n] } / Double(present.count) }
    }

    private func expectEqual(_ found: [Double], _ expected: [Double]?, _ tags: [String], _ context: String) {
        for n in found.indices {
            guard let expected else {
                #expect(found[n].isNaN, "\(tags[n]) \(context)")
                continue
            }
            // Of nearly independent levels, information correlation 2 is the root of rounding.
            let tolerance = tags[n] == "cm_info_corr2" ? 1e-6 : 1e-9 * max(1, abs(expected[n]))
            #expect(
                abs(found[n] - expected[n]) <= tolerance, "\(tags[n]) \(context): \(found[n]), plainly \(expected[n])")
        }
    }

    @Test func matricesAgreeWithTheirDefinitions() throws {
        var generator = SeededGenerator(seed: 20)
        for round in 0..<150 {
            let region = try TestRegions.random(
                &generator, levels: Int.random(in: 1...5, using: &generator), filled: round % 3 == 0 ? 0.3 : 0.8)
            let levels = try DiscretisedRegion(region, .none)
            let plain = PlainTexture(region)
            let context = "in round \(round) of seed \(generator.seed)"
            for aggregation in TextureAggregation.allCases {
                let name = "\(aggregation.rawValue) \(context)"
                let isInSlice = !aggregation.rawValue.hasPrefix("3D")
                let parts = aggregation.rawValue.hasPrefix("2D") ? plain.slices : [plain]
                let directions = PlainTexture.directions(inSlice: isInSlice)
                let groups = aggregation.rawValue.hasSuffix("comb") ? [directions] : directions.map { [$0] }
                let pairs = parts.flatMap { part in groups.map { part.cooccurrenceFeatures(part.cooccurrence($0)) } }
                expectEqual(
                    Array(Cooccurrence.measure(levels, aggregation).dropLast()), mean(pairs), Cooccurrence.tags, name)
                let runs = parts.flatMap { part in
                    groups.map {
                        PlainTexture.levelSize(part.runs($0), voxels: part.levels.count * $0.count) as [Double]?
                    }
                }
                expectEqual(RunLengths.measure(levels, aggregation), mean(runs), RunLengths.tags, name)
            }
            for aggregation in ZoneAggregation.allCases {
                let name = "\(aggregation.rawValue) \(context)"
                let isInSlice = aggregation != .volume
                let parts = aggregation == .slicesAveraged ? plain.slices : [plain]
                func features(_ matrix: (PlainTexture) -> [PlainTexture.Pair: Int]) -> [Double]? {
                    mean(parts.map { PlainTexture.levelSize(matrix($0), voxels: $0.levels.count) })
                }
                let zones = Zones.measure(levels, border: region, aggregation)
                expectEqual(zones.sizes, features { $0.zones(inSlice: isInSlice).sizes }, Zones.sizeTags, name)
                expectEqual(
                    zones.distances, features { $0.zones(inSlice: isInSlice).distances }, Zones.distanceTags, name)
                let neighbourhoods = Neighbourhoods.measure(levels, aggregation)
                expectEqual(
                    neighbourhoods.dependences, features { $0.dependences(inSlice: isInSlice) },
                    Neighbourhoods.dependenceTags, name)
                expectEqual(
                    neighbourhoods.differences, mean(parts.map { $0.toneDifferences(inSlice: isInSlice) }),
                    Neighbourhoods.differenceTags, name)
            }
        }
    }

    /// Of a matrix with two levels the coefficient is |correlation|; of two groups of levels that never meet it is 1.
    @Test func maximalCorrelationIsKnownInSimpleCases() throws {
        var generator = SeededGenerator(seed: 21)
        let index = try #require(Cooccurrence.tags.firstIndex(of: "cm_mcc"))
        let correlation = try #require(Cooccurrence.tags.firstIndex(of: "cm_corr"))
        for _ in 0..<20 {
            let region = try TestRegions.random(&generator, levels: 2)
            let found = Cooccurrence.measure(try DiscretisedRegion(region, .none), .merged, maximalCorrelation: true)
            if found[0].isNaN { continue }
            #expect(abs(found[index] - abs(found[correlation])) < 1e-9)
        }
        var image = Volume(grid: TestRegions.grid(7, 2, 1))
        for n in image.values.indices { image.values[n] = n % 7 < 3 ? Float(1 + n % 2) : Float(4 + n % 2) }
        var mask = Mask(grid: image.grid, filledWith: 1)
        for j in 0..<2 { mask.values[image.grid.index(3, j, 0)] = 0 }
        let region = try #require(try RegionImage(image, mask: mask))
        let found = Cooccurrence.measure(try DiscretisedRegion(region, .none), .merged, maximalCorrelation: true)
        #expect(abs(found[index] - 1) < 1e-9)
    }

    @Test func levelsFollowTheirRules() throws {
        let values = [-10.0, 0, 24.999, 25, 50, 99]
        #expect(try Discretisation.fixedSize(25, minimum: nil).levels(of: values) == [1, 1, 2, 2, 3, 5])
        #expect(try Discretisation.fixedSize(25, minimum: -25).levels(of: values) == [1, 2, 2, 3, 4, 5])
        #expect(try Discretisation.alignedSize(25).levels(of: values) == [1, 2, 2, 3, 4, 5])
        #expect(try Discretisation.fixedNumber(4).levels(of: [0, 1, 2, 3, 4]) == [1, 2, 3, 4, 4])
        #expect(try Discretisation.fixedNumber(4).levels(of: [7, 7]) == [1, 1])
        #expect(throws: FeatureError.notLevels) { try Discretisation.none.levels(of: [1.5]) }
        #expect(throws: FeatureError.self) { try Discretisation.fixedSize(0.001, minimum: nil).levels(of: [0, 100]) }
    }

    @Test func tablesAndMeasurementsNameTheSameFeatures() {
        let measured: [FeatureFamily: [String]] = [
            .morphology: MorphologicalFeatures.tags, .localIntensity: LocalIntensity.tags,
            .intensity: IntensityStatistics.tags, .histogram: IntensityHistogram.tags,
            .volumeHistogram: IntensityVolumeHistogram.tags, .cooccurrence: Cooccurrence.tags,
            .runLength: RunLengths.tags, .sizeZone: Zones.sizeTags, .distanceZone: Zones.distanceTags,
            .toneDifference: Neighbourhoods.differenceTags, .dependence: Neighbourhoods.dependenceTags,
        ]
        for family in FeatureFamily.allCases {
            #expect(FeatureTable.definitions(of: family).map(\.tag) == measured[family], "\(family)")
        }
        // V10 and V90 are one feature of the IBSI, as are I10 and I90.
        let codes = FeatureTable.definitions.compactMap(\.code).filter { $0 != "BC2M" && $0 != "GBPN" }
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0.count == 4 })
        let names = FeatureTable.definitions.compactMap(\.pyRadiomics)
        #expect(Set(names).count == names.count)
    }
}
