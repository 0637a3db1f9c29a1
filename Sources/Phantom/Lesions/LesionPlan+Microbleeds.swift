import Foundation

// Small vessel disease: microbleeds, and iron deposits of the basal ganglia.
//
// Diameters, susceptibilities, shapes and sites of microbleeds follow published collections of manual outlines; deposits
// follow the description of mineral along perforating vessels.

extension LesionPlan {
    /// Where microbleeds are, and how often.
    enum BleedSite: String, CaseIterable {
        case subcortical, junction, cerebellum
        case basalGanglia = "basal_ganglia"
        case thalamus, brainstem

        var weight: Double {
            switch self {
            case .subcortical: 39.8
            case .junction: 33.4
            case .cerebellum: 8.2
            case .basalGanglia: 7.9
            case .thalamus: 5.4
            case .brainstem: 4.4
            }
        }

        var box: Box {
            switch self {
            case .subcortical, .junction: .brain
            case .cerebellum: .cerebellum
            case .basalGanglia, .thalamus: .deep
            case .brainstem: .stem
            }
        }

        func fits(_ head: SubjectHead, _ p: SIMD3<Double>) -> Bool {
            let code = head.tissue(at: p)
            switch self {
            case .subcortical: return code == Tissue.white && !head.reaches(Tissue.isCortex, from: p, within: 3)
            case .junction: return Tissue.isCortex(code)
            case .cerebellum: return Tissue.isCerebellum(code)
            case .basalGanglia: return Tissue.nucleus(of: code).map { Self.basalGangliaNuclei.contains($0) } ?? false
            case .thalamus: return Tissue.nucleus(of: code).map { $0 == .thalamus || $0 == .pulvinar } ?? false
            case .brainstem:
                return code == Tissue.brainstem
                    || (Tissue.nucleus(of: code).map { $0 == .substantiaNigra || $0 == .redNucleus } ?? false)
            }
        }

        private static let basalGangliaNuclei: Set<Nucleus> = [.caudate, .putamen, .pallidum, .accumbens]
    }

    static let bleedDiameters = (median: exp(0.989), spread: 0.361, range: 1.2...10.0)
    static let bleedSusceptibilities = (median: 350.0, spread: 0.35, range: 120.0...1000.0)

    mutating func addMicrobleeds(_ count: Int) {
        for _ in 0..<count {
            let (size, chi) = (Self.bleedDiameters, Self.bleedSusceptibilities)
            let diameter = LesionCounts.logNormal(
                median: size.median, spread: size.spread, within: size.range, &random)
            let susceptibility = LesionCounts.logNormal(
                median: chi.median, spread: chi.spread, within: chi.range, &random)
            let site = choice(BleedSite.allCases.map { ($0, $0.weight) })
            let bloom = random.uniform(1.3, 1.7)
            let found = place(in: site.box, radius: diameter / 2) { head, p in
                site.fits(head, p) && head.share(Tissue.isBrain, around: p, at: diameter / 2 + 0.5) == 1
            }
            guard let found else { continue }
            add(
                Lesion(
                    kind: .microbleed, place: site.rawValue,
                    shape: ellipsoid(at: found, diameter: diameter, flattest: 0.7), chiPPB: susceptibility,
                    bloom: bloom))
        }
    }

    // MARK: Iron deposits

    static let depositVolumes = (median: 80.0, spread: 0.7, range: 20.0...400.0)
    /// Deposits are less round than this (sphericity), microbleeds rounder.
    static let depositSphericity = 0.62

    mutating func addIronDeposits() {
        for isRight in [false, true] {
            guard random.uniform() < 0.7 else { continue }
            var count = 1
            while count < 6, random.uniform() < 0.6 { count += 1 }
            for _ in 0..<count { addIronDeposit(isRight: isRight) }
        }
    }

