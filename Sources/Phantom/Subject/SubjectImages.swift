import Foundation
import Kernels

/// The images of one participant and what is true of them.
struct SubjectImages {
    let t1w: Volume
    let t1wLabels: LabelMap
    /// What the study asks for beside T1w, on its grid.
    let further: [(Weighting, Volume)]
    /// Lesions on the grid of the T1w image, by the numbers of `lesions`; nil in studies without.
    let t1wLesions: LabelMap?
    let t2starw: Volume
    /// Magnitude darkened by a phase mask; nil in studies without.
    let susceptibilityWeighted: Volume?
    /// nil in studies without.
    let lesions: PaintedLesions?
    /// ppm, as the scanner measures it: gain, offset and noise included, zero outside the mask.
    let chimap: Volume
    /// The same without noise.
    let trueChimap: Volume
    /// 1/s.
    let r2starmap: Volume
    let mask: Mask
    let labels: LabelMap
    let truth: [RegionTruth]
    /// Mean of the noise-free map over the brain mask, ppb.
    let brainMeanPPB: Double
    let geometry: Geometry

    /// Susceptibility and size of a region, from the noise-free map and the true labels on the gradient-echo grid.
    struct RegionTruth {
        let region: Region
        let voxels: Int
        let volumeCubicMillimetres: Double
        /// Mean on the scale of the scanner.
        let chiPPB: Double
        /// Mean before gain and offset.
        let tissueChiPPB: Double
        /// The value drawn for the region, before texture and partial volume.
        let setPPB: Double
    }

    static let echoTimeSeconds = 0.020
    /// Standard deviation of the point spread of susceptibility maps (1.9 mm full width at half maximum).
    static let inversionBlurMillimetres = 0.8

