/// Steps per fold: that they say whom they read, and that nothing a fold is trained on has seen the people it is judged by.
extension WorkflowChecker {
    mutating func checkFanOut(_ step: StepDraft, _ scope: TaskScope) {
        let mark = step.isPerFold?.mark ?? step.people?.mark
        if mark != nil, draft.foldsMark == nil {
            error(
                mark,
                "step \(step.name) is about folds, and the workflow has none; add folds: {count: 5} at the top of the file"
            )
        }
        guard let isPerFold = step.isPerFold else {
            guard let people = step.people else { return }
            if people.value != .folds {
                error(
                    people.mark,
                    "people: \(people.value.rawValue) is that of a fold; add each: fold to step \(step.name), or write people: "
                        + "folds for everybody who is in one")
            }
            return
        }
        if scope != .cohort {
            error(
                isPerFold.mark,
                "each: fold is for steps over the cohort; a step of scope \(scope.rawValue) that reads one reads, for each "
                    + "person, the fold that the person was held out of; remove each")
        } else if let people = step.people, people.value == .folds {
            error(people.mark, "a step with each: fold reads people: training or people: test, not all of them")
        } else if step.people == nil, step.inputs.contains(where: readsPeople) {
            error(
                isPerFold.mark,
                "step \(step.name) does not say whom each fold reads; add people: training (all but those of the fold) or "
                    + "people: test (those of the fold)")
        }
    }

    private func readsPeople(_ input: InputDraft) -> Bool {
        switch input.source {
        case .bids, .covariates: true
        case .step(let reference):
            draft.steps.first { $0.name == WorkflowDraft.stepName(reference.value) }
                .map { producer in (producer.scope?.value ?? producer.kind?.scopes.first) != .cohort } ?? false
        default: false
        }
    }

    /// Where no step is done per fold, nobody is held out, and a number of folds would ask for people that nothing needs.
    ///
    /// - Returns: the definition, without folds where nothing asks for them.
    mutating func checkFolds(_ definition: WorkflowDefinition) -> WorkflowDefinition {
        var definition = definition
        for step in draft.steps {
            for input in step.inputs {
                guard case .folds = input.source, draft.foldsMark == nil else { continue }
                error(
                    input.mark,
                    "input \(input.port) of step \(step.name) is the assignment of folds, and the workflow has none; add "
                        + "folds: {count: 5} at the top of the file")
            }
        }
        checkLeaks(definition)
        definition.folds?.isMembership = !definition.steps.contains(where: \.isPerFold)
        if !definition.usesFolds {
            definition.folds = nil
        }
        return definition
    }

    /// Whatever a training reads must come from its own people. What a step per fold makes is from them; what other steps
    /// make of it, or of everybody, is not.
    private mutating func checkLeaks(_ definition: WorkflowDefinition) {
        guard case .sorted = definition.graph.order else { return }
        for step in definition.steps where step.people == .training {
            let mark = draft.steps.first { $0.name == step.name }?.isPerFold?.mark
            var isCohortWideTold = false
            for name in ancestors(of: step.name, definition) {
                guard let other = definition.step(name) else { continue }
                if other.isPerFold, other.people == .test {
                    error(
                        mark,
                        "step \(step.name) would be trained on what \(other.name) makes of the people of the same fold, who are "
                            + "held out; read only steps with people: training")
                } else if !other.isPerFold, let source = readsFold(other, definition) {
                    error(
                        mark,
                        "step \(step.name) would be trained on results of \(other.name), which reads other folds of \(source): "
                            + "those have seen the people that this fold holds out; read \(source) itself, fold by fold"
                    )
                } else if !other.isPerFold, other.scope == .cohort, !isCohortWideTold {
                    isCohortWideTold = true
                    warning(
                        mark,
                        "step \(step.name) reads, directly or not, \(other.name), which is made of everybody, also of the people "
                            + "that each fold holds out; add each: fold and people: training to it where that matters")
                }
            }
        }
    }

    /// In the order of the file.
    private func ancestors(of name: String, _ definition: WorkflowDefinition) -> [String] {
        var found: Set<String> = []
        var open = [name]
        while let next = open.popLast() {
            for input in definition.step(next)?.inputs ?? [] {
                if case .output(let producer, _) = input.source, found.insert(producer).inserted {
                    open.append(producer)
                }
            }
        }
        return definition.steps.map(\.name).filter(found.contains)
    }

    /// A step per fold that this one reads.
    private func readsFold(_ step: StepDefinition, _ definition: WorkflowDefinition) -> String? {
        for input in step.inputs {
            if case .output(let name, _) = input.source, definition.step(name)?.isPerFold == true { return name }
        }
        return nil
    }
}