    private mutating func addIronDeposit(isRight: Bool) {
        let isPallidal = random.uniform() < 0.7
        let code = Tissue.nucleus(isPallidal ? .pallidum : .putamen, right: isRight)
        let name = "\(isRight ? "right" : "left")_\(isPallidal ? "pallidum" : "putamen")"
        let size = Self.depositVolumes
        let volume = LesionCounts.logNormal(median: size.median, spread: size.spread, within: size.range, &random)
        let (chi, isCalcified) = (random.uniform(80, 250), random.uniform() < 0.2)
        var grown = BranchedGrowth.grow(&self, isRight: isRight)
        // The roundest are drawn again; after some tries the least round stays.
        for _ in 0..<12 where grown.sphericity > Self.depositSphericity {
            let other = BranchedGrowth.grow(&self, isRight: isRight)
            if other.sphericity < grown.sphericity { grown = other }
        }
        let scale = cbrt(volume / grown.volume)
        // Anterior putamen: in front of the commissure.
        let found = place(in: .deep, radius: nil) { head, p in
            head.tissue(at: p) == code && (isPallidal || p.y > 0)
        }
        guard let found else { return }
        let tubes = grown.tubes.mapped(scale: scale, shift: found - LesionShape.tubes(grown.tubes).middle * scale)
        add(Lesion(kind: .ironDeposit, place: name, shape: .tubes(tubes), chiPPB: chi, bloom: 1.15))
        if isCalcified {
            // In the middle of the trunk, which has seven pieces or more.
            let piece = tubes.pieces[3]
            let diameter = min(3, 1.6 * piece.startRadius)
            add(
                Lesion(
                    kind: .calcification, place: "\(name)_core",
                    shape: ellipsoid(at: piece.start + piece.step, diameter: diameter, flattest: 0.6), chiPPB: -100,
                    bloom: 1.3))
        }
    }
}

/// Mineral along a perforating vessel and its branches, in units to be enlarged: a trunk that rises, thinner branches.
struct BranchedGrowth {
    let tubes: LesionShape.Tubes
    /// Of the union of all pieces.
    let volume: Double
    /// π^⅓ (6V)^⅔ / A: 1 for a ball.
    let sphericity: Double

    static func grow(_ plan: inout LesionPlan, isRight: Bool) -> BranchedGrowth {
        // Lenticulostriate vessels rise outwards and a little forward.
        let drift = SIMD3(isRight ? 0.3 : -0.3, 0.2, 1)
        let trunk = plan.walk(
            from: .init(repeating: 0), drift: drift, steps: plan.integer(7...10), step: 1, wander: 0.45)
        let thickness = plan.random.uniform(0.45, 0.65)
        var radii: [Double] = []
        for _ in trunk { radii.append(thickness * plan.random.uniform(0.6, 1.3)) }
        var pieces = LesionShape.Tubes(points: trunk, radii: radii).pieces
        for _ in 0..<plan.integer(1...3) {
            let root = plan.integer(1...(trunk.count - 2))
            let branch = plan.walk(
                from: trunk[root], drift: plan.direction() + drift / 2, steps: plan.integer(3...5), step: 0.9,
                wander: 0.4)
            let taper = branch.indices.map { radii[root] * (0.9 - 0.1 * Double($0)) }
            pieces += LesionShape.Tubes(points: branch, radii: taper).pieces
        }
        return BranchedGrowth(tubes: LesionShape.Tubes(pieces))
    }

    /// Measures volume and surface on a lattice: the surface is how the volume grows with the depth it begins at.
    init(tubes: LesionShape.Tubes) {
        self.tubes = tubes
        let (low, high) = LesionShape.tubes(tubes).bounds(widened: 1)
        let (spacing, shell) = (0.14, 0.1)
        var (inside, wider, narrower) = (0, 0, 0)
        for z in stride(from: low.z - shell, through: high.z + shell, by: spacing) {
            for y in stride(from: low.y - shell, through: high.y + shell, by: spacing) {
                for x in stride(from: low.x - shell, through: high.x + shell, by: spacing) {
                    let depth = tubes.depth(SIMD3(x, y, z), widened: 1)
                    if depth > 0 { inside += 1 }
                    if depth > -shell { wider += 1 }
                    if depth > shell { narrower += 1 }
                }
            }
        }
        let cell = spacing * spacing * spacing
        volume = Double(inside) * cell
        let surface = Double(wider - narrower) * cell / (2 * shell)
        sphericity = cbrt(36 * Double.pi * volume * volume) / surface
    }
}
