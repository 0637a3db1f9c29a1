/// Which part of the cohort a task or a file belongs to. All nil: the whole cohort.
package struct TaskContext: Codable, Hashable, Sendable, Comparable, CustomStringConvertible {
    /// BIDS label without `sub-`.
    package var subject: String?
    /// BIDS label without `ses-`; nil where the dataset has no sessions.
    package var session: String?
    /// Name of the atlas, for steps that fan out over atlases.
    package var atlas: String?
    /// Number of the fold from 1, for steps that fan out over the folds of a cross-validation.
    package var fold: Int?

    package init(subject: String? = nil, session: String? = nil, atlas: String? = nil, fold: Int? = nil) {
        (self.subject, self.session, self.atlas, self.fold) = (subject, session, atlas, fold)
    }

    package static let cohort = TaskContext()

    package var description: String {
        let parts = [
            subject.map { "sub-\($0)" }, session.map { "ses-\($0)" }, atlas.map { "atlas-\($0)" },
            fold.map { "fold-\($0)" },
        ]
        let text = parts.compactMap { $0 }.joined(separator: "_")
        return text.isEmpty ? "cohort" : text
    }

    /// The same part of the cohort, whatever the fold.
    package var withoutFold: TaskContext { TaskContext(subject: subject, session: session, atlas: atlas) }

    package static func < (a: TaskContext, b: TaskContext) -> Bool {
        (a.subject ?? "", a.session ?? "", a.atlas ?? "", a.fold ?? 0) < (
            b.subject ?? "", b.session ?? "", b.atlas ?? "", b.fold ?? 0
        )
    }
}
