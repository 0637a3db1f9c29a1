import BIDS
import Kernels
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

    /// - Throws: a permanent failure that names the parameter.
    init(_ environment: TaskEnvironment) throws {
        let preset = environment.text("preset")
        func refuse(_ message: String) -> TaskResult.Failure {
            .permanent("Step \(environment.request.step): \(message)")
        }
        func choices<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, _ all: Choice.Type) throws
            -> [Choice]
        {
            try environment.texts(name).map { text in
                guard let choice = Choice(rawValue: text) else {
                    let known = all.allCases.map(\.rawValue).joined(separator: ", ")
                    throw refuse("“\(text)” in \(name) is none of \(known)")
                }
                return choice
            }
        }
        let scale = environment.number("scale")
        let isByNumber = environment.text("discretisation") == "bin_number"
        let number = Discretisation.fixedNumber(environment.integer("bin_number"))
        let width = environment.number("bin_width")
        let range = try Self.range(environment)
        let deviations = environment.number("outlier_deviations")
        if preset != "ibsi", range != nil || deviations > 0 || environment.number("spacing_mm") > 0 {
            throw refuse(
                "range, outlier_deviations and spacing_mm are for the preset ibsi, not \(preset); leave them out or take ibsi"
            )
        }
        switch preset {
        case "ibsi":
            let families = try choices("families", FeatureFamily.self)
            let aggregations = try choices("aggregation", TextureAggregation.self)
            guard !aggregations.isEmpty else { throw refuse("aggregation names nothing; name 3D_comb or others") }
            let lowest = range.flatMap { $0.lowerBound.isFinite ? $0.lowerBound : nil }
            self = .ibsi(
                IBSIFeatures(
                    families: Set(families.isEmpty ? FeatureFamily.allCases : families),
                    resegmentation: Resegmentation(range: range, outlierDeviations: deviations > 0 ? deviations : nil),
                    discretisation: isByNumber ? number : .fixedSize(width, minimum: lowest),
                    aggregations: TextureAggregation.allCases.filter(aggregations.contains)), scale: scale)
        case "pyradiomics":
            let classes = try choices("families", PyRadiomicsFeatures.FeatureClass.self)
            let all = PyRadiomicsFeatures.FeatureClass.allCases
            self = .pyRadiomics(
                PyRadiomicsFeatures(
                    classes: classes.isEmpty ? all : all.filter(classes.contains),
                    discretisation: isByNumber ? number : .alignedSize(width)), scale: scale)
        default:
            guard environment.texts("families").isEmpty, !isByNumber, scale == 1, width == 25,
                environment.list("filters").isEmpty
            else {
                throw refuse(
                    "the features of qsmrim are a fixed list, in bins of 25 ppb; leave out families, filters, "
                        + "discretisation, bin_width and scale, or take the preset pyradiomics")
            }
            self = .qsmRim
        }
    }

    private static func range(_ environment: TaskEnvironment) throws -> ClosedRange<Double>? {
        let ends = environment.list("range")
        if ends.isEmpty { return nil }
        let numbers = ends.compactMap(\.doubleValue)
        guard ends.count == 2, numbers.count == 2, numbers[0] < numbers[1] else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): range must be two numbers, the lower one first, such as [-500, 400]")
        }
        return numbers[0]...numbers[1]
    }
}
