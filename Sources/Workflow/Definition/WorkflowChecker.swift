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

    private func scope(of step: StepDraft) -> TaskScope? {
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

    private func isPlaceholderName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || (48...57).contains($0) || (97...122).contains($0)
                    || (65...90).contains($0)
            }
    }

    // MARK: - Sources

    private mutating func check(
        _ input: InputDraft, port: TaskPort, step: StepDraft, scope: TaskScope
    ) -> StepInput.Source? {
        guard let source = input.source else { return nil }
        switch source {
        case .bids(let queries):
            if scope == .cohort, !port.cardinality.gathers {
                error(
                    input.mark,
                    "input \(port.name) of step \(step.name) takes one file, but a step of scope cohort would find one per "
                        + "participant; use scope subject or session, or {file: path}")
                return nil
            }
            return .bids(queries)
        case .file(let path):
            return .file(path)
        case .covariates:
            if ![.json, .file].contains(port.format) {
                error(input.mark, "covariates are JSON; the input \(port.name) takes \(port.format.words)")
                return nil
            }
            return .covariates
        case .folds:
            if ![.json, .file].contains(port.format) {
                error(
                    input.mark, "the assignment of folds is JSON; the input \(port.name) takes \(port.format.words)")
                return nil
            }
            return .folds
        case .model(let references):
            if ![.model, .file].contains(port.format) {
                error(
                    input.mark,
                    "the input \(port.name) takes \(port.format.words), and a model is a network with its weights")
                return nil
            }
            if references.count > 1, port.cardinality != .many {
                error(
                    input.mark,
                    "the input \(port.name) of step \(step.name) takes one model, and \(references.count) are named; "
                        + "keep one" + (step.kind?.hasOpenPorts == true ? ", or add gather: true" : ""))
                return nil
            }
            return .model(references)
        case .atlas(let role):
            if step.isPerAtlas == nil, !port.cardinality.gathers {
                error(
                    input.mark,
                    "input \(port.name) of step \(step.name) takes one file, but there may be several atlases; "
                        + "add each: atlas to the step")
                return nil
            }
            guard role.format.fits(port.format) else {
                error(
                    input.mark,
                    "the input \(port.name) takes \(port.format.words), but \(role.rawValue) of an atlas is "
                        + role.format.words)
                return nil
            }
            return .atlas(role)
        case .step(let reference):
            return checkReference(reference, input: input, port: port, step: step, scope: scope)
        }
    }

    private mutating func checkReference(
        _ reference: Marked<String>, input: InputDraft, port: TaskPort, step: StepDraft, scope: TaskScope
    ) -> StepInput.Source? {
        let parts = reference.value.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let stepName = String(parts[0])
        guard let producer = draft.steps.first(where: { $0.name == stepName }) else {
            let clause = Suggestion.clause(for: stepName, among: draft.steps.map(\.name).filter { $0 != step.name })
            error(reference.mark, "there is no step “\(stepName)”\(clause)")
            return nil
        }
        // A producer of unknown kind is reported where it stands.
        guard let producerKind = producer.kind else { return nil }
        let outputs = outputs(of: producer, producerKind)
        let output: TaskPort
        if parts.count == 2, let found = outputs.first(where: { $0.name == parts[1] }) {
            output = found
        } else if parts.count == 2 {
            let clause = Suggestion.clause(for: String(parts[1]), among: outputs.map(\.name))
            let none = outputs.isEmpty ? "; it declares no outputs" : clause
            error(reference.mark, "step \(stepName) (\(producerKind.name)) has no output “\(parts[1])”\(none)")
            return nil
        } else if let main = TaskPort.main(outputs) {
            output = main
        } else {
            let names = outputs.map { "\(stepName).\($0.name)" }.joined(separator: ", ")
            error(reference.mark, "step \(stepName) has \(outputs.count) outputs; say which: \(names)")
            return nil
        }
        guard output.format.fits(port.format) else {
            error(
                reference.mark,
                "the input \(port.name) takes \(port.format.words), but \(stepName).\(output.name) is "
                    + output.format.words)
            return nil
        }
        checkScopes(producer, producerKind, reference, port: port, step: step, scope: scope)
        return .output(step: stepName, port: output.name)
    }

    /// One consumer task may meet several producer tasks only at a port that gathers.
    private mutating func checkScopes(
        _ producer: StepDraft, _ kind: TaskKind, _ reference: Marked<String>, port: TaskPort, step: StepDraft,
        scope: TaskScope
    ) {
        if port.cardinality.gathers { return }
        let producerScope = self.scope(of: producer) ?? kind.scopes[0]
        if producerScope.breadth < scope.breadth {
            error(
                reference.mark,
                "\(producer.name) runs once per \(producerScope.rawValue), and the input \(port.name) of step "
                    + "\(step.name) (scope \(scope.rawValue)) takes one item; give \(step.name) scope "
                    + "\(producerScope.rawValue), or aggregate \(producer.name) first")
        } else if producer.isPerAtlas != nil, step.isPerAtlas == nil {
            error(
                reference.mark,
                "\(producer.name) runs once per atlas, and the input \(port.name) of step \(step.name) takes one item; "
                    + "add each: atlas to \(step.name), or fuse the atlases first")
        } else if producer.isPerFold != nil, step.isPerFold == nil, scope == .cohort {
            error(
                reference.mark,
                "\(producer.name) runs once per fold, and the input \(port.name) of step \(step.name) takes one item; "
                    + "add each: fold to \(step.name)")
        }
    }

    private func outputs(of step: StepDraft, _ kind: TaskKind) -> [TaskPort] {
        guard kind.hasOpenPorts else { return kind.outputs }
        let declared = step.parameters["outputs"]?.value.objectValue ?? [:]
        return declared.sorted { $0.key < $1.key }.map { name, file in
            TaskPort(name, .ofFile(named: file.stringValue ?? ""), .one, "Declared by the step.")
        }
    }

    private func gathers(_ input: StepInput, _ step: StepDraft, _ scope: TaskScope) -> Bool {
        guard input.isGathered else { return false }
        guard case .output(let name, _) = input.source, let producer = draft.steps.first(where: { $0.name == name }),
            let kind = producer.kind
        else { return scope != .session }
        let producerScope = self.scope(of: producer) ?? kind.scopes[0]
        return producerScope.breadth < scope.breadth || (producer.isPerAtlas != nil && step.isPerAtlas == nil)
            || (producer.isPerFold != nil && step.isPerFold == nil)
    }

    // MARK: - Kind command

    private mutating func checkCommand(_ step: StepDraft, parameters: [String: JSONValue], inputs: [StepInput]) {
        func mark(_ name: String) -> SourceMark { step.parameters[name]?.mark ?? step.mark }
        if parameters["program"]?.stringValue?.isEmpty != false {
            error(mark("program"), "step \(step.name) names no program; add parameters: {program: …}")
        }
        let outputs = parameters["outputs"]?.objectValue ?? [:]
        for (name, file) in outputs.sorted(by: { $0.key < $1.key }) {
            if !isPlaceholderName(name) {
                error(mark("outputs"), "“\(name)” cannot name an output; use letters a–z, digits, _ and -")
            }
            guard let file = file.stringValue, !file.isEmpty, !file.contains("/"), file != ".", file != ".." else {
                error(mark("outputs"), "output \(name) of step \(step.name) needs a file name without folders")
                continue
            }
        }
        let stated = Set(step.inputs.map(\.port))
        for argument in parameters["arguments"]?.arrayValue ?? [] {
            guard let text = argument.stringValue else {
                if argument.integerValue == nil, argument.doubleValue == nil {
                    error(mark("arguments"), "an argument of step \(step.name) is \(argument.kindName); write a text")
                }
                continue
            }
            checkPlaces(text, step: step, inputs: stated, outputs: outputs.keys.sorted(), mark: mark("arguments"))
        }
        for (_, value) in (parameters["environment"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let text = value.stringValue else { continue }
            checkPlaces(text, step: step, inputs: stated, outputs: outputs.keys.sorted(), mark: mark("environment"))
        }
        if let port = parameters["measurements"]?.stringValue, !port.isEmpty, outputs[port] == nil {
            let clause = Suggestion.clause(for: port, among: outputs.keys.sorted())
            error(mark("measurements"), "measurements of step \(step.name) names no output of it: “\(port)”\(clause)")
        }
    }

    private mutating func checkPlaces(
        _ argument: String, step: StepDraft, inputs: Set<String>, outputs: [String], mark: SourceMark
    ) {
        let places: [CommandArgument.Place]
        do throws(CommandArgument.Unclosed) {
            places = try CommandArgument(argument).places
        } catch let unclosed {
            error(mark, "\(unclosed)")
            return
        }
        for place in places {
            switch place {
            case .input(let port) where !inputs.contains(port):
                let clause = Suggestion.clause(for: port, among: inputs.sorted())
                error(mark, "\(place): step \(step.name) has no input “\(port)”\(clause)")
            case .output(let port) where !outputs.contains(port):
                let clause = Suggestion.clause(for: port, among: outputs)
                error(mark, "\(place): step \(step.name) declares no output “\(port)”\(clause)")
            case .unknown(let text):
                error(mark, "\(place) stands for nothing\(Suggestion.clause(for: text, among: CommandArgument.valid))")
            default: continue
            }
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
