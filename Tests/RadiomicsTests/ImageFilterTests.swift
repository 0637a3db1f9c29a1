import Foundation
import Kernels
import Radiomics
import TestSupport
import Testing

/// Filters against their definitions, written plainly, on small images.
@Suite struct ImageFilterTests {
    private func noise(_ nx: Int, _ ny: Int, _ nz: Int, seed: UInt64 = 11) -> FilterImage {
        var generator = SeededGenerator(seed: seed)
        return FilterImage(
            size: SIMD3(nx, ny, nz), values: (0..<nx * ny * nz).map { _ in generator.gaussian() })
    }

    private func value(_ image: FilterImage, _ edge: EdgeRule, _ i: Int, _ j: Int, _ k: Int) -> Double {
        let places = zip([i, j, k], [image.size.x, image.size.y, image.size.z]).map { edge.place($0, count: $1) }
        guard let x = places[0], let y = places[1], let z = places[2] else { return 0 }
        return image.values[x + image.size.x * (y + image.size.y * z)]
    }

    /// Convolution with any kernel, voxel by voxel.
    private func convolved(
        _ image: FilterImage, _ edge: EdgeRule, radius: SIMD3<Int>, _ kernel: (Int, Int, Int) -> Double
    ) -> [Double] {
        var result: [Double] = []
        for k in 0..<image.size.z {
            for j in 0..<image.size.y {
                for i in 0..<image.size.x {
                    var sum = 0.0
                    for c in -radius.z...radius.z {
                        for b in -radius.y...radius.y {
                            for a in -radius.x...radius.x {
                                sum += kernel(a, b, c) * value(image, edge, i - a, j - b, k - c)
                            }
                        }
                    }
                    result.append(sum)
                }
            }
        }
        return result
    }

    private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    private let spacing = SIMD3(0.8, 1.0, 1.6)

    @Test(arguments: EdgeRule.allCases)
    func laplaciansOfGaussiansAreTheirKernel(_ edge: EdgeRule) {
        let image = noise(9, 7, 5)
        let sigma = 1.3
        let filter = LaplacianOfGaussian(
            sigmaMillimetres: sigma, cutoff: 3, dimensions: .volume, isNormalised: true, edge: edge)
        let found = filter.response(of: image, spacingMillimetres: spacing, threads: 1)
        let cell = spacing.x * spacing.y * spacing.z
        let radius = filter.reach(spacing)
        let plain = convolved(image, edge, radius: SIMD3(radius.x ?? 0, radius.y ?? 0, radius.z ?? 0)) { a, b, c in
            let place = SIMD3(Double(a), Double(b), Double(c)) * spacing
            let square = (place * place).sum() / (sigma * sigma)
            return (square - 3) * exp(-square / 2) / pow(2 * .pi * sigma * sigma, 1.5) * cell
        }
        #expect(largestDifference(found.values, plain) < 1e-13)
        // Not normalised: per square of the shortest edge.
        let ratio = (0.8 / sigma) * (0.8 / sigma)
        let own = LaplacianOfGaussian(sigmaMillimetres: sigma, cutoff: 3, dimensions: .volume, edge: edge)
            .response(of: image, spacingMillimetres: spacing, threads: 1)
        #expect(largestDifference(own.values, plain.map { $0 * ratio }) < 1e-13)
    }

