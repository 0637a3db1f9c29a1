import BIDS
import Foundation
import Synchronization
import Testing

/// Reading the results of a real run in every way there is.
@Suite(.serialized) struct ExportTests {
    /// One run for all: computing it takes longer than reading it ten times.
    private static let shared = SharedRun()

    private actor SharedRun {
        /// Unchecked: the suite is serialised, so one test at a time uses the program.
        struct Made: @unchecked Sendable { var program: Program }
        private var task: Task<Made, any Error>?
        /// Read by the exit handler, which can capture nothing.
        private static let folder = Mutex<String?>(nil)

        func made() async throws -> Made {
            if let task { return try await task.value }
            // Unstructured, as several tests wait for the same run.
            let task = Task {
                let program = try Program()
                Self.folder.withLock { $0 = program.folder }
                atexit {
                    guard let folder = SharedRun.folder.withLock({ $0 }) else { return }
                    // Nobody is left to report to.
                    try? FileManager.default.removeItem(atPath: folder)
                }
                try await program.phantom(subjects: 4, options: "--seed", "3")
                let run = try await program.run(
                    "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas,
                    "--set", "model_terms=[\"age\",\"group\"]")
                #expect(run.code == 0, "\(run.output)\(run.errors)")
                return Made(program: program)
            }
            self.task = task
            return try await task.value
        }
    }

    private func program() async throws -> Program { try await Self.shared.made().program }

    @Test func viewsInEveryFormatHoldTheSame() async throws {
        let program = try await program()
        let csv = try await program.run("results", "1", "roi_statistics", "--format", "csv")
        let tsv = try await program.run("results", "1", "roi_statistics", "--format", "tsv")
        let json = try await program.run("results", "roi_statistics", "--json")
        #expect(csv.code == 0 && tsv.code == 0 && json.code == 0, "\(csv.errors)\(tsv.errors)\(json.errors)")
        let rows = try #require(try JSONValue.parse(json.output).arrayValue)
        #expect(rows.count > 4 * 20)
        #expect(csv.output.split(separator: "\n").count == rows.count + 1)
        #expect(tsv.output.split(separator: "\n").count == rows.count + 1)
        #expect(tsv.output.hasPrefix("participant_id\trun\tstep\tsubject\t"))
        let file = program.folder + "/regions.csv"
        let written = try await program.run("results", "1", "roi_statistics", "-o", file)
        #expect(written.code == 0 && written.output.isEmpty)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == csv.output)
        let list = try await program.run("results")
        #expect(list.output.contains("cohort_effects") && list.output.contains("documentation"))
        let unknown = try await program.run("results", "nonsense")
        #expect(unknown.code != 0 && unknown.errors.contains("roi_statistics"))
    }

    @Test func sqlReadsTheViewsAndChangesNothing() async throws {
        let program = try await program()
        let count = try await program.run(
            "sql", "-c", "select count(*) from subjects where age is not null and sex in ('F', 'M')", "--", "-At")
        #expect(count.code == 0 && count.output == "4\n", "\(count.errors)")
        let stated = try await program.run("sql", "-c", "show statement_timeout", "--", "-At")
        #expect(stated.output == "5min\n")
        for statement in ["drop view qsmflow.qc", "select * from qsmflow.token", "create table qsmflow.mine ()"] {
            let refused = try await program.run("sql", "-c", statement)
            #expect(refused.code == 1, "\(statement)")
        }
        let unreachable = try await program.run("sql", "--database", "host=/no/such/folder dbname=x", "-c", "select 1")
        #expect(unreachable.code == 69, "\(unreachable.errors)")
        let owner = try await program.run("sql", "--owner", "-c", "select count(*) from qsmflow.token", "--", "-At")
        #expect(owner.code == 0, "\(owner.errors)")
    }

