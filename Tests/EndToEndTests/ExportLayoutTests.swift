import BIDS
import Foundation
import Report
import Testing
import Wire
import Workflow

@testable import qsmflow

/// Where exported files go and what is said of them, without any process.
@Suite struct ExportLayoutTests {
    private static let digest = String(repeating: "0f", count: 32)

    private func made(
        _ ordinal: Int, _ step: String, _ kind: String, _ port: String, subject: String? = "01", session: String? = nil,
        atlas: String? = nil, fold: Int? = nil, name: String = "file.nii.gz"
    ) throws -> MadeFile {
        func cell(_ text: String?) -> String { text ?? "" }
        let line = [
            "\(ordinal)", step, kind, cell(subject), cell(session), cell(atlas), cell(fold.map { "\($0)" }), port, name,
            Self.digest, "12", "x/y", "",
        ].joined(separator: ",")
        let table = try CommaSeparatedTable(Data((MadeFile.columns.joined(separator: ",") + "\n" + line + "\n").utf8))
        return try MadeFile(try #require(try table.rows(needing: MadeFile.columns).first))
    }

    /// Other files have other bytes.
    private func read(
        _ ordinal: Int, _ port: String, from task: String? = nil, port made: String? = nil, path: String? = nil
    ) throws -> ReadFile {
        let digest = path.map { ArtifactDigest(of: Data($0.utf8)).hex } ?? Self.digest
        let line = ["\(ordinal)", port, "01", "", "", "", task ?? "", made ?? "", "name", path ?? "", digest]
            .joined(separator: ",")
        let table = try CommaSeparatedTable(Data((ReadFile.columns.joined(separator: ",") + "\n" + line + "\n").utf8))
        return try ReadFile(try #require(try table.rows(needing: ReadFile.columns).first))
    }

    private let request = RunRequest(
        workflowText: "", workflowPath: "/w.yaml", dataset: "/data/raw",
        derivatives: ["/data/raw/derivatives/recon", "/elsewhere/my recon"])

    private func paths(_ files: [MadeFile], atlases: [String]) -> [String] {
        DerivativeLayout(files: RunFiles(made: files, read: []), places: SourcePlaces(request), atlases: atlases)
            .entries()
            .map(\.path)
    }

    @Test func everyKindHasItsPlace() throws {
        let files = [
            try made(0, "check", "image.check", "report", name: "report.json"),
            try made(1, "brain", "brain.mask", "mask"),
            try made(2, "within", "registration.within-subject", "transform", name: "transform.json"),
            try made(3, "atlas", "registration.atlas", "affine", atlas: "A 1", name: "affine.json"),
            try made(3, "atlas", "registration.atlas", "warp", atlas: "A 1"),
            try made(3, "atlas", "registration.atlas", "inverse_warp", atlas: "A 1"),
            try made(4, "labels", "labels.native", "labels"),
            try made(4, "labels", "labels.native", "table", name: "table.tsv"),
            try made(5, "regions", "roi.statistics", "table", name: "table.tsv"),
            try made(6, "pictures", "qc.pictures", "chimap_mosaic", name: "chimap_mosaic.png"),
            try made(7, "model", "cohort.linear-model", "effects", subject: nil, name: "effects.tsv"),
            try made(8, "strip", "command", "brain", name: "../x/brain.nii.gz"),
        ]
        #expect(
            paths(files, atlases: ["A 1"]) == [
                "sub-01/reports/sub-01_desc-check_report.json",
                "sub-01/anat/sub-01_space-T1w_desc-brain_mask.nii.gz",
                "sub-01/anat/sub-01_from-Chimap_to-T1w_mode-points_desc-rigid_xfm.json",
                "sub-01/anat/sub-01_from-T1w_to-A1_mode-points_desc-affine_xfm.json",
                "sub-01/anat/sub-01_from-T1w_to-A1_mode-points_desc-warp_xfm.nii.gz",
                "sub-01/anat/sub-01_from-A1_to-T1w_mode-points_desc-warp_xfm.nii.gz",
                "sub-01/anat/sub-01_space-Chimap_atlas-A1_dseg.nii.gz",
                "sub-01/anat/sub-01_space-Chimap_atlas-A1_dseg.tsv",
                "sub-01/anat/sub-01_space-T1w_atlas-A1_dseg.tsv",
                "sub-01/anat/sub-01_space-Chimap_atlas-A1_desc-regions_roistats.tsv",
                "sub-01/figures/sub-01_desc-chimap_qc.png",
                "cohort/model_effects.tsv",
                "other/strip/sub-01_brain__.._x_brain.nii.gz",
            ])
    }

    @Test func lesionsAndEvaluationsHaveTheirPlaces() throws {
        let files = [
            try made(0, "segment", "network.segment", "probabilities"),
            try made(1, "lesions", "lesions.components", "labels"),
            try made(1, "lesions", "lesions.components", "table", name: "table.tsv"),
            try made(2, "detection", "evaluate.detection", "table", name: "table.tsv"),
            try made(2, "detection", "evaluate.detection", "lesions", name: "lesions.tsv"),
            try made(3, "nuclei", "evaluate.segmentation", "table", name: "table.tsv"),
            try made(4, "rims", "evaluate.classification", "roc", subject: nil, name: "roc.tsv"),
            try made(5, "people", "evaluate.summary", "report", subject: nil, name: "report.json"),
            try made(6, "candidates", "lesions.candidates", "labels"),
            try made(7, "match", "lesions.match", "targets", name: "targets.tsv"),
            try made(8, "select", "lesions.select", "labels"),
            try made(8, "select", "lesions.select", "probabilities"),
        ]
        #expect(
            paths(files, atlases: []) == [
                "sub-01/anat/sub-01_space-image_desc-network_probseg.nii.gz",
                "sub-01/anat/sub-01_desc-lesions_dseg.nii.gz",
                "sub-01/anat/sub-01_desc-lesions_lesions.tsv",
                "sub-01/anat/sub-01_desc-detection_metrics.tsv",
                "sub-01/anat/sub-01_desc-detection_lesions.tsv",
                "sub-01/anat/sub-01_desc-segmentation_metrics.tsv",
                "cohort/rims_roc.tsv",
                "cohort/people_report.json",
                "sub-01/anat/sub-01_desc-candidates_dseg.nii.gz",
                "sub-01/anat/sub-01_desc-matched_lesions.tsv",
                "sub-01/anat/sub-01_desc-selected_dseg.nii.gz",
                "sub-01/anat/sub-01_desc-selected_probseg.nii.gz",
            ])
    }

