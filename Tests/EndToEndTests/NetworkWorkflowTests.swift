import BIDS
import Foundation
import Testing

/// The network workflow on a small phantom cohort: trained, applied, measured, exported, and applied to other people.
@Suite(.serialized) struct NetworkWorkflowTests {
    private static let regions = [
        "left_caudate", "right_caudate", "left_putamen", "right_putamen", "left_pallidum", "right_pallidum",
        "left_thalamus", "right_thalamus",
    ]

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

    private func cohort() async throws -> Program {
        let program = try Program()
        try await program.phantom(subjects: 4)
        // Somebody has no labels.
        for ending in ["nii.gz", "json"] {
            try FileManager.default.removeItem(
                atPath: "\(program.labels)/sub-004/anat/sub-004_desc-nuclei_dseg.\(ending)")
        }
        let run = try program.start(
            [
                "run", Program.root + "/workflows/subcortical-network.yaml", program.dataset, "--derivatives",
                program.recon, "--derivatives", program.labels, "--cores", "2", "--memory-mib", "9000", "--set",
                "epochs=6", "--set", "train.widths=[4, 8]", "--set", "train.patch=[24, 24, 24]", "--set",
                "train.samples_per_epoch=16", "--set", "train.learning_rate=0.01",
            ], log: "run")
        try await end(program, run, "run")
        return program
    }

    @Test func aNetworkIsTrainedAppliedAndAppliedElsewhere() async throws {
        let program = try await cohort()
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
        #expect(logs.output.contains("warning: sub-004 takes no part: it has no label map."), "\(logs.output)")
        #expect(logs.output.contains("| epoch 6/6, loss "), "\(logs.output)")

        // The model is there by itself, and says what it learned from.
        let listed = try JSONValue.parse(try await program.run("models", "--json").output)
        let digest = try #require(listed[0]?["digest"]?.stringValue)
        #expect(listed.arrayValue?.count == 1 && listed[0]?["source"] == "trained", "\(listed)")
        let shown = try JSONValue.parse(try await program.run("models", "inspect", digest, "--json").output)
        let split = try #require(shown["card"]?["split"])
        let people = (split["training"]?.arrayValue ?? []) + (split["validation"]?.arrayValue ?? [])
        #expect(people.compactMap(\.stringValue).sorted() == ["001", "002", "003"])
        #expect(try await value(program, "select count(*) from models where digest = '\(digest)'") == "1")

        try await isExported(program, digest)
        try await isAppliedByName(program, digest)
    }

