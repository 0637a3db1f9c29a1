import Foundation
import Kernels
import Testing

@testable import Phantom

@Suite struct SubjectTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func deformationsAreInvertible(seed: UInt64) {
        var random = RandomStream(seed: seed, "test")
        let deformation = Deformation(strength: 1, ventricleMillimetres: 2, &random)
        func image(_ p: SIMD3<Double>) -> SIMD3<Double> { p + deformation.displacement(at: p) }
        var (least, squares, count) = (Double.infinity, 0.0, 0.0)
        for z in stride(from: -50.0, through: 70, by: 6) {
            for y in stride(from: -100.0, through: 70, by: 6) {
                for x in stride(from: -66.0, through: 66, by: 6) {
                    let p = SIMD3(x, y, z)
                    let d = deformation.displacement(at: p)
                    squares += (d * d).sum()
                    count += 1
                    let h = 1.5
                    let a = (image(p + [h, 0, 0]) - image(p - [h, 0, 0])) / (2 * h)
                    let b = (image(p + [0, h, 0]) - image(p - [0, h, 0])) / (2 * h)
                    let c = (image(p + [0, 0, h]) - image(p - [0, 0, h])) / (2 * h)
                    let cross = SIMD3(b.y * c.z - b.z * c.y, b.z * c.x - b.x * c.z, b.x * c.y - b.y * c.x)
                    least = min(least, (a * cross).sum())
                }
            }
        }
        #expect(least > 0.25, "seed \(seed): smallest Jacobian \(least)")
        let rms = (squares / count).squareRoot()
        #expect(rms > 1.5 && rms < 5, "seed \(seed): \(rms) mm")
    }

    @Test func ventriclesWidenByTheirParameter() {
        var random = RandomStream(seed: 1, "test")
        let wide = Deformation(strength: 0, ventricleMillimetres: 3, &random)
        // Above the axis of the body of the ventricle, what is seen comes from nearer the axis.
        #expect(wide.displacement(at: [8, -10, 27]).z < -1)
        #expect(wide.displacement(at: [-8, -10, 27]).z < -1)
        #expect(abs(wide.displacement(at: [60, -10, 27]).z) < 0.01)
        #expect(Deformation.identity.displacement(at: [10, 20, 30]) == .init(repeating: 0))
    }

    @Test func smoothNoiseIsStandardAndSmooth() {
        var random = RandomStream(seed: 5, "noise")
        let n = 40
        let field = SmoothNoise.field((n, n, n), spacingVoxels: 4, &random)
        #expect(field.count == n * n * n)
        let mean = field.reduce(0, +) / Float(field.count)
        let variance = field.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(field.count)
        #expect(abs(mean) < 0.15 && abs(variance - 1) < 0.25, "mean \(mean), variance \(variance)")
        // Neighbours along every axis agree far better than voxels a few nodes apart.
        for (step, name) in [(1, "x"), (n, "y"), (n * n, "z")] {
            func difference(_ s: Int) -> Float {
                var sum: Float = 0
                for v in 0..<(field.count - s) { sum += (field[v + s] - field[v]) * (field[v + s] - field[v]) }
                return sum / Float(field.count - s)
            }
            #expect(difference(step) < 0.15, "\(name)")
            #expect(difference(12 * step) > 1, "\(name)")
        }
    }

    @Test func geometryCoversManyOrientations() {
        var orders: Set<String> = []
        var oblique = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            var random = RandomStream(seed: seed, "pose")
            let geometry = Geometry(voxelMillimetres: 2, &random)
            for grid in [geometry.anatomical, geometry.gradientEcho] {
                #expect(grid.affine.shear < 1e-9)
                #expect(abs(grid.spacingMillimetres.max() - 2) < 1e-9 && abs(grid.spacingMillimetres.min() - 2) < 1e-9)
                let letters = (0..<3).map { axis in
                    let c = grid.affine.column(axis)
                    let world = (0..<3).max { abs(c[$0]) < abs(c[$1]) }!
                    return String(Array(["RL", "AP", "SI"][world])[c[world] > 0 ? 0 : 1])
                }
                orders.insert(letters.joined())
            }
            let column = geometry.gradientEcho.affine.column(2)
            if column.max() < 1.999, column.min() > -1.999 { oblique += 1 }
            // Little movement between the scans.
            let moved = geometry.poseGradientEcho([20, 20, 20]) - geometry.poseAnatomical([20, 20, 20])
            #expect((moved * moved).sum().squareRoot() < 6)
        }
        #expect(orders == ["RAS", "LAS", "LPS", "PSR"])
        #expect(oblique > 10 && oblique < 40, "\(oblique) of 60")
    }

    @Test func streamsAreIndependent() {
        var a = RandomStream(seed: 1, "subject", "1")
        var b = RandomStream(seed: 1, "subject", "2")
        var c = RandomStream(seed: 1, "subject1")
        var again = RandomStream(seed: 1, "subject", "1")
        let first = a.next()
        #expect(first == again.next())
        #expect(first != b.next() && first != c.next())
        let values = (0..<20_000).map { _ in a.normal() }
        let mean = values.reduce(0, +) / 20_000
        let variance = values.reduce(0) { $0 + $1 * $1 } / 20_000
        #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.05)
    }
}

