import Foundation
import Kernels
import NIfTI

// What is known of lesions, for the truth, and what experts would have drawn, for training.

extension CohortLayout {
    /// Tables of lesions have no place in the standard.
    static let lesionTables = "**/*_lesions.tsv\n"

    /// Classes of lesions in `desc-lesionclass_dseg`.
    private static let classes: [(index: UInt16, kind: Lesion.Kind)] = [(1, .microbleed), (2, .ironDeposit)]

    /// Kinds that `subjects.tsv` counts.
    var lesionColumns: [Lesion.Kind] { study.hasLesions ? Lesion.Kind.allCases : [] }

    /// Writes the sidecar of an image; returns the path of the image.
    static func describeImage(_ stem: String, _ sidecar: [String: CohortFiles.JSON]) throws -> String {
        try CohortFiles.write(.object(sidecar), to: stem + ".json")
        return stem + ".nii.gz"
    }

    // MARK: Truth

    func write(
        _ lesions: PaintedLesions, _ onT1w: LabelMap, stem: String, sources: CohortFiles.JSON, spatial: CohortFiles.JSON
    ) throws {
        let what = "number of each lesion, vessel and mimic, as in lesions.tsv"
        try NIfTIFile.write(
            lesions.numbers,
            to: Self.describeImage(
                "\(truth)/\(stem)_desc-lesion_dseg", ["Sources": sources, "Description": .text(what)]))
        try NIfTIFile.write(
            onT1w,
            to: Self.describeImage(
                "\(truth)/\(stem)_space-T1w_desc-lesion_dseg",
                ["SpatialReference": spatial, "Description": .text(what + ", on the grid of the T1w image")]))
        func ppm(_ ppb: Double) -> String { CohortFiles.number(ppb * 1e-3, digits: 6) }
        func millimetres(_ p: SIMD3<Double>) -> [String] {
            [p.x, p.y, p.z].map { CohortFiles.number($0, digits: 2) }
        }
        try CohortFiles.write(
            header: [
                "lesion", "class", "place", "x_mm", "y_mm", "z_mm", "t1w_x_mm", "t1w_y_mm", "t1w_z_mm", "volume_mm3",
                "diameter_mm", "voxels", "chi_ppm", "chi_mean_ppm", "excess_ppm_mm3", "rim_thickness_mm",
                "rim_coverage", "rim_chi_ppm",
            ],
            rows: lesions.truth.map { row in
                let rim = row.lesion.rim
                let diameter = 2 * cbrt(row.volumeCubicMillimetres * 0.75 / Double.pi)
                return ["\(row.number)", row.lesion.kind.rawValue, row.lesion.place] + millimetres(row.centre)
                    + millimetres(row.anatomicalCentre) + [
                        CohortFiles.number(row.volumeCubicMillimetres, digits: 3),
                        CohortFiles.number(diameter, digits: 3), "\(row.voxels)", ppm(row.lesion.chiPPB),
                        ppm(row.meanPPB), CohortFiles.number(row.excess, digits: 5),
                        rim.map { CohortFiles.number($0.thicknessMillimetres, digits: 3) } ?? "n/a",
                        rim.map { CohortFiles.number($0.coverage, digits: 3) } ?? "n/a",
                        rim.map { ppm($0.chiPPB) } ?? "n/a",
                    ]
            }, to: "\(truth)/\(stem)_lesions.tsv")
    }

    // MARK: Labels

    func writeLabelNames() throws {
        if study.labelsNuclei { try writeRegions(to: labels + "/desc-nuclei_dseg.tsv") }
        if study.hasMicrobleeds {
            try CohortFiles.write(
                header: ["index", "name", "mapping"],
                rows: Self.classes.map { ["\($0.index)", $0.kind.rawValue, "7"] },
                to: labels + "/desc-lesionclass_dseg.tsv")
        }
        if study.hasMicrobleeds || study.hasRims {
            try CohortFiles.write(Self.lesionTables, to: labels + "/.bidsignore")
        }
    }

