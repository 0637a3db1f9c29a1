import Artifacts
import BIDS
import Foundation
import HTTPTypes
import Logging
import Wire
import Workflow

/// From a request to a run: index the dataset, read the workflow, expand it, name every file by its bytes, store it all.
struct Submission: Sendable {
    let store: Store
    let artifacts: ArtifactStore
    let index: IndexService
    let digests: SourceDigests
    let logger: Logger

    /// What is wrong with a workflow file, with line and column.
    static func problems(inText text: String, path: String) -> [String] {
        WorkflowFile.parse(text, path: path).problems.map(\.description)
    }

    /// - Throws: `APIFailure` 422 for what concerns the run as a whole; what concerns some participants is in the
    ///   answer's problems, and the others go on.
    func submit(_ request: RunRequest, requestedBy: String) async throws -> RunCreated {
        var draft = try await draft(request)
        try await digestFiles(of: &draft)
        let tasks = try draft.expand()
        let created = try await store.createRun(
            request: request, workflow: draft.definition.name, dataset: draft.dataset, tasks: tasks,
            documents: draft.documents, folds: draft.foldDocument, requestedBy: requestedBy)
        logger.notice(
            "Run created",
            metadata: [
                "run": "\(created.run)", "tasks": "\(created.tasks)", "cached": "\(created.cached)",
                "requested_by": "\(requestedBy)",
            ])
        return RunCreated(
            run: created.run, tasks: created.tasks, cached: created.cached,
            problems: draft.problems([]) + created.problems)
    }

    /// What would be other files, were a run submitted again now.
    func changes(since run: RunID, _ request: RunRequest) async throws -> SourceChanges {
        var draft = try await draft(request)
        try await digestFiles(of: &draft)
        var files: Set<FileReference> = []
        if let file = draft.foldFile { files.insert(file) }
        for task in try draft.expand() {
            for input in task.inputs {
                if case .file(let file) = input.source, file.digest != nil { files.insert(file) }
            }
        }
        let names = try await store.sourceChanges(since: run, to: Array(files))
        return SourceChanges(files: names.count, examples: Array(names.prefix(5)))
    }

    /// Everything a run needs, before its files are named by their bytes.
    func draft(_ request: RunRequest) async throws -> RunDraft {
        let parsed = WorkflowFile.parse(
            request.workflowText, path: request.workflowPath, parameters: request.parameters, atlases: request.atlases)
        guard let definition = parsed.definition else {
            throw APIFailure(
                .unprocessableContent, "invalid_workflow",
                "The workflow \(request.workflowPath) has errors; nothing was started.",
                details: parsed.errors.map(\.description))
        }
        let models = try await models(of: definition, path: request.workflowPath)
        let indexed = try await index.refresh(path: request.dataset, derivatives: request.derivatives)
        let files = try await store.files(in: indexed.ids).map(\.file)
        let everybody = Cohort(files: files, problems: indexed.problems)
        // A dataset may have people in its derivatives alone, where their images are withheld. Without a table of them it is
        // rather another folder that was meant, and what it says of its people would be missed.
        let root = indexed.reports[0]
        let isTabled = try await store.participants(root.id) != nil
        if root.subjects == 0, everybody.subjects.isEmpty || !isTabled {
            throw APIFailure(
                .unprocessableContent, "invalid_run",
                try await BlockingWork.run { MissingSubjects.sentence(root: root.path) } + ".",
                details: Array(indexed.problems.filter { $0.severity == .error }.map(\.description).prefix(10)))
        }
        do {
            let cohort = try everybody.selecting(participants: request.participants, sessions: request.sessions)
            var draft = RunDraft(
                request: request, definition: definition, dataset: indexed.ids[0], files: files,
                datasetProblems: indexed.problems, cohort: cohort,
                atlases: try definition.atlases.map { reference throws(WorkflowError) in
                    try AtlasFolder.read(reference)
                },
                warnings: parsed.warnings.map(\.description))
            draft.documents = try await store.documents(of: indexed.ids)
            if definition.usesCovariates || definition.folds != nil {
                draft.participants = try await store.participants(draft.dataset)
            }
            try draft.assignFolds()
            try await storeTables(of: &draft)
            draft.models = models
            return draft
        } catch let error as WorkflowError {
            throw APIFailure(.unprocessableContent, "invalid_run", "\(error).")
        }
    }

    /// Digests what the tasks read and the index does not know yet, and finds images that are there twice.
    private func digestFiles(of draft: inout RunDraft) async throws {
        var used: Set<String> = []
        for task in try draft.expand() where task.problem == nil {
            for input in task.inputs {
                if case .file(let file) = input.source, file.digest == nil { used.insert(file.path) }
            }
        }
        let results = try await digests.digests(of: used.sorted())
        var found: [Store.DigestedFile] = []
        for (path, result) in results {
            switch result {
            case .success(let digest): found.append(try Store.DigestedFile(path: path, digest))
            case .failure(let error): draft.unreadable[path] = "\(error)"
            }
        }
        try await store.recordDigests(found)
        draft.accept(found)
        let before = draft.folds
        do {
            try draft.assignFolds()
        } catch {
            throw APIFailure(.unprocessableContent, "invalid_run", "\(error).")
        }
        if draft.folds != before { try await storeTables(of: &draft) }
    }
}
