import BIDS

/// Steps of the kind command, which declare inputs and outputs of their own.
extension WorkflowChecker {
    mutating func checkCommand(_ step: StepDraft, parameters: [String: JSONValue], inputs: [StepInput]) {
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
}
