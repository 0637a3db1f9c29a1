import BIDS
import Foundation

/// Makes the tasks of a run: each step of a workflow for each part of the cohort that its scope names.
///
/// Ordinals are arithmetic. Steps follow each other in topological order, each with a block of ordinals: one per session
/// (or subject, or one for the cohort), times one per atlas or fold where the step fans out. Where a step's input comes from
/// is therefore known without any lookup, and the same request always gives the same graph.
///
/// In a cross-validation a task over the cohort has as inputs the files and results of its own people only, and a task of one
/// person reads the fold that the person was held out of: nothing that runs needs to know about folds to keep them apart.
package struct Expansion: Sendable {
    package let definition: WorkflowDefinition
    package let cohort: Cohort
    package let atlases: [AtlasFolder]
    /// The participants' covariates as a file; needed when `definition.usesCovariates`.
    package let covariates: FileReference?
    /// The same of the people that a step per fold reads; needed for each of its folds.
    package let covariatesOfFolds: [FoldPart: FileReference]
    /// Who is in which fold, and that as a file; needed when `definition.usesFolds`.
    package let folds: FoldAssignment?
    package let foldFile: FileReference?
    /// The files of the registered models, by what the workflow calls them; needed for each that it names. A name may stand
    /// for several, the folds of a training.
    package let models: [String: [FileReference]]
    /// Results are shared only between tasks of equal salt; given to the steps of `rerunFrom` and all after them.
    package let salt: String?
    package let rerunFrom: [String]

    package init(
        definition: WorkflowDefinition, cohort: Cohort, atlases: [AtlasFolder], covariates: FileReference? = nil,
        covariatesOfFolds: [FoldPart: FileReference] = [:], folds: FoldAssignment? = nil,
        foldFile: FileReference? = nil, models: [String: [FileReference]] = [:], rerunFrom: [String] = [],
        salt: String? = nil
    ) {
        self.definition = definition
        self.cohort = cohort
        self.atlases = atlases
        self.covariates = covariates
        self.covariatesOfFolds = covariatesOfFolds
        self.folds = folds
        self.foldFile = foldFile
        self.models = models
        self.rerunFrom = rerunFrom
        self.salt = salt
    }

    /// Expands the workflow.
    ///
    /// A task whose own files are missing, ambiguous or unusable carries the sentence in `problem`; those that depend on
    /// it do not repeat it.
    /// - Throws: what concerns the run as a whole; nothing that concerns one participant only.
    /// - Complexity: linear in the number of tasks and bindings.
    package func tasks() throws(WorkflowError) -> [ExpandedTask] {
        try checkSources()
        let layout = try Layout(definition: definition, cohort: cohort, atlasCount: atlases.count, folds: folds)
        let salted = try saltedSteps()
        var resolver = FileResolver(layout: layout, shared: cohort.shared)
        var tasks: [ExpandedTask] = []
        tasks.reserveCapacity(layout.total)
        // A task that can never start, because of its own files or because of what it strictly depends on.
        var isDoomed: [Bool] = []
        isDoomed.reserveCapacity(layout.total)

        for place in layout.order {
            let step = definition.steps[place]
            let contextCount = layout.contextCount(step.scope)
            let questions = step.inputs.map { input -> FileResolver.Question? in
                if case .bids(let queries) = input.source { resolver.question(queries, input) } else { nil }
            }
            for position in 0..<contextCount {
                for lane in layout.lanes(step) {
                    let atlas = lane.atlas.map { atlases[$0] }
                    var context = layout.context(step.scope, position)
                    context.atlas = atlas?.name
                    context.fold = lane.fold
                    let people = step.scope == .cohort ? layout.sessionsRead(step, lane) : []
                    var task = ExpandedTask(
                        ordinal: tasks.count, step: step.name, kind: step.kind, kindVersion: step.kindVersion,
                        context: context, parameters: step.parameters, inputs: [], fanIn: step.fanIn,
                        resources: step.resources, timeoutSeconds: step.timeoutSeconds, retry: step.retry,
                        cacheSalt: salted.contains(place) ? salt : nil)
                    var upstreamDoomed = false
                    var readsFiles = false
                    var readsSteps = false
                    for (input, question) in zip(step.inputs, questions) {
                        switch input.source {
                        case .output(let producer, let port):
                            readsSteps = true
                            let ordinals = layout.producers(producer, for: step, position: position, lane: lane)
                            if ordinals.count > 1, !input.isGathered {
                                // Only where somebody is in no fold: all else was checked with the file.
                                if !input.isOptional {
                                    task.problem = task.problem ?? inNoFold(context, step, input, producer)
                                }
                                continue
                            }
                            for ordinal in ordinals {
                                task.inputs.append(
                                    InputBinding(
                                        port: input.port, context: tasks[ordinal].context,
                                        source: .output(ordinal: ordinal, port: port)))
                                if isDoomed[ordinal], !step.fanIn.isTolerant { upstreamDoomed = true }
                            }
                        case .bids:
                            readsFiles = true
                            guard let question else { continue }
                            switch resolver.answer(
                                question, input: input, scope: step.scope, position: position, people: people,
                                fanIn: step.fanIn)
                            {
                            case .found(let bindings): task.inputs += bindings
                            case .absent(let sentence), .unusable(let sentence):
                                task.problem = task.problem ?? sentence
                            }
                        case .file(let path):
                            task.inputs.append(
                                InputBinding(
                                    port: input.port, context: .cohort, source: .file(FileReference(path: path))))
                        case .model(let references):
                            // `checkSources` saw to it that none is missing.
                            for file in references.flatMap({ files(of: $0) ?? [] }) {
                                task.inputs.append(
                                    InputBinding(port: input.port, context: .cohort, source: .file(file)))
                            }
                        case .atlas(let role):
                            for folder in atlas.map({ [$0] }) ?? atlases {
                                // Absent only where the input is optional: `checkSources` saw to that.
                                guard let file = folder.files[role] else { continue }
                                task.inputs.append(
                                    InputBinding(
                                        port: input.port, context: TaskContext(atlas: folder.name),
                                        source: .file(file)))
                            }
                        case .covariates:
                            if let file = covariates(of: step, lane) {
                                task.inputs.append(
                                    InputBinding(port: input.port, context: .cohort, source: .file(file)))
                            }
                        case .folds:
                            if let foldFile {
                                task.inputs.append(
                                    InputBinding(port: input.port, context: .cohort, source: .file(foldFile)))
                            }
                        }
                    }
                    if readsFiles || !readsSteps, let excluded = layout.exclusion(step.scope, position) {
                        task.problem = excluded
                    }
                    // The reason is told once, where it arises.
                    if upstreamDoomed { task.problem = nil }
                    isDoomed.append(upstreamDoomed || task.problem != nil)
                    tasks.append(task)
                }
            }
        }
        return tasks
    }

    private func files(of reference: ModelReference) -> [FileReference]? {
        switch reference.place {
        case .file(let path): [FileReference(path: path)]
        case .registry(let text): models[text]
        }
    }

    /// What is known of the people that the task reads, and of nobody else.
    private func covariates(of step: StepDefinition, _ lane: Lane) -> FileReference? {
        guard let people = step.people else { return covariates }
        return covariatesOfFolds[FoldPart(people: people, fold: lane.fold)]
    }

    private func inNoFold(
        _ context: TaskContext, _ step: StepDefinition, _ input: StepInput, _ producer: String
    ) -> String {
        "\(context) is in no fold, and the input \(input.port) of step \(step.name) takes one item where \(producer) has one for "
            + "each of the \(folds?.count ?? 0) folds; leave the person out of the run, or let among: of folds include them"
    }

    private func saltedSteps() throws(WorkflowError) -> Set<Int> {
        var places: Set<Int> = []
        for name in rerunFrom {
            guard let place = definition.steps.firstIndex(where: { $0.name == name }) else {
                throw .unknownStep(name, known: definition.steps.map(\.name))
            }
            places.insert(place)
        }
        return definition.graph.descendants(of: places)
    }

    private func checkSources() throws(WorkflowError) {
        for step in definition.steps {
            if step.isPerAtlas, atlases.isEmpty { throw .noAtlas(step: step.name) }
            let readsFolds = step.inputs.contains { $0.source == .folds }
            if (step.isPerFold || step.people != nil) && folds == nil || readsFolds && foldFile == nil {
                throw .noFolds(step: step.name)
            }
            for input in step.inputs {
                if input.source == .covariates, covariates == nil { throw .noCovariates(step: step.name) }
                if case .model(let references) = input.source,
                    let unknown = references.first(where: { files(of: $0)?.isEmpty ?? true })?.registeredAs
                {
                    throw .noModel(unknown, step: step.name)
                }
                guard case .atlas(let role) = input.source, !input.isOptional else { continue }
                if atlases.isEmpty { throw .noAtlas(step: step.name) }
                if let lacking = atlases.first(where: { $0.files[role] == nil }) {
                    throw .atlasLacks(name: lacking.name, folder: lacking.folder, role: role, step: step.name)
                }
            }
        }
    }
}
