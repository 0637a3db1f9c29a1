import Foundation

/// A whole head as a function: from a position in MNI-like millimetres (RAS, origin near the anterior commissure) to the
/// tissue there.
///
/// The hull of the brain is a union of rounded solids. Sulci are where a smooth random function of space crosses zero
/// within a certain depth of the hull; grey matter lines the hull and the sulci. Deep nuclei are ellipsoids and swept
/// tubes at the places and of the sizes that anatomy gives them.
struct HeadModel {
    private let folds = FoldField()
    private let core = Shape.Ellipsoid([0, -6, 4], [42, 42, 30], isBoxy: true)

    // Hull of the brain. Left and right are mirror images: shapes are those of the right side (x ≥ 0).
    private let hemispheres = Shape.Ellipsoid([0, -16, 12], [67, 86, 62], isBoxy: true)
    private let temporalLobe = Shape.Ellipsoid([42, -12, -22], [26, 42, 23], turnZ: -6)
    private let cerebellum = Shape.Ellipsoid([0, -62, -35], [51, 34, 25])
    private let stem = Shape.Tube(
        [
            [0, -15, -3, 13], [0, -22, -14, 14.5], [0, -24, -30, 15.5], [0, -33, -46, 10.5], [0, -40, -62, 7.5],
            [0, -47, -130, 6.5],
        ], isExactFarAway: true)

    // CSF spaces inside.
    private let lateralVentricle = Shape.Tube([
        [5.5, 27, 4, 2.6], [5.5, 18, 9, 3.6], [6, 6, 15, 3.8], [7.5, -8, 19, 3.6], [10.5, -20, 20.5, 3.8],
        [18, -33, 17, 5], [24, -44, 9, 4.8], [26, -58, 7, 3], [24, -70, 6, 1.6],
    ])
    private let temporalHorn = Shape.Tube([
        [24, -44, 8, 3.5], [31, -36, -3, 2.8], [36, -27, -11, 2], [35, -14, -19, 1.7],
    ])
    private let thirdVentricle = Shape.Ellipsoid([0, -10, -1], [2.1, 13, 10], isBoxy: true)
    private let aqueduct = Shape.Tube([[0, -24, 2, 1.3], [0, -29, -9, 1.3], [0, -36, -22, 1.6]])
    private let fourthVentricle = Shape.Ellipsoid([0, -41, -31], [6.5, 5, 10], turnX: 20)

    // Deep nuclei of the right side.
    private let caudate = Shape.Tube([
        [11, 19, -3, 5.2], [13, 15, 5, 6.6], [14, 8, 12.5, 5.6], [15.5, -3, 19, 4], [18, -15, 22, 3.1],
        [24, -27, 20, 2.5], [30.5, -34, 11, 2], [34, -31, 0, 1.7], [34.5, -22, -8, 1.4],
    ])
    private let putamen = Shape.Ellipsoid([27, 2, 1], [6.7, 16.6, 10.9], isBoxy: true, turnZ: 9)
    private let pallidum = Shape.Ellipsoid([19.8, -3.5, -1], [4.7, 9.2, 6.2], turnZ: 16)
    private let accumbens = Shape.Ellipsoid([10, 11, -8.5], [4.6, 5.6, 4.2])
    private let thalamus = Shape.Ellipsoid([11.3, -18.5, 7], [8.6, 15.8, 10.2], isBoxy: true, turnZ: 18)
    private let nigra = Shape.Ellipsoid([10.2, -17.5, -13], [2.9, 6.6, 6.2], turnY: 24, turnZ: -38)
    private let redNucleus = Shape.Ellipsoid([5.2, -20, -8.5], [3.6, 4, 4.4])
    private let dentate = Shape.Ellipsoid([15.5, -59, -33], [6.0, 8.4, 6.0], turnZ: -24)
    private let hippocampus = Shape.Tube([
        [23.5, -11, -20, 5.6], [26.5, -17, -18, 5.5], [28.5, -25, -13, 4.9], [27, -33, -7, 4.2], [21, -38, 0, 3.2],
    ])
    private let amygdala = Shape.Ellipsoid([22.5, -3, -19], [7, 7, 7.6])

    // Around the brain.
    private let face = Shape.Ellipsoid([0, 34, -74], [58, 58, 66], isBoxy: true)
    private let neck = Shape.Tube([[0, -42, -60, 54], [0, -50, -180, 56]], isExactFarAway: true)
    private let nasalCavity = Shape.Ellipsoid([0, 64, -52], [11, 22, 20])
    private let pharynx = Shape.Tube([[0, 45, -78, 8], [0, 4, -80, 9], [0, -2, -140, 9]])
    private let eyeball = Shape.Ellipsoid([32, 58, -36], [12, 12.5, 12])
    private let orbit = Shape.Ellipsoid([30, 52, -35], [17, 20, 16])