    init(plan: SubjectPlan, template: TemplateAnatomy, options: PhantomCohort.Options) {
        func stream(_ step: String) -> RandomStream {
            RandomStream(seed: options.seed, "subject", String(plan.number), step)
        }
        var shape = stream("shape")
        let ventricles = min(4, max(-1.2, 0.055 * (plan.age - 45) + shape.normal(0, 0.7)))
        let sampler = TissueSampler(
            template: template,
            deformation: Deformation(
                strength: options.deformation, ventricleMillimetres: ventricles * options.deformation, &shape))
        var pose = stream("pose")
        let geometry = Geometry(
            voxelMillimetres: options.voxelMillimetres, isAligned: options.isAligned, &pose)
        self.geometry = geometry
        let voxel = options.voxelMillimetres

        // Gradient echo: everything on one grid.
        let grid = geometry.gradientEcho
        let chi = plan.susceptibilityPPB.map { Float($0) }
        let codes = (0..<Tissue.count).map { UInt8($0) }
        let brain = codes.map { Tissue.isBrain($0) ? Float(1) : 0 }
        let density = codes.map { Float(Physiology.contrast(of: $0).density) }
        let rate = codes.map { Float(1000 / Physiology.contrast(of: $0).t2Milliseconds) }
        let spread = Self.spread(of: chi)
        let whiteMatter = codes.map { $0 == Tissue.white ? Float(1) : 0 }
        var sampled = sampler.sample(
            grid, pose: geometry.poseGradientEcho,
            tables: [chi, brain, density, rate, spread] + (options.study.hasLesions ? [whiteMatter] : []),
            pattern: template.susceptibilityPattern)
        let counts = (grid.nx, grid.ny, grid.nz)
        var random = stream("texture")
        let fine = SmoothNoise.field(counts, spacingVoxels: max(1, 2 / voxel), &random)
        let broad = SmoothNoise.field(counts, spacingVoxels: 7 / voxel, &random)
        var tissue = sampled.means[0]
        for v in tissue.indices {
            tissue[v] += sampled.means[4][v] * Self.variation(sampled.pattern[v], fine[v], broad[v])
        }
        mask = Mask(grid: grid, values: sampled.means[1].map { $0 >= 0.5 ? 1 : 0 })
        var painted: PaintedLesions?
        if options.study.hasLesions {
            let head = SubjectHead(template: template, deformation: sampler.deformation, size: geometry.size)
            painted = PaintedLesions(
                LesionPlan.lesions(of: plan.group, age: plan.age, head: head, options: options, stream: stream),
                on: grid, head: geometry.headGradientEcho, anatomical: geometry.headAnatomical, brain: mask,
                white: sampled.means.removeLast(), chiPPB: &tissue)
        }
        // Dipole inversion is regularised, so a susceptibility map is less sharp than its voxels.
        tissue = Volume(grid: grid, values: tissue).smoothed(sigmaMillimetres: Self.inversionBlurMillimetres).values
        painted?.measure(tissue)
        lesions = painted
        labels = LabelMap(grid: grid, values: Self.labels(sampled.codes))
        let (gain, offset) = (Float(plan.site.gain), Float(plan.site.offsetPPB))
        var clean = [Float](repeating: 0, count: grid.count)
        for v in clean.indices where mask.values[v] == 1 { clean[v] = (gain * tissue[v] + offset) * 1e-3 }
        trueChimap = Volume(grid: grid, values: clean)
        truth = Self.truth(labels: labels, tissuePPB: tissue, plan: plan)
        var sum = 0.0
        for v in clean.indices where mask.values[v] == 1 { sum += Double(clean[v]) }
        brainMeanPPB = sum * 1000 / Double(max(1, mask.voxels))

        // Averaging over larger voxels lowers noise, but reconstruction noise is not white: by 40 % at most.
        random = stream("noise")
        let white = Float(plan.site.noisePPB * 1e-3 * max(0.6, min(1.5, 1 / voxel)) * options.noise)
        let slow = Float(1.5e-3 * options.noise)
        let drift = SmoothNoise.field(counts, spacingVoxels: 18 / voxel, &random)
        var noisy = clean
        for v in noisy.indices where mask.values[v] == 1 {
            noisy[v] += white * Float(random.normal()) + slow * drift[v]
        }
        chimap = Volume(grid: grid, values: noisy)

        var relaxation = [Float](repeating: 0, count: grid.count)
        var magnitude = [Float](repeating: 0, count: grid.count)
        let bias = SmoothNoise.field(counts, spacingVoxels: 70 / voxel, &random)
        let scale = Float(plan.site.intensity)
        let sigma: Float = 0.012 * Float(options.noise)
        for v in relaxation.indices {
            let inside = mask.values[v] == 1
            let chiPPM = inside ? abs(tissue[v]) * 1e-3 : 0
            var r2star = sampled.means[3][v] + Float(Physiology.relaxationPerPPM) * chiPPM
            var density = sampled.means[2][v]
            if let painted {
                r2star += Self.bloomingRate * painted.bloom[v]
                density *= 1 - 0.85 * painted.flow[v]
            }
            let signal = density * exp(-Float(Self.echoTimeSeconds) * r2star) * (1 + 0.08 * bias[v])
            if options.study.hasSusceptibilityWeighting {
                clean[v] = signal * Self.phaseMask(chiPPM: chiPPM, bloom: painted?.bloom[v] ?? 0)
            }
            let (re, im) = (signal + sigma * Float(random.normal()), sigma * Float(random.normal()))
            magnitude[v] = (scale * (re * re + im * im).squareRoot()).rounded()
            if inside { relaxation[v] = max(0, r2star + 1.2 * Float(options.noise) * Float(random.normal())) }
        }
        t2starw = Volume(grid: grid, values: magnitude)
        r2starmap = Volume(grid: grid, values: relaxation)
        susceptibilityWeighted =
            options.study.hasSusceptibilityWeighting
            ? Self.noisy(Volume(grid: grid, values: clean), scale: scale, sigma: sigma, stream("SWI")) : nil
        // Given back before the larger grid is worked on.
        (sampled.means, clean, tissue, relaxation, magnitude) = ([], [], [], [], [])

        let anatomical = AnatomicalImages(
            sampler, geometry.anatomical, pose: geometry.poseAnatomical,
            exposures: ([.t1w] + options.study.furtherWeightings).map { weighting in
                var random = stream(weighting.rawValue)
                // Noise falls with the volume of a voxel, and a scan with fewer voxels is also shorter.
                let noise = random.uniform(0.018, 0.03) * options.noise / (voxel * voxel)
                let bias = random.uniform(0.04, 0.09)
                return AnatomicalImages.Exposure(
                    weighting: weighting, whiteMatter: plan.site.intensity, contrastSpread: 0.03, noise: noise,
                    biasSpread: bias, random: random)
            }, lesions: painted?.truth.map(\.lesion), head: geometry.headAnatomical)
        (t1w, t1wLabels, t1wLesions) = (anatomical.images[0], anatomical.labels, anatomical.lesions)
        further = Array(zip(options.study.furtherWeightings, anatomical.images.dropFirst()))
    }