    private func isExported(_ program: Program, _ digest: String) async throws {
        let folder = program.folder + "/export"
        let export = try await program.run("export", "1", folder)
        #expect(export.code == 0, "\(export.errors)")
        let files = Set(try FileManager.default.subpathsOfDirectory(atPath: folder))
        let stems = ["001", "002", "003", "004"].map { "sub-\($0)/anat/sub-\($0)_space-Chimap_desc-network_dseg" }
        let expected =
            ["models/train.safetensors", "models/train.json", "models/train_curve.tsv", "models/train_split.tsv"]
            + stems.flatMap { ["\($0).nii.gz", "\($0).json", "\($0).tsv"] }
            + ["001", "002", "003", "004"].map {
                "sub-\($0)/anat/sub-\($0)_space-Chimap_desc-regions_roistats.tsv"
            }
        #expect(Set(expected).subtracting(files) == [])
        for view in ["measurements", "models"] {
            let table = try String(contentsOfFile: folder + "/tables/run-1_\(view).tsv", encoding: .utf8)
            #expect(table.split(separator: "\n").count > 1, "\(view)")
            #expect(try json(folder + "/tables/run-1_\(view).json").objectValue?.isEmpty == false)
        }
        let page = program.folder + "/report.html"
        #expect(try await program.run("report", "1", "-o", page).code == 0)
        let report = try String(contentsOfFile: page, encoding: .utf8)
        for words in [
            "id=\"training\"", digest, "Loss against the epoch of step train", "final training loss", "Dice of",
        ] {
            #expect(report.contains(words), "\(words)")
        }
        #expect(files.filter { $0.hasPrefix("other/") || $0.contains("_atlas-") } == [])

        let sidecar = try json(folder + "/\(stems[3]).json")
        #expect(sidecar["ModelSHA256"]?.stringValue == digest)
        #expect(
            sidecar["Sources"] == ["bids:recon:sub-004/anat/sub-004_Chimap.nii.gz", "bids::models/train.safetensors"])
        #expect(sidecar["SpatialReference"] == "bids:recon:sub-004/anat/sub-004_Chimap.nii.gz")
        let table = try String(contentsOfFile: folder + "/\(stems[3]).tsv", encoding: .utf8)
        #expect(
            table.split(separator: "\n").map(String.init)
                == ["index\tname", "0\tbackground"] + Self.regions.enumerated().map { "\($0 + 1)\t\($1)" })

        // The file is the model, and what is said beside it is true.
        let model = folder + "/models/train.safetensors"
        let inspected = try JSONValue.parse(try await program.run("models", "inspect", model, "--json").output)
        let beside = try json(folder + "/models/train.json")
        #expect(beside["SHA256"]?.stringValue == digest && beside["Card"] == inspected["card"])
        let sum = try await program.run("models", "import", model)
        #expect(sum.output.trimmingCharacters(in: .whitespacesAndNewlines) == digest, "\(sum.errors)")

        let description = try json(folder + "/dataset_description.json")
        #expect(description["DatasetType"] == "derivative" && description["GeneratedBy"]?[0]?["Name"] == "qsmflow")
        #expect(description["DatasetLinks"]?["recon"]?.stringValue == "../phantom/derivatives/recon")
        let ignored = try String(contentsOfFile: folder + "/.bidsignore", encoding: .utf8).split(separator: "\n")
        #expect(ignored.contains("models"))
        if BIDSValidator.path != nil { #expect(try BIDSValidator.errors(in: folder) == []) }
    }

    /// A name stands for the bytes: for the same people the results are taken over, for others they are computed.
    private func isAppliedByName(_ program: Program, _ digest: String) async throws {
        let named = try await program.run("models", "name", digest, "nuclei")
        #expect(named.code == 0, "\(named.errors)")
        let workflow = program.folder + "/apply.yaml"
        try Data(
            """
            name: apply
            version: "1"
            steps:
              find:
                kind: network.segment
                inputs:
                  image: {bids: {suffix: Chimap, space: none, desc: none}}
                  model: {model: nuclei}

            """.utf8
        ).write(to: URL(fileURLWithPath: workflow))
        func counts(_ dataset: String, _ recon: String, _ log: String) async throws -> [Int64?] {
            let run = try program.start(
                [
                    "run", workflow, dataset, "--derivatives", recon, "--cores", "2", "--memory-mib", "9000", "--json",
                ], log: log)
            try await end(program, run, log)
            let counts = try json("\(program.folder)/\(log).out")["counts"]
            return [counts?["succeeded"]?.integerValue, counts?["cached"]?.integerValue]
        }
        #expect(try await counts(program.dataset, program.recon, "same") == [4, 4])

        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--subjects", "2", "--voxel", "4", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        #expect(try await counts(other + "/rawdata", other + "/derivatives/recon", "others") == [2, 0])
        #expect(
            try await value(program, "select count(*) from measurements where run = 3 and metric = 'volume'")
                == "\(2 * Self.regions.count)")
        let folder = program.folder + "/export-others"
        #expect(try await program.run("export", "3", folder).code == 0)
        let sidecar = try json(folder + "/sub-001/anat/sub-001_space-Chimap_desc-network_dseg.json")
        #expect(sidecar["ModelSHA256"]?.stringValue == digest)
        #expect(sidecar["Sources"] == ["bids:recon:sub-001/anat/sub-001_Chimap.nii.gz"])
    }
}
