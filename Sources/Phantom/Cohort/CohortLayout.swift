import Foundation
import Kernels
import NIfTI

/// What was written for one participant, for the tables over all.
struct SubjectFiles: Sendable {
    let label: String
    let truthRows: [[String]]
    let subjectRow: [String]
    let defectRow: [String]?
    /// How many lesions of each kind; empty in studies without.
    let lesionCounts: [Lesion.Kind: Int]
}

/// The folders of a phantom cohort and what goes into them.
struct CohortLayout: Sendable {
    let rawData: String
    let reconstruction: String
    let labels: String
    let truth: String
    let atlas: String
    let study: PhantomCohort.Study
    private let root: String

    /// - Throws: `outputNotEmpty` when the folder has contents.
    init(folder: String, study: PhantomCohort.Study) throws {
        let files = FileManager.default
        if files.fileExists(atPath: folder) {
            guard let contents = try? files.contentsOfDirectory(atPath: folder), contents.isEmpty else {
                // Also a plain file of that name, or a folder that cannot be listed.
                throw PhantomError.outputNotEmpty(folder)
            }
        }
        self.study = study
        root = folder
        rawData = folder + "/rawdata"
        reconstruction = folder + "/derivatives/recon"
        labels = folder + "/derivatives/labels"
        truth = folder + "/derivatives/truth"
        atlas = folder + "/atlas"
    }

    // MARK: Above the participants

    func writeDatasetFiles(plans: [SubjectPlan], options: PhantomCohort.Options) throws {
        for path in [rawData, reconstruction, truth, atlas] { try CohortFiles.createFolder(path) }
        let about = study == .standard ? "" : "\(study.rawValue), "
        try describe(rawData, name: "Synthetic QSM cohort, \(about)seed \(options.seed)", type: "raw", links: nil)
        try describe(
            reconstruction, name: "Susceptibility maps of the synthetic cohort", type: "derivative",
            links: "../../rawdata")
        try describe(truth, name: "Truth of the synthetic cohort", type: "derivative", links: "../../rawdata")
        let note = study.note
        for path in [rawData, reconstruction, truth] { try CohortFiles.write(note, to: path + "/README.md") }
        let ignored = "truth.tsv\nsubjects.tsv\ndefects.tsv\n" + (study.hasLesions ? Self.lesionTables : "")
        try CohortFiles.write(ignored, to: truth + "/.bidsignore")
        if study.hasLabels {
            try CohortFiles.createFolder(labels)
            try describe(
                labels, name: "Labels of the synthetic cohort", type: "derivative", links: "../../rawdata")
            try CohortFiles.write(note, to: labels + "/README.md")
            try writeLabelNames()
        }
        try CohortFiles.write(
            ["FlipAngle": 15, "RepetitionTime": 0.04, "MRAcquisitionType": "3D", "EchoTime": 0.02],
            to: rawData + "/T2starw.json")
        try writeRegions(to: truth + "/desc-nuclei_dseg.tsv")
    }

    private func describe(_ path: String, name: String, type: String, links: String?) throws {
        var body: [String: CohortFiles.JSON] = [
            "Name": .text(name), "BIDSVersion": "1.11.1", "DatasetType": .text(type), "License": "CC0-1.0",
            "Authors": ["qsmflow"], "Keywords": ["synthetic"],
            "GeneratedBy": [["Name": "qsmflow", "Description": "qsmflow phantom: analytic anatomy, simulated images"]],
        ]
        if let links {
            body["DatasetLinks"] = ["raw": .text(links)]
            body["SourceDatasets"] = [["URL": .text(links)]]
        }
        try CohortFiles.write(.object(body), to: path + "/dataset_description.json")
    }

    func writeRegions(to path: String) throws {
        try CohortFiles.write(
            header: ["index", "name", "abbreviation", "color", "mapping"],
            rows: Region.all.map { ["\($0.index)", $0.name, $0.abbreviation, $0.colour, "\($0.genericIndex)"] },
            to: path)
    }

    // MARK: Atlas

