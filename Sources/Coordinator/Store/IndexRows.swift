import BIDS

/// A row of `participants.tsv` or of a participant's `sessions.tsv`, as the index holds it.
package struct CovariateRow: Sendable, Hashable {
    /// Label without `sub-`.
    package var subject: String
    /// Label without `ses-`; nil for a row of `participants.tsv`.
    package var session: String?
    /// By column; a missing value has no entry.
    package var values: [String: CovariateValue]
    /// Why the row cannot be used, as one sentence; it has no values then.
    package var problem: String?

    package init(
        subject: String, session: String? = nil, values: [String: CovariateValue] = [:], problem: String? = nil
    ) {
        self.subject = subject
        self.session = session
        self.values = values
        self.problem = problem
    }
}

/// What one more scan changed in the index.
package struct IndexChange: Sendable, Hashable {
    package var files = 0
    package var added = 0
    package var changed = 0
    package var removed = 0
    package var subjects = 0
    package var sessions = 0
}

/// The bytes of a file, as they were when its stamp was taken.
package struct SourceDigest: Sendable, Hashable {
    /// Absolute.
    package var path: String
    package var digest: FileDigest

    package init(path: String, digest: FileDigest) { (self.path, self.digest) = (path, digest) }
}
