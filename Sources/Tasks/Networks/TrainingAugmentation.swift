import BIDS
import Networks
import Workflow

/// How samples are changed at random.
struct TrainingAugmentation {
    var spatial = SpatialAugmentation()
    var intensity = IntensityAugmentation()
    /// In place of `spatial`, for slices.
    var deepmir: DEEPMIRAugmentation?

    /// As samples are judged: unchanged, with the same beyond the volume.
    var none: TrainingAugmentation {
        var none = TrainingAugmentation()
        none.spatial.beyond = spatial.beyond
        none.spatial.lateralPairs = spatial.lateralPairs
        return none
    }

    private init() {}

    init(_ environment: TaskEnvironment, rank: Int, classes names: [String]) throws {
        let kind = environment.text("augmentation")
        for parameter in ["rotation_degrees", "scaling", "elastic_mm", "elastic_lattice_mm"]
        where kind != "standard" && environment.isSet(parameter) {
            throw environment.refuse("\(parameter) is of augmentation standard, not \(kind); leave it out")
        }
        switch kind {
        case "flips": spatial.flips = rank == 2 ? [.height, .width] : .all
        case "standard":
            (spatial, intensity) = (.standard(isFlat: rank == 2), .standard)
            try strengths(environment)
        case "deepmir": deepmir = DEEPMIRAugmentation()
        default: break
        }
        spatial.lateralPairs = try environment.list("lateral_pairs").map { value in
            let pair = (value.arrayValue ?? []).compactMap(\.stringValue)
            guard pair.count == 2, let a = names.firstIndex(of: pair[0]), let b = names.firstIndex(of: pair[1]) else {
                throw environment.refuse(
                    "lateral_pairs are pairs of names of classes, not \(value.canonicalString)")
            }
            return LateralPair(a + 1, b + 1)
        }
    }

    private mutating func strengths(_ environment: TaskEnvironment) throws {
        let degrees = try environment.numbers("rotation_degrees", "three angles from 0 to 180") {
            (0...180).contains($0)
        }
        guard degrees.isEmpty || degrees.count == 3 else {
            throw environment.refuse(
                "rotation_degrees is three angles: about the left–right, back–front and down–up axes")
        }
        if degrees.count == 3 {
            spatial.rotationDegrees = AxisValues(depth: degrees[2], height: degrees[1], width: degrees[0])
        }
        let factors = try environment.numbers("scaling", "the smallest and the largest factor") { $0 > 0 && $0 < 10 }
        guard factors.count == 2, factors[0] <= factors[1] else {
            throw environment.refuse("scaling is the smallest and the largest factor of sizes: [0.7, 1.4]")
        }
        spatial.scaling = factors[0]...factors[1]
        let displacement = environment.number("elastic_mm")
        if displacement > 0 {
            spatial.elastic = SpatialAugmentation.Elastic(
                probability: 0.2, latticeMillimetres: environment.number("elastic_lattice_mm"),
                displacementMillimetres: 0...displacement)
        }
    }
}
