import Foundation
import Kernels
import NIfTI

/// A synthetic QSM cohort in BIDS with an atlas and known truth.
///
/// Every participant is the same analytic head, bent by a random diffeomorphism, sized, posed and scanned on grids of
/// its own; χ follows age, sex, group and person. Numbers depend on the options alone, never on the thread count.
package enum PhantomCohort {
    package struct Options: Sendable, Equatable {
        package var study = Study.standard
        /// Sound participants, 1…99999.
        package var subjects = 12
        /// Scanners, 1…99; the participants of each group take turns.
        package var sites = 2
        /// Part of participants with hemochromatosis (group `HH`) in the standard study, 0…1; each matched in age to a
        /// control.
        package var patientFraction = 0.5
        /// Factor on the shift of χ in hemochromatosis; 0 makes a null cohort whose groups mean nothing.
        package var effect = 1.0
        /// Edge of voxels of all images, mm, 0.8…4.
        package var voxelMillimetres = 1.5
        /// Edge of voxels of the atlas, mm, 0.8…4; nil: two thirds of `voxelMillimetres`, at least 1.
        package var atlasVoxelMillimetres: Double?
        package var seed: UInt64 = 1
        /// Further participants, each broken in one way.
        package var defects: [Defect] = []
        /// Factor on how much heads differ in shape, 0…1.5; 1 moves points by about 3 mm RMS.
        package var deformation = 1.0
        /// Factor on all noise, 0…5.
        package var noise = 1.0
        /// Range of ages, years; nil: that of the study.
        package var ages: ClosedRange<Double>?
        /// How many microbleeds people with small vessel disease have.
        package var bleeds = Bleeds.enriched
        /// Mean number of lesions of people with multiple sclerosis, and of those with a rim, 0…90; what they have is
        /// negative binomial (dispersion 1.5 and 0.29).
        package var lesions = 24.2
        package var rims = 1.03
        /// Anatomical images share grid and pose with the gradient echo.
        package var isAligned = false

        package init() {}
    }

    /// Ways to be broken that real cohorts know.
    package enum Defect: String, Sendable, CaseIterable {
        /// The T1w file is cut at 60 % of its bytes.
        case truncatedGzip = "truncated_gzip"
        /// There is no T1w image.
        case missingT1w = "missing_t1w"
        /// The Chimap has NaN in a slab and in scattered voxels.
        case nanVoxels = "nan_voxels"
        /// The Chimap holds ppb while its sidecar says ppm.
        case ppbUnits = "ppb_units"
        /// The Chimap is three slices shorter than its mask.
        case mismatchedGrid = "mismatched_grid"
        /// The T1w sidecar is an empty file.
        case emptySidecar = "empty_sidecar"

        package var explanation: String {
            switch self {
            case .truncatedGzip: "T1w file cut at 60 % of its bytes"
            case .missingT1w: "no T1w image"
            case .nanVoxels: "Chimap has NaN in one slab and in scattered voxels"
            case .ppbUnits: "Chimap holds ppb although its sidecar says ppm"
            case .mismatchedGrid: "Chimap is three slices shorter than its mask"
            case .emptySidecar: "T1w sidecar is an empty file"
            }
        }
    }

    /// Where things are and how many.
    package struct Summary: Sendable, Equatable {
        /// The raw BIDS dataset.
        package let rawData: String
        /// The derivative dataset with Chimap, R2starmap and brain masks.
        package let reconstruction: String
        /// Labels as experts would draw them, in studies of what is to be found; else nil.
        package let labels: String?
        /// What a pipeline must not read.
        package let truth: String
        /// The table of true values, `truth.tsv`.
        package let truthTable: String
        package let atlas: String
        package let participants: Int
        package let broken: Int
        package let files: Int
        package let bytes: Int
    }

    /// Names of the regions whose susceptibility is of interest: all paired nuclei, left and right.
    package static let deepNuclei: [String] = Region.all.filter { $0.nucleus != nil }.map(\.name)

    /// Writes `rawdata`, `derivatives/recon`, `derivatives/truth`, in some studies `derivatives/labels`, and `atlas` into a
    /// new or empty folder.
    ///
    /// - Parameters:
    ///   - threads: participants made at the same time; about 0.1 GB each at 2 mm and 0.6 GB at 1 mm.
    ///   - progress: called after each participant, in any order, from several threads, with how many are done.
    /// - Throws: `PhantomError`, or `NIfTIError` when an image cannot be written.
    package static func write(
        to folder: String, options: Options = Options(), threads: Int = 1,
        progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) throws -> Summary {
        try options.validate()
        let layout = try CohortLayout(folder: folder, study: options.study)
        let plans = SubjectPlan.cohort(options)
        let template = TemplateAnatomy.standard(threads: threads)
        try layout.writeDatasetFiles(plans: plans, options: options)
        try layout.writeAtlas(template: template, options: options)
        let done = Counter()
        let outcomes = Parallel.map(plans.count, threads: threads) { place -> Result<SubjectFiles, any Error> in
            let outcome = Result {
                let images = SubjectImages(plan: plans[place], template: template, options: options)
                return try layout.write(images, of: plans[place])
            }
            progress?(done.increment(), plans.count)
            return outcome
        }
        let files = try outcomes.map { try $0.get() }
        try layout.writeTables(files, plans: plans)
        let (count, bytes) = try layout.size()
        return Summary(
            rawData: layout.rawData, reconstruction: layout.reconstruction,
            labels: options.study.hasLabels ? layout.labels : nil, truth: layout.truth,
            truthTable: layout.truth + "/truth.tsv", atlas: layout.atlas, participants: plans.count,
            broken: options.defects.count, files: count, bytes: bytes)
    }
}

extension PhantomCohort.Options {
    func validate() throws(PhantomError) {
        func check(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(PhantomError) {
            guard range.contains(value) else {
                throw .badOption(
                    name: name, value: "\(value)", allowed: "from \(range.lowerBound) to \(range.upperBound)")
            }
        }
        try check("subjects", Double(subjects), 1...99999)
        try check("sites", Double(sites), 1...99)
        try check("patientFraction", patientFraction, 0...1)
        try check("effect", effect, -5...5)
        try check("voxelMillimetres", voxelMillimetres, 0.8...4)
        try check("atlasVoxelMillimetres", atlasVoxelMillimetres ?? 1, 0.8...4)
        try check("deformation", deformation, 0...1.5)
        try check("noise", noise, 0...5)
        try check("ages.lowerBound", ages?.lowerBound ?? 18, 18...90)
        try check("ages.upperBound", ages?.upperBound ?? 90, 18...90)
        try check("lesions", lesions, 0...90)
        try check("rims", rims, 0...90)
    }
}
