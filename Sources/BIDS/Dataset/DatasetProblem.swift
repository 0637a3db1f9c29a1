/// Something wrong with a dataset that does not keep the rest of it from being used.
package struct DatasetProblem: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Codable, Sendable, Comparable {
        /// Worth knowing; nothing is left out because of it.
        case warning
        /// What it names cannot be used: a file, a participant, a session, or the dataset.
        case error

        package static func < (a: Severity, b: Severity) -> Bool { a == .warning && b == .error }
    }

    package var severity: Severity
    /// Relative to the dataset's root; nil for the dataset as a whole.
    package var path: String?
    /// Label without `sub-`, when only that participant is affected.
    package var subject: String?
    /// Label without `ses-`, when only that session is affected.
    package var session: String?
    /// One sentence: the file, what is wrong, what to do.
    package var sentence: String

    package init(
        _ severity: Severity, path: String? = nil, subject: String? = nil, session: String? = nil, _ sentence: String
    ) {
        self.severity = severity
        self.path = path
        self.subject = subject
        self.session = session
        self.sentence = sentence
    }

    package var description: String { sentence }
}
