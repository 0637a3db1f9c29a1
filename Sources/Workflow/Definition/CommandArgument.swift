/// An argument of the kind `command`, taken apart: plain text, and places `{…}` that are filled in when the task runs.
/// `{{` is a plain brace.
package struct CommandArgument: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case input(port: String)
        case output(port: String)
        case subject, session, atlas, threads
        /// Stands for nothing; what is between the braces.
        case unknown(String)
    }

    package enum Part: Hashable, Sendable {
        case text(String)
        case place(Place)
    }

    /// A brace that is opened and not closed.
    package struct Unclosed: Error, Hashable, CustomStringConvertible {
        package var argument: String
        package var description: String {
            "argument “\(argument)” opens a brace that it does not close; write {{ for a plain {"
        }
    }

    package let parts: [Part]

    /// What may stand between braces, for messages.
    package static let valid = ["inputs.NAME", "outputs.NAME", "subject", "session", "atlas", "threads"]

    package init(_ argument: String) throws(Unclosed) {
        var parts: [Part] = []
        var text = ""
        var rest = argument[...]
        while let open = rest.firstIndex(of: "{") {
            text += rest[..<open]
            rest = rest[rest.index(after: open)...]
            if rest.first == "{" {
                text += "{"
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}") else { throw Unclosed(argument: argument) }
            if !text.isEmpty { parts.append(.text(text)) }
            text = ""
            parts.append(.place(Place(rest[..<close])))
            rest = rest[rest.index(after: close)...]
        }
        text += rest
        if !text.isEmpty { parts.append(.text(text)) }
        self.parts = parts
    }

    package var places: [Place] {
        parts.compactMap { part in
            if case .place(let place) = part { place } else { nil }
        }
    }
}

extension CommandArgument.Place: CustomStringConvertible {
    private static let inputs = "inputs."
    private static let outputs = "outputs."

    fileprivate init(_ text: Substring) {
        switch text {
        case "subject": self = .subject
        case "session": self = .session
        case "atlas": self = .atlas
        case "threads": self = .threads
        case _ where text.hasPrefix(Self.inputs): self = .input(port: String(text.dropFirst(Self.inputs.count)))
        case _ where text.hasPrefix(Self.outputs): self = .output(port: String(text.dropFirst(Self.outputs.count)))
        default: self = .unknown(String(text))
        }
    }

    /// As it was written, with its braces.
    package var description: String {
        switch self {
        case .input(let port): "{\(Self.inputs)\(port)}"
        case .output(let port): "{\(Self.outputs)\(port)}"
        case .subject: "{subject}"
        case .session: "{session}"
        case .atlas: "{atlas}"
        case .threads: "{threads}"
        case .unknown(let text): "{\(text)}"
        }
    }
}
