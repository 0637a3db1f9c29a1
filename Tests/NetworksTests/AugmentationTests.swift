import Kernels
import TestSupport
import Testing

@testable import Networks

@Suite("Augmentation")
struct AugmentationTests {
    private let size = Extent3(12, 13, 14)
    private var middle: SIMD3<Double> { SIMD3(13, 12, 11) / 2 }

    private func draws(_ spatial: SpatialAugmentation, _ count: Int) -> [SpatialAugmentation.Draw] {
        (0..<count).map {
            spatial.draw(
                size: size, centre: middle, spacingMillimetres: SIMD3(1, 1, 1), random: Philox(seed: 5), epoch: 3,
                sample: $0)
        }
    }

    @Test("without settings the map is the identity")
    func identity() {
        for draw in draws(SpatialAugmentation(), 20) {
            #expect(draw.map.affine == .identity)
            #expect(draw.map.displacement == nil)
            #expect(!draw.flipsWidth)
        }
    }

    @Test("flips and quarter turns move voxels without mixing them, each about as often")
    func exact() {
        var spatial = SpatialAugmentation()
        spatial.flips = .all
        spatial.quarterTurns = .all
        let cube = Extent3(6, 6, 6)
        let values = (0..<cube.product).map { Float($0) }
        var seen: Set<[Float]> = []
        var flipped = 0
        for sample in 0..<1500 {
            let draw = spatial.draw(
                size: cube, centre: SIMD3(2.5, 2.5, 2.5), spacingMillimetres: SIMD3(0.7, 0.7, 0.7),
                random: Philox(seed: 6), epoch: 0, sample: sample)
            var result = [Float](repeating: -1, count: cube.product)
            draw.map.sample(values, volume: cube, isCubic: false, beyond: .value(-1), to: &result)
            if sample < 50 {
                for (a, b) in zip(result.sorted(), values) { #expect(abs(a - b) < 1e-3) }
            }
            seen.insert(result.map { $0.rounded() })
            if draw.flipsWidth { flipped += 1 }
        }
        // All symmetries of a cube.
        #expect(seen.count == 48)
        #expect((600...900).contains(flipped))
    }

    /// Of a patch about a lesion nothing changes its size, and the lesion stays in it.
    @Test("lesions are mirrored, turned by quarters and a little, and shifted by 3 mm at most")
    func lesions() {
        let spacing = SIMD3(1.0, 2, 0.5)
        var largest = SIMD3<Double>()
        var quarters: Set<[Double]> = []
        for sample in 0..<400 {
            let draw = SpatialAugmentation.lesions(isFlat: false).draw(
                size: size, centre: middle, spacingMillimetres: spacing, random: Philox(seed: 5), epoch: 0,
                sample: sample)
            let map = draw.map.affine
            let shift = (map(middle) - middle) * spacing
            largest = pointwiseMax(largest, pointwiseMax(shift, -shift))
            // In millimetres a rigid map or one with a reflection: lengths stay.
            var turn: [Double] = []
            for axis in 0..<3 {
                var step = SIMD3<Double>()
                step[axis] = 1 / spacing[axis]
                let moved = (map(middle + step) - map(middle)) * spacing
                #expect(abs((moved * moved).sum() - 1) < 1e-9)
                // 5° about each of three axes are 8.7° at most: every axis is near one of the old ones.
                let nearest = max(abs(moved.x), abs(moved.y), abs(moved.z))
                #expect(nearest > 0.988)
                turn += [moved.x.rounded(), moved.y.rounded(), moved.z.rounded()]
            }
            quarters.insert(turn)
        }
        #expect(quarters.count == 48)
        #expect(largest.max() <= 3 && largest.min() > 2.8, "\(largest)")
        for sample in 0..<50 {
            let flat = SpatialAugmentation.lesions(isFlat: true).draw(
                size: Extent3(1, 13, 14), centre: SIMD3(6.5, 6, 4), spacingMillimetres: spacing,
                random: Philox(seed: 5),
                epoch: 0, sample: sample)
            #expect(abs(flat.map.affine(SIMD3(0, 0, 0)).z - 4) < 1e-12, "slices stay in their plane")
        }
    }

    @Test("turns keep lengths in millimetres, scaling stays in its range, shifts too")
    func ranges() {
        var spatial = SpatialAugmentation()
        spatial.rotationProbability = 1
        spatial.rotationDegrees = AxisValues(depth: 40, width: 20)
        let spacing = SIMD3(0.5, 1, 3)
        var largest = 0.0
        for sample in 0..<200 {
            let map = spatial.draw(
                size: size, centre: middle, spacingMillimetres: spacing, random: Philox(seed: 7), epoch: 0,
                sample: sample
            ).map.affine
            for axis in GridAxis.allCases {
                let moved = map.direction(axis.direction / spacing) * spacing
                #expect(abs((moved * moved).sum() - 1) < 1e-9)
            }
            let shown = map(middle) - middle
            #expect((shown * shown).sum() < 1e-18, "the middle stays where it is")
            largest = max(largest, abs((map.direction(SIMD3(1, 0, 0) / spacing) * spacing).y))
        }
        #expect(largest > 0.5 && largest < 0.6428, "sine of up to 40 degrees")
        spatial.rotationProbability = 0
        spatial.scalingProbability = 1
        spatial.scaling = 0.8...1.25
        spatial.translationProbability = 1
        spatial.translationMillimetres = AxisValues(height: 4)
        var (smallest, most, furthest) = (9.0, 0.0, 0.0)
        for draw in draws(spatial, 300) {
            let factor = draw.map.affine.determinant
            smallest = min(smallest, factor)
            most = max(most, factor)
            let shift = draw.map.affine(middle) - middle
            #expect(shift.x == 0 && shift.z == 0)
            furthest = max(furthest, abs(shift.y))
        }
        #expect(smallest >= 0.5119 && smallest < 0.6)
        #expect(most <= 1.9532 && most > 1.8)
        #expect(furthest <= 4 && furthest > 3.5)
    }

    @Test("one kind of augmentation switched on leaves the numbers of the others alone")
    func independence() {
        var spatial = SpatialAugmentation.standard(isFlat: false)
        let before = draws(spatial, 30)
        spatial.elastic = .init(probability: 1, latticeMillimetres: 6, displacementMillimetres: 1...1)
        spatial.translationProbability = 0.5
        let after = draws(spatial, 30)
        for (a, b) in zip(before, after) {
            #expect(a.map.affine == b.map.affine)
            #expect(b.map.displacement != nil)
        }
        let other = spatial.draw(
            size: size, centre: middle, spacingMillimetres: SIMD3(1, 1, 1), random: Philox(seed: 5), epoch: 4,
            sample: 0)
        #expect(other.map.displacement?.i.values != after[0].map.displacement?.i.values)
    }

    @Test("settings out of range are refused")
    func refused() {
        var spatial = SpatialAugmentation()
        spatial.scaling = 0...1
        #expect(throws: TrainingDataError.self) { try spatial.check() }
        spatial = SpatialAugmentation()
        spatial.rotationProbability = 1.5
        #expect(throws: TrainingDataError.self) { try spatial.check() }
        var intensity = IntensityAugmentation()
        intensity.noise = .init(0.5, -1...0)
        #expect(throws: TrainingDataError.self) { try intensity.check() }
    }

    // MARK: - Values

    private func changed(
        _ settings: IntensityAugmentation, _ values: [Float], channel: Int = 0, sample: Int = 1
    ) -> [Float] {
        var result = values
        settings.apply(
            to: &result, size: size, channel: channel, random: Philox(seed: 8), epoch: 2, sample: sample)
        return result
    }

    private var ramp: [Float] { (0..<size.product).map { Float($0 % 14) / 7 - 1 } }

    @Test("gain and offset are linear, gamma keeps the ends")
    func linear() {
        var settings = IntensityAugmentation()
        settings.gain = .init(1, 1.5...1.5)
        settings.offset = .init(1, 0.25...0.25)
        #expect(changed(settings, ramp) == ramp.map { $0 * 1.5 + 0.25 })
        settings = IntensityAugmentation()
        settings.gamma = .init(1, 2...2)
        let bent = changed(settings, ramp)
        for (a, b) in zip(bent, ramp) {
            let share = (b + 1) / (13 / 7)
            #expect(abs(a - (share * share * (13 / 7) - 1)) < 1e-5)
        }
        #expect(changed(settings, [Float](repeating: 3, count: size.product)).allSatisfy { $0 == 3 })
    }

    @Test("noise has the deviation asked for, other channels and samples have other noise")
    func noise() {
        var settings = IntensityAugmentation()
        settings.noise = .init(1, 0.5...0.5)
        let flat = [Float](repeating: 1, count: size.product)
        let noisy = changed(settings, flat)
        let mean = noisy.reduce(0, +) / Float(noisy.count)
        let variance = noisy.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Float(noisy.count)
        #expect(abs(mean - 1) < 0.04)
        #expect(abs(variance - 0.25) < 0.03)
        #expect(noisy == changed(settings, flat))
        #expect(noisy != changed(settings, flat, channel: 1))
        #expect(noisy != changed(settings, flat, sample: 2))
        settings.channels = [1]
        #expect(changed(settings, flat) == flat)
    }

    @Test("a bias field multiplies smoothly, blur lessens differences and keeps the mean")
    func smooth() {
        var settings = IntensityAugmentation()
        settings.biasField = .init(probability: 1, latticeVoxels: 8, logarithm: 0.3...0.3)
        let field = changed(settings, [Float](repeating: 1, count: size.product))
        let scaled = changed(settings, [Float](repeating: -2, count: size.product))
        for (a, b) in zip(field, scaled) { #expect(b == -2 * a) }
        var steepest: Float = 0
        for n in 1..<field.count where n % 14 != 0 { steepest = max(steepest, abs(field[n] - field[n - 1])) }
        #expect(field.max()! - field.min()! > 0.1)
        #expect(steepest < 0.12)
        settings = IntensityAugmentation()
        settings.blurVoxels = .init(1, 1...1)
        let checkered = (0..<size.product).map { (n: Int) -> Float in
            let sum: Int = n % 14 + n / 14 % 13 + n / 182
            return sum % 2 == 0 ? 0 : 1
        }
        let blurred = changed(settings, checkered)
        #expect(blurred.max()! - blurred.min()! < 0.35)
        let mean = blurred.reduce(0, +) / Float(blurred.count)
        #expect(abs(mean - 0.5) < 0.01)
    }

    @Test("probabilities are kept to")
    func probability() {
        var settings = IntensityAugmentation()
        settings.gain = .init(0.25, 2...2)
        let hits = (0..<2000).reduce(0) { sum, sample in
            var one: [Float] = [1]
            settings.apply(to: &one, size: .one, channel: 0, random: Philox(seed: 9), epoch: 0, sample: sample)
            return sum + (one[0] == 2 ? 1 : 0)
        }
        #expect((430...570).contains(hits))
    }

    @Test("DEEPMIR's variants come in its proportions")
    func deepmir() {
        var (plain, flipped, turned, shifted, other) = (0, 0, 0, 0, 0)
        var (flippedToo, shiftedFlipped) = (0, 0)
        let flat = Extent3(1, 256, 256)
        for sample in 0..<4000 {
            let draw = DEEPMIRAugmentation().draw(
                size: flat, centre: SIMD3(127.5, 127.5, 3), random: Philox(seed: 10), epoch: 0, sample: sample)
            let affine = draw.map.affine
            let shift = affine(SIMD3(127.5, 127.5, 0)) - SIMD3(127.5, 127.5, 3)
            let isShifted = (shift * shift).sum() > 0.5
            let isTurned = affine.rows.0.y != 0
            if isShifted && !isTurned { shifted += 1 } else if isTurned && !isShifted { turned += 1 }
            if isShifted && isTurned { other += 1 }
            let isFlipped = affine.determinant < 0
            if !isShifted && !isTurned { if isFlipped { flipped += 1 } else { plain += 1 } }
            if isFlipped && isTurned { flippedToo += 1 }
            if isFlipped && isShifted { shiftedFlipped += 1 }
            #expect(abs(abs(affine.determinant) - 1) < 1e-12)
        }
        #expect(other == 0)
        // Of 399: 1 plain, 2 flipped, 96 turned, 300 shifted.
        #expect((2...22).contains(plain))
        #expect((6...36).contains(flipped))
        #expect((880...1045).contains(turned))
        #expect((2920...3095).contains(shifted))
        // Two thirds of either are flipped as well.
        #expect((590...695).contains(flippedToo))
        #expect((1900...2110).contains(shiftedFlipped))
    }
}
