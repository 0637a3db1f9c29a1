import BIDS

/// Checks the names of a workflow against each other and against the catalogue, and makes the definition.
struct WorkflowChecker {
    let draft: WorkflowDraft
    let path: String
    var problems: [WorkflowProblem]
    /// Only looks at steps that the run leaves out: they may lack what parameters without a value would bring.
    private var isOfStepsLeftOut = false

    init(draft: WorkflowDraft, path: String, problems: [WorkflowProblem]) {
        self.draft = draft
        self.path = path
        self.problems = problems
    }

    mutating func error(_ mark: SourceMark?, _ sentence: String) {
        problems.append(WorkflowProblem(.error, file: path, line: mark?.line, column: mark?.column, sentence))
    }

    mutating func warning(_ mark: SourceMark?, _ sentence: String) {
        problems.append(WorkflowProblem(.warning, file: path, line: mark?.line, column: mark?.column, sentence))
    }

    /// The definition; only to be used when there is no error among the problems.
    mutating func check() -> WorkflowDefinition {
        let steps = draft.steps.compactMap { check($0) }
        let definition = WorkflowDefinition(
            name: draft.name, version: draft.version, description: draft.description,
            atlases: draft.atlases.map(\.value), steps: steps, folds: draft.folds?.value)
        checkCycle(definition)
        checkUse(definition)
        return checkFolds(definition)
    }

    /// Looks for mistakes within steps that the run leaves out, and at nothing else.
    mutating func checkSteps(_ isMeant: (String) -> Bool) {
        isOfStepsLeftOut = true
        for step in draft.steps where isMeant(step.name) { _ = check(step) }
    }

    // MARK: - One step

    private mutating func check(_ step: StepDraft) -> StepDefinition? {
        guard let kind = step.kind else { return nil }
        let scope = scope(of: step) ?? kind.scopes[0]
        if let stated = step.scope, !kind.scopes.contains(stated.value) {
            let valid = kind.scopes.map(\.rawValue).joined(separator: ", ")
            error(
                stated.mark, "a step of kind \(kind.name) cannot have scope \(stated.value.rawValue); valid: \(valid)")
        } else if step.scope == nil, kind.scopes.count > 1 {
            let valid = kind.scopes.map(\.rawValue).joined(separator: ", ")
            error(step.mark, "step \(step.name) has no scope; say for what it has one task each: \(valid)")
        }

        checkFanOut(step, scope)
        let problemsBefore = problems.count
        let parameters = checkParameters(step, kind)
        // What is wrong by itself would only be said again, in other words.
        let areParametersRight = problems.count == problemsBefore
        let inputs = checkInputs(step, kind, scope)
        if kind.hasOpenPorts { checkCommand(step, parameters: parameters, inputs: inputs) }
        if areParametersRight { checkRules(step, kind, parameters) }

        var resources = kind.resources
        if let stated = step.resources {
            if stated.cores > 0 { resources.cores = stated.cores }
            if stated.memoryMiB > 0 { resources.memoryMiB = stated.memoryMiB }
        }
        var retry = RetryPolicy()
        if let retries = step.retries { retry.maximumFailures = retries + 1 }
        if let fanIn = step.fanIn, fanIn.value.isTolerant, !inputs.contains(where: { gathers($0, step, scope) }) {
            warning(
                fanIn.mark,
                "missing has no effect in step \(step.name): it gathers nothing, each of its tasks needs its own inputs"
            )
        }
        return StepDefinition(
            name: step.name, kind: kind.name, kindVersion: kind.version, scope: scope,
            isPerAtlas: step.isPerAtlas?.value ?? false, inputs: inputs, parameters: .object(parameters),
            resources: resources, timeoutSeconds: step.timeoutSeconds ?? kind.timeoutSeconds, retry: retry,
            fanIn: step.fanIn?.value ?? .all, isPerFold: step.isPerFold != nil, people: step.people?.value)
    }

    func scope(of step: StepDraft) -> TaskScope? {
        step.scope?.value ?? (step.kind?.scopes.count == 1 ? step.kind?.scopes.first : nil)
    }

