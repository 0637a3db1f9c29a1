import BIDS
import Foundation
import Testing

/// The network workflow on a small phantom cohort: cross-validated, measured, judged, exported, and applied to other people.
@Suite(.serialized) struct NetworkWorkflowTests {
    private static let structures = [
        "caudate", "putamen", "pallidum", "thalamus", "hippocampus", "amygdala", "substantia_nigra", "red_nucleus",
        "dentate",
    ]
    private static let regions = structures.flatMap { ["left_\($0)", "right_\($0)"] }
    private static let workflow = Program.root + "/workflows/subcortical-network.yaml"

    private func end(_ program: Program, _ process: Process, _ log: String) async throws {
        _ = try await program.eventually(within: 300) { process.isRunning ? nil : true }
        process.waitUntilExit()
        let said = try String(contentsOfFile: "\(program.folder)/\(log).err", encoding: .utf8)
        #expect(process.terminationStatus == 0, "\(said)")
    }

    private func value(_ program: Program, _ query: String) async throws -> String {
        let answer = try await program.run("sql", "-c", query, "--", "-At")
        #expect(answer.code == 0, "\(answer.errors)")
        return answer.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func json(_ path: String) throws -> JSONValue {
        try JSONValue.parse(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Runs the workflow with a network small enough for a test.
    private func run(_ program: Program, _ settings: [String], log: String) async throws {
        let small = ["train.widths=[8, 16]", "patch=[24, 24, 24]", "train.learning_rate=0.01", "folds=3"]
        let run = try program.start(
            [
                "run", Self.workflow, program.dataset, "--derivatives", program.recon, "--derivatives", program.labels,
                "--cores", "2", "--memory-mib", "9000",
            ] + (small + settings).flatMap { ["--set", $0] }, log: log)
        try await end(program, run, log)
    }

    @Test func aNetworkIsTrainedJudgedAndAppliedElsewhere() async throws {
        let program = try Program()
        try await program.phantom(subjects: 4)
        // Somebody has no labels.
        try Program.removeLabels("nuclei", of: "sub-004", from: program.labels)
        try await run(program, ["epochs=14", "train.samples_per_epoch=64"], log: "run")
        // Everybody is segmented, whoever was trained on; what was found has a volume and, where it is, a mean.
        for person in ["001", "002", "003", "004"] {
            let volumes = try await value(
                program,
                "select string_agg(region, ',' order by region) from measurements where run = 1 and step = 'segment' "
                    + "and metric = 'volume' and subject = '\(person)'")
            #expect(volumes.split(separator: ",").map(String.init) == Self.regions.sorted())
        }
        #expect(
            try await value(
                program,
                "select count(distinct subject) from roi_statistics where run = 1 and reference = 'none' and mean_ppm is "
                    + "not null") == "4")
        let logs = try await program.run("logs", "1.0")
        #expect(logs.output.contains("| epoch 14/14, loss "), "\(logs.output)")

        // The models are there by themselves, and say what they learned from.
        let listed = try JSONValue.parse(try await program.run("models", "--json").output)
        let digests = (listed.arrayValue ?? []).compactMap { $0["digest"]?.stringValue }
        try #require(digests.count == 3, "\(listed)")
        #expect(listed.arrayValue?.allSatisfy { $0["source"] == "trained" } == true, "\(listed)")
        for digest in digests {
            let shown = try JSONValue.parse(try await program.run("models", "inspect", digest, "--json").output)
            let split = try #require(shown["card"]?["split"])
            let people = (split["training"]?.arrayValue ?? []) + (split["validation"]?.arrayValue ?? [])
            #expect(people.count == 2 && !people.contains("004"))
        }
        #expect(try await value(program, "select count(*) from models where run = 1") == "3")
        // What there was to learn from.
        #expect(
            try await value(
                program,
                "select count(*), min(value) > 0 from measurements where run = 1 and step = 'train' and metric = "
                    + "'training_voxels'") == "\(3 * Self.regions.count)|t")

        try await isJudged(program)
        try await isExported(program)
        try await isJudgedFromOutside(program)
        try await isAppliedByName(program)
    }

    /// Whoever was held out is held against the truth, and published figures stand beside.
    private func isJudged(_ program: Program) async throws {
        let judged = try await value(
            program,
            "select subject, string_agg(structure, ',' order by structure) from segmentation_metrics where run = 1 "
                + "group by 1 order by 1")
        let all = Self.structures.sorted().joined(separator: ",")
        #expect(judged.split(separator: "\n").map(String.init) == ["001", "002", "003"].map { "\($0)|\(all)" })
        #expect(try await value(program, "select distinct data from segmentation_metrics") == "synthetic")
        // Figures by fold need no join.
        let rows = 3 * Self.structures.count
        #expect(
            try await value(
                program,
                "select count(*), count(*) filter (where m.fold = f.fold) from segmentation_metrics m join folds f using "
                    + "(run, subject) where run = 1") == "\(rows)|\(rows)")
        // Large nuclei are found even by this small a network.
        let found = try await value(
            program,
            "select label, mean, people, folds from evaluation_summary where run = 1 and metric = 'dice' and label in "
                + "('putamen', 'thalamus')"
        ).split(separator: "\n").map { $0.split(separator: "|").compactMap { Double($0) } }
        #expect(found.count == 2 && found.allSatisfy { $0[0] > 0.3 && $0[1...] == [3, 3] }, "\(found)")
        // Published figures are what their table says, and never ours.
        #expect(
            try await value(
                program,
                "select published, source from published_figures where run = 1 and label = 'red_nucleus' and metric = "
                    + "'dice' order by source") == "0.635|Chai 2020, T1w\n0.68|Chai 2020, χ\n0.763|Chai 2020, χ + T1w")
        #expect(
            try await value(
                program,
                "select count(*) from published_figures f join evaluation_summary s using (run, step, label, metric) where "
                    + "f.mean = s.mean and f.people = s.people") == "39")
    }

    /// The same comparison of files that anybody could have written.
    private func isJudgedFromOutside(_ program: Program) async throws {
        let run = try program.start(
            [
                "run", Program.root + "/workflows/evaluate-regions.yaml", program.dataset, "--derivatives",
                program.folder + "/export", "--derivatives", program.labels, "--set",
                "prediction={suffix: dseg, desc: network}", "--set",
                "prediction_names={bids: {suffix: dseg, desc: network, extension: .tsv}}",
            ], log: "outside")
        try await end(program, run, "outside")
        #expect(
            try await value(
                program,
                "select count(*) from segmentation_metrics a join segmentation_metrics b using (subject, structure) where "
                    + "a.run = 1 and b.run = 2 and a.dice = b.dice and a.assd_mm is not distinct from b.assd_mm")
                == "\(3 * Self.structures.count)")
    }

    /// Both images on grids of their own by the double-branch network, and a brain mask by itself.
    @Test func bothImagesAndOtherLabels() async throws {
        let program = try Program()
        try await program.phantom(subjects: 3)
        try await run(
            program,
            [
                "network=dbresunet", "t1w=true", "channels=[{modality: Chimap}, {modality: T1w}]", "epochs=1",
                "train.samples_per_epoch=2",
            ], log: "both")
        #expect(
            try await value(
                program, "select distinct architecture, inputs from models where run = 1")
                == #"double-branch residual U-Net, 3-D, 8-16, global voxels ×2|["Chimap", "T1w"]"#)
        #expect(
            try await value(
                program,
                "select count(*), bool_and(value > 0.9) from measurements where run = 1 and metric = 'covered_fraction'"
            )
                == "3|t")
        let folder = program.folder + "/export"
        #expect(try await program.run("export", "1", folder).code == 0)
        let sidecar = try json(folder + "/sub-001/anat/sub-001_space-Chimap_T1w.json")
        #expect(sidecar["SpatialReference"] == "bids:recon:sub-001/anat/sub-001_Chimap.nii.gz")
        #expect(
            FileManager.default.fileExists(atPath: folder + "/sub-001/anat/sub-001_space-Chimap_T1w.nii.gz"))

        try await run(
            program,
            [
                "classes=[{name: brain, labels: [1]}]", "labels={suffix: mask, desc: brain}", "label_names=null",
                "lateral_pairs=[]", "epochs=2", "train.samples_per_epoch=8",
            ], log: "brain")
        #expect(
            try await value(
                program,
                "select string_agg(distinct structure, ','), min(dice) > 0.8 from segmentation_metrics where run = 2")
                == "brain|t")
    }

    private func isExported(_ program: Program) async throws {
        let folder = program.folder + "/export"
        let export = try await program.run("export", "1", folder)
        #expect(export.code == 0, "\(export.errors)")
        let files = Set(try FileManager.default.subpathsOfDirectory(atPath: folder))
        let stems = ["001", "002", "003", "004"].map { "sub-\($0)/anat/sub-\($0)_space-Chimap_desc-network_dseg" }
        let expected =
            (1...3).flatMap { fold in
                [".safetensors", ".json", "_curve.tsv", "_split.tsv"].map { "models/train_fold-\(fold)\($0)" }
            }
            + stems.flatMap { ["\($0).nii.gz", "\($0).json", "\($0).tsv"] }
            + ["001", "002", "003", "004"].map {
                "sub-\($0)/anat/sub-\($0)_space-Chimap_desc-regions_roistats.tsv"
            }
        #expect(Set(expected).subtracting(files) == [])
        for view in ["measurements", "models", "segmentation_metrics", "evaluation_summary"] {
            let table = try String(contentsOfFile: folder + "/tables/run-1_\(view).tsv", encoding: .utf8)
            #expect(table.split(separator: "\n").count > 1, "\(view)")
            #expect(try json(folder + "/tables/run-1_\(view).json").objectValue?.isEmpty == false)
        }
        let page = program.folder + "/report.html"
        #expect(try await program.run("report", "1", "-o", page).code == 0)
        let report = try String(contentsOfFile: page, encoding: .utf8)
        for words in [
            "id=\"training\"", "Loss against the epoch of step train", "final training loss", "Dice of",
            "Beside published figures", "Published (not ours)", "Abid &amp; Saifullah (CS512), χ, test",
            "Diamonds are published figures, which are not results of this run.",
        ] {
            #expect(report.contains(words), "\(words)")
        }
        #expect(files.filter { $0.hasPrefix("other/") || $0.contains("_atlas-") } == [])

        let sidecar = try json(folder + "/\(stems[3]).json")
        // Whoever is in no fold is segmented by all of them, whoever is in one by that alone.
        let models = (1...3).map { "bids::models/train_fold-\($0).safetensors" }
        #expect(sidecar["ModelSHA256"]?.arrayValue?.count == 3)
        let sources = (sidecar["Sources"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(sources.first == "bids:recon:sub-004/anat/sub-004_Chimap.nii.gz" && Set(models).isSubset(of: sources))
        #expect(try json(folder + "/\(stems[0]).json")["ModelSHA256"]?.stringValue != nil)
        #expect(sidecar["SpatialReference"] == "bids:recon:sub-004/anat/sub-004_Chimap.nii.gz")
        let table = try String(contentsOfFile: folder + "/\(stems[3]).tsv", encoding: .utf8)
        #expect(
            table.split(separator: "\n").map(String.init)
                == ["index\tname", "0\tbackground"] + Self.regions.enumerated().map { "\($0 + 1)\t\($1)" })

        // The file is the model, and what is said beside it is true.
        let model = folder + "/models/train_fold-1.safetensors"
        let inspected = try JSONValue.parse(try await program.run("models", "inspect", model, "--json").output)
        let beside = try json(folder + "/models/train_fold-1.json")
        #expect(beside["Card"] == inspected["card"])
        let sum = try await program.run("models", "import", model)
        #expect(
            sum.output.trimmingCharacters(in: .whitespacesAndNewlines) == beside["SHA256"]?.stringValue, "\(sum.errors)"
        )

        let description = try json(folder + "/dataset_description.json")
        #expect(description["DatasetType"] == "derivative" && description["GeneratedBy"]?[0]?["Name"] == "qsmflow")
        #expect(description["DatasetLinks"]?["recon"]?.stringValue == "../phantom/derivatives/recon")
        let ignored = try String(contentsOfFile: folder + "/.bidsignore", encoding: .utf8).split(separator: "\n")
        #expect(ignored.contains("models"))
        if BIDSValidator.path != nil { #expect(try BIDSValidator.errors(in: folder) == []) }
    }

    /// A name stands for the bytes: for whom the models are the same the results are taken over, for others they are computed.
    private func isAppliedByName(_ program: Program) async throws {
        let named = try await program.run("models", "name-folds", "1", "nuclei")
        #expect(named.code == 0, "\(named.errors)")
        func counts(_ dataset: String, _ recon: String, _ log: String) async throws -> [Int64?] {
            let run = try program.start(
                [
                    "run", Self.workflow, dataset, "--derivatives", recon, "--cores", "2", "--memory-mib", "9000",
                    "--json", "--set", "train=false", "--set", "models=nuclei",
                ], log: log)
            try await end(program, run, log)
            let counts = try json("\(program.folder)/\(log).out")["counts"]
            return [counts?["succeeded"]?.integerValue, counts?["cached"]?.integerValue]
        }
        // Two steps for each of four people, of whom one was in no fold.
        #expect(try await counts(program.dataset, program.recon, "same") == [8, 2])

        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--subjects", "2", "--voxel", "4", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        #expect(try await counts(other + "/rawdata", other + "/derivatives/recon", "others") == [4, 0])
        #expect(
            try await value(
                program,
                "select count(*) from measurements where run = 4 and step = 'segment' and metric = 'volume'")
                == "\(2 * Self.regions.count)")
        let folder = program.folder + "/export-others"
        #expect(try await program.run("export", "4", folder).code == 0)
        let sidecar = try json(folder + "/sub-001/anat/sub-001_space-Chimap_desc-network_dseg.json")
        #expect(sidecar["ModelSHA256"]?.arrayValue?.count == 3)
        #expect(
            sidecar["Sources"] == [
                "bids:recon:sub-001/anat/sub-001_Chimap.nii.gz",
                "bids:recon:sub-001/anat/sub-001_desc-brain_mask.nii.gz",
            ])
    }
}