    @Test func aDerivativeDatasetIsWrittenOnceAndKept() async throws {
        let program = try await program()
        let folder = program.folder + "/phantom/derivatives/qsmflow"
        let first = try await program.run("export", "1", folder, "--json")
        #expect(first.code == 0, "\(first.errors)")
        let summary = try JSONValue.parse(first.output)
        let files = try #require(summary["files"]?.integerValue)
        #expect(files > 40 && summary["kept"]?.integerValue == 0)
        let description = try JSONValue.parse(
            try Data(contentsOf: URL(fileURLWithPath: folder + "/dataset_description.json")))
        #expect(description["GeneratedBy"]?[0]?["Name"]?.stringValue == "qsmflow")
        #expect(description["DatasetLinks"]?["raw"]?.stringValue == "../../rawdata")
        // What the data were goes with them.
        #expect(description["Keywords"] == ["synthetic"])
        let readme = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
        #expect(readme.contains("\n\nSynthetic data: "))
        #expect(FileManager.default.fileExists(atPath: folder + "/tables/run-1_warnings.tsv"))

        // One file damaged without changing its size, one gone: only these come again.
        let labels = folder + "/sub-001/anat/sub-001_space-Chimap_atlas-phantom_dseg.nii.gz"
        let whole = try Data(contentsOf: URL(fileURLWithPath: labels))
        var damaged = whole
        damaged[damaged.count / 2] ^= 1
        try damaged.write(to: URL(fileURLWithPath: labels))
        try FileManager.default.removeItem(atPath: folder + "/sub-002/figures/sub-002_desc-t1w_qc.png")
        // Of an earlier export over other people: replaced with all the rest.
        let stale = folder + "/sub-099/anat/sub-099_space-T1w_desc-brain_mask.nii.gz"
        try FileManager.default.createDirectory(
            atPath: folder + "/sub-099/anat", withIntermediateDirectories: true)
        try Data("old".utf8).write(to: URL(fileURLWithPath: stale))
        // Of an export that was killed.
        let part = program.folder + "/phantom/derivatives/.qsmflow.part"
        try FileManager.default.createDirectory(atPath: part + "/sub-098", withIntermediateDirectories: true)
        try Data("old".utf8).write(to: URL(fileURLWithPath: part + "/sub-098/left"))
        let second = try await program.run("export", "1", folder, "--json")
        #expect(!FileManager.default.fileExists(atPath: folder + "/sub-099"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/sub-098"))
        #expect(!FileManager.default.fileExists(atPath: part))
        #expect(try JSONValue.parse(second.output)["kept"]?.integerValue == files - 2, "\(second.output)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: labels)) == whole)
        let left = try #require(FileManager.default.enumerator(atPath: folder)?.allObjects as? [String])
        #expect(!left.contains { $0.contains(".part") })

        let index = try await program.run(
            "index", program.dataset, "--derivatives", folder, "--json",
            environment: ["QSMFLOW_STATE": program.folder + "/other"])
        #expect(index.code == 0, "\(index.errors)")
        let indexed = try JSONValue.parse(index.output)
        #expect(indexed["problems"]?.arrayValue?.isEmpty == true, "\(index.output)")
    }

    @Test(BIDSValidator.isThere)
    func theDerivativeDatasetIsValid() async throws {
        let program = try await program()
        let folder = program.folder + "/valid/qsmflow"
        let export = try await program.run("export", "1", folder)
        #expect(export.code == 0, "\(export.errors)")
        #expect(try BIDSValidator.errors(in: folder) == [])
    }

    @Test func aFolderOfSomebodyElseIsLeftAlone() async throws {
        let program = try await program()
        let before = try FileManager.default.contentsOfDirectory(atPath: program.dataset).sorted()
        let refused = try await program.run("export", "1", program.dataset)
        #expect(refused.code == 1 && refused.errors.contains(program.dataset), "\(refused.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.dataset).sorted() == before)
        // An export to which somebody has added something of theirs.
        let mixed = program.folder + "/mixed"
        #expect(try await program.run("export", "1", mixed).code == 0)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: mixed + "/notes.txt"))
        let kept = try await program.run("export", "1", mixed)
        #expect(kept.code == 1 && kept.errors.contains("notes.txt"), "\(kept.errors)")
        #expect(FileManager.default.fileExists(atPath: mixed + "/notes.txt"))
        let missing = try await program.run("export", "77", program.folder + "/nowhere")
        #expect(missing.code == 1 && missing.errors.contains("77"), "\(missing.errors)")
    }

