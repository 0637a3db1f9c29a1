/// Something wrong with a workflow file, with its place.
package struct WorkflowProblem: Codable, Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Codable, Sendable {
        /// The workflow runs, but perhaps not as meant.
        case warning
        case error
    }

    package var severity: Severity
    package var file: String
    /// From 1; nil for what has no place in the file: the file itself, or a value given on the command line.
    package var line: Int?
    package var column: Int?
    /// One sentence: what is wrong and what would be valid.
    package var sentence: String

    package init(_ severity: Severity, file: String, line: Int? = nil, column: Int? = nil, _ sentence: String) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.sentence = sentence
    }

    package var isError: Bool { severity == .error }

    /// `file:line:column: error: sentence`, which editors and terminals make clickable.
    package var description: String {
        let place = [file, line.map(String.init), column.map(String.init)].compactMap { $0 }.joined(separator: ":")
        return "\(place): \(severity.rawValue): \(sentence)"
    }
}
