extension PhantomCohort {
    /// What a cohort is made for: who takes part, which images there are, and what there is to be found.
    package enum Study: String, CaseIterable, Sendable {
        /// Healthy people and people with hemochromatosis in turn; neither vessels nor lesions.
        case standard
        /// Healthy people of all ages: deep nuclei to be segmented.
        case subcortical
        /// People with microbleeds and iron deposits, and what may be taken for either.
        case microbleeds
        /// People with multiple sclerosis: lesions with and without a paramagnetic rim.
        case rim
        /// People with hemochromatosis and healthy ones, 52 to 47, matched in age and sex.
        case hemochromatosis
        /// Healthy, hemochromatosis, multiple sclerosis and microbleeds in turn, with all images.
        case mixed
    }

    /// How many microbleeds people have.
    package enum Bleeds: String, CaseIterable, Sendable {
        /// As in samples chosen for their bleeds: 15 % have none, the others the larger of two draws of the population's
        /// positive counts; some 7 each.
        case enriched
        /// Prevalence by age as population studies find it, positives by a truncated zeta distribution.
        case population
    }
}

/// Why somebody takes part.
enum PhantomGroup: String, CaseIterable, Sendable {
    case control
    case hemochromatosis = "HH"
    case multipleSclerosis = "MS"
    case smallVesselDisease = "SVD"

    var description: String {
        switch self {
        case .control: "healthy"
        case .hemochromatosis: "hereditary hemochromatosis"
        case .multipleSclerosis: "multiple sclerosis"
        case .smallVesselDisease: "small vessel disease"
        }
    }
}

extension PhantomCohort.Study {
    /// Part of people with hemochromatosis in the study of it: 52 of 99.
    static let patientFraction = 52.0 / 99

    /// Groups that take part.
    var groups: [PhantomGroup] {
        switch self {
        case .standard, .hemochromatosis: [.control, .hemochromatosis]
        case .subcortical: [.control]
        case .microbleeds: [.smallVesselDisease]
        case .rim: [.multipleSclerosis]
        case .mixed: [.control, .hemochromatosis, .multipleSclerosis, .smallVesselDisease]
        }
    }

    /// The group of the person at a place of the list. Patients are spread evenly, so that those who come first do not
    /// change with how many follow.
    func group(_ number: Int, patientFraction: Double) -> PhantomGroup {
        let fraction = self == .standard ? patientFraction : Self.patientFraction
        switch self {
        case .standard, .hemochromatosis:
            let isPatient =
                (Double(number + 1) * fraction + 1e-9).rounded(.down)
                > (Double(number) * fraction + 1e-9).rounded(.down)
            return isPatient ? .hemochromatosis : .control
        case .subcortical, .microbleeds, .rim, .mixed: return groups[number % groups.count]
        }
    }

    /// Ages in years when none are asked for.
    func ages(of group: PhantomGroup) -> ClosedRange<Double> {
        switch (self, group) {
        case (.standard, _): 25...80
        case (_, .smallVesselDisease): 60...88
        case (_, .multipleSclerosis): 20...70
        case (.subcortical, _): 20...85
        default: 30...80
        }
    }

    /// Raw images beside T1w and T2starw, on the grid of the T1w image.
    var furtherWeightings: [Weighting] {
        switch self {
        case .standard, .subcortical, .hemochromatosis: []
        case .microbleeds: [.t2w]
        case .rim: [.flair]
        case .mixed: [.t2w, .flair]
        }
    }

    /// Whether there is a susceptibility-weighted image.
    var hasSusceptibilityWeighting: Bool { self == .microbleeds || self == .mixed }

    /// Whether there is anything but tissue: vessels, lesions and their mimics.
    var hasLesions: Bool { self != .standard }

    /// Whether people may have microbleeds, or lesions of multiple sclerosis.
    var hasMicrobleeds: Bool { groups.contains(.smallVesselDisease) }
    var hasRims: Bool { groups.contains(.multipleSclerosis) }

    /// Whether there is a data set of labels, as experts would draw them.
    var hasLabels: Bool { self == .subcortical || hasMicrobleeds || hasRims }
    var labelsNuclei: Bool { self == .subcortical || self == .mixed }
}