    /// R2* (1/s) that a strong source adds around itself, beyond what χ of the voxel does.
    private static let bloomingRate: Float = 90

    /// What a susceptibility-weighted image multiplies the magnitude by: phase and with it this mask, to the fourth power,
    /// follow strong sources of either sign.
    private static func phaseMask(chiPPM: Float, bloom: Float) -> Float {
        let mask = 1 - 0.4 * max(bloom, min(1, chiPPM / 0.5))
        return mask * mask * mask * mask
    }

    private static func noisy(_ clean: Volume, scale: Float, sigma: Float, _ stream: RandomStream) -> Volume {
        var (result, random) = (clean, stream)
        for v in result.values.indices {
            let (re, im) = (result.values[v] + sigma * Float(random.normal()), sigma * Float(random.normal()))
            result.values[v] = (scale * (re * re + im * im).squareRoot()).rounded()
        }
        return result
    }

    /// Standard deviation of χ within each tissue, ppb: 8 % of its value, at least 3; fluid has almost none. Half of the
    /// variance is anatomy that all heads share, half is the person's own.
    static func spread(of chi: [Float]) -> [Float] {
        chi.indices.map { code in
            let isFluid = [Tissue.ventricle, Tissue.sulcus, Tissue.cistern].contains(UInt8(code))
            return isFluid ? 1 : max(3, 0.08 * abs(chi[code]))
        }
    }

    /// Shared, fine and broad personal variation, all of standard deviation 1, as one of about 1 and at most 3.
    @inline(__always)
    static func variation(_ shared: Float, _ fine: Float, _ broad: Float) -> Float {
        max(-3, min(3, 0.7 * shared + 0.57 * fine + 0.42 * broad))
    }

    /// Region numbers from tissue codes: they agree where there is a region.
    static func labels(_ codes: [UInt8]) -> [UInt16] { codes.map { $0 < Tissue.sulcus ? UInt16($0) : 0 } }

    private static func truth(labels: LabelMap, tissuePPB: [Float], plan: SubjectPlan) -> [RegionTruth] {
        var sums = [Double](repeating: 0, count: Tissue.count)
        var counts = [Int](repeating: 0, count: Tissue.count)
        for (v, label) in labels.values.enumerated() where label > 0 {
            sums[Int(label)] += Double(tissuePPB[v])
            counts[Int(label)] += 1
        }
        return Region.all.map { region in
            let index = Int(region.index)
            let mean = counts[index] == 0 ? Double.nan : sums[index] / Double(counts[index])
            return RegionTruth(
                region: region, voxels: counts[index],
                volumeCubicMillimetres: Double(counts[index]) * labels.grid.voxelVolumeCubicMillimetres,
                chiPPB: plan.site.gain * mean + plan.site.offsetPPB, tissueChiPPB: mean,
                setPPB: plan.susceptibilityPPB[index])
        }
    }
}
