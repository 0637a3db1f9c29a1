import Foundation
import Radiomics
import Workflow

/// What the parameters of `radiomics.extract` ask for.
enum FeaturePreset {
    case ibsi(IBSIFeatures, scale: Double)
    case pyRadiomics(PyRadiomicsFeatures, scale: Double)
    case qsmRim

    /// Names of the features of the image as it is.
    var names: [String] {
        switch self {
        case .ibsi(let features, _): features.names
        case .pyRadiomics(let features, _): features.names(image: "original")
        case .qsmRim: QSMRimFeatures.names
        }
    }

    /// What is measured of a filtered image: all but shape and local intensity, of the voxels that count in the image as it is,
    /// with grey levels of its own.
    func ofFilteredImage(_ binning: FilterChoice.Binning?) -> FeaturePreset {
        switch self {
        case .ibsi(var features, let scale):
            features.families.subtract([.morphology, .localIntensity])
            features.resegmentation = Resegmentation()
            switch (binning, features.discretisation) {
            case (.number(let number), _): features.discretisation = .fixedNumber(number)
            case (.width(let width), _), (nil, .fixedSize(let width, _)):
                features.discretisation = .fixedSize(width, minimum: nil)
            case (nil, _): break
            }
            return .ibsi(features, scale: scale)
        case .pyRadiomics(var features, let scale):
            features.classes.removeAll { $0 == .shape }
            switch binning {
            case .number(let number): features.discretisation = .fixedNumber(number)
            case .width(let width): features.discretisation = .alignedSize(width)
            case nil: break
            }
            return .pyRadiomics(features, scale: scale)
        case .qsmRim: preconditionFailure("the list of qsmrim is fixed")
        }
    }

    /// Names of the features of a filtered image.
    func names(image: String) -> [String] {
        switch self {
        case .ibsi(let features, _): features.names.map { image + "_" + $0 }
        case .pyRadiomics(let features, _): features.names(image: image)
        case .qsmRim: []
        }
    }

    /// Factor on the values of the image.
    var scale: Double {
        switch self {
        case .ibsi(_, let scale), .pyRadiomics(_, let scale): scale
        case .qsmRim: 1
        }
    }

    /// Says that the bins are too wide for the regions, of which textures then say nothing; nil where most have several.
    ///
    /// - Parameters:
    ///   - spreads: between the smallest and the largest value of each region whose values differ, in the unit of the bins.
    ///   - unit: of the image, as its sidecar states it.
    func warning(spreads: [Double], unit: String?) -> String? {
        let (discretisation, scale): (Discretisation, Double) =
            switch self {
            case .ibsi(let features, let scale): (features.discretisation, scale)
            case .pyRadiomics(let features, let scale): (features.discretisation, scale)
            case .qsmRim: (.alignedSize(25), 1000)
            }
        let width: Double
        switch discretisation {
        case .fixedSize(let size, _), .alignedSize(let size): width = size
        case .none, .fixedNumber: return nil
        }
        let narrow = spreads.filter { $0 < width }
        guard 2 * narrow.count > spreads.count, let widest = narrow.max() else { return nil }
        let what =
            "In \(narrow.count) of \(spreads.count) regions all values lie within the width of one bin (\(TabSeparatedTable.cell(width)), "
            + "and their values span \(String(format: "%.3g", widest)) at most), so that features of texture say next to nothing; "
        if case .qsmRim = self {
            return what + "is the unit of the susceptibility map what “units” or its sidecar says?"
        }
        return what
            + (scale == 1 && unit?.lowercased() != "ppb"
                ? "of χ maps in ppm state scale: 1000, or choose a smaller bin_width."
                : "choose a smaller bin_width, or discretisation: bin_number.")
    }

    /// - Throws: `StepFinding`, that names the parameter.
    init(_ environment: TaskEnvironment) throws {
        let settings = environment.settings
        try environment.kind.rules.check(settings)
        let scale = environment.number("scale")
        let isByNumber = environment.text("discretisation") == "bin_number"
        let number = Discretisation.fixedNumber(environment.integer("bin_number"))
        let width = environment.number("bin_width")
        let named = Set(try settings.featureFamilies())
        switch environment.text("preset") {
        case "ibsi":
            let families = FeatureFamily.allCases.filter { named.isEmpty || named.contains($0.rawValue) }
            let aggregations = Set(try settings.featureAggregations())
            let range = try settings.featureRange()
            let deviations = environment.number("outlier_deviations")
            self = .ibsi(
                IBSIFeatures(
                    families: Set(families),
                    resegmentation: Resegmentation(range: range, outlierDeviations: deviations > 0 ? deviations : nil),
                    discretisation: isByNumber ? number : .fixedSize(width, minimum: range?.lowerBound),
                    aggregations: TextureAggregation.allCases.filter { aggregations.contains($0.rawValue) }),
                scale: scale)
        case "pyradiomics":
            self = .pyRadiomics(
                PyRadiomicsFeatures(
                    classes: PyRadiomicsFeatures.FeatureClass.allCases.filter {
                        named.isEmpty || named.contains($0.rawValue)
                    },
                    discretisation: isByNumber ? number : .alignedSize(width)), scale: scale)
        default: self = .qsmRim
        }
    }
}
