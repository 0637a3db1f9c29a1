import Foundation

/// Draws the lesions, vessels and mimics of one person.
struct LesionPlan {
    let head: SubjectHead
    var random: RandomStream
    private(set) var lesions: [Lesion] = []
    /// Middles and radii of what must not touch another.
    private var taken: [(middle: SIMD3<Double>, radius: Double)] = []

    init(head: SubjectHead, random: RandomStream) { (self.head, self.random) = (head, random) }

    /// What is found where, in words of `PhantomCohort.Study`.
    static func lesions(
        of group: PhantomGroup, age: Double, head: SubjectHead, options: PhantomCohort.Options,
        stream: (String) -> RandomStream
    ) -> [Lesion] {
        var all: [Lesion] = []
        // A stream for each, so that more bleeds do not move the vessels.
        var plan = LesionPlan(head: head, random: stream("lesions"))
        switch group {
        case .smallVesselDisease:
            plan.addMicrobleeds(LesionCounts.microbleeds(options.bleeds, age: age, &plan.random))
            plan.addIronDeposits()
        case .multipleSclerosis:
            let count = LesionCounts.demyelination(mean: options.lesions, rimMean: options.rims, &plan.random)
            plan.addDemyelination(lesions: count.lesions, rims: count.rims)
        case .control, .hemochromatosis: break
        }
        all += plan.lesions
        var vessels = LesionPlan(head: head, random: stream("vessels"))
        vessels.taken = plan.taken
        vessels.addVeins()
        if group == .smallVesselDisease || group == .multipleSclerosis {
            vessels.addCalcifications()
            vessels.addFlowVoids()
        }
        all += vessels.lesions
        // Stable: within a layer the order of drawing stays.
        return all.enumerated().sorted { ($0.element.kind.layer, $0.offset) < ($1.element.kind.layer, $1.offset) }
            .map(\.element)
    }

    mutating func add(_ lesion: Lesion) { lesions.append(lesion) }

    /// Part of the head to look for places in, in millimetres of the template.
    struct Box {
        let low: SIMD3<Double>
        let high: SIMD3<Double>

        static let brain = Box(low: [-76, -112, -72], high: [76, 82, 86])
        /// Deep nuclei of both sides.
        static let deep = Box(low: [-44, -42, -26], high: [44, 36, 36])
        static let stem = Box(low: [-24, -52, -72], high: [24, 4, 6])
        static let cerebellum = Box(low: [-60, -112, -72], high: [60, -32, 0])
    }

    /// A random place that fits, apart from what is there already when it has a radius.
    mutating func place(
        in box: Box, radius: Double?, tries: Int = 6000, _ fits: (SubjectHead, SIMD3<Double>) -> Bool
    ) -> SIMD3<Double>? {
        for _ in 0..<tries {
            let x = random.uniform(box.low.x, box.high.x)
            let y = random.uniform(box.low.y, box.high.y)
            let p = SIMD3(x, y, random.uniform(box.low.z, box.high.z)) * head.size
            guard fits(head, p) else { continue }
            if let radius {
                let isApart = taken.allSatisfy { other in
                    let d = p - other.middle
                    let least = other.radius + radius + 2
                    return (d * d).sum() > least * least
                }
                guard isApart else { continue }
                taken.append((p, radius))
            }
            return p
        }
        return nil
    }

    /// An ellipsoid of an equivalent diameter in mm, turned at random.
    ///
    /// - Parameter flattest: smallest ratio of an axis to the longest.
    mutating func ellipsoid(
        at centre: SIMD3<Double>, diameter: Double, flattest: Double, bumps: [SIMD3<Double>] = []
    ) -> LesionShape {
        let ratios = SIMD3(1, random.uniform(flattest, 1), random.uniform(flattest, 1))
        let semiAxes = ratios * (diameter / 2 / cbrt(ratios.x * ratios.y * ratios.z))
        let (x, y) = (random.uniform(0, 360), random.uniform(0, 360))
        let rotation = Rotation(degrees: SIMD3(x, y, random.uniform(0, 360)))
        return .ellipsoid(.init(centre: centre, semiAxes: semiAxes, rotation: rotation, bumps: bumps))
    }

    /// A unit vector in a random direction.
    mutating func direction() -> SIMD3<Double> {
        let d = random.normalVector(1)
        return d / max(1e-9, (d * d).sum().squareRoot())
    }

    /// Points of a walk that keeps about its direction.
    ///
    /// - Parameters:
    ///   - drift: where to, of any length.
    ///   - step: mm.
    ///   - wander: how much the direction changes from step to step; 0: not at all.
    mutating func walk(
        from start: SIMD3<Double>, drift: SIMD3<Double>, steps: Int, step: Double, wander: Double
    ) -> [SIMD3<Double>] {
        var points = [start]
        var direction = drift / max(1e-9, (drift * drift).sum().squareRoot())
        for _ in 0..<steps {
            direction += random.normalVector(wander)
            direction /= max(1e-9, (direction * direction).sum().squareRoot())
            points.append(points[points.count - 1] + step * direction)
        }
        return points
    }

    /// A whole number in a range, every one equally likely.
    mutating func integer(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(random.next() % UInt64(range.count))
    }

    /// One of several by their weights.
    mutating func choice<Value>(_ weighted: [(Value, Double)]) -> Value {
        var rest = random.uniform() * weighted.reduce(0) { $0 + $1.1 }
        for (value, weight) in weighted {
            rest -= weight
            if rest < 0 { return value }
        }
        return weighted[weighted.count - 1].0
    }
}