    @Test(arguments: EdgeRule.allCases)
    func gaborFiltersAreTheirKernel(_ edge: EdgeRule) {
        let image = noise(11, 8, 2)
        let (sigma, wavelength, gamma, theta) = (0.9, 2.1, 0.7, 0.6)
        let filter = GaborFilter(
            sigmaMillimetres: sigma, wavelengthMillimetres: wavelength, ellipticity: gamma, orientations: [theta],
            dimensions: .slice, edge: edge)
        let radius = filter.reach(spacing)
        func part(_ phase: Double) -> [Double] {
            convolved(image, edge, radius: SIMD3(radius.x ?? 0, radius.y ?? 0, 0)) { a, b, _ in
                let (x, y) = (Double(a) * spacing.x, Double(b) * spacing.y)
                let along = x * cos(theta) + y * sin(theta)
                let across = (y * cos(theta) - x * sin(theta)) * gamma
                return exp(-(along * along + across * across) / (2 * sigma * sigma))
                    * cos(2 * .pi * along / wavelength - phase)
            }
        }
        let (real, imaginary) = (part(0), part(.pi / 2))
        let modulus = zip(real, imaginary).map { ($0 * $0 + $1 * $1).squareRoot() }
        for (choice, plain) in [(GaborFilter.Part.modulus, modulus), (.real, real), (.imaginary, imaginary)] {
            let found = GaborFilter(
                sigmaMillimetres: sigma, wavelengthMillimetres: wavelength, ellipticity: gamma, orientations: [theta],
                part: choice, dimensions: .slice, edge: edge
            ).response(of: image, spacingMillimetres: spacing, threads: 1)
            #expect(largestDifference(found.values, plain) < 1e-11, "\(choice)")
        }
    }

    /// Pooled over orientations and planes: as the orientations and planes one by one.
    @Test(arguments: ResponsePooling.allCases)
    func gaborResponsesArePooled(_ pooling: ResponsePooling) {
        let image = noise(9, 10, 11)
        func filter(_ angles: [Double], _ dimensions: FilterDimensions) -> GaborFilter {
            GaborFilter(
                sigmaMillimetres: 1, wavelengthMillimetres: 1.7, ellipticity: 1.5, orientations: angles,
                pooling: pooling, dimensions: dimensions)
        }
        let angles = GaborFilter.orientations(step: .pi / 3)
        #expect(angles.count == 6)
        func pooledBySlice(_ image: FilterImage, _ spacing: SIMD3<Double>) -> [Double] {
            let each = angles.map {
                filter([$0], .slice).response(of: image, spacingMillimetres: spacing, threads: 1).values
            }
            return each[0].indices.map { n in
                let values = each.map { $0[n] }
                switch pooling {
                case .mean: return values.reduce(0, +) / 6
                case .max: return values.max() ?? 0
                case .min: return values.min() ?? 0
                }
            }
        }
        // Axes in another order: (i, k, j) and (j, k, i).
        func turned(_ values: [Double], _ size: SIMD3<Int>, _ order: [Int]) -> FilterImage {
            let new = SIMD3(size[order[0]], size[order[1]], size[order[2]])
            var result = [Double](repeating: 0, count: values.count)
            for n in result.indices {
                let place = [n % new.x, n / new.x % new.y, n / (new.x * new.y)]
                var old = SIMD3<Int>()
                for axis in 0..<3 { old[order[axis]] = place[axis] }
                result[n] = values[old.x + size.x * (old.y + size.y * old.z)]
            }
            return FilterImage(size: new, values: result)
        }
        var sum = pooledBySlice(image, spacing)
        for (order, back) in [([0, 2, 1], [0, 2, 1]), ([1, 2, 0], [2, 0, 1])] {
            let plane = turned(image.values, image.size, order)
            let response = pooledBySlice(plane, SIMD3(spacing[order[0]], spacing[order[1]], spacing[order[2]]))
            let returned = turned(response, plane.size, back).values
            for n in sum.indices { sum[n] += returned[n] }
        }
        let found = filter(angles, .volume).response(of: image, spacingMillimetres: spacing, threads: 2)
        #expect(largestDifference(found.values, sum.map { $0 / 3 }) < 1e-11)
    }

