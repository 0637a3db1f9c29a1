import Foundation

// Lesions of multiple sclerosis in white matter, few of them with a paramagnetic rim.
//
// All share what their cores add to white matter. A rim adds to the edge, and lesions without one are bright, alike or
// dark as a whole, in parts that lift their mean by 8 ppb where rims lift theirs by 12: means barely tell the two apart,
// profiles do.

extension LesionPlan {
    private enum Region: String, CaseIterable {
        case periventricular, juxtacortical, deep

        var weight: Double {
            switch self {
            case .periventricular: 0.5
            case .juxtacortical: 0.2
            case .deep: 0.3
            }
        }

        func fits(_ head: SubjectHead, _ p: SIMD3<Double>, radius: Double) -> Bool {
            switch self {
            case .periventricular: head.reaches(Tissue.isVentricle, from: p, within: radius + 3)
            case .juxtacortical:
                head.reaches(Tissue.isCortex, from: p, within: radius + 1.5)
                    && !head.reaches(Tissue.isVentricle, from: p, within: radius + 5)
            case .deep:
                !head.reaches(Tissue.isCortex, from: p, within: radius)
                    && !head.reaches(Tissue.isVentricle, from: p, within: radius + 3)
            }
        }
    }

    mutating func addDemyelination(lesions count: Int, rims: Int) {
        for number in 0..<count {
            let hasRim = number < rims
            let diameter = LesionCounts.logNormal(
                median: hasRim ? 11 : 7, spread: hasRim ? 0.35 : 0.4, within: 3...22, &random)
            let region = choice(Region.allCases.map { ($0, $0.weight) })
            let core = random.uniform(5, 25)
            let rim = Lesion.Rim(
                thicknessMillimetres: random.uniform(1, 2), coverage: random.uniform(0.6, 1),
                chiPPB: random.uniform(10, 40), axis: direction())
            // Bright as a whole, like its surroundings, or dark.
            let whole = choice([(random.uniform(10, 40), 0.4), (0, 0.4), (-10, 0.2)])
            let hasVein = !hasRim && random.uniform() < 0.05
            let bumps = (0..<3).map { _ in random.normalVector(3) }
            guard let (found, place) = placeInWhiteMatter(region, radius: diameter / 2) else { continue }
            add(
                Lesion(
                    kind: hasRim ? .rimPositive : .rimNegative, place: place,
                    shape: ellipsoid(at: found, diameter: diameter, flattest: 0.7, bumps: bumps),
                    chiPPB: core + (hasRim ? 0 : whole), rim: hasRim ? rim : nil))
            if hasVein { addVeinAtEdge(of: found, radius: diameter / 2) }
        }
    }

    /// A place of the kind wanted, else any in white matter with room for the lesion.
    private mutating func placeInWhiteMatter(
        _ region: Region, radius: Double
    ) -> (SIMD3<Double>, String)? {
        func hasRoom(_ head: SubjectHead, _ p: SIMD3<Double>) -> Bool {
            head.tissue(at: p) == Tissue.white
                && head.share({ $0 == Tissue.white }, around: p, at: 0.7 * radius) >= 0.6
        }
        if let found = place(in: .brain, radius: radius, { hasRoom($0, $1) && region.fits($0, $1, radius: radius) }) {
            return (found, region.rawValue)
        }
        return place(in: .brain, radius: radius, hasRoom).map { ($0, "white_matter") }
    }

    /// Runs along the edge and mimics a rim.
    private mutating func addVeinAtEdge(of centre: SIMD3<Double>, radius: Double) {
        let outwards = direction()
        let other = direction()
        let along = other - (other * outwards).sum() * outwards
        let points = walk(from: centre + radius * outwards - 4 * along, drift: along, steps: 5, step: 1.6, wander: 0.3)
        add(
            Lesion(
                kind: .vein, place: "lesion_edge",
                shape: .tubes(.init(points: points, radii: points.map { _ in 0.5 })), chiPPB: random.uniform(150, 300),
                bloom: 1.3))
    }
}