    @Test func tablesAreExportedOnePerView() async throws {
        let program = try await program()
        for format in ["csv", "tsv", "json"] {
            let folder = "\(program.folder)/tables-\(format)"
            let export = try await program.run("export", "1", folder, "--format", format)
            #expect(export.code == 0, "\(export.errors)")
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(files.contains("roi_statistics.\(format)") && files.contains("documentation.\(format)"))
            let digest = try await program.run("results", "1", "--digest")
            #expect(digest.output.count == 65)
        }
        // Tables of another format take the place of these whole; what no export wrote is kept, and said.
        let folder = program.folder + "/tables-csv"
        #expect(try await program.run("export", "1", folder, "--format", "tsv").code == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(names.contains("qc.tsv") && names.filter { $0.hasSuffix(".csv") } == [])
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/notes.txt"))
        let refused = try await program.run("export", "1", folder, "--format", "csv")
        #expect(refused.code == 1 && refused.errors.contains("notes.txt"), "\(refused.errors)")
    }

    @Test func theReportStandsAlone() async throws {
        let program = try await program()
        let file = program.folder + "/report.html"
        let report = try await program.run("report", "1", "-o", file)
        #expect(report.code == 0, "\(report.errors)")
        let page = try String(contentsOfFile: file, encoding: .utf8)
        #expect(page.contains("sub-001") && page.contains("left_putamen") && page.contains("data:image/png;base64,"))
        #expect(page.contains("<p class=\"notice\">Synthetic data: what is found here was put in"))
        // Links lead out; nothing is loaded from outside.
        #expect(!page.contains("src=\"http") && !page.contains("<link"))
        // What the groups are compared with is named.
        #expect(page.contains("age: per year") && page.contains("group: HH against control"))
        let few = try await program.run("report", "1", "-o", file, "--pictures", "1")
        #expect(few.code == 0)
        #expect(try String(contentsOfFile: file, encoding: .utf8).utf8.count < page.utf8.count)
    }

    @Test func thePhantomIsComparedWithItsTruth() async throws {
        let program = try await program()
        let compare = try await program.run("phantom", "compare", program.folder + "/phantom", "--run", "1", "--json")
        #expect(compare.code == 0, "\(compare.errors)")
        let result = try JSONValue.parse(compare.output)
        #expect(result["values"]?.integerValue == Int64(88))
        #expect((result["meanAbsoluteError"]?.doubleValue ?? 0) > 0)
        let strict = try await program.run("phantom", "compare", program.folder + "/phantom", "--below", "0.0001")
        #expect(strict.code == 1 && strict.errors.contains("0.0001"))
        let elsewhere = try await program.run("phantom", "compare", program.folder)
        #expect(elsewhere.code == 65 && elsewhere.errors.contains("truth.tsv"))
    }

    @Test func doctorSaysWhatItFinds() async throws {
        let program = try await program()
        let good = try await program.run("doctor", "--json")
        #expect(good.code == 0, "\(good.output)\(good.errors)")
        let findings = try #require(try JSONValue.parse(good.output).arrayValue)
        for what in ["libpq", "libcurl", "PostgreSQL", "state folder", "disk", "clock"] {
            #expect(
                findings.contains { $0["what"]?.stringValue == what && $0["verdict"]?.stringValue == "ok" }, "\(what)")
        }
        let bad = try await program.run(
            "doctor", "--state", "/proc/none", "--allow-command", "ants=/no/such/program",
            "--coordinator", "http://127.0.0.1:9")
        #expect(bad.code == 1)
        #expect(
            bad.output.contains("/no/such/program") && bad.output.contains("127.0.0.1:9")
                && bad.output.contains("/proc"))
    }
}
