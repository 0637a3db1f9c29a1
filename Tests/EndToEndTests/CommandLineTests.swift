import Foundation
import Testing

/// What the program says to wrong input, and its exit codes.
@Suite struct CommandLineTests {
    @Test func helpNamesEveryCommand() async throws {
        let help = try await Program().run("--help")
        #expect(help.code == 0)
        for command in [
            "run", "submit", "status", "tasks", "retry", "rerun", "cancel", "logs", "explain", "results", "sql",
            "export",
            "report", "index", "validate", "plan", "kinds", "features", "models", "phantom", "coordinator", "worker",
            "gc",
            "doctor", "bids",
        ] {
            #expect(help.output.contains("  \(command) "), "\(command)")
        }
    }

    @Test func wrongUsageIs64() async throws {
        #expect(try await Program().run("frobnicate").code == 64)
        #expect(try await Program().run("run").code == 64)
    }

    @Test func aSlipOfTheKeyboardIsAnswered() async throws {
        let outcome = try await Program().run("stauts")
        #expect(outcome.code == 64 && outcome.errors.contains("did you mean 'status'?"), "\(outcome.errors)")
    }

    @Test func helpForASlipOfTheKeyboardIsAnswered() async throws {
        let outcome = try await Program().run("help", "rn")
        #expect(outcome.code == 64 && outcome.errors.contains("did you mean 'run'?"), "\(outcome.errors)")
        #expect(try await Program().run("help", "run").code == 0)
    }

    /// People write a run's number where a task's belongs.
    @Test func aRunIsNoTask() async throws {
        let outcome = try await Program().run("explain", "1")
        #expect(outcome.code == 64 && outcome.errors.contains("3.17"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("0.1"), "\(outcome.errors)")
    }

    @Test func aDatasetIsNoWorkflowAndNoStateFolder() async throws {
        let program = try Program()
        let dataset = program.folder + "/data"
        try FileManager.default.createDirectory(atPath: dataset + "/sub-01", withIntermediateDirectories: true)
        let swapped = try await program.run("run", dataset, Program.workflow)
        #expect(swapped.code == 65, "\(swapped.errors)")
        #expect(swapped.errors.contains("\(dataset) is a folder") && swapped.errors.contains("first"))
        let refused = try await program.run("run", Program.workflow, dataset, "--state", dataset)
        #expect(refused.code == 1 && refused.errors.contains("no state folder"), "\(refused.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: dataset) == ["sub-01"])
    }

    /// Reading makes nothing: a mistyped folder must not become an empty server.
    @Test(arguments: [
        ["status"], ["tasks"], ["retry"], ["logs", "1.0"], ["explain", "1.0"], ["results"], ["sql", "-c", "select 1"],
        ["export", "1", "out"], ["report"], ["cancel"], ["models"], ["rerun", "1", "--from", "x"], ["workers"], ["gc"],
        ["fsck"],
    ])
    func aMistypedStateFolderIsRefused(command: [String]) async throws {
        let program = try Program()
        let typo = program.folder + "/tpyo"
        let process = try program.start(command + ["--state", typo], log: "typo")
        _ = try await program.eventually(within: 60) { process.isRunning ? nil : true }
        let errors = try String(contentsOfFile: program.folder + "/typo.err", encoding: .utf8)
        #expect(process.terminationStatus == 1, "\(errors)")
        #expect(errors.contains(typo) && errors.contains("--state"), "\(errors)")
        #expect(!FileManager.default.fileExists(atPath: typo))
    }

    /// Who has the folder, since when, and what to do.
    @Test func aFolderInUseNamesTheCommandThatHasIt() async throws {
        let program = try Program()
        let coordinator = try program.start("coordinator", "--listen", "127.0.0.1:0", log: "coordinator")
        let announcement = program.state + "/coordinator.json"
        _ = try await program.eventually(within: 120) {
            FileManager.default.fileExists(atPath: announcement) ? true : nil
        }
        let refused = try await program.run("run", "--resume", "1")
        #expect(refused.code == 1)
        for part in [
            "`qsmflow coordinator`", "process \(coordinator.processIdentifier)", ", since 20", "qsmflow submit",
        ] {
            #expect(refused.errors.contains(part), "\(refused.errors)")
        }
        // No worker is there: nothing runs, and the state says so.
        try await program.phantom(subjects: 1)
        let submitted = try await program.run(
            "submit", Program.root + "/workflows/volumes.yaml", program.dataset, "--atlas", program.atlas)
        #expect(submitted.code == 0, "\(submitted.errors)")
        let status = try await program.run("status")
        #expect(status.output.hasPrefix("waiting for a worker"), "\(status.output)")
        let json = try await program.run("status", "--json")
        #expect(json.output.contains("\"waitsForWorker\" : true"), "\(json.output)")
        #expect(try await program.run("cancel").code == 0)
        let cancelled = try await program.run("status")
        #expect(cancelled.output.contains("run 1: 0/6 tasks, 6 cancelled"), "\(cancelled.output)")
        let plan = try await program.run(
            "plan", Program.workflow, program.dataset, "--derivatives", program.folder + "/nowhere", "--atlas",
            program.atlas)
        #expect(plan.code != 0 || plan.output.contains("because of"), "\(plan.output)\(plan.errors)")
    }

