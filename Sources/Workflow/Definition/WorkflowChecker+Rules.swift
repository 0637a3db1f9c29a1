import BIDS

extension WorkflowChecker {
    /// What has to hold between parameters and inputs.
    mutating func checkRules(_ step: StepDraft, _ kind: TaskKind, _ parameters: [String: JSONValue]) {
        let settings = StepSettings(
            kind: kind, parameters: .object(parameters), bound: Set(step.inputs.map(\.port)))
        for finding in kind.rules.findings(settings) {
            let mark =
                switch finding.place {
                case .parameter(let name): step.parameters[name]?.mark
                case .input(let port): step.inputs.first { $0.port == port }?.mark
                case .inputs: step.inputsMark
                }
            let sentence = finding.sentence(step: step.name)
            switch finding.severity {
            case .error: error(mark ?? step.mark, sentence)
            case .warning: warning(mark ?? step.mark, sentence)
            }
        }
    }
}