    /// A wave of one frequency comes out times the factor for that frequency: of axes of odd length a single one, of even
    /// length the mean of those of the frequency and its opposite.
    @Test(arguments: [FilterDimensions.slice, .volume], [SIMD3(15, 13, 9), SIMD3(14, 12, 8)])
    func radialWaveletsPassTheirBand(_ dimensions: FilterDimensions, _ size: SIMD3<Int>) {
        let isOdd = size.x % 2 == 1
        for (waves, level) in [
            (SIMD3(3, 2, 1), 1), (SIMD3(1, 1, 1), 2), (SIMD3(0, 1, 0), 3), (SIMD3(6, 5, 3), 1), (SIMD3(2, 0, 2), 2),
        ] {
            var values: [Double] = []
            for n in 0..<size.x * size.y * size.z {
                let place = SIMD3(n % size.x, n / size.x % size.y, n / (size.x * size.y))
                let turns = (0..<3).reduce(0.0) { $0 + Double(waves[$1] * place[$1]) / Double(size[$1]) }
                values.append(cos(2 * .pi * turns))
            }
            // Plus and minus the wave, on a grid of n values from −1 to 1.
            let lengths = [1, -1].map { sign -> Double in
                let square = (0..<(dimensions == .slice ? 2 : 3)).reduce(0.0) { sum, axis in
                    let middle = Double(size[axis] - 1) / 2
                    let place = sign * waves[axis] + size[axis] / 2
                    let value = (Double(place) - middle) / middle
                    return sum + value * value
                }
                return square.squareRoot() * Double(1 << (level - 1))
            }
            let simoncelli = lengths.map { $0 > 0.25 && $0 < 1 ? cos(.pi / 2 * log2(2 * $0)) : 0 }
            let shannon = lengths.map { $0 >= 0.5 && $0 < 1 ? 1.0 : 0 }
            #expect(!isOdd || abs(lengths[0] - lengths[1]) < 1e-12)
            for (family, factors) in [(RadialWavelet.Family.simoncelli, simoncelli), (.shannon, shannon)] {
                let factor = (factors[0] + factors[1]) / 2
                let found = RadialWavelet(family, level: level, dimensions: dimensions)
                    .response(
                        of: FilterImage(size: size, values: values), spacingMillimetres: spacing, threads: 1)
                #expect(largestDifference(found.values, values.map { $0 * factor }) < 1e-12, "\(family) \(waves)")
            }
        }
    }

