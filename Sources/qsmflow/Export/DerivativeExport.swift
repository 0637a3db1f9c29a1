import BIDS
import CoordinatorClient
import Foundation
import Wire
import Workflow

/// Writes the files and tables of a run as a BIDS derivative dataset.
///
/// Written beside the folder and put in its place when it is whole (see `ExportFolder`); or, for the levels of a BIDS App,
/// added to what earlier runs over other people left there. Either way a file with the right bytes is kept, and no file
/// appears under its name before it is whole.
struct DerivativeExport: Sendable {
    let client: CoordinatorClient
    let run: RunID

    init(client: CoordinatorClient, run: RunID) { (self.client, self.run) = (client, run) }

    struct Summary: Encodable, Sendable {
        var folder: String
        var files = 0
        /// Already there.
        var kept = 0
        var bytes: Int64 = 0
    }

    /// Transfers at a time: enough to hide the round trips, few enough to leave a disk in peace.
    private static let parallelism = 4

    /// - Parameter isAdded: leaves in the folder what earlier exports put there.
    @discardableResult
    func write(
        to folder: String, adding isAdded: Bool = false, progress: ((Int, Int) -> Void)? = nil
    ) async throws -> Summary {
        try ExportFolder.check(folder)
        let request = try await client.definition(of: run)
        let reader = ResultReader(client: client, run: run)
        let files = try await RunFiles(reader)
        let places = SourcePlaces(request)
        let layout = DerivativeLayout(files: files, places: places, atlases: try atlasNames(request, files))
        let entries = layout.entries()

        let target = try isAdded ? ExportFolder(addingTo: folder) : ExportFolder(replacing: folder)
        // The description first: from then on the folder says what it is, and may be continued.
        let kind = try await EvaluationReport.dataKind(reader)
        try writeDescription(request, kind, places: places, to: target)
        try writeAtlasDescriptions(request, Self.named(layout.atlases, in: entries), to: target)
        var summary = Summary(folder: folder)
        try await transfer(entries, to: target, summary: &summary, progress: progress)
        try await writeTables(reader, files, to: target)
        try await writeLogs(request, reader, to: target)
        try target.publish()
        return summary
    }

    private func atlasNames(_ request: RunRequest, _ files: RunFiles) throws -> [String] {
        Set(files.made.compactMap(\.context.atlas)).union(request.atlases.keys).sorted()
    }

    // MARK: Files

    private func transfer(
        _ entries: [DerivativeLayout.Entry], to folder: ExportFolder, summary: inout Summary,
        progress: ((Int, Int) -> Void)?
    ) async throws {
        for parent in Set(entries.map { Self.parent($0.path) }) { try folder.createFolder(parent) }
        var done = 0
        try await withThrowingTaskGroup(of: (kept: Bool, bytes: Int64).self) { group in
            var rest = entries[...]
            func startNext() {
                guard let entry = rest.popFirst() else { return }
                group.addTask { try await fetch(entry, to: folder) }
            }
            for _ in 0..<Self.parallelism { startNext() }
            while let outcome = try await group.next() {
                summary.files += 1
                summary.kept += outcome.kept ? 1 : 0
                summary.bytes += outcome.bytes
                done += 1
                progress?(done, entries.count)
                startNext()
            }
        }
    }

    private func fetch(
        _ entry: DerivativeLayout.Entry, to folder: ExportFolder
    ) async throws -> (kept: Bool, bytes: Int64) {
        if let sidecar = entry.sidecar {
            try folder.write(
                sidecar.prettyData + Data("\n".utf8), to: DerivativeName.sidecarPath(of: entry.path))
        }
        let path = folder.place(entry.path)
        if folder.keeps(entry.path, digest: entry.file.digest, sizeBytes: entry.file.sizeBytes) { return (true, 0) }
        let aside = path + ".part-\(ProcessInfo.processInfo.processIdentifier)"
        try await client.download(entry.file.digest, to: aside)
        guard rename(aside, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(aside)
            throw CommandFailure("\(path) cannot be written: \(reason); check the folder and its rights")
        }
        return (false, entry.file.sizeBytes)
    }

    private static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    // MARK: Around the files

    private func writeDescription(
        _ request: RunRequest, _ kind: DataKind, places: SourcePlaces, to folder: ExportFolder
    ) throws {
        let dataset = DerivativeDataset(
            name: "qsmflow: \(request.name ?? "results") of \(Self.name(of: request.dataset))",
            version: Version.text, links: places.datasetLinks(from: folder.path),
            sources: ([request.dataset] + request.derivatives).map {
                ["URL": .string(URL(fileURLWithPath: $0).absoluteString)]
            }, keywords: kind == .unstated ? [] : [kind.rawValue], ignored: DerivativeLayout.ignored)
        try folder.write(dataset.descriptionJSON.prettyData + Data("\n".utf8), to: DatasetDescription.fileName)
        try folder.write(Data((dataset.bidsIgnoreText ?? "").utf8), to: ".bidsignore")
        try folder.write(Data(Self.readme(kind).utf8), to: "README.md")
        try folder.createFolder("logs")
        try folder.createFolder("tables")
    }

