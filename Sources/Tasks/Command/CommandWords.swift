import Workflow

/// Fills in the places `{inputs.NAME}`, `{outputs.NAME}`, `{subject}`, `{session}`, `{atlas}`, `{threads}` of a command.
struct CommandWords {
    var inputs: [String: [String]]
    var outputs: [String: String]
    var context: TaskContext
    var threads: Int

    /// The words one argument becomes: one, or one per item where it is just a gathered input.
    func expand(_ argument: String) throws -> [String] {
        if argument.hasPrefix("{inputs."), argument.hasSuffix("}"), argument.dropFirst().firstIndex(of: "{") == nil,
            let paths = inputs[String(argument.dropFirst(8).dropLast())]
        {
            return paths
        }
        var result = ""
        var rest = argument[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[rest.index(after: open)...]
            if rest.first == "{" {  // a doubled brace is a brace
                result += "{"
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}") else {
                throw TaskResult.Failure.permanent(
                    "Argument “\(argument)” opens a brace that it does not close; write {{ for a plain {")
            }
            result += try value(of: String(rest[..<close]), in: argument)
            rest = rest[rest.index(after: close)...]
        }
        return [result + rest]
    }

    private func value(of place: String, in argument: String) throws -> String {
        let known: String?
        switch place {
        case "subject": known = context.subject ?? ""
        case "session": known = context.session ?? ""
        case "atlas": known = context.atlas ?? ""
        case "threads": known = String(threads)
        case _ where place.hasPrefix("inputs."):
            let paths = inputs[String(place.dropFirst(7))]
            guard paths?.count ?? 1 == 1 else {
                throw TaskResult.Failure.permanent(
                    "“{\(place)}” in “\(argument)” stands for several files; give it an argument of its own")
            }
            known = paths?.first
        case _ where place.hasPrefix("outputs."): known = outputs[String(place.dropFirst(8))]
        default: known = nil
        }
        guard let known else {
            throw TaskResult.Failure.permanent(
                "“{\(place)}” in “\(argument)” is none of {inputs.NAME}, {outputs.NAME}, {subject}, {session}, {atlas}, "
                    + "{threads}, or names no file of this task")
        }
        return known
    }
}
