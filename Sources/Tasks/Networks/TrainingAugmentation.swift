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

    /// - Parameter isFlat: whether what is changed are slices.
    init(_ settings: StepSettings, isFlat: Bool) throws(StepFinding) {
        switch settings.text("augmentation") {
        case "flips": spatial.flips = isFlat ? [.height, .width] : .all
        case "standard":
            (spatial, intensity) = (.standard(isFlat: isFlat), .standard)
            try strengths(settings)
        case "lesions": spatial = .lesions(isFlat: isFlat)
        case "deepmir": deepmir = DEEPMIRAugmentation()
        default: break
        }
        spatial.lateralPairs = try settings.lateralPairs().map { LateralPair($0.first, $0.second) }
    }

    private mutating func strengths(_ settings: StepSettings) throws(StepFinding) {
        if let degrees = try settings.rotationDegrees() {
            spatial.rotationDegrees = AxisValues(depth: degrees.z, height: degrees.y, width: degrees.x)
        }
        spatial.scaling = try settings.scalingFactors()
        let displacement = settings.number("elastic_mm")
        if displacement > 0 {
            spatial.elastic = SpatialAugmentation.Elastic(
                probability: 0.2, latticeMillimetres: settings.number("elastic_lattice_mm"),
                displacementMillimetres: 0...displacement)
        }
    }
}