    /// What experts would have outlined in somebody of a group: nothing in those without lesions, and no mimic.
    func writeLabels(
        _ lesions: PaintedLesions, of group: PhantomGroup, stem: String, sources: CohortFiles.JSON
    ) throws {
        let drawn: LabelMap
        let header: [String]
        let cells: (Lesion.Kind) -> [String]
        switch group {
        case .control, .hemochromatosis: return
        case .smallVesselDisease:
            let kinds = Self.classes.map(\.kind)
            drawn = lesions.numbers(of: kinds.contains)
            (header, cells) = (["lesion", "class"], { [$0.rawValue] })
            let classes = Dictionary(uniqueKeysWithValues: Self.classes.map { ($0.kind, $0.index) })
            let map = LabelMap(
                grid: drawn.grid,
                values: drawn.values.map { $0 > 0 ? classes[lesions.kind(of: $0)] ?? 0 : 0 })
            try NIfTIFile.write(
                map,
                to: Self.describeImage(
                    "\(labels)/\(stem)_desc-lesionclass_dseg",
                    ["Sources": sources, "Description": "microbleeds and iron deposits"]))
        case .multipleSclerosis:
            drawn = lesions.numbers(of: \.isDemyelination)
            (header, cells) = (
                ["lesion", "class", "rim"], { $0 == .rimPositive ? ["rim", "1"] : ["no_rim", "0"] }
            )
        }
        try NIfTIFile.write(
            drawn,
            to: Self.describeImage(
                "\(labels)/\(stem)_desc-lesion_dseg",
                ["Sources": sources, "Description": "number of each lesion, as in lesions.tsv"]))
        let present = Set(drawn.values).subtracting([0]).sorted()
        try CohortFiles.write(
            header: header, rows: present.map { ["\($0)"] + cells(lesions.kind(of: $0)) },
            to: "\(labels)/\(stem)_lesions.tsv")
    }
}

extension SubjectImages {
    /// How many lesions of each kind have a voxel of their own.
    var lesionCounts: [Lesion.Kind: Int] {
        var counts: [Lesion.Kind: Int] = [:]
        for row in lesions?.truth ?? [] where row.voxels > 0 { counts[row.lesion.kind, default: 0] += 1 }
        return counts
    }
}

extension PhantomCohort.Study {
    /// What a README says about the data set.
    var note: String {
        """
        Synthetic cohort: an analytic head, deformed at random; simulated images; known truth in derivatives/truth.

        Effect sizes are chosen by the simulation. Finding them shows that a pipeline works; it says nothing about
        patients.

        """ + (contents.map { "\n\($0)\n" } ?? "")
    }

    private var contents: String? {
        switch self {
        case .standard: nil
        case .subcortical:
            "Study subcortical: healthy people with veins. derivatives/labels has their deep nuclei."
        case .hemochromatosis:
            "Study hemochromatosis: patients and healthy people, 52 to 47, matched in age and sex."
        case .microbleeds: Self.bleeds
        case .rim: Self.rims
        case .mixed:
            "Study mixed: healthy people, hemochromatosis, multiple sclerosis and small vessel disease in turn.\n\n\(Self.rims)\n\n\(Self.bleeds)"
        }
    }

    private static let bleeds = """
        Small vessel disease: microbleeds and iron deposits, and what may be taken for them (veins, calcifications, flow
        voids). derivatives/recon has susceptibility-weighted images (desc-swi_T2starw), on which all of these are dark;
        the sign of the susceptibility tells bleeds from calcifications. derivatives/labels has bleeds and deposits alone:
        by number (desc-lesion_dseg, lesions.tsv) and by class (desc-lesionclass_dseg: 1 microbleed, 2 iron deposit).
        """
    private static let rims = """
        Multiple sclerosis: lesions with and without a paramagnetic rim. derivatives/labels has them by number
        (desc-lesion_dseg) and says which have a rim (lesions.tsv); participants.tsv counts those (rim_count).
        """
}
