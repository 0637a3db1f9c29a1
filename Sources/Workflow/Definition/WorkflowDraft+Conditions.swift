/// What is left of a workflow when its conditions are known: steps that take part, and one source for every input.
extension WorkflowDraft {
    /// Without the steps that `when` leaves out, every input with the first of its sources that exists.
    ///
    /// - Parameter report: told of inputs that are left without a source.
    func settled(report: (SourceMark, String) -> Void) -> WorkflowDraft {
        let leftOut = Set(steps.filter { $0.condition?.holds == false }.map(\.name))
        let hasFolds = steps.contains { $0.isPerFold != nil && !leftOut.contains($0.name) }
        var settled = self
        settled.steps = steps.filter { !leftOut.contains($0.name) }.map { step in
            var step = step
            step.inputs = step.inputs.compactMap { input in
                let sources = input.alternatives.isEmpty ? [input] : input.alternatives
                if var chosen = sources.first(where: { $0.exists(without: leftOut, hasFolds: hasFolds) }) {
                    chosen.port = input.port
                    return chosen
                }
                let isOptional = input.canBeAbsent || sources.contains { $0.isOptional?.value == true }
                // That the kind needs the input is said where inputs are checked.
                if isOptional, step.kind?.input(input.port)?.cardinality.isRequired != true { return nil }
                let reasons = sources.compactMap(\.absence).joined(separator: ", and ")
                report(
                    input.mark,
                    "input \(input.port) of step \(step.name) has no source in this run: \(reasons); add a source to its list, "
                        + "or optional: true where the step can do without")
                return InputDraft(port: input.port, mark: input.mark)
            }
            return step
        }
        return settled
    }

    /// With every step, for checks of those that are left out.
    var whole: WorkflowDraft {
        var whole = self
        let conditions = Dictionary(
            steps.filter { $0.condition?.holds == false }.map { ($0.name, $0.condition?.parameter) }
        ) { first, _ in first }
        for index in steps.indices {
            let own = steps[index].condition?.parameter
            whole.steps[index].condition = nil
            func isAway(_ input: InputDraft) -> Bool {
                guard case .step(let reference) = input.source,
                    let condition = conditions[WorkflowDraft.stepName(reference.value)]
                else { return false }
                return condition == nil || condition != own
            }
            // What a step could do without stays away where it is left out for a reason of its own: parameters that describe
            // the input would be said to lack it.
            whole.steps[index].inputs = steps[index].inputs.compactMap { input in
                guard !input.alternatives.isEmpty else {
                    return input.isOptional?.value == true && isAway(input) ? nil : input
                }
                var input = input
                let left = input.alternatives.filter { !isAway($0) }
                let isOptional = input.canBeAbsent || input.alternatives.contains { $0.isOptional?.value == true }
                // That the kind needs the input is said where inputs are checked, of steps that take part.
                let isRequired = steps[index].kind?.input(input.port)?.cardinality.isRequired == true
                if left.isEmpty, isOptional, !isRequired { return nil }
                if !left.isEmpty { input.alternatives = left }
                return input
            }
        }
        return whole.settled { _, _ in }
    }

    /// How what steps per fold train is applied to others: such a step can be left out, and what reads its output then has a
    /// parameter that names models. In the order of the steps that read.
    var reuses: [FoldReuse] {
        var found: [FoldReuse] = []
        for step in steps {
            for input in step.inputs {
                guard let models = input.alternatives.lazy.compactMap(\.modelParameter).first else { continue }
                for case .step(let reference) in input.alternatives.compactMap(\.source) {
                    let producer = steps.first { $0.name == Self.stepName(reference.value) }
                    if let producer, producer.isPerFold != nil, let condition = producer.condition?.parameter,
                        !found.contains(where: { $0.step == producer.name })
                    {
                        found.append(FoldReuse(step: producer.name, condition: condition, models: models))
                    }
                }
            }
        }
        return found
    }

    /// Some step is about folds, be it left out or not.
    var mentionsFolds: Bool {
        steps.contains { step in
            step.isPerFold != nil || step.people != nil
                || step.inputs.contains { input in
                    (input.alternatives + [input]).contains { if case .folds = $0.source { true } else { false } }
                }
        }
    }

    static func stepName(_ reference: String) -> String { reference.prefix { $0 != "." }.description }
}

extension InputDraft {
    /// Whether there is such a source in a run without some steps. What could not be read counts: it is reported already.
    ///
    /// - Parameter hasFolds: some step of the run has one task per fold. Without, folds are of nothing that was trained, and
    ///   an input that can do without them does.
    fileprivate func exists(without leftOut: Set<String>, hasFolds: Bool) -> Bool {
        switch source {
        case .folds: hasFolds || isOptional?.value != true
        case .step(let reference): !leftOut.contains(WorkflowDraft.stepName(reference.value))
        case .model(let references): !references.isEmpty
        default: true
        }
    }

    /// Why there is none, where there is none.
    fileprivate var absence: String? {
        switch source {
        case .step(let reference): "step \(WorkflowDraft.stepName(reference.value)) is left out (when is false)"
        case .model: "the parameter \(modelParameter ?? "") names no model"
        default: nil
        }
    }
}
