import BIDS

/// Where the inputs of a step come from: whether port, source and scopes fit each other.
extension WorkflowChecker {
    mutating func check(
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

    func gathers(_ input: StepInput, _ step: StepDraft, _ scope: TaskScope) -> Bool {
        guard input.isGathered else { return false }
        guard case .output(let name, _) = input.source, let producer = draft.steps.first(where: { $0.name == name }),
            let kind = producer.kind
        else { return scope != .session }
        let producerScope = self.scope(of: producer) ?? kind.scopes[0]
        return producerScope.breadth < scope.breadth || (producer.isPerAtlas != nil && step.isPerAtlas == nil)
            || (producer.isPerFold != nil && step.isPerFold == nil)
    }
}
