import BIDS
import Foundation
import Testing

/// The main job on a small phantom cohort, with real processes.
@Suite(.serialized) struct StandardWorkflowTests {
    @Test func aCohortGoesInAndResultsComeOut() async throws {
        let program = try Program()
        try await program.phantom(subjects: 4)
        let run = try await program.run(
            "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas,
            "--set", "model_terms=[\"age\"]")
        #expect(run.code == 0, "\(run.output)\(run.errors)")

        let rows = try await program.run(
            "sql", "-c",
            "select count(distinct subject) from roi_statistics where reference = 'none' and mean_ppm is not null",
            "--", "-At")
        #expect(rows.output.trimmingCharacters(in: .whitespacesAndNewlines) == "4", "\(rows.errors)")
        let effects = try await program.run("results", "1", "cohort_effects", "--format", "tsv")
        #expect(effects.output.contains("age"), "\(effects.errors)")

        // The same again is taken over, not computed: no task has a worker.
        let again = try await program.run(
            "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas, "--set",
            "model_terms=[\"age\"]", "--json")
        #expect(again.code == 0)
        let summary = try #require(try JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any])
        let counts = try #require(summary["counts"] as? [String: Int])
        #expect(counts["cached"] == counts["succeeded"])
        let digests = [
            try await program.run("results", "1", "--digest"), try await program.run("results", "2", "--digest"),
        ]
        #expect(digests[0].output == digests[1].output)
        #expect(digests[0].output.count >= 64)
    }

    @Test func brokenPeopleHaveReasonsAndTheOthersFinish() async throws {
        let program = try Program()
        try await program.phantom(subjects: 3, options: "--defects")
        let run = try await program.run(
            "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas)
        #expect(run.code == 2, "\(run.errors)")
        let sound = try await program.run(
            "sql", "-c", "select count(distinct subject) from roi_statistics where mean_ppm is not null", "--", "-At")
        #expect((Int(sound.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) >= 3, "\(sound.errors)")
        let failures = try await program.run("results", "1", "failures", "--format", "tsv")
        #expect(failures.output.contains("_T1w"), "\(failures.output)")
        let check = try await program.run("fsck")
        #expect(check.code == 0, "\(check.output)")
    }

    /// No χ map anywhere: labels and volumes on the T1-weighted image itself.
    @Test func volumesNeedNoSusceptibilityMap() async throws {
        let program = try Program()
        try await program.phantom(subjects: 2)
        try FileManager.default.removeItem(atPath: program.recon)
        let run = try await program.run(
            "run", Program.root + "/workflows/volumes.yaml", program.dataset, "--atlas", program.atlas)
        #expect(run.code == 0, "\(run.output)\(run.errors)")
        // A caudate of a head holds some five millilitres; which side of that is the phantom's choice.
        let volumes = try await program.run(
            "sql", "-c",
            "select count(*) from measurements where metric = 'volume' and region = 'left_caudate' "
                + "and value between 1000 and 20000", "--", "-At")
        #expect(volumes.output.trimmingCharacters(in: .whitespacesAndNewlines) == "2", "\(volumes.errors)")

        // The same in the view that people look into, in files, and on the page.
        let rows = try await program.run("results", "1", "roi_statistics", "--format", "csv")
        #expect(
            rows.output.split(separator: "\n").filter { $0.contains(",left_caudate,") }.count == 2, "\(rows.errors)")
        #expect(rows.output.contains("\nsub-001,1,labels,001,"))
        let page = program.folder + "/report.html"
        let report = try await program.run("report", "1", "-o", page)
        #expect(report.code == 0, "\(report.errors)")
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(html.contains("Volumes, mm³") && html.contains("left_caudate"))
        #expect(!html.contains("not referenced") && !html.contains("grid of the susceptibility map"))

        // What a plan finds done is what a run takes over, atlas files and all that is behind them included.
        let plan = try await program.run(
            "plan", Program.root + "/workflows/volumes.yaml", program.dataset, "--atlas", program.atlas, "--json")
        let planned = try JSONValue.parse(plan.output)
        for step in planned["steps"]?.arrayValue ?? [] {
            #expect(step["cached"] == step["tasks"], "\(step["step"] ?? .null): \(plan.output)")
        }
        #expect((planned["steps"]?.arrayValue?.count ?? 0) >= 5, "\(plan.errors)")

        // Numbers of tasks are names: 1.10 is not 1.1.
        let status = try await program.run("results", "1", "task_status")
        #expect(status.output.contains(" 1.0 ") && status.output.contains(" 1.10 "), "\(status.output)")
        let tasks = try JSONValue.parse(try await program.run("tasks", "1", "--json").output)
        #expect(tasks[0]?["id"] == "1.0" && tasks[0]?["state"] == "succeeded", "\(tasks)")
        #expect(tasks[0]?["task"]?.integerValue == 1 << 24)
        let step = try await program.run("retry", "1", "--step", "nope")
        #expect(step.code == 65 && step.errors.contains("labels"), "\(step.errors)")
        let person = try await program.run("retry", "1", "--subject", "77")
        #expect(person.code == 65 && person.errors.contains("001, 002"), "\(person.errors)")

        let folder = program.folder + "/export"
        let export = try await program.run("export", "1", folder, "--format", "bids")
        #expect(export.code == 0, "\(export.errors)")
        let table = try String(contentsOfFile: folder + "/tables/run-1_roi_statistics.tsv", encoding: .utf8)
        #expect(table.contains("left_caudate"))
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder)
        #expect(files.filter { $0.contains("space-T1w") && $0.hasSuffix("_dseg.nii.gz") }.count == 2)
        #expect(files.filter { $0.contains("space-T1w") && $0.hasSuffix("_dseg.tsv") }.count == 2)
        #expect(files.filter { $0.contains("Chimap") || $0.hasPrefix("other") } == [])
        #expect(files.filter { $0.hasSuffix("desc-t1w_qc.png") }.count == 2)
    }
}
