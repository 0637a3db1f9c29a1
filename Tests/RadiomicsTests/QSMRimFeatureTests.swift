import Kernels
import Radiomics
import TestSupport
import Testing

@Suite struct QSMRimFeatureTests {
    @Test func theListIsThatOfVersionOne() throws {
        #expect(QSMRimFeatures.version == 1)
        let names = QSMRimFeatures.names
        #expect(names.count == 527)
        #expect(Set(names).count == 527)
        #expect(names[0] == "original_shape_Elongation")
        #expect(names[14] == "original_firstorder_10Percentile")
        #expect(names[14 + 57] == "wavelet-LLH_firstorder_10Percentile")
        #expect(names[526] == "wavelet-LLL_glrlm_ShortRunLowGrayLevelEmphasis")
        #expect(!names.contains { $0.hasSuffix("SumAverage") })
        // Whoever changes the list raises the version.
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in names.joined(separator: "\n").utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        #expect(hash == Self.hashOfVersionOne)
    }

    static let hashOfVersionOne: UInt64 = 0x7F0C35A9715A2297

    @Test func aLesionHasAllOfThem() throws {
        let (noise, mask) = try TestRegions.ball(radius: 4, spacing: SIMD3(1, 1, 1))
        let map = Volume(grid: noise.grid, values: noise.values.map { $0 / 1000 })
        let found = try #require(try QSMRimFeatures.measure(map, mask: mask))
        #expect(found.map(\.name) == QSMRimFeatures.names)
        #expect(found.allSatisfy { $0.value != nil })
        // In ppb: the mean of the map is 0.1 ppm.
        let mean = try #require(found.first { $0.name == "original_firstorder_Mean" }?.value)
        #expect(abs(mean - 100) < 20)
        #expect(try QSMRimFeatures.measure(map, mask: Mask(grid: map.grid)) == nil)
        #expect(throws: GridError.self) {
            try QSMRimFeatures.measure(map, mask: Mask(grid: TestRegions.grid(2, 2, 2), filledWith: 1))
        }
    }

    /// The transform by its definition on the whole periodic image, of an even and an odd size.
    @Test func waveletsFollowTheirDefinition() throws {
        // Low pass of the coiflet of order 1, as printed in tables.
        let low = [
            -0.015655728135791993, -0.07273261951252645, 0.3848648468648578, 0.8525720202116004, 0.3378976624574818,
            -0.07273261951252645,
        ]
        let high = (0..<6).map { ($0 % 2 == 0 ? -1.0 : 1) * low[5 - $0] }
        var generator = SeededGenerator(seed: 3)
        let grid = TestRegions.grid(7, 6, 5)
        var image = Volume(grid: grid)
        for n in image.values.indices { image.values[n] = Float(generator.gaussian()) }
        let region = try #require(try RegionImage(image, mask: Mask(grid: grid, filledWith: 1)))
        let bands = StationaryWavelet.transform(image, over: region, scale: 2)
        #expect(StationaryWavelet.bands.count == 8)
        // An odd axis is made even by its first plane.
        func value(_ i: Int, _ j: Int, _ k: Int) -> Double {
            func wrapped(_ n: Int, _ count: Int) -> Int {
                let place = ((n % (count + count % 2)) + count + count % 2) % (count + count % 2)
                return place < count ? place : 0
            }
            return 2 * Double(image[wrapped(i, 7), wrapped(j, 6), wrapped(k, 5)])
        }
        for (band, values) in zip(StationaryWavelet.bands, bands) {
            let taps = band.map { $0 == "L" ? low : high }
            for k in 0..<5 {
                for j in 0..<6 {
                    for i in 0..<7 {
                        var sum = 0.0
                        for c in 0..<6 {
                            for b in 0..<6 {
                                let weight: Double = taps[1][b] * taps[2][c]
                                for a in 0..<6 {
                                    let here: Double = value(i + 3 - a, j + 3 - b, k + 3 - c)
                                    sum += weight * taps[0][a] * here
                                }
                            }
                        }
                        let found = values[i + 1 + region.size.x * (j + 1 + region.size.y * (k + 1))]
                        #expect(abs(found - sum) < 1e-12, "\(band) at \(i), \(j), \(k)")
                    }
                }
            }
        }
    }
}