    /// Height below which the cerebrum gives way to orbits (front), cistern (middle) and tentorium (back), mm.
    private func cerebralFloor(_ p: SIMD3<Double>) -> Double {
        let back = min(1, max(0, (-30 - p.y) / 25))
        let front = min(1, max(0, (p.y - 20) / 40))
        return -21 + back * (12 - 0.27 * min(abs(p.x), 52) - 0.12 * max(0, -60 - p.y)) + front * 4
    }

    /// The tissue at a position; see `Tissue` for the codes.
    func tissue(at p: SIMD3<Double>) -> UInt8 {
        let q = SIMD3(abs(p.x), p.y, p.z)
        let isRight = p.x >= 0
        let floor = cerebralFloor(p)
        let upper = Shape.intersection(hemispheres.depth(p), p.z - floor, smoothing: 12)
        let cerebrum = Shape.union(upper, temporalLobe.depth(q), smoothing: 5)
        let cerebellum = min(cerebellum.depth(p), floor - 1.6 - p.z)
        let stem = stem.depth(p)

        if cerebrum > -2 || cerebellum > -2 || stem > -2, p.z > -64 {
            if let inside = brain(p, q, isRight, cerebrum: cerebrum, cerebellum: cerebellum, stem: stem) {
                return inside
            }
        }
        let cranium = Shape.union(
            Shape.union(cerebrum, cerebellum, smoothing: 24), p.z > -70 ? stem + 2 : stem - 2, smoothing: 12)
        return outside(p, q, cranium: cranium + 2.5, stem: stem)
    }

    /// Tissue within the hull of the brain; nil outside.
    private func brain(
        _ p: SIMD3<Double>, _ q: SIMD3<Double>, _ isRight: Bool, cerebrum: Double, cerebellum: Double, stem: Double
    ) -> UInt8? {
        if cerebrum > 0 || stem > 0 {
            if q.x < 42, q.y < 34, q.y > -78, q.z > -30, q.z < 34 {
                if let deep = deepTissue(q, isRight) { return deep }
            }
        }
        if fourthVentricle.depth(p) > 0 { return Tissue.ventricle }
        if cerebellum > 0, cerebellum > stem - 3 { return cerebellarTissue(p, q, isRight, depth: cerebellum) }
        if stem > 0, p.z < -5 { return Tissue.brainstem }
        if cerebrum <= 0 { return nil }
        return cerebralTissue(p, q, depth: cerebrum, stem: stem)
    }

    /// Ventricles and nuclei of the cerebrum and midbrain, right side coordinates.
    private func deepTissue(_ q: SIMD3<Double>, _ isRight: Bool) -> UInt8? {
        func code(_ nucleus: Nucleus) -> UInt8 { Tissue.nucleus(nucleus, right: isRight) }
        if lateralVentricle.depth(q) > 0 || temporalHorn.depth(q) > 0 || thirdVentricle.depth(q) > 0
            || aqueduct.depth(q) > 0
        {
            return Tissue.ventricle
        }
        if q.z < 0 {
            if redNucleus.depth(q) > 0 { return code(.redNucleus) }
            if nigra.depth(q) > 0 { return code(.substantiaNigra) }
            if amygdala.depth(q) > 0 { return code(.amygdala) }
            if hippocampus.depth(q) > 0 { return code(.hippocampus) }
            if accumbens.depth(q) > 0, q.x > 1 { return code(.accumbens) }
        }
        if caudate.depth(q) > 0 { return code(.caudate) }
        if q.x > 12, q.x < 40, q.y < 28, q.y > -26 {
            let inner = pallidum.depth(q)
            if inner > 0 { return code(.pallidum) }
            // A thin lamina of white matter lies between pallidum and putamen, and the putamen bends around both.
            let local = putamen.local(q)
            let bent = SIMD3(local.x + 0.012 * local.y * local.y - 1.2, local.y, local.z)
            if inner < -0.7, putamen.depth(local: bent) > 0 { return code(.putamen) }
        }
        if q.x > 1.6 {
            let local = thalamus.local(q)
            if thalamus.depth(local: local) > 0 { return local.y < -6.5 ? code(.pulvinar) : code(.thalamus) }
        }
        return nil
    }