    /// The undeformed head as an atlas folder: T1w, Chimap at age 50, labels and their names.
    func writeAtlas(template: TemplateAnatomy, options: PhantomCohort.Options) throws {
        let voxel = options.atlasVoxelMillimetres ?? max(1, options.voxelMillimetres * 2 / 3)
        let size = TemplateAnatomy.high - TemplateAnatomy.low
        let grid = Geometry.grid(
            size - SIMD3(4, 4, 14), centre: TemplateAnatomy.low + size / 2 + SIMD3(0, 0, 6), voxel: voxel,
            tilt: .init(repeating: 0), axes: "RAS")
        let sampler = TissueSampler(template: template, deformation: .identity)
        let random = RandomStream(seed: options.seed, "atlas")
        let anatomical = AnatomicalImages(
            sampler, grid, pose: .identity,
            exposures: [
                .init(
                    weighting: .t1w, whiteMatter: 1000, contrastSpread: 0, noise: 0.01, biasSpread: 0, random: random)
            ])
        var chi = [Float](repeating: 0, count: Tissue.count)
        for nucleus in Nucleus.allCases {
            let mean = Float(Physiology.susceptibility(of: nucleus).mean(age: 50, severity: 0))
            chi[Int(Tissue.nucleus(nucleus, right: false))] = mean
            chi[Int(Tissue.nucleus(nucleus, right: true))] = mean
        }
        for (code, model) in Physiology.tissueSusceptibility {
            chi[Int(code)] = Float(model.mean(age: 50, severity: 0))
        }
        let brain = (0..<Tissue.count).map { Tissue.isBrain(UInt8($0)) ? Float(1) : 0 }
        let spread = SubjectImages.spread(of: chi)
        let sampled = sampler.sample(
            grid, pose: .identity, tables: [chi, brain, spread], pattern: template.susceptibilityPattern)
        var tissue = sampled.means[0]
        for v in tissue.indices {
            tissue[v] += sampled.means[2][v] * SubjectImages.variation(sampled.pattern[v], 0, 0)
        }
        // As sharp as the maps of the participants.
        tissue =
            Volume(grid: grid, values: tissue)
            .smoothed(sigmaMillimetres: SubjectImages.inversionBlurMillimetres).values
        for v in tissue.indices { tissue[v] *= sampled.means[1][v] >= 0.5 ? 1e-3 : 0 }
        try NIfTIFile.write(anatomical.images[0], to: atlas + "/T1w.nii.gz")
        try NIfTIFile.write(Volume(grid: grid, values: tissue), to: atlas + "/Chimap.nii.gz")
        try NIfTIFile.write(anatomical.labels, to: atlas + "/dseg.nii.gz")
        try writeRegions(to: atlas + "/dseg.tsv")
        try CohortFiles.write(
            [
                "AtlasName": "qsmflow phantom", "Name": "qsmflow phantom", "License": "CC0-1.0",
                "Description": "Undeformed analytic head; Chimap in ppm at age 50", "Units": "ppm",
            ], to: atlas + "/description.json")
    }

    // MARK: One participant

