/// What the index remembers of a file from an earlier scan.
package struct KnownFile: Hashable, Sendable {
    package var stamp: FileStamp
    package var sidecarStamp: String

    package init(stamp: FileStamp, sidecarStamp: String) { (self.stamp, self.sidecarStamp) = (stamp, sidecarStamp) }
}

/// One subject's part of a scan.
package struct SubjectScan: Sendable {
    /// Label without `sub-`.
    package var subject: String
    /// Labels without `ses-`, sorted; empty when the subject has no session folders.
    package var sessions: [String] = []
    /// New files, and files whose bytes or sidecars changed.
    package var changed: [BIDSFile] = []
    /// Paths of files that are as the index knows them.
    package var unchanged: [String] = []
    /// The subject's `sessions.tsv`.
    package var sessionTable: CovariateTable?
    /// `sessions.tsv` and what explains it, as they were read.
    package var documents: [DatasetDocument] = []
    /// Problems of folders and tables; those of single files stand in the files themselves.
    package var problems: [DatasetProblem] = []

    package init(subject: String) { self.subject = subject }
}

/// The dataset around its subjects.
package struct DatasetSummary: Sendable {
    package var root: String
    package var role: DatasetRole
    package var description: DatasetDescription?
    package var participants: CovariateTable?
    /// Labels of the subject folders, sorted.
    package var subjects: [String] = []
    /// Files of the root folder that were read: description, `participants.tsv`, sidecars, `.bidsignore`.
    package var documents: [DatasetDocument] = []
    /// New or changed files of the root folder that serve all subjects (`desc-nuclei_dseg.tsv`); they name no subject.
    package var changed: [BIDSFile] = []
    /// Paths of such files that are as the index knows them.
    package var unchanged: [String] = []
    /// Known files that are no longer there.
    package var removed: [String] = []
    /// Problems of the dataset as a whole.
    package var problems: [DatasetProblem] = []

    package init(root: String, role: DatasetRole) { (self.root, self.role) = (root, role) }
}

/// A whole scan in memory: convenient for tests and small datasets.
package struct DatasetScan: Sendable {
    package var summary: DatasetSummary
    package var subjects: [SubjectScan]

    /// New and changed files, those of the root first.
    package var changed: [BIDSFile] { summary.changed + subjects.flatMap(\.changed) }
    package var unchanged: [String] { summary.unchanged + subjects.flatMap(\.unchanged) }
    package var removed: [String] { summary.removed }
    /// All problems: of the dataset, its folders and tables, and of the new and changed files.
    package var problems: [DatasetProblem] {
        summary.problems
            + subjects.flatMap { subject in
                subject.problems
                    + subject.changed.compactMap { file in
                        file.problem.map {
                            DatasetProblem(.error, path: file.path, subject: file.subject, session: file.session, $0)
                        }
                    }
            }
    }
}