    /// Rotating the image rotates the response of a filter that is pooled over rotations, and nothing else changes.
    @Test func pooledResponsesTurnWithTheImage() {
        let image = noise(7, 7, 7)
        func turned(_ image: FilterImage) -> FilterImage {
            // (i, j, k) → (j, n − 1 − i, k), then (i, j, k) → (i, k, n − 1 − j).
            var result = image
            for k in 0..<7 {
                for j in 0..<7 {
                    for i in 0..<7 {
                        let (a, b, c) = (j, k, i)
                        result.values[a + 7 * (b + 7 * c)] = image.values[i + 7 * (j + 7 * k)]
                    }
                }
            }
            var flipped = result
            for k in 0..<7 {
                for j in 0..<7 {
                    for i in 0..<7 {
                        flipped.values[(6 - i) + 7 * ((6 - j) + 7 * k)] = result.values[i + 7 * (j + 7 * k)]
                    }
                }
            }
            return flipped
        }
        let filters: [any ImageFilter] = [
            LawsFilter([.E5, .L5, .S5], rotations: .max), LawsFilter([.E5, .E5, .W5], rotations: .min),
            LawsFilter([.L3, .L3, .S3], rotations: .mean, energyDistance: 2),
            WaveletFilter(.db2, bands: ["LHL", "HHL"], level: 2, rotations: .mean),
            WaveletFilter(.haar, bands: ["HHH"], rotations: .max),
        ]
        for filter in filters {
            var responses: [Int: FilterImage] = [:]
            filter.forEachResponse(of: image, spacingMillimetres: spacing, threads: 1) { responses[$0] = $1 }
            #expect(responses.count == filter.names.count)
            filter.forEachResponse(of: turned(image), spacingMillimetres: spacing, threads: 1) { number, response in
                guard let plain = responses[number] else { return }
                let largest = plain.values.map(abs).max() ?? 0
                #expect(largest > 0.1, "\(filter.names[number])")
                #expect(
                    largestDifference(turned(plain).values, response.values) < 1e-13 * max(1, largest),
                    "\(filter.names[number])")
            }
        }
    }

    /// Pooling over all 24 positions, one by one.
    @Test func rotationsArePooledAsTheyAreCounted() {
        let image = noise(8, 7, 6)
        let chains = [LawsKernel.E5, .L5, .S5].map { [AxisKernel(centred: $0.weights)] }
        let turned = SeparableFilter(chains[0], chains[1], chains[2]).rotations(inSlice: false)
        #expect(turned.count == 24)
        let each = turned.map { image.response(to: $0, edge: .mirror).values }
        for pooling in ResponsePooling.allCases {
            let found = image.response(to: turned, pooling: pooling, edge: .mirror)
            let plain = image.values.indices.map { n -> Double in
                let values = each.map { $0[n] }
                switch pooling {
                case .mean: return values.reduce(0, +) / 24
                case .max: return values.max() ?? 0
                case .min: return values.min() ?? 0
                }
            }
            #expect(largestDifference(found.values, plain) < 1e-13, "\(pooling)")
        }
        #expect(SeparableFilter(chains[0], chains[1]).rotations(inSlice: true).count == 4)
    }

    /// Conjugate mirror filters: orthonormal at even shifts, and as many vanishing moments as they are made for.
    @Test(arguments: WaveletFamily.allCases)
    func waveletsAreOrthonormal(_ family: WaveletFamily) {
        let (low, high) = (family.lowPass, family.highPass)
        #expect(low.count % 2 == 0 && high.count == low.count)
        #expect(abs(low.reduce(0, +) - 2.0.squareRoot()) < 1e-11)
        for shift in stride(from: 0, to: low.count, by: 2) {
            func product(_ a: [Double], _ b: [Double]) -> Double {
                (shift..<a.count).reduce(0) { $0 + a[$1] * b[$1 - shift] }
            }
            let own = shift == 0 ? 1.0 : 0
            #expect(abs(product(low, low) - own) < 1e-11 && abs(product(high, high) - own) < 1e-11)
            #expect(abs(product(low, high)) < 1e-11 && abs(product(high, low)) < 1e-11)
        }
        let digits = family.rawValue.drop { !$0.isNumber }
        let order = Int(digits) ?? 1
        for moment in 0..<(family.rawValue.hasPrefix("coif") ? 2 * order : order) {
            let centre = Double(high.count - 1) / 2
            let sum = high.indices.reduce(0) { $0 + high[$1] * pow((Double($1) - centre) / centre, Double(moment)) }
            #expect(abs(sum) < 1e-9, "moment \(moment)")
        }
    }

    /// Of a part no more is read than it depends on, and the response there is that of the whole, bit for bit; so is it for
    /// any number of threads.
    @Test func partsAndThreadsChangeNothing() {
        let grid = VoxelGrid(nx: 37, ny: 30, nz: 22, affine: .scaling(SIMD3(1, 1.2, 1.5)))
        let values = noise(37, 30, 22).values
        let image = Volume(grid: grid, values: values.map { Float($0) })
        let all = RegionBox(lower: SIMD3(0, 0, 0), upper: SIMD3(37, 30, 22))
        let boxes = [
            RegionBox(lower: SIMD3(16, 14, 10), upper: SIMD3(19, 16, 12)),
            RegionBox(lower: SIMD3(0, 10, 17), upper: SIMD3(5, 13, 22)),
        ]
        for edge in EdgeRule.allCases {
            let separable: [any ImageFilter] = [
                MeanFilter(support: 5, dimensions: .volume, edge: edge),
                LaplacianOfGaussian(sigmaMillimetres: 1.1, dimensions: .volume, edge: edge),
                LawsFilter([.L5, .E5, .R5], rotations: .max, energyDistance: 2, edge: edge),
                WaveletFilter(.coif1, bands: WaveletFilter.bandsOfVolume, edge: edge),
                WaveletFilter(.db2, bands: ["LH"], level: 2, rotations: .mean, edge: edge),
            ]
            let transformed: [any ImageFilter] = [
                GaborFilter(
                    sigmaMillimetres: 1, wavelengthMillimetres: 2, ellipticity: 1.5, orientations: [0, 1],
                    dimensions: .volume, edge: edge),
                RadialWavelet(.simoncelli, level: 1, dimensions: .slice, edge: edge),
                RadialWavelet(.shannon, level: 1, dimensions: .volume, edge: edge),
            ]
            for filter in separable + transformed {
                var whole: [Int: ResponseMap] = [:]
                filter.forEachResponse(of: image, in: all, scale: 3) { whole[$0] = $1 }
                #expect(whole.count == filter.names.count)
                filter.forEachResponse(of: image, in: all, scale: 3, threads: 5) { number, map in
                    #expect(map.image.values == whole[number]?.image.values, "\(filter.names[number]) \(edge)")
                }
                let isExact = separable.contains { $0.names == filter.names }
                for box in boxes {
                    filter.forEachResponse(of: image, in: box, scale: 3) { number, map in
                        guard let plain = whole[number] else { return }
                        var worst = 0.0
                        for k in box.lower.z..<box.upper.z {
                            for j in box.lower.y..<box.upper.y {
                                for i in box.lower.x..<box.upper.x {
                                    func at(_ map: ResponseMap) -> Double {
                                        let p = SIMD3(i, j, k) &- map.lower
                                        return map.image.values[
                                            p.x + map.image.size.x * (p.y + map.image.size.y * p.z)]
                                    }
                                    worst = max(worst, abs(at(map) - at(plain)))
                                }
                            }
                        }
                        #expect(worst <= (isExact ? 0 : 1e-10), "\(filter.names[number]) \(edge)")
                    }
                }
            }
        }
    }

    /// A voxel without a value takes its neighbours with it, and no more.
    @Test func missingValuesStayWhereTheyAre() {
        var image = noise(24, 20, 6)
        let hole = 3 + 24 * (4 + 20 * 2)
        image.values[hole] = .nan
        let filled = FilterImage(size: image.size, values: image.values.map { $0.isNaN ? 0 : $0 })
        let filters: [any SingleFilter] = [
            GaborFilter(
                sigmaMillimetres: 1, wavelengthMillimetres: 2, ellipticity: 1, orientations: [0.4], dimensions: .volume),
            RadialWavelet(.simoncelli, dimensions: .volume), RadialWavelet(.simoncelli, dimensions: .slice),
        ]
        for filter in filters {
            let found = filter.response(of: image, spacingMillimetres: SIMD3(1, 1, 1), threads: 1).values
            let plain = filter.response(of: filled, spacingMillimetres: SIMD3(1, 1, 1), threads: 1).values
            for n in found.indices { #expect(n == hole ? found[n].isNaN : found[n] == plain[n]) }
        }
        let mean = MeanFilter(support: 3, dimensions: .volume)
            .response(of: image, spacingMillimetres: SIMD3(1, 1, 1), threads: 1).values
        #expect(mean.filter { $0.isNaN }.count == 27)
    }

    @Test func namesSayWhatDiffers() {
        #expect(
            LaplacianOfGaussian(sigmaMillimetres: 3, dimensions: .volume).name == "log-sigma-3-mm-3D")
        #expect(LaplacianOfGaussian(sigmaMillimetres: 1.5, dimensions: .slice).name == "log-sigma-1-5-mm-2D")
        #expect(WaveletFilter(.coif1, bands: ["LLH"]).names == ["wavelet-LLH"])
        #expect(
            WaveletFilter(.db3, bands: ["LH"], level: 2, rotations: .mean).names == ["wavelet2-db3-LH-mean"])
        #expect(MeanFilter(support: 5, dimensions: .slice).name == "mean-5-2D")
        #expect(LawsFilter([.L5, .E5], rotations: .max, energyDistance: 7).name == "laws-L5E5-max-energy-7")
        #expect(RadialWavelet(.simoncelli, level: 2, dimensions: .volume).name == "simoncelli-2-3D")
        #expect(
            GaborFilter(
                sigmaMillimetres: 5, wavelengthMillimetres: 2.5, ellipticity: 1.5,
                orientations: GaborFilter.orientations(step: .pi / 8), dimensions: .volume
            ).name == "gabor-sigma-5-mm-lambda-2-5-mm-gamma-1-5-mean-16-3D")
        #expect(LawsFilter.kernels("L5E5E5") == [.L5, .E5, .E5])
        #expect(LawsFilter.kernels("L5E6") == nil && LawsFilter.kernels("L5") == nil)
    }
}