    func write(_ images: SubjectImages, of plan: SubjectPlan) throws -> SubjectFiles {
        let subject = "sub-\(plan.label)"
        let stem = "\(subject)/anat/\(subject)"
        for dataset in [rawData, reconstruction, truth] + (study.hasLabels ? [labels] : []) {
            try CohortFiles.createFolder("\(dataset)/\(subject)/anat")
        }
        let scanner: [String: CohortFiles.JSON] = [
            "Manufacturer": .text(plan.site.vendor), "MagneticFieldStrength": .number(plan.site.fieldStrengthTesla),
            "InstitutionName": .text(plan.site.name),
        ]
        func save(_ dataset: String, _ name: String, _ sidecar: [String: CohortFiles.JSON]) throws -> String {
            try Self.describeImage("\(dataset)/\(stem)_\(name)", sidecar)
        }

        for (weighting, image) in [(Weighting.t1w, images.t1w)] + images.further {
            var sidecar = scanner
            let times = weighting.timesSeconds
            sidecar.merge(["EchoTime": .number(times.echo), "RepetitionTime": .number(times.repetition)]) { $1 }
            if let inversion = times.inversion { sidecar["InversionTime"] = .number(inversion) }
            try NIfTIFile.write(image, to: save(rawData, weighting.rawValue, sidecar))
        }
        var t2star = scanner
        t2star["EchoTime"] = .number(SubjectImages.echoTimeSeconds)
        try NIfTIFile.write(images.t2starw, to: save(rawData, "T2starw", t2star))

        let source: CohortFiles.JSON = .list([.text("bids:raw:\(stem)_T2starw.nii.gz")])
        var chi = scanner
        chi.merge([
            "Units": "ppm", "SkullStripped": true, "Sources": source, "Description": "simulated susceptibility",
            "EstimationReference": "none; not re-referenced", "EstimationAlgorithm": "simulated in the image domain",
        ]) { $1 }
        try NIfTIFile.write(images.chimap, to: save(reconstruction, "Chimap", chi))
        var relaxation = scanner
        relaxation.merge([
            "Units": "1/s", "SkullStripped": true, "Sources": source, "Description": "simulated relaxation rate",
            "EstimationAlgorithm": "simulated in the image domain",
        ]) { $1 }
        try NIfTIFile.write(images.r2starmap, to: save(reconstruction, "R2starmap", relaxation))
        try NIfTIFile.write(
            images.mask, to: save(reconstruction, "desc-brain_mask", ["Type": "Brain", "Sources": source]))

        if let image = images.susceptibilityWeighted {
            var weighted = t2star
            weighted.merge([
                "SkullStripped": false, "Sources": source,
                "Description": "susceptibility-weighted: magnitude times the fourth power of a phase mask, simulated",
            ]) { $1 }
            try NIfTIFile.write(image, to: save(reconstruction, "desc-swi_T2starw", weighted))
        }

        var clean = scanner
        clean.merge([
            "Units": "ppm", "SkullStripped": true, "Sources": source, "Description": "noise-free susceptibility",
            "EstimationReference": "none", "EstimationAlgorithm": "simulated in the image domain",
        ]) { $1 }
        try NIfTIFile.write(images.trueChimap, to: save(truth, "desc-truth_Chimap", clean))
        try NIfTIFile.write(
            images.labels, to: save(truth, "desc-nuclei_dseg", ["Sources": source, "Description": "true labels"]))
        let spatial: CohortFiles.JSON = .text("bids:raw:\(stem)_T1w.nii.gz")
        try NIfTIFile.write(
            images.t1wLabels,
            to: save(
                truth, "space-T1w_desc-nuclei_dseg",
                ["SpatialReference": spatial, "Description": "true labels on the grid of the T1w image"]))
        if study.labelsNuclei {
            try NIfTIFile.write(
                images.labels, to: save(labels, "desc-nuclei_dseg", ["Sources": source, "Description": "deep nuclei"]))
        }
        if let lesions = images.lesions, let onT1w = images.t1wLesions {
            try write(lesions, onT1w, stem: stem, sources: source, spatial: spatial)
            try writeLabels(lesions, of: plan.group, stem: stem, sources: source)
        }

        return SubjectFiles(
            label: plan.label, truthRows: Self.truthRows(images, subject: subject),
            subjectRow: [
                subject, CohortFiles.number(plan.age, digits: 1), plan.sex, plan.group.rawValue, plan.site.name,
                CohortFiles.number(plan.severity), CohortFiles.number(plan.site.gain, digits: 5),
                CohortFiles.number(plan.site.offsetPPB), CohortFiles.number(images.brainMeanPPB),
                plan.defect?.rawValue ?? "n/a",
            ] + lesionColumns.map { "\(images.lesionCounts[$0] ?? 0)" },
            defectRow: try plan.defect.map { defect in
                let path = try damage(plan, images, defect)
                return [subject, defect.rawValue, path, defect.explanation]
            }, lesionCounts: images.lesionCounts)
    }

    private static func truthRows(_ images: SubjectImages, subject: String) -> [[String]] {
        images.truth.map { row in
            [
                subject, "\(row.region.index)", row.region.name, CohortFiles.number(row.chiPPB),
                CohortFiles.number(row.tissueChiPPB), CohortFiles.number(row.setPPB),
                CohortFiles.number(row.volumeCubicMillimetres, digits: 2), "\(row.voxels)",
            ]
        }
    }

