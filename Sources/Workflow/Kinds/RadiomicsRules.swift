import BIDS

/// What has to hold for a step of `radiomics.extract`. The names are those of the library of features, which a coordinator
/// does not link; a test holds the two against each other.
extension StepRules {
    static let radiomics = StepRules([
        { step in _ = try step.featureFamilies() },
        { step in _ = try step.featureRange() },
        { step in try preset(step) },
    ])

    private static func preset(_ settings: StepSettings) throws(StepFinding) {
        let preset = settings.text("preset")
        if preset == "ibsi" {
            _ = try settings.featureAggregations()
        } else {
            for parameter in ["range", "outlier_deviations", "spacing_mm", "interpolation", "aggregation"]
            where settings.isSet(parameter) {
                throw StepFinding(
                    parameter, "\(parameter) is of preset ibsi, not \(preset); leave it out or take preset: ibsi")
            }
        }
        if preset == "qsmrim" {
            for parameter in ["families", "discretisation", "bin_width", "bin_number", "scale", "filters"]
            where settings.isSet(parameter) {
                throw StepFinding(
                    parameter,
                    "the features of qsmrim are a fixed list, in bins of 25 ppb; leave out \(parameter), or take preset: pyradiomics"
                )
            }
        } else if settings.isSet("units") {
            throw StepFinding(
                "units",
                "units is of preset qsmrim; of \(preset) the values of the image count as they are, times scale")
        }
        let isByNumber = settings.text("discretisation") == "bin_number"
        if isByNumber, settings.isSet("bin_width") {
            throw StepFinding("bin_width", "bin_width is of discretisation bin_width; leave it out, or take that")
        }
        if !isByNumber, settings.isSet("bin_number") {
            throw StepFinding("bin_number", "bin_number is of discretisation bin_number; take that, or leave it out")
        }
    }
}

extension StepSettings {
    /// By preset, what `families` may name.
    package static let featureFamilies = [
        "ibsi": [
            "morphology", "local_intensity", "intensity", "histogram", "volume_histogram", "glcm", "glrlm", "glszm",
            "gldzm", "ngtdm", "ngldm",
        ],
        "pyradiomics": ["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"],
    ]
    package static let featureAggregations = ["2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb"]

    /// Families named; empty: all.
    package func featureFamilies() throws(StepFinding) -> [String] {
        guard let known = Self.featureFamilies[text("preset")] else { return [] }
        return try names("families", among: known)
    }

    package func featureAggregations() throws(StepFinding) -> [String] {
        let names = try names("aggregation", among: Self.featureAggregations)
        guard !names.isEmpty else {
            throw StepFinding("aggregation", "aggregation names nothing; name 3D_comb or others")
        }
        return names
    }

    /// The values that count; nil: all.
    package func featureRange() throws(StepFinding) -> ClosedRange<Double>? {
        let ends = list("range")
        if ends.isEmpty { return nil }
        let numbers = ends.compactMap(\.doubleValue)
        guard ends.count == 2, numbers.count == 2, numbers[0] < numbers[1] else {
            throw StepFinding("range", "range must be two numbers, the lower one first, such as [-500, 400]")
        }
        return numbers[0]...numbers[1]
    }

    private func names(_ parameter: String, among known: [String]) throws(StepFinding) -> [String] {
        var names: [String] = []
        for value in list(parameter) {
            guard let name = value.stringValue, known.contains(name) else {
                let text = value.stringValue ?? value.canonicalString
                throw StepFinding(
                    parameter, "“\(text)” in \(parameter) is none of \(known.joined(separator: ", "))")
            }
            names.append(name)
        }
        return names
    }
}
