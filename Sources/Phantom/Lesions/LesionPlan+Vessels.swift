import Foundation

// What everybody has, and what may be taken for a lesion: veins (dark where T2* weights, and paramagnetic), calcifications
// (dark as well, but diamagnetic) and flow voids (dark, with the susceptibility of what is around).

extension LesionPlan {
    mutating func addVeins() {
        for _ in 0..<integer(4...8) { addMedullaryVein() }
        for _ in 0..<integer(3...6) { addSulcalVein() }
        addInternalCerebralVeins()
    }

    private mutating func addVein(_ place: String, _ points: [SIMD3<Double>], _ radii: [Double], chi: Double) {
        add(
            Lesion(
                kind: .vein, place: place, shape: .tubes(.init(points: points, radii: radii)), chiPPB: chi,
                bloom: 1.25))
    }

    /// From near the ventricles outwards, getting thinner.
    private mutating func addMedullaryVein() {
        let found = place(in: .brain, radius: nil) { head, p in
            head.tissue(at: p) == Tissue.white && head.reaches(Tissue.isVentricle, from: p, within: 6)
        }
        guard let found else { return }
        let outwards = SIMD3(found.x, found.y * 0.3, 20) / 30 + random.normalVector(0.3)
        let (steps, thick, chi) = (integer(5...11), random.uniform(0.45, 0.8), random.uniform(150, 300))
        let points = walk(from: found, drift: outwards, steps: steps, step: 2, wander: 0.12)
        let radii = points.indices.map { thick + (0.3 - thick) * Double($0) / Double(steps) }
        addVein("medullary", points, radii, chi: chi)
    }

    /// In a sulcus, deeper into it.
    private mutating func addSulcalVein() {
        let found = place(in: .brain, radius: nil) { head, p in
            head.tissue(at: p) == Tissue.sulcus && p.z > 10
        }
        guard let found else { return }
        let (steps, thick, chi) = (integer(4...8), random.uniform(0.6, 1), random.uniform(150, 300))
        let inwards = -found + random.normalVector(30)
        let points = walk(from: found, drift: inwards, steps: steps, step: 1.6, wander: 0.2)
        addVein("sulcal", points, points.map { _ in thick }, chi: chi)
    }

    /// Both, down to the great vein.
    private mutating func addInternalCerebralVeins() {
        let course: [SIMD3<Double>] = [
            [1.8, -2, 12], [2, -10, 14.5], [2, -20, 14], [2, -30, 10], [1, -37, 6], [0.2, -42, 5],
        ]
        for side in [-1.0, 1] {
            var points: [SIMD3<Double>] = []
            for p in course {
                points.append(head.position(ofTemplate: SIMD3(side * p.x, p.y, p.z) + random.normalVector(0.4)))
            }
            addVein("deep", points, [0.7, 0.8, 0.9, 1, 1.2, 1.4], chi: random.uniform(180, 260))
        }
    }

    /// Up to two, in the choroid plexus, the pallidum or white matter.
    mutating func addCalcifications() {
        for _ in 0..<integer(0...2) {
            let site = choice([("choroid_plexus", 1.0), ("pallidum", 2), ("white_matter", 1)])
            let (diameter, chi) = (random.uniform(2, 5), -random.uniform(100, 400))
            let box: Box = site == "white_matter" ? .brain : site == "pallidum" ? .deep : .atria
            let found = place(in: box, radius: 2) { head, p in
                let code = head.tissue(at: p)
                return switch site {
                case "pallidum": Tissue.nucleus(of: code) == .pallidum
                case "white_matter": code == Tissue.white
                default: code == Tissue.ventricle
                }
            }
            guard let found else { continue }
            add(
                Lesion(
                    kind: .calcification, place: site,
                    shape: ellipsoid(at: found, diameter: diameter, flattest: 0.6), chiPPB: chi, bloom: 1.3))
        }
    }

    /// Up to two pieces of arteries in fissures, too fast to give signal.
    mutating func addFlowVoids() {
        for _ in 0..<integer(0...2) {
            let found = place(in: .fissures, radius: nil) { head, p in head.tissue(at: p) == Tissue.sulcus }
            guard let found else { continue }
            let thick = random.uniform(0.6, 1.1)
            let points = walk(from: found, drift: direction(), steps: 4, step: 1.5, wander: 0.4)
            add(
                Lesion(
                    kind: .flowVoid, place: "fissure",
                    shape: .tubes(.init(points: points, radii: points.map { _ in thick })),
                    chiPPB: 0, bloom: 1.2))
        }
    }
}

extension LesionPlan.Box {
    /// Where the choroid plexus is largest.
    fileprivate static let atria = LesionPlan.Box(low: [-32, -60, -4], high: [32, -24, 28])
    /// The fissure of Sylvius of both sides and what is between.
    fileprivate static let fissures = LesionPlan.Box(low: [-56, -40, -24], high: [56, 34, 16])
}