@Suite struct CohortPlanTests {
    static func options(_ subjects: Int) -> PhantomCohort.Options {
        var options = PhantomCohort.Options()
        options.subjects = subjects
        return options
    }

    @Test func groupsAreMatchedAndSitesBalanced() {
        var options = Self.options(400)
        options.sites = 4
        let plans = SubjectPlan.cohort(options)
        let patients = plans.filter { $0.group == .hemochromatosis }
        let controls = plans.filter { $0.group == .control }
        #expect(patients.count == 200)
        #expect(Set(plans.map(\.label)).count == 400)
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        #expect(abs(mean(patients.map(\.age)) - mean(controls.map(\.age))) < 1)
        for site in Set(plans.map(\.site.name)) {
            #expect(plans.count { $0.site.name == site } == 100)
            #expect(patients.count { $0.site.name == site } == 50)
        }
        #expect(plans.allSatisfy { (25...80).contains($0.age) })
    }

    /// Number of linearly independent columns.
    private func rank(_ columns: [[Double]]) -> Int {
        var kept: [[Double]] = []
        for column in columns {
            var rest = column
            for base in kept {
                let factor = zip(rest, base).reduce(0) { $0 + $1.0 * $1.1 }
                rest = zip(rest, base).map { $0 - factor * $1 }
            }
            let length = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let whole = column.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if length > 1e-9 * max(1, whole) { kept.append(rest.map { $0 / length }) }
        }
        return kept.count
    }

    /// A model that cannot tell sex from site says nothing about either.
    @Test(arguments: [UInt64(1), 2, 3, 4], [1, 2, 3])
    func covariatesCanBeToldApartInAnyNumberOfPeople(seed: UInt64, sites: Int) {
        for number in 4...40 {
            var options = Self.options(number)
            (options.seed, options.sites) = (seed, sites)
            let plans = SubjectPlan.cohort(options)
            let names = Set(plans.map(\.site.name)).sorted().dropFirst()
            var columns = [plans.map { _ in 1.0 }, plans.map { $0.sex == "F" ? 1 : 0 }]
            columns.append(plans.map { $0.group == .hemochromatosis ? 1 : 0 })
            columns += names.map { name in plans.map { $0.site.name == name ? 1 : 0 } }
            #expect(rank(columns) == columns.count, "\(number) people, \(sites) sites")
            columns.append(plans.map(\.age))
            #expect(rank(columns) == min(columns.count, number), "age; \(number) people, \(sites) sites")
        }
        // Two rounds over the sites: every combination once.
        let plans = SubjectPlan.cohort(Self.options(8))
        #expect(Set(plans.map { "\($0.sex) \($0.site.name) \($0.group)" }).count == 8)
    }

    @Test func theEffectOfTheDiseaseIsWhatTheTableSays() {
        func difference(_ effect: Double, _ nucleus: Nucleus) -> Double {
            var options = Self.options(4000)
            options.effect = effect
            let plans = SubjectPlan.cohort(options)
            let code = Int(Tissue.nucleus(nucleus, right: true))
            func mean(_ group: PhantomGroup) -> Double {
                let values = plans.filter { $0.group == group }.map { $0.susceptibilityPPB[code] }
                return values.reduce(0, +) / Double(values.count)
            }
            return mean(.hemochromatosis) - mean(.control)
        }
        // Mean severity is 1.2 · exp(0.08); standard errors of the differences are about 0.6 and 0.45 ppb.
        #expect(abs(difference(1, .putamen) - 16 * 1.2 * exp(0.08)) < 2.4)
        #expect(abs(difference(1, .pallidum) - 9 * 1.2 * exp(0.08)) < 1.8)
        #expect(abs(difference(0, .putamen)) < 2.4)
        #expect(abs(difference(1, .hippocampus)) < 1.2)
    }

    @Test func ageModelIsPiecewiseLinear() {
        let putamen = Physiology.susceptibility(of: .putamen)
        #expect(abs(putamen.mean(age: 50, severity: 0) - 57) < 1e-12)
        #expect(abs(putamen.mean(age: 60, severity: 0) - 64.9) < 1e-12)
        // One decade of the steep slope to 40, one of the other below.
        #expect(abs(putamen.mean(age: 30, severity: 0) - (57 - 7.9 - 9)) < 1e-12)
        #expect(abs(putamen.mean(age: 50, severity: 2) - 89) < 1e-12)
    }

    @Test func laterParticipantsDoNotChangeEarlierOnes() {
        let few = SubjectPlan.cohort(Self.options(3))
        let many = SubjectPlan.cohort(Self.options(9))
        for (a, b) in zip(few, many) {
            #expect(a.age == b.age && a.group == b.group && a.susceptibilityPPB == b.susceptibilityPPB)
        }
        var other = Self.options(3)
        other.seed = 2
        #expect(SubjectPlan.cohort(other).map(\.age) != few.map(\.age))
    }
}