    @Test func everyExampleWorkflowIsValid() async throws {
        let program = try Program()
        for file in try FileManager.default.contentsOfDirectory(atPath: Program.root + "/workflows")
        where file.hasSuffix(".yaml") {
            let outcome = try await program.run("validate", Program.root + "/workflows/" + file)
            #expect(outcome.code == 0, "\(file): \(outcome.output)")
        }
    }

    @Test func aWrongWorkflowIs65WithLineAndColumn() async throws {
        let program = try Program()
        let file = program.folder + "/bad workflow.yaml"
        try Data("name: x\nsteps:\n  a:\n    kind: image.chek\n".utf8).write(to: URL(fileURLWithPath: file))
        let outcome = try await program.run("validate", file)
        #expect(outcome.code == 65)
        #expect(outcome.output.contains("bad workflow.yaml:4:"))
        #expect(outcome.output.contains("image.check"))
    }

    @Test func anUnreachableCoordinatorIs69() async throws {
        let outcome = try await Program().run("status", "--coordinator", "http://127.0.0.1:9")
        #expect(outcome.code == 69)
        #expect(outcome.errors.contains("127.0.0.1:9"))
    }

    @Test func anUnreachableDatabaseIs69() async throws {
        let outcome = try await Program().run(
            "status", "--database", "host=127.0.0.1 port=9 dbname=x connect_timeout=1")
        #expect(outcome.code == 69, "\(outcome.errors)")
    }

    @Test func anEmptyDatasetIsRefusedByName() async throws {
        let program = try Program()
        let empty = program.folder + "/no thing"
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
        let outcome = try await program.run("run", Program.workflow, empty)
        #expect(outcome.code == 65, "\(outcome.errors)")
        #expect(outcome.errors.contains("\(empty) holds no subject (no folder sub-…); name the folder"))

        // The folder of a study, whose derivatives have people.
        for folder in ["rawdata/sub-01/anat", "derivatives/recon/sub-01/anat"] {
            let anat = "\(empty)/\(folder)"
            try FileManager.default.createDirectory(atPath: anat, withIntermediateDirectories: true)
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(anat)/sub-01_T1w.nii.gz"))
        }
        let above = try await program.run(
            "run", Program.workflow, empty, "--derivatives", empty + "/derivatives/recon")
        #expect(above.code == 65, "\(above.errors)")
        #expect(above.errors.contains("name the folder that contains the sub- folders: \(empty)/rawdata."))

        // Images may be withheld: with a table of them, people of derivatives are people of the dataset.
        try Data("participant_id\tage\nsub-01\t40\n".utf8).write(to: URL(fileURLWithPath: empty + "/participants.tsv"))
        let shared = try await program.run(
            "plan", Program.workflow, empty, "--derivatives", empty + "/derivatives/recon")
        // The next thing that is amiss.
        #expect(shared.errors.contains("step atlas wants an atlas"), "\(shared.errors)")
    }

    @Test func kindsAreListedAsJSON() async throws {
        let outcome = try await Program().run("kinds", "--json")
        let kinds = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
        #expect(kinds.contains { $0["name"] as? String == "roi.statistics" })
    }