    private func read(_ ordinal: Int, _ port: String, _ name: String) throws -> ReadFile {
        let line = ["\(ordinal)", port, "01", "", "", "", "", "", name, "/data/raw/\(name)", Self.digest].joined(
            separator: ",")
        let table = try CommaSeparatedTable(Data((ReadFile.columns.joined(separator: ",") + "\n" + line + "\n").utf8))
        return try ReadFile(try #require(try table.rows(needing: ReadFile.columns).first))
    }

    @Test func anImageBroughtOverIsNamedByBoth() throws {
        let files = RunFiles(
            made: [try made(2, "onto", "image.resample", "image", name: "image.nii.gz")],
            read: [try read(2, "image", "sub-01_T1w.nii.gz"), try read(2, "target", "sub-01_Chimap.nii.gz")])
        let entry = try #require(
            DerivativeLayout(files: files, places: SourcePlaces(request), atlases: []).entries().first)
        #expect(entry.path == "sub-01/anat/sub-01_space-Chimap_T1w.nii.gz")
        #expect(entry.sidecar?["SpatialReference"] == "bids:raw:sub-01_Chimap.nii.gz")
        #expect(entry.sidecar?["Sources"] == ["bids:raw:sub-01_T1w.nii.gz", "bids:raw:sub-01_Chimap.nii.gz"])
    }

    /// Raw magnitudes stand in for the χ map; another contrast is a space of its own.
    @Test(arguments: [("sub-01_T2starw.nii.gz", "Chimap"), ("sub-01_desc-swi_T2starw.nii.gz", "T2starw")])
    func labelsAreInTheSpaceOfTheirTarget(target: String, space: String) throws {
        let files = RunFiles(
            made: [
                try made(2, "within", "registration.within-subject", "transform", name: "transform.json"),
                try made(4, "labels", "labels.native", "labels"),
            ],
            read: [
                try read(2, "t1w", "sub-01_T2w.nii.gz"), try read(2, "target", target), try read(4, "target", target),
            ])
        let paths = DerivativeLayout(files: files, places: SourcePlaces(request), atlases: []).entries().map(\.path)
        #expect(paths.contains { $0.contains("from-\(space)_to-T2w") }, "\(paths)")
        #expect(paths.contains { $0.contains("_space-\(space)_") && $0.hasSuffix("dseg.nii.gz") }, "\(paths)")
    }

