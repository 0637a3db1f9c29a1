/// Which part of the cohort a task or a file belongs to. All nil: the whole cohort.
package struct TaskContext: Codable, Hashable, Sendable, Comparable, CustomStringConvertible {
    /// BIDS label without `sub-`.
    package var subject: String?
    /// BIDS label without `ses-`; nil where the dataset has no sessions.
    package var session: String?
    /// Name of the atlas, for steps that fan out over atlases.
    package var atlas: String?

    package init(subject: String? = nil, session: String? = nil, atlas: String? = nil) {
        (self.subject, self.session, self.atlas) = (subject, session, atlas)
    }

    package static let cohort = TaskContext()

    package var description: String {
        let parts = [subject.map { "sub-\($0)" }, session.map { "ses-\($0)" }, atlas.map { "atlas-\($0)" }]
        let text = parts.compactMap { $0 }.joined(separator: "_")
        return text.isEmpty ? "cohort" : text
    }

    package static func < (a: TaskContext, b: TaskContext) -> Bool {
        (a.subject ?? "", a.session ?? "", a.atlas ?? "") < (b.subject ?? "", b.session ?? "", b.atlas ?? "")
    }
}