    private mutating func checkParameters(_ step: StepDraft, _ kind: TaskKind) -> [String: JSONValue] {
        var values = Dictionary(uniqueKeysWithValues: kind.parameters.map { ($0.name, $0.defaultValue) })
        for (name, stated) in step.parameters.sorted(by: { $0.key < $1.key }) {
            guard let parameter = kind.parameter(name) else {
                let clause = Suggestion.clause(for: name, among: kind.parameters.map(\.name))
                let none = kind.parameters.isEmpty ? "; it has no parameters" : clause
                error(stated.mark, "\(kind.name) has no parameter “\(name)”\(none)")
                continue
            }
            if let problem = parameter.problem(with: stated.value) {
                var clause = ""
                if case .choice(let names) = parameter.values, let text = stated.value.stringValue,
                    let nearest = Suggestion.nearest(to: text, among: names)
                {
                    clause = "; did you mean \(nearest)?"
                }
                error(stated.mark, "parameter \(name) of step \(step.name) \(problem)\(clause)")
            } else {
                values[name] = stated.value
            }
        }
        return values
    }

    private mutating func checkInputs(_ step: StepDraft, _ kind: TaskKind, _ scope: TaskScope) -> [StepInput] {
        var inputs: [StepInput] = []
        for draft in step.inputs {
            let port: TaskPort
            if let declared = kind.input(draft.port) {
                port = declared
            } else if kind.hasOpenPorts {
                guard isPlaceholderName(draft.port) else {
                    error(draft.mark, "“\(draft.port)” cannot name an input; use letters a–z, digits, _ and -")
                    continue
                }
                // One file unless the step says otherwise: a query that meets two must not become two arguments.
                let cardinality: TaskPort.Cardinality = draft.isGathered?.value == true ? .many : .optional
                port = TaskPort(draft.port, .file, cardinality, "Declared by the step.")
            } else {
                let clause = Suggestion.clause(for: draft.port, among: kind.inputs.map(\.name))
                error(draft.mark, "\(kind.name) has no input “\(draft.port)”\(clause)")
                continue
            }
            if let isOptional = draft.isOptional, isOptional.value, port.cardinality == .one {
                error(
                    isOptional.mark, "input \(port.name) of step \(step.name) cannot be optional: \(kind.name) needs it"
                )
            }
            if let isGathered = draft.isGathered, !kind.hasOpenPorts {
                let takes = port.cardinality.gathers ? "gathers by itself" : "takes one item"
                error(isGathered.mark, "gather is for inputs of the kind command; the input \(port.name) \(takes)")
            }
            guard let source = check(draft, port: port, step: step, scope: scope) else { continue }
            inputs.append(
                StepInput(
                    port: draft.port, source: source, isOptional: draft.isOptional?.value ?? false,
                    isGathered: port.cardinality.gathers))
        }
        for port in kind.inputs where port.cardinality.isRequired {
            if isOfStepsLeftOut, step.portsWithoutValue.contains(port.name) { continue }
            if !step.inputs.contains(where: { $0.port == port.name }) {
                error(
                    step.inputsMark ?? step.mark,
                    "step \(step.name) lacks the input \(port.name) (\(port.summary.lowercasedFirst.droppingFullStop))")
            }
        }
        return inputs
    }

    func isPlaceholderName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || (48...57).contains($0) || (97...122).contains($0)
                    || (65...90).contains($0)
            }
    }

    // MARK: - The whole

    private mutating func checkCycle(_ definition: WorkflowDefinition) {
        guard case .cycle(let nodes) = definition.graph.order else { return }
        let names = nodes.map { definition.steps[$0].name }
        let way = (names + [names[0]]).joined(separator: " → ")
        let mark = draft.steps.first { $0.name == names[0] }?.mark
        error(mark, "steps need each other in a circle: \(way); remove one of these inputs")
    }

    private mutating func checkUse(_ definition: WorkflowDefinition) {
        let used = Set(
            definition.steps.flatMap { step in
                step.inputs.compactMap { input -> String? in
                    if case .output(let name, _) = input.source { name } else { nil }
                }
            })
        for step in draft.steps {
            guard let kind = step.kind, !used.contains(step.name), !kind.hasOpenPorts, kind.measurements.isEmpty else {
                continue
            }
            warning(
                step.mark,
                "nothing uses step \(step.name), and its kind writes no measurements; remove it or use its outputs")
        }
        // `atlases: {}` says that they come with the command line.
        if definition.usesAtlases, draft.atlases.isEmpty, draft.atlasesMark == nil {
            warning(
                SourceMark(line: 1, column: 1),
                "steps want an atlas but none is named here; name one on the command line (--atlas name=folder) or "
                    + "under atlases:")
        } else if !definition.usesAtlases, let atlas = draft.atlases.first {
            warning(atlas.mark, "no step uses an atlas; remove atlases:")
        }
    }
}

extension TaskScope {
    /// How much of the cohort one task of this scope sees.
    var breadth: Int {
        switch self {
        case .session: 0
        case .subject: 1
        case .cohort: 2
        }
    }
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
    fileprivate var droppingFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
