import Workflow

/// What the places in the arguments of a command stand for.
struct CommandWords {
    var inputs: [String: [String]]
    var outputs: [String: String]
    var context: TaskContext
    var threads: Int

    /// The words one argument becomes: one, or one per item where it is just a gathered input.
    func expand(_ argument: String) throws -> [String] {
        let parts: [CommandArgument.Part]
        do throws(CommandArgument.Unclosed) {
            parts = try CommandArgument(argument).parts
        } catch {
            throw TaskResult.Failure.permanent("\(error)")
        }
        if parts.count == 1, case .place(.input(let port)) = parts[0], let paths = inputs[port] { return paths }
        return [
            try parts.map { part in
                switch part {
                case .text(let text): text
                case .place(let place): try value(of: place, in: argument)
                }
            }.joined()
        ]
    }

    private func value(of place: CommandArgument.Place, in argument: String) throws -> String {
        switch place {
        case .subject: return context.subject ?? ""
        case .session: return context.session ?? ""
        case .atlas: return context.atlas ?? ""
        case .threads: return String(threads)
        case .input(let port):
            guard let paths = inputs[port] else { break }
            guard paths.count == 1 else {
                throw TaskResult.Failure.permanent(
                    "“\(place)” in “\(argument)” stands for several files; give it an argument of its own")
            }
            return paths[0]
        case .output(let port):
            guard let path = outputs[port] else { break }
            return path
        case .unknown: break
        }
        let valid = CommandArgument.valid.map { "{\($0)}" }.joined(separator: ", ")
        throw TaskResult.Failure.permanent(
            "“\(place)” in “\(argument)” is none of \(valid), or names no file of this task")
    }
}