    /// Breaks one file of a participant; returns its path from the cohort folder.
    private func damage(_ plan: SubjectPlan, _ images: SubjectImages, _ defect: PhantomCohort.Defect) throws -> String {
        let stem = "sub-\(plan.label)/anat/sub-\(plan.label)"
        let t1w = "\(rawData)/\(stem)_T1w.nii.gz"
        let chimap = "\(reconstruction)/\(stem)_Chimap.nii.gz"
        var map = images.chimap
        var broken = chimap
        switch defect {
        case .truncatedGzip:
            broken = t1w
            let bytes = try Data(contentsOf: URL(filePath: t1w))
            try bytes.prefix(bytes.count * 6 / 10).write(to: URL(filePath: t1w))
        case .missingT1w:
            broken = t1w
            try FileManager.default.removeItem(atPath: t1w)
            try FileManager.default.removeItem(atPath: "\(rawData)/\(stem)_T1w.json")
        case .emptySidecar:
            broken = "\(rawData)/\(stem)_T1w.json"
            try CohortFiles.write("", to: broken)
        case .nanVoxels:
            let slab = map.grid.nx * map.grid.ny
            for v in map.values.indices where v % 97 == 0 || v / slab == map.grid.nz / 2 {
                if images.mask.values[v] == 1 { map.values[v] = .nan }
            }
            try NIfTIFile.write(map, to: chimap)
        case .ppbUnits:
            for v in map.values.indices { map.values[v] *= 1000 }
            try NIfTIFile.write(map, to: chimap)
        case .mismatchedGrid:
            let grid = VoxelGrid(nx: map.grid.nx, ny: map.grid.ny, nz: map.grid.nz - 3, affine: map.grid.affine)
            try NIfTIFile.write(Volume(grid: grid, values: Array(map.values.prefix(grid.count))), to: chimap)
        }
        return String(broken.dropFirst(root.count + 1))
    }

    // MARK: Truth over all

    /// `participants.tsv`, and with the tables of truth last what says that the cohort is whole.
    func writeTables(_ subjects: [SubjectFiles], plans: [SubjectPlan]) throws {
        let rims = subjects.map { $0.lesionCounts[.rimPositive] ?? 0 }
        try CohortFiles.write(
            header: ["participant_id", "age", "sex", "group", "site"] + (study.hasRims ? ["rim_count"] : []),
            rows: zip(plans, rims).map { plan, count in
                let counted = plan.group == .multipleSclerosis ? "\(count)" : "n/a"
                return [
                    "sub-\(plan.label)", CohortFiles.number(plan.age, digits: 1), plan.sex, plan.group.rawValue,
                    plan.site.name,
                ] + (study.hasRims ? [counted] : [])
            }, to: rawData + "/participants.tsv")
        let levels = study.groups.map { ($0.rawValue, CohortFiles.JSON.text($0.description)) }
        var columns: [String: CohortFiles.JSON] = [
            "age": ["Description": "age at the scan", "Units": "year"],
            "sex": ["Description": "sex", "Levels": ["F": "female", "M": "male"]],
            "group": .object([
                "Description": "group", "Levels": .object(Dictionary(levels, uniquingKeysWith: { $1 })),
            ]), "site": ["Description": "scanner site"],
        ]
        if study.hasRims { columns["rim_count"] = ["Description": "lesions with a paramagnetic rim"] }
        try CohortFiles.write(.object(columns), to: rawData + "/participants.json")
        try CohortFiles.write(
            header: [
                "participant_id", "index", "region", "chi_ppb", "tissue_chi_ppb", "set_ppb", "volume_mm3", "voxels",
            ], rows: subjects.flatMap(\.truthRows), to: truth + "/truth.tsv")
        try CohortFiles.write(
            header: [
                "participant_id", "age", "sex", "group", "site", "severity", "site_gain", "site_offset_ppb",
                "brain_mean_chi_ppb", "defect",
            ] + lesionColumns.map { "\($0.rawValue)s" }, rows: subjects.map(\.subjectRow), to: truth + "/subjects.tsv")
        let broken = subjects.compactMap(\.defectRow)
        if !broken.isEmpty {
            try CohortFiles.write(
                header: ["participant_id", "defect", "path", "what"], rows: broken, to: truth + "/defects.tsv")
        }
    }

    /// Files and bytes below the cohort folder.
    func size() throws -> (files: Int, bytes: Int) {
        var (count, bytes) = (0, 0)
        let keys: [URLResourceKey] = [.isRegularFileKey, .fileSizeKey]
        guard let walk = FileManager.default.enumerator(at: URL(filePath: root), includingPropertiesForKeys: keys)
        else {
            throw PhantomError.cannotWrite(path: root, reason: "the folder cannot be listed")
        }
        for case let url as URL in walk {
            let values = try url.resourceValues(forKeys: Set(keys))
            if values.isRegularFile == true {
                count += 1
                bytes += values.fileSize ?? 0
            }
        }
        return (count, bytes)
    }
}