    @Test func featuresAreListedByTheirNames() async throws {
        struct Feature: Decodable, Equatable {
            var family: String
            var tag: String?
            var ibsiCode: String?
            var pyRadiomics: String?
            var pyRadiomicsDifference: String?
        }
        func features(_ family: String? = nil) async throws -> [Feature] {
            let program = try Program()
            let outcome =
                try await family == nil
                ? program.run("features", "--json") : program.run("features", "--json", "--family", family ?? "")
            return try JSONDecoder().decode([Feature].self, from: Data(outcome.output.utf8))
        }
        let all = try await features()
        #expect(
            all.contains(
                Feature(family: "intensity", tag: "stat_mean", ibsiCode: "Q4LE", pyRadiomics: "firstorder_Mean")))
        #expect(
            all.contains(
                Feature(
                    family: "intensity", tag: "stat_kurt", ibsiCode: "IPH6", pyRadiomics: "firstorder_Kurtosis",
                    pyRadiomicsDifference: "3 is not subtracted")))
        #expect(all.contains(Feature(family: "gldzm", tag: "dzm_sde", ibsiCode: "0GBI")))
        // Of PyRadiomics alone.
        #expect(all.contains(Feature(family: "glcm", pyRadiomics: "glcm_MCC")))
        #expect(all.contains(Feature(family: "intensity", pyRadiomics: "firstorder_TotalEnergy")))
        let (dependence, firstOrder) = (try await features("ngldm"), try await features("firstorder"))
        #expect(Set(dependence.map(\.family)) == ["ngldm"] && firstOrder.count == 18)
        let table = try await Program().run("features", "--family", "ngtdm").output.split(separator: "\n")
        #expect(table.count == 6 && table[1].contains("ngt_coarseness  QCDE  ngtdm_Coarseness"), "\(table)")
        // As a column of a table is named, or by any of its names.
        for name in ["original_glcm_Contrast", "cm_contrast_3D_comb", "ACUI"] {
            let lines = try await Program().run("features", name).output.split(separator: "\n")
            #expect(lines.count == 2 && lines[1].contains("cm_contrast  ACUI  glcm_Contrast"), "\(lines)")
        }
        let none = try await Program().run("features", "contrats")
        #expect(none.code == 65 && none.errors.contains("No feature has “contrats” in its names"), "\(none.errors)")
        let wrong = try await Program().run("features", "--family", "glcn")
        #expect(wrong.code == 65 && wrong.errors.contains("“glcn”; there are morphology, "), "\(wrong.errors)")
    }

    @Test func manyParametersAreListedUnderHeadings() async throws {
        let lines = try await Program().run("kinds", "network.train").output.split(separator: "\n").map(String.init)
        let headings = lines.filter { $0.hasPrefix("  ") && $0.hasSuffix(":") }
        #expect(
            headings.map { $0.trimmingCharacters(in: .whitespaces) } == [
                "data:", "network:", "samples:", "augmentation:", "loss and metric:", "optimisation:",
            ])
        let network = try #require(lines.firstIndex(of: "  network:")),
            samples = try #require(lines.firstIndex(of: "  samples:"))
        #expect(lines[network..<samples].contains { $0.hasPrefix("    widths = []") })
        let plain = try await Program().run("kinds", "roi.statistics").output
        #expect(plain.contains("  parameter units = ") && !plain.contains("  data:"))
    }

    @Test func valuesOfTheCommandLineMayBeYAML() async throws {
        let program = try Program()
        let bad = try await program.run(
            "plan", Program.workflow, program.dataset, "--set", "check.units=[sidecar")
        #expect(
            bad.code == 64 && bad.errors.contains("--set check.units: “[sidecar” begins like a list"), "\(bad.errors)")
        let phantom = try await program.run("phantom", program.folder + "/small", "--voxel", "0.1")
        #expect(phantom.code == 64 && phantom.errors.contains("--voxel is 0.1; it must be from 0.8 to 4.0 mm"))
    }

    /// A study says how to run the workflow that it is made for.
    @Test(
        arguments: [
            ("rim", "qsmrim.yaml", "/derivatives/labels --set register=false"),
            ("microbleeds", "deepmir.yaml", "/derivatives/labels"),
            ("hemochromatosis", "qnet.yaml", "/atlas"),
        ] as [(String, String, String)])
    func aPhantomSaysHowToRunIt(study: String, workflow: String, ending: String) async throws {
        let program = try Program()
        let answer = try await program.run(
            "phantom", program.folder + "/small", "--study", study, "--subjects", "1", "--voxel", "4", "--aligned")
        let line = answer.output.split(separator: "\n").first { $0.hasPrefix("run it with") }
        #expect(line?.contains("workflows/\(workflow) ") == true && line?.hasSuffix(ending) == true, "\(answer.output)")
    }
}
