import BIDS
import Foundation
import HTTPTypes
import Wire
import Workflow

/// A run in the making: who takes part, with what, and what is wrong so far.
struct RunDraft: Sendable {
    let request: RunRequest
    let definition: WorkflowDefinition
    let dataset: DatasetID
    private(set) var files: [BIDSFile]
    private(set) var datasetProblems: [DatasetProblem]
    private(set) var cohort: Cohort
    let atlases: [AtlasFolder]
    /// Of the workflow file.
    let warnings: [String]
    var covariates: FileReference?
    /// The same of the people that a step per fold reads.
    var covariatesOfFolds: [FoldPart: FileReference] = [:]
    /// Who is in which fold, and that as a file.
    var folds: FoldAssignment?
    var foldFile: FileReference?
    /// By what a table of the dataset says, where the workflow asks for it.
    var participants: CovariateTable?
    /// What the models that the workflow names are at this moment, by what it calls them.
    var models: [String: [NamedModel]] = [:]
    /// What the datasets say of themselves and of people was read from these.
    var documents: [Store.RunDocument] = []
    /// Why a file cannot be used, by absolute path.
    var unreadable: [String: String] = [:]
    /// Digests of files outside the datasets, by absolute path.
    private var digests: [String: Store.DigestedFile] = [:]
    /// One salt for all expansions of this draft.
    private let salt: String?

    init(
        request: RunRequest, definition: WorkflowDefinition, dataset: DatasetID, files: [BIDSFile],
        datasetProblems: [DatasetProblem], cohort: Cohort, atlases: [AtlasFolder], warnings: [String]
    ) {
        self.request = request
        var definition = definition
        if request.participantLevelOnly == true { definition.steps.removeAll { $0.scope == .cohort } }
        self.definition = definition
        self.dataset = dataset
        self.files = files
        self.datasetProblems = datasetProblems
        self.cohort = cohort
        self.atlases = atlases
        self.warnings = warnings
        salt = request.rerunFrom.isEmpty ? nil : UUID().uuidString
    }

    /// The tasks, with every digest that is known.
    ///
    /// - Throws: `APIFailure` 422 for what concerns the run as a whole.
    func expand() throws -> [ExpandedTask] {
        if cohort.subjects.isEmpty, request.participants == nil, request.sessions == nil {
            throw APIFailure(
                .unprocessableContent, "invalid_run",
                "No subject folder of the dataset \(request.dataset) holds a file that BIDS knows; `qsmflow index` lists what is "
                    + "wrong with it.")
        }
        var tasks: [ExpandedTask]
        do {
            tasks = try Expansion(
                definition: definition, cohort: cohort, atlases: atlases, covariates: covariates,
                covariatesOfFolds: covariatesOfFolds, folds: folds, foldFile: foldFile,
                models: models.mapValues { $0.map(\.file) }, rerunFrom: request.rerunFrom, salt: salt
            ).tasks()
        } catch {
            throw APIFailure(.unprocessableContent, "invalid_run", "\(error).")
        }
        // A program is part of what makes a result: another under the same name gives another.
        for index in tasks.indices where tasks[index].kind == "command" {
            guard let name = tasks[index].parameters["program"]?.stringValue, let bytes = request.programs?[name] else {
                continue
            }
            tasks[index].cacheSalt = [tasks[index].cacheSalt, "program \(bytes)"].compactMap { $0 }.joined(
                separator: ", ")
        }
        // A reason is stated once, on the first task that it concerns; those after it are blocked by that one.
        var broken: Set<Int> = []
        for index in tasks.indices {
            let isBehindOne = tasks[index].inputs.contains { input in
                if case .output(let ordinal, _) = input.source { broken.contains(ordinal) } else { false }
            }
            complete(&tasks[index], states: !isBehindOne || tasks[index].fanIn.isTolerant)
            if tasks[index].problem != nil || (isBehindOne && !tasks[index].fanIn.isTolerant) {
                broken.insert(tasks[index].ordinal)
            }
        }
        return tasks
    }

    /// Fills in digests, and gives a task the reason why one of its files cannot be used.
    private func complete(_ task: inout ExpandedTask, states: Bool) {
        var lacks = false
        for place in task.inputs.indices {
            guard case .file(var file) = task.inputs[place].source, file.digest == nil else { continue }
            if let reason = unreadable[file.path] {
                lacks = true
                if states { task.problem = task.problem ?? reason }
            } else if let digest = digests[file.path] {
                file.digest = digest.digest
                file.sizeBytes = digest.stamp.sizeBytes
                task.inputs[place].source = .file(file)
            }
        }
        // What cannot run needs no input, and an input without digest cannot be stored.
        if task.problem != nil || lacks {
            task.inputs.removeAll { input in
                if case .file(let file) = input.source { file.digest == nil } else { false }
            }
        }
    }

    /// Takes digests over, and excludes sessions that hold copies of each other's images.
    mutating func accept(_ found: [Store.DigestedFile]) {
        for file in found { digests[file.path] = file }
        var used: [DuplicateImages.Item] = []
        for index in files.indices {
            if let file = digests[files[index].absolutePath] { files[index].digest = file.digest.hex }
            guard files[index].dataset == .raw, let digest = files[index].digest else { continue }
            used.append(DuplicateImages.Item(file: files[index], digest: digest))
        }
        let copies = DuplicateImages.problems(used)
        datasetProblems += copies
        let everybody = Cohort(files: files, problems: datasetProblems)
        do {
            cohort = try everybody.selecting(participants: request.participants, sessions: request.sessions)
        } catch {
            preconditionFailure("the same selection worked before the digests were known: \(error)")
        }
    }

    /// One sentence per thing that keeps somebody from taking part.
    func problems(_ tasks: [ExpandedTask]) -> [String] {
        var seen: Set<String> = []
        let ofTasks = tasks.compactMap(\.problem)
        let ofDataset = datasetProblems.filter { problem in
            // Those of participants who were not asked for concern nobody here.
            problem.subject.map { label in cohort.subjects.contains { $0.label == label } } ?? true
        }
        let ofFolds = (folds?.reasons ?? [:]).sorted { $0.key < $1.key }.map {
            "sub-\($0.key) is in no fold: \($0.value)"
        }
        return (warnings + ofTasks + ofDataset.map(\.description) + ofFolds).filter { seen.insert($0).inserted }
    }
}