    private func cerebralTissue(
        _ p: SIMD3<Double>, _ q: SIMD3<Double>, depth: Double, stem: Double
    ) -> UInt8 {
        let halfWidth = 0.8
        let ribbon = 2.9
        // The fissure between the hemispheres, outside an ellipse that holds the callosum and what is below it.
        let (y, z) = ((p.y + 4) / 39, (p.z - 8) / 21)
        let ellipse = (y * y + z * z).squareRoot()
        var distance = hypot(q.x, max(0, (1 - ellipse) * 24))
        // The fissure of Sylvius: a sheet rising backwards, from the hull in to the insula.
        if q.x > 30, p.y > -50, p.y < 26 {
            let sheet = p.z - (-9 - 0.36 * (p.y + 4) + 2.5 * sin(p.y / 9))
            let inward = max(0, 41 - q.x)
            let back = max(0, -36 - p.y)
            distance = min(distance, (sheet * sheet * 0.88 + inward * inward + back * back).squareRoot())
        }
        // The hull, but not where the brainstem enters.
        if stem < -3 { distance = min(distance, depth + 0.3) }
        let reach = folds.reach(p)
        if distance > halfWidth, depth < reach + ribbon + 1 {
            // No sulcus enters the core that holds the deep nuclei.
            distance = min(distance, hypot(folds.distance(p), max(0, depth - reach, core.depth(q) + 4)))
        }
        if distance < halfWidth { return Tissue.sulcus }
        return distance < halfWidth + ribbon ? Tissue.cortex : Tissue.white
    }

    private func cerebellarTissue(_ p: SIMD3<Double>, _ q: SIMD3<Double>, _ isRight: Bool, depth: Double) -> UInt8 {
        if q.x > 5, q.x < 26, p.y < -46, p.y > -72, p.z < -23, p.z > -43 {
            // A crumpled shell, open towards the middle and the front.
            let local = dentate.local(q)
            let crumple = 0.5 * sin(local.y * 0.95) * sin(local.z * 1.1 + 0.6)
            let depth = dentate.depth(local: local) + crumple
            let isHilum = local.x < -2.5 && abs(local.z) < 1.6 && local.y > -3
            if depth > 0, depth < 4, !isHilum { return Tissue.nucleus(.dentate, right: isRight) }
        }
        // Folia: fans of thin leaves seen from the fourth ventricle.
        let angle = atan2(p.z + 34, -(p.y + 40))
        let leaves = sin(angle * 22 + 1.4 * sin(p.x / 11))
        if depth < 9, leaves > 0.9 - 0.04 * max(0, depth - 5) {
            return depth < 5 ? Tissue.sulcus : Tissue.cerebellarCortex
        }
        let white = 10.5 + 5 * leaves + 1.5 * sin(p.x / 7)
        return depth > max(2.5, white) ? Tissue.cerebellarWhite : Tissue.cerebellarCortex
    }

    /// CSF outside the hull, skull, and soft tissue. `cranium` is the depth below the inner table.
    private func outside(_ p: SIMD3<Double>, _ q: SIMD3<Double>, cranium: Double, stem: Double) -> UInt8 {
        if cranium > 0 { return stem > 0 ? Tissue.brainstem : Tissue.cistern }
        let soft = Shape.union(face.depth(p), neck.depth(p), smoothing: 30)
        let head = Shape.union(cranium + 13, soft, smoothing: 16)
        if head <= 0 { return Tissue.air }
        if nasalCavity.depth(p) > 0 || pharynx.depth(p) > 0 { return Tissue.air }
        if eyeball.depth(q) > 0 { return Tissue.eye }
        // The vault is a sandwich; its base is solid, thin bone.
        if cranium > -6.5, p.z > -60 {
            return cranium < -1.6 && cranium > -5 && p.z > -15 ? Tissue.marrow : Tissue.bone
        }
        if orbit.depth(q) > 0 { return Tissue.skin }
        return head < 4 ? Tissue.skin : Tissue.muscle
    }
}

/// A smooth random function whose zeros are the walls of sulci.
private struct FoldField {
    private let waves: [(k: SIMD3<Double>, phase: Double)]

    init() {
        // A fixed seed: this is the anatomy of the template, not of a subject.
        var random = RandomStream(seed: 2718, "folds")
        waves = (0..<14).map { _ in
            var direction = random.normalVector(1)
            direction /= (direction * direction).sum().squareRoot()
            let wavelength = random.uniform(21, 32)
            return (direction * (2 * Double.pi / wavelength), random.uniform(0, 2 * Double.pi))
        }
    }

    /// About the distance to the nearest zero, mm.
    func distance(_ p: SIMD3<Double>) -> Double {
        var value = 0.0
        var gradient = SIMD3<Double>(repeating: 0)
        for wave in waves {
            let angle = (wave.k * p).sum() + wave.phase
            value += sin(angle)
            gradient += wave.k * cos(angle)
        }
        // Where the function is flat, its value says little about distance; the floor keeps sulci thin there.
        let steepness = max((gradient * gradient).sum().squareRoot(), 0.38)
        return abs(value) / steepness
    }

    /// How deep sulci go here, mm.
    func reach(_ p: SIMD3<Double>) -> Double { 20 + 4 * sin(p.x / 17 + 1) * sin(p.y / 23) * cos(p.z / 19) }
}