    /// Atlases whose names segmentations carry: a description without such a file would describe nothing.
    private static func named(_ atlases: [String], in entries: [DerivativeLayout.Entry]) -> [String] {
        let names = entries.map { $0.path.split(separator: "/").last.map(String.init) ?? "" }
            .filter { $0.contains("_dseg.") }
        return atlases.filter { atlas in names.contains { $0.contains("_atlas-\(DerivativeName.label(atlas))_") } }
    }

    /// What the standard asks for of each atlas that file names mention. What the atlas folder says of itself is taken
    /// over where it can be read from here.
    private func writeAtlasDescriptions(_ request: RunRequest, _ atlases: [String], to folder: ExportFolder) throws {
        let definition = WorkflowFile.parse(
            request.workflowText, path: request.workflowPath, parameters: request.parameters, atlases: request.atlases
        ).definition
        for name in atlases {
            let place = definition?.atlases.first { $0.name == name }?.folder ?? request.atlases[name]
            var description: JSONValue = [
                "AtlasName": .string(name), "Name": .string(name),
                "License": "not stated; ask who provides the atlas",
            ]
            // Absent, or on another machine.
            if let place, let data = FileManager.default.contents(atPath: place + "/description.json"),
                case .object(let members)? = try? JSONValue.parse(data)
            {
                for (key, value) in members where !value.isNull { description[key] = value }
            }
            let label = DerivativeName.label(name)
            try folder.write(description.prettyData + Data("\n".utf8), to: "atlas-\(label)_description.json")
        }
    }

    private static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private static func readme(_ kind: DataKind) -> String {
        """
        # Results of qsmflow

        \(kind.heading)

        - `sub-*/anat`: brain mask (`desc-brain_mask`) and regions (`dseg`, names in the `.tsv` beside each image), on the
          grid of the T1-weighted image (`space-T1w`) and of the susceptibility map (`space-Chimap`); `desc-network` is what
          a network found, whose SHA-256 is in the sidecar.
        - `models`: networks that the run trained, as safetensors files with their cards beside them.
        - `sub-*/anat/*_xfm.*`: maps of points between spaces, world millimetres, RAS+; a `warp` adds its displacement
          before (to the atlas) or after (back) the affine map.
        - `sub-*/anat/*_roistats.tsv`: statistics per region and reference, ppm and mm³.
        - `desc-lesions`: lesions by number, with a table of where each lies and what it is like; `desc-*_metrics.tsv`:
          predictions held against a reference.
        - `sub-*/figures`: pictures for quality control; `sub-*/reports`: what steps say of their work.
        - `cohort`: models and quality scores over everybody; `tables`: the result views of the whole run, one TSV each,
          every column explained in the `.json` beside it.
        - `logs`: the workflow with its parameters, and which task made which file from which bytes.

        """
    }

    /// Views that are worth having as files beside the images.
    private static let tables = [
        "subjects", "measurements", "roi_statistics", "cohort_effects", "models", "qc", "failures", "warnings",
        "step_resources",
    ]

    /// Views of kinds that many workflows do not have.
    private static let tablesByKind = [
        "lesions.components": ["lesions"], "evaluate.segmentation": ["segmentation_metrics"],
        "evaluate.detection": ["detection_metrics"],
        "evaluate.classification": ["classification_metrics", "classification_decisions", "published_figures"],
        "evaluate.summary": ["evaluation_summary", "published_figures"],
    ]

    /// Named by the run, as logs are: exports of several runs, each over some of the people, may share a folder.
    private func writeTables(_ reader: ResultReader, _ files: RunFiles, to folder: ExportFolder) async throws {
        let notes = try await reader.table("documentation").rows(needing: ["view_name", "column_name", "description"])
        let own = Set(Set(files.made.map(\.kind)).flatMap { Self.tablesByKind[$0] ?? [] }).sorted()
        let hasFolds = try await !reader.table("folds").rows(needing: ["subject", "fold"]).isEmpty
        for view in Self.tables + own + (hasFolds ? ["folds"] : []) {
            try await reader.write(view, format: "tsv", to: folder.place("tables/run-\(run)_\(view).tsv"))
            var columns: [String: JSONValue] = [:]
            for note in notes where note["view_name"] == view {
                if let column = note["column_name"] {
                    columns[column] = ["Description": .string(note.text("description"))]
                }
            }
            try folder.write(
                JSONValue.object(columns).prettyData + Data("\n".utf8), to: "tables/run-\(run)_\(view).json")
        }
    }

    private func writeLogs(_ request: RunRequest, _ reader: ResultReader, to folder: ExportFolder) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try folder.write(try encoder.encode(request) + Data("\n".utf8), to: "logs/run-\(run)_request.json")
        try folder.write(Data(request.workflowText.utf8), to: "logs/run-\(run)_workflow.yaml")
        for view in ["outputs", "inputs", "documents", "attempts"] {
            try await reader.write(view, format: "tsv", to: folder.place("logs/run-\(run)_\(view).tsv"))
        }
    }
}
