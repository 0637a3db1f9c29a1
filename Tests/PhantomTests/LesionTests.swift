import Foundation
import Kernels
import Testing

@testable import Phantom

/// Lesions as they are drawn and painted, without images.
@Suite struct LesionTests {
    static let head = SubjectHead(
        template: .standard(threads: 2), deformation: .identity, size: SIMD3(repeating: 1))

    static func grid(_ voxel: Double, tilt: SIMD3<Double> = .init(repeating: 0)) -> VoxelGrid {
        Geometry.grid(SIMD3(150, 190, 150), centre: [0, -16, 8], voxel: voxel, tilt: tilt, axes: "LPS")
    }

    /// Painted into white matter without borders, at 0 ppb.
    static func painted(_ lesions: [Lesion], on grid: VoxelGrid) -> (PaintedLesions, [Float]) {
        var chi = [Float](repeating: 0, count: grid.count)
        var result = PaintedLesions(
            lesions, on: grid, head: .identity, anatomical: .identity, brain: Mask(grid: grid, filledWith: 1),
            white: [Float](repeating: 1, count: grid.count), chiPPB: &chi)
        result.measure(chi)
        return (result, chi)
    }

    // MARK: Numbers

    @Test func countsFollowTheirDistributions() {
        var random = RandomStream(seed: 3, "counts")
        let n = 40_000
        func moments(_ values: [Int]) -> (mean: Double, variance: Double) {
            let mean = Double(values.reduce(0, +)) / Double(values.count)
            return (
                mean, values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count - 1)
            )
        }
        func share(_ values: [Int], _ isCounted: (Int) -> Bool) -> Double {
            Double(values.count(where: isCounted)) / Double(values.count)
        }
        let load = (0..<n).map { _ in
            LesionCounts.negativeBinomial(mean: 24.2, dispersion: 1.5, limit: 100_000, random.uniform())
        }
        // Variance m + m²/k; standard errors 0.1 and about 6.
        #expect(abs(moments(load).mean - 24.2) < 0.5)
        #expect(abs(moments(load).variance - (24.2 + 24.2 * 24.2 / 1.5)) < 30)
        let rims = (0..<n).map { _ in
            LesionCounts.negativeBinomial(mean: 1.03, dispersion: 0.29, limit: 1000, random.uniform())
        }
        #expect(abs(moments(rims).mean - 1.03) < 0.05 && abs(moments(rims).variance - 4.7) < 0.5)
        #expect(abs(share(rims) { $0 == 0 } - 0.65) < 0.02)
        let bleeds = (0..<n).map { _ in LesionCounts.zeta(random.uniform()) }
        #expect(abs(share(bleeds) { $0 == 1 } - 0.48) < 0.02 && abs(share(bleeds) { $0 >= 5 } - 0.24) < 0.02)
        #expect(abs(share(bleeds) { $0 > 10 } - 0.12) < 0.02 && abs(moments(bleeds).mean - 5.4) < 0.3)
        #expect(bleeds.max()! <= 83 && bleeds.min()! == 1)
        let enriched = (0..<n).map { _ in LesionCounts.microbleeds(.enriched, age: 70, &random) }
        #expect(abs(moments(enriched).mean - 7.2) < 1, "\(moments(enriched).mean)")
        #expect(abs(share(enriched) { $0 == 0 } - 0.15) < 0.01)
        for (age, prevalence) in [(62.0, 0.20), (87, 0.45)] {
            let found = (0..<n).map { _ in LesionCounts.microbleeds(.population, age: age, &random) }
            #expect(abs(share(found) { $0 > 0 } - prevalence) < 0.03, "\(age)")
        }
        // Nobody has more rims than lesions.
        for _ in 0..<2000 {
            let (lesions, rims) = LesionCounts.demyelination(mean: 2, rimMean: 3, &random)
            #expect(rims <= lesions)
        }
        #expect(LesionCounts.demyelination(mean: 0, rimMean: 3, &random) == (0, 0))
    }

    /// Largest distance between the distribution of a sample and another.
    private func distance(_ sample: [Double], _ distribution: (Double) -> Double) -> Double {
        let sorted = sample.sorted()
        let n = Double(sorted.count)
        return sorted.enumerated().map { place, value in
            let expected = distribution(value)
            return max(abs(expected - Double(place) / n), abs(Double(place + 1) / n - expected))
        }.max() ?? 1
    }

    /// χ² of counts by site, with five degrees of freedom: 20.5 is passed by chance once in a thousand.
    private static func square(_ counts: [String: Double]) -> Double {
        let (weights, all) = (
            LesionPlan.BleedSite.allCases.reduce(0) { $0 + $1.weight }, counts.values.reduce(0, +)
        )
        return LesionPlan.BleedSite.allCases.reduce(0) { sum, site in
            let expected = all * site.weight / weights
            let difference = counts[site.rawValue, default: 0] - expected
            return sum + difference * difference / expected
        }
    }

    @Test func microbleedsAreAsLargeAndWhereTheyShouldBe() {
        var drawn: [Lesion] = []
        for person in 0..<200 {
            var plan = LesionPlan(head: Self.head, random: RandomStream(seed: 11, "bleeds", "\(person)"))
            plan.addMicrobleeds(20)
            drawn += plan.lesions
        }
        // Hardly any finds no place.
        #expect(drawn.count > 3950, "\(drawn.count)")
        var (diameters, susceptibilities): ([Double], [Double]) = ([], [])
        var sites: [String: Double] = [:]
        for lesion in drawn {
            guard case .ellipsoid(let shape) = lesion.shape else {
                Issue.record("a microbleed is an ellipsoid")
                return
            }
            diameters.append(2 * shape.radius)
            susceptibilities.append(lesion.chiPPB)
            sites[lesion.place, default: 0] += 1
            #expect(shape.semiAxes.min() / shape.semiAxes.max() >= 0.7 - 1e-9)
            #expect((1.3...1.7).contains(lesion.bloom))
        }
        func truncated(_ median: Double, _ spread: Double, _ range: ClosedRange<Double>) -> (Double) -> Double {
            func phi(_ x: Double) -> Double { 0.5 * erfc(-log(x / median) / spread / 2.0.squareRoot()) }
            return { (phi($0) - phi(range.lowerBound)) / (phi(range.upperBound) - phi(range.lowerBound)) }
        }
        // Kolmogorov and Smirnov: 1.63/√n is passed by chance once in a hundred.
        let bound = 1.63 / Double(drawn.count).squareRoot()
        #expect(distance(diameters, truncated(exp(0.989), 0.361, 1.2...10)) < bound)
        #expect(distance(susceptibilities, truncated(350, 0.35, 120...1000)) < bound)
        #expect(Self.square(sites) < 20.5, "\(sites)")
        // The draw by itself, far more often.
        var plan = LesionPlan(head: Self.head, random: RandomStream(seed: 12, "sites"))
        var choices: [String: Double] = [:]
        for _ in 0..<200_000 {
            choices[plan.choice(LesionPlan.BleedSite.allCases.map { ($0, $0.weight) }).rawValue, default: 0] += 1
        }
        #expect(Self.square(choices) < 20.5, "\(choices)")
        // A tissue of the site in the middle of each.
        for lesion in drawn {
            let site = LesionPlan.BleedSite(rawValue: lesion.place)
            #expect(site?.fits(Self.head, lesion.shape.middle) == true, "\(lesion.place)")
        }
    }

    @Test func depositsAreLessRoundThanBleeds() {
        var deposits: [Lesion] = []
        for person in 0..<12 {
            var plan = LesionPlan(head: Self.head, random: RandomStream(seed: 5, "deposits", "\(person)"))
            plan.addIronDeposits()
            deposits += plan.lesions.filter { $0.kind == .ironDeposit }
        }
        #expect(deposits.count > 20)
        for lesion in deposits {
            guard case .tubes(let tubes) = lesion.shape else {
                Issue.record("a deposit is made of tubes")
                return
            }
            // Measured again at another size, and so with another lattice.
            let scale = 8 / (tubes.pieces.reduce(0) { $0 + ($1.step * $1.step).sum().squareRoot() } / 2)
            let grown = BranchedGrowth(tubes: tubes.mapped(scale: scale, shift: .init(repeating: 0)))
            let volume = grown.volume / (scale * scale * scale)
            #expect(volume > 19 && volume < 420, "\(volume)")
            #expect(grown.sphericity < 0.65 && grown.sphericity > 0.2, "\(grown.sphericity)")
            #expect((80...250).contains(lesion.chiPPB))
        }
        // A ball is round, by the same measure.
        let ball = BranchedGrowth(
            tubes: .init(points: [[0, 0, 0], [0, 0, 1e-6]], radii: [1.5, 1.5]))
        #expect(abs(ball.sphericity - 1) < 0.03, "\(ball.sphericity)")
        #expect(abs(ball.volume - 4 / 3 * Double.pi * 1.5 * 1.5 * 1.5) < 0.3)
    }

    // MARK: Painting

    @Test(arguments: [1.0, 2.0], [SIMD3<Double>(0, 0, 0), SIMD3(9, 4, -7)])
    func whatIsPaintedHasTheSumOfTheShape(voxel: Double, tilt: SIMD3<Double>) {
        // A 3 mm bleed of 0.4 ppm holds 5.65 ppm·mm³, wherever its middle lies between voxels.
        for shift in [0.0, 0.31, 0.5, 0.77] {
            let ball = Lesion(
                kind: .microbleed, place: "here",
                shape: .ellipsoid(
                    .init(
                        centre: SIMD3(20 + shift, -30 - shift / 2, 25 + shift / 3), semiAxes: .init(repeating: 1.5),
                        rotation: Rotation(degrees: .init(repeating: 0)), bumps: [])), chiPPB: 400, bloom: 1.5)
            let grid = Self.grid(voxel, tilt: tilt)
            let (result, chi) = Self.painted([ball], on: grid)
            let sum = chi.reduce(0) { $0 + Double($1) } * 1e-3 * grid.voxelVolumeCubicMillimetres
            #expect(abs(sum - 5.655) < 0.06 * 5.655, "\(sum)")
            #expect(abs(result.truth[0].excess - sum) < 1e-3)
            #expect(abs(result.truth[0].volumeCubicMillimetres - 14.14) < 0.06 * 14.14)
            #expect(result.truth[0].voxels == result.numbers.values.count { $0 == 1 })
            // Blooming is in the images that T2* weights, and not in χ.
            let bloomed = result.bloom.reduce(0) { $0 + Double($1) } * grid.voxelVolumeCubicMillimetres
            #expect(abs(bloomed - 14.14 * 1.5 * 1.5 * 1.5) < 0.06 * 47.7, "\(bloomed)")
        }
    }

    @Test func sumsOfManyBleedsAreRight() {
        var plan = LesionPlan(head: Self.head, random: RandomStream(seed: 2, "sum"))
        plan.addMicrobleeds(40)
        let grid = Self.grid(1)
        let (result, chi) = Self.painted(plan.lesions, on: grid)
        #expect(result.truth.count == plan.lesions.count)
        var expected = 0.0
        for row in result.truth {
            guard case .ellipsoid(let shape) = row.lesion.shape else { return }
            let own =
                row.lesion.chiPPB * 1e-3 * 4 / 3 * Double.pi * shape.semiAxes.x * shape.semiAxes.y * shape.semiAxes.z
            #expect(abs(row.excess - own) < 0.08 * own, "\(row.number): \(row.excess) for \(own)")
            expected += own
        }
        let sum = chi.reduce(0) { $0 + Double($1) } * 1e-3
        #expect(abs(sum - expected) < 0.02 * expected, "\(sum) for \(expected)")
    }

    @Test func meansBarelyTellRimsApart() {
        var (positive, negative): ([Double], [Double]) = ([], [])
        let grid = Self.grid(1)
        for person in 0..<16 {
            var plan = LesionPlan(head: Self.head, random: RandomStream(seed: 21, "rims", "\(person)"))
            plan.addDemyelination(lesions: 24, rims: 12)
            for row in Self.painted(plan.lesions, on: grid).0.truth where row.voxels > 0 {
                if row.lesion.kind == .rimPositive { positive.append(row.meanPPB) }
                if row.lesion.kind == .rimNegative { negative.append(row.meanPPB) }
            }
        }
        #expect(positive.count > 150 && negative.count > 150)
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        let gap = mean(positive) - mean(negative)
        // Spread of either is about 8 and 17 ppb, so that the gap has a standard error of about 1.5.
        #expect(gap > 0.5 && gap < 8.5, "\(gap)")
        // Half the lesions without a rim are brighter than a quarter of those with one: no threshold parts them.
        let sorted = positive.sorted()
        #expect(negative.count { $0 > sorted[sorted.count / 4] } > negative.count / 5)
    }

    @Test func aRimIsAtTheEdge() {
        let shape = LesionShape.Ellipsoid(
            centre: [20, -30, 25], semiAxes: .init(repeating: 6), rotation: Rotation(degrees: .init(repeating: 0)),
            bumps: [])
        let rim = Lesion.Rim(thicknessMillimetres: 1.5, coverage: 1, chiPPB: 30, axis: [1, 0, 0])
        let lesion = Lesion(
            kind: .rimPositive, place: "deep", shape: .ellipsoid(shape), chiPPB: 10, rim: rim)
        let grid = Self.grid(1)
        let (result, chi) = Self.painted([lesion], on: grid)
        func value(_ p: SIMD3<Double>) -> Float {
            let v = grid.affine.inverse!(p).rounded(.toNearestOrEven)
            return chi[grid.index(Int(v.x), Int(v.y), Int(v.z))]
        }
        #expect(abs(value([20, -30, 25]) - 10) < 0.01)
        #expect(value([25.2, -30, 25]) > 33 && value([20, -24.8, 25]) > 25 && value([20, -30, 19.8]) > 25)
        #expect(value([29, -30, 25]) == 0)
        // 1 − (4.5/6)³ of its volume is rim; on the far side it fades.
        let share = (result.truth[0].meanPPB - 10) / 30
        #expect(share > 0.42 && share < 0.62, "\(share)")
    }

    @Test func mimicsAreDrawnInTheirNumbers() {
        var counts: [Lesion.Kind: [Int]] = [:]
        for person in 0..<40 {
            let lesions = LesionPlan.lesions(
                of: .smallVesselDisease, age: 70, head: Self.head, options: .init(),
                stream: { RandomStream(seed: 9, $0, "\(person)") })
            for kind in [Lesion.Kind.vein, .calcification, .flowVoid] {
                counts[kind, default: []].append(
                    lesions.count { $0.kind == kind && !$0.place.hasSuffix("_core") })
            }
            // Later ones cover earlier ones.
            #expect(zip(lesions, lesions.dropFirst()).allSatisfy { $0.kind.layer <= $1.kind.layer })
            for lesion in lesions where lesion.kind == .calcification { #expect(lesion.chiPPB < 0) }
            for lesion in lesions where lesion.kind == .vein { #expect(lesion.chiPPB > 140) }
        }
        #expect(counts[.vein]!.allSatisfy { (9...16).contains($0) })
        for kind in [Lesion.Kind.calcification, .flowVoid] { #expect(Set(counts[kind]!) == [0, 1, 2]) }
        // Healthy people have veins and nothing else.
        let healthy = LesionPlan.lesions(
            of: .control, age: 40, head: Self.head, options: .init(), stream: { RandomStream(seed: 9, $0) })
        #expect(healthy.allSatisfy { $0.kind == .vein })
    }

    @Test func theHeadKnowsWhereTheTemplateWent() {
        var random = RandomStream(seed: 4, "shape")
        let deformation = Deformation(strength: 1, ventricleMillimetres: 2, &random)
        let head = SubjectHead(template: Self.head.template, deformation: deformation, size: [1.03, 0.98, 1.01])
        for p: SIMD3<Double> in [[2, -20, 14], [-27, 2, 1], [40, -50, 20]] {
            let q = head.position(ofTemplate: p) / head.size
            let back = q + deformation.displacement(at: q) - p
            #expect((back * back).sum().squareRoot() < 0.01)
        }
    }
}