    @Test func sessionsFusionAndSeveralStepsOfAKindAreToldApart() throws {
        let files = [
            try made(0, "labels", "labels.native", "labels", session: "2"),
            try made(1, "first", "roi.statistics", "table", session: "2", name: "t.tsv"),
            try made(2, "second one", "roi.statistics", "table", session: "2", name: "t.tsv"),
        ]
        #expect(
            paths(files, atlases: ["a", "b"]) == [
                "sub-01/ses-2/anat/sub-01_ses-2_space-Chimap_dseg.nii.gz",
                "sub-01/ses-2/anat/sub-01_ses-2_space-Chimap_seg-first_desc-regions_roistats.tsv",
                "sub-01/ses-2/anat/sub-01_ses-2_space-Chimap_seg-secondOne_desc-regions_roistats.tsv",
            ])
    }

    @Test func twoFilesNeverShareAPath() throws {
        let files = [
            try made(0, "a", "command", "out", name: "x.txt"), try made(1, "a", "command", "out", name: "x.txt"),
        ]
        let found = paths(files, atlases: [])
        #expect(Set(found).count == 2 && found[1].hasPrefix("other/a/1_"))
    }

    @Test func aSegmentationSaysWhatItWasMadeFrom() throws {
        let labels = try made(4, "labels", "labels.native", "labels")
        let affine = try made(3, "atlas", "registration.atlas", "affine", atlas: "A", name: "affine.json")
        let files = RunFiles(
            made: [affine, labels],
            read: [
                try read(4, "affine", from: "1.3", port: "affine"),
                try read(4, "target", path: "/data/raw/derivatives/recon/sub-01/anat/sub-01_Chimap.nii.gz"),
                try read(4, "t1w", path: "/data/raw/sub-01/anat/sub-01_T1w.nii.gz"),
                try read(4, "atlas_labels", path: "/atlases/A/dseg.nii.gz"),
                try read(9, "t1w", path: "/data/raw/sub-02/anat/sub-02_T1w.nii.gz"),
            ])
        let layout = DerivativeLayout(files: files, places: SourcePlaces(request), atlases: ["A"])
        let entry = try #require(layout.entries().first { $0.file == labels })
        let sidecar = try #require(entry.sidecar)
        #expect(sidecar["SpatialReference"] == "bids:recon:sub-01/anat/sub-01_Chimap.nii.gz")
        #expect(
            sidecar["Sources"] == [
                "bids:recon:sub-01/anat/sub-01_Chimap.nii.gz", "bids:raw:sub-01/anat/sub-01_T1w.nii.gz",
                "bids::sub-01/anat/sub-01_from-T1w_to-A_mode-points_desc-affine_xfm.json",
                "file:///atlases/A/dseg.nii.gz",
            ])
        #expect(sidecar["SkullStripped"] == nil)
    }

    /// Where a run has an atlas as well, what the network found is not the atlas's; and a model of the store, which lies in
    /// no dataset, is named by its digest.
    @Test func whatANetworkFoundCarriesNoAtlas() throws {
        let found = try made(1, "find", "network.segment", "labels")
        let files = RunFiles(
            made: [found, try made(2, "regions", "roi.statistics", "table", name: "table.tsv")],
            read: [
                try read(1, "image", path: "/data/raw/sub-01/anat/sub-01_Chimap.nii.gz"), try read(1, "model"),
                try read(2, "labels", from: "1.1", port: "labels"),
            ])
        let entries = DerivativeLayout(files: files, places: SourcePlaces(request), atlases: ["A"]).entries()
        // The space is the suffix of the image's name, and here that is all of it.
        #expect(
            entries.map(\.path) == [
                "sub-01/anat/sub-01_space-name_desc-network_dseg.nii.gz",
                "sub-01/anat/sub-01_space-Chimap_desc-regions_roistats.tsv",
            ])
        let sidecar = try #require(entries.first?.sidecar)
        #expect(sidecar["ModelSHA256"]?.stringValue == Self.digest)
        #expect(sidecar["Sources"] == ["bids:raw:sub-01/anat/sub-01_Chimap.nii.gz"])
    }

    @Test func labelsWantedOnTheT1wImageAreThatPortsFile() throws {
        let made = [
            try made(4, "labels", "labels.native", "labels"), try made(4, "labels", "labels.native", "labels_t1w"),
        ]
        let image = "/data/raw/sub-01/anat/sub-01_T1w.nii.gz"
        let files = RunFiles(made: made, read: [try read(4, "target", path: image), try read(4, "t1w", path: image)])
        let layout = DerivativeLayout(files: files, places: SourcePlaces(request), atlases: ["A"])
        #expect(layout.entries().map(\.path) == ["sub-01/anat/sub-01_space-T1w_atlas-A_dseg.nii.gz"])
    }

    @Test func datasetsAreLinkedRelativelyWhereTheyMoveTogether() {
        let places = SourcePlaces(request)
        #expect(
            places.datasetLinks(from: "/data/raw/derivatives/qsmflow") == [
                "raw": "../..", "recon": "../recon", "myRecon": "file:///elsewhere/my%20recon",
            ])
        let far = places.datasetLinks(from: "/results/a")
        #expect(far["raw"] == "file:///data/raw")
        #expect(places.uri(of: "/data/rawer/x.nii") == "file:///data/rawer/x.nii")
    }

    @Test func tablesKeepMissingApartFromEmpty() throws {
        let text = "a,b,c\n1,,\"\"\n\"x \"\"y\"\", z\",\"two\nlines\",ü\n"
        let table = try CommaSeparatedTable(Data(text.utf8))
        #expect(table.columns == ["a", "b", "c"])
        #expect(table.rows == [["1", nil, ""], ["x \"y\", z", "two\nlines", "ü"]])
        for cut in ["a,b\n1,\"2", "a,b\n1,2"] {
            #expect(throws: CommandFailure.self, "\(cut)") { try CommaSeparatedTable(Data(cut.utf8)) }
        }
        #expect(throws: CommandFailure.self) { try table.rows(needing: ["a", "d"]) }
    }

    @Test func aFileAppearsOnlyWhole() throws {
        let program = try Program()
        let path = program.folder + "/result.txt"
        do {
            let file = try OutputFile(path)
            try Array("half".utf8).withUnsafeBytes { try file.write($0) }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder).isEmpty)
        try OutputFile.write(Data("whole".utf8), to: path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole")
        let error = #expect(throws: CommandFailure.self) { try OutputFile.write(Data(), to: "/proc/none/x") }
        #expect(error?.description.contains("/proc/none/x") == true)
    }

    @Test func comparisonWithTheTruthCountsOnlyPairs() {
        typealias Key = PhantomTruth.Key
        let truth = PhantomTruth(values: [
            Key(subject: "1", region: "L"): 10, Key(subject: "2", region: "L"): 20, Key(subject: "3", region: "L"): 90,
            Key(subject: "1", region: "R"): 5, Key(subject: "1", region: "brainstem"): 0,
        ])
        let recovered = [
            Key(subject: "1", region: "L"): 12.0, Key(subject: "2", region: "L"): 16,
            Key(subject: "1", region: "R"): 5, Key(subject: "1", region: "brainstem"): 50,
            Key(subject: "9", region: "L"): 1000,
        ]
        let comparison = PhantomComparison(truth: truth, recovered: recovered, regions: ["L", "R", "none"])
        #expect(comparison.rows.map(\.region) == ["L", "R"])
        #expect(comparison.rows[0].people == 2)
        #expect(comparison.rows[0].trueMean == 15 && comparison.rows[0].recoveredMean == 14)
        #expect(comparison.rows[0].meanAbsoluteError == 3)
        #expect(comparison.values == 3 && comparison.meanAbsoluteError == 2)
        #expect(PhantomComparison(truth: truth, recovered: [:], regions: ["L"]).meanAbsoluteError == nil)
    }

    @Test func foldsAreToldApart() throws {
        let files = try (1...2).flatMap { fold in
            [
                try made(fold, "train", "network.train", "model", subject: nil, fold: fold, name: "model.safetensors"),
                try made(fold, "train", "network.train", "curve", subject: nil, fold: fold, name: "curve.tsv"),
                try made(4 + fold, "judge", "command", "table", subject: nil, fold: fold, name: "t.tsv"),
            ]
        }
        #expect(
            paths(files, atlases: []) == [
                "models/train_fold-1.safetensors", "models/train_fold-1_curve.tsv", "other/judge/fold-1_table_t.tsv",
                "models/train_fold-2.safetensors", "models/train_fold-2_curve.tsv", "other/judge/fold-2_table_t.tsv",
            ])
    }
}
