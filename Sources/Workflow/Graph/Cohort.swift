import BIDS

/// Who takes part in a run, with their files: the pure input of the expansion.
package struct Cohort: Hashable, Sendable {
    package struct Session: Hashable, Sendable {
        /// Without `ses-`; nil where the subject has no sessions.
        package var label: String?
        package var files: [BIDSFile]
        /// Why nothing of this session may be used, as one sentence.
        package var problem: String?

        package init(label: String?, files: [BIDSFile], problem: String? = nil) {
            (self.label, self.files, self.problem) = (label, files, problem)
        }
    }

    package struct Subject: Hashable, Sendable {
        /// Without `sub-`.
        package var label: String
        package var sessions: [Session]
        /// All files, those of no session included.
        package var files: [BIDSFile]

        package init(label: String, sessions: [Session], files: [BIDSFile]) {
            (self.label, self.sessions, self.files) = (label, sessions, files)
        }
    }

    /// Sorted by label.
    package var subjects: [Subject]
    /// Files of no subject, at the root of a dataset: a query that finds nothing of the subject's own looks here.
    package var shared: [BIDSFile]

    package init(subjects: [Subject], shared: [BIDSFile] = []) { (self.subjects, self.shared) = (subjects, shared) }

    package var sessionCount: Int { subjects.reduce(0) { $0 + $1.sessions.count } }

    /// Groups files of one raw dataset and its derivatives.
    ///
    /// The sessions of a subject are those of its raw files (of all files when no raw file is known); a subject whose
    /// files name none has one session without label. Problems of severity error that name a subject exclude it, or
    /// the session they name, with their sentence.
    package init(files: [BIDSFile], problems: [DatasetProblem] = []) {
        var bySubject: [String: [BIDSFile]] = [:]
        for file in files {
            if let subject = file.subject { bySubject[subject, default: []].append(file) }
        }
        shared = files.filter { $0.subject == nil }.sorted { ($0.path, $0.root) < ($1.path, $1.root) }
        var reasons: [TaskContext: String] = [:]
        for problem in problems where problem.severity == .error {
            guard let subject = problem.subject else { continue }
            let context = TaskContext(subject: subject, session: problem.session)
            if reasons[context] == nil { reasons[context] = problem.sentence }
        }
        subjects = bySubject.sorted { $0.key < $1.key }.map { label, files in
            let files = files.sorted { ($0.path, $0.root) < ($1.path, $1.root) }
            let raw = files.filter { $0.dataset == .raw }
            let labels = Set((raw.isEmpty ? files : raw).compactMap(\.session)).sorted()
            let whole = reasons[TaskContext(subject: label)]
            if labels.isEmpty {
                return Subject(
                    label: label, sessions: [Session(label: nil, files: files, problem: whole)], files: files)
            }
            let sessions = labels.map { session in
                Session(
                    label: session, files: files.filter { $0.session == session },
                    problem: whole ?? reasons[TaskContext(subject: label, session: session)])
            }
            return Subject(label: label, sessions: sessions, files: files)
        }
    }

    /// The part of the cohort that a run asks for. Labels may carry their prefix; nil means everybody.
    package func selecting(
        participants: [String]?, sessions: [String]?
    ) throws(WorkflowError) -> Cohort {
        var selected = self
        if let participants {
            let wanted = participants.map { $0.hasPrefix("sub-") ? String($0.dropFirst(4)) : $0 }
            let known = Set(subjects.map(\.label))
            let unknown = wanted.filter { !known.contains($0) }
            if !unknown.isEmpty {
                throw .unknownParticipants(unknown, nearest: Suggestion.nearest(to: unknown[0], among: known.sorted()))
            }
            selected.subjects = selected.subjects.filter { wanted.contains($0.label) }
        }
        if let sessions {
            let wanted = sessions.map { $0.hasPrefix("ses-") ? String($0.dropFirst(4)) : $0 }
            let known = Set(subjects.flatMap { $0.sessions.compactMap(\.label) })
            if let unknown = wanted.first(where: { !known.contains($0) }) {
                throw .unknownSession(unknown, known: known.sorted())
            }
            for index in selected.subjects.indices {
                selected.subjects[index].sessions.removeAll { !wanted.contains($0.label ?? "") }
            }
            selected.subjects.removeAll { $0.sessions.isEmpty }
        }
        return selected
    }
}
