import Artifacts
import BIDS
import Foundation
import Wire
import Workflow

extension RunDraft {
    /// Puts the people into folds, as far as the workflow has any.
    ///
    /// Done anew when copies of images have excluded somebody: whoever cannot be used is in no fold.
    /// - Throws: `WorkflowError.folds`.
    mutating func assignFolds() throws(WorkflowError) {
        guard let definition = definition.folds else { return }
        folds = try FoldAssignment(
            definition, cohort: cohort, participants: participants,
            counts: try FoldCounts.read(definition, cohort: cohort))
    }

    /// The cohort without whoever a step does not read.
    func cohort(of part: FoldPart) -> Cohort {
        var cohort = cohort
        cohort.subjects.removeAll { folds?.isAmong(part.people, of: part.fold, $0.label) != true }
        return cohort
    }

    /// What is kept with the run.
    var foldDocument: Store.FoldDocument? {
        guard let folds, let foldFile else { return nil }
        return Store.FoldDocument(file: foldFile, document: folds.document)
    }

    var plannedFolds: PlanReport.Folds? {
        folds.map {
            PlanReport.Folds(count: $0.count, seed: $0.definition.seed, people: $0.folds, stratify: $0.strata)
        }
    }
}

extension Submission {
    /// The tables that steps read about people and folds, as artifacts: tasks read them like any other file, and each changes
    /// only when what is known about the people in it changes.
    func storeTables(of draft: inout RunDraft) async throws {
        let sessions = draft.definition.usesCovariates ? try await store.sessionRows(draft.dataset) : [:]
        if draft.definition.usesCovariates {
            if let participants = draft.participants {
                let ofSessions = Set(sessions.values.flatMap(\.columns).map(\.name))
                let (cohort, folds) = (draft.cohort, draft.folds)
                try draft.definition.checkColumns(
                    participants.columns.map(\.name)
                        + ofSessions.subtracting(participants.columns.map(\.name)).sorted(),
                    values: { column, inFolds in
                        // Of a person and of the sessions of the run, as tasks read them.
                        let people = cohort.subjects.filter { !inFolds || folds?.fold(of: $0.label) != nil }
                        return people.reduce(into: participants.texts(of: column, among: people.map(\.label))) {
                            $0.formUnion(
                                sessions[$1.label]?.texts(of: column, among: $1.sessions.compactMap(\.label)) ?? [])
                        }
                    })
            }
            draft.covariates = try await stored(
                CovariateDocument.make(cohort: draft.cohort, participants: draft.participants, sessions: sessions),
                name: "covariates.json")
        }
        guard let folds = draft.folds else { return }
        draft.foldFile = try await stored(folds.document, name: "folds.json")
        draft.covariatesOfFolds = [:]
        for part in draft.definition.partsWithCovariates(folds: folds.count) {
            draft.covariatesOfFolds[part] = try await stored(
                CovariateDocument.make(
                    cohort: draft.cohort(of: part), participants: draft.participants, sessions: sessions),
                name: "covariates.json")
        }
    }

    private func stored(_ document: JSONValue, name: String) async throws -> FileReference {
        let bytes = document.canonicalData
        let digest = ArtifactDigest(of: bytes)
        try await artifacts.put(digest, expectedBytes: Int64(bytes.count), chunks: OnePiece(bytes))
        try await store.recordArtifact(
            digest: digest, sizeBytes: Int64(bytes.count), mediaType: "application/json")
        return FileReference(
            path: artifacts.path(of: digest), name: name, digest: digest, sizeBytes: Int64(bytes.count))
    }
}

/// Bytes in memory as a stream of one piece.
private struct OnePiece: AsyncSequence, Sendable {
    let bytes: Data
    init(_ bytes: Data) { self.bytes = bytes }

    struct AsyncIterator: AsyncIteratorProtocol {
        var bytes: Data?
        mutating func next() async throws -> Data? {
            defer { bytes = nil }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: bytes) }
}
