import Artifacts
import BIDS
import Foundation
import Logging
import Wire
import Workflow

/// Brings the index of a dataset, and of its derivative datasets, up to date with the disk.
///
/// A scan reports what is new or changed, some subjects at a time; they are stored while the scan goes on. When it is
/// broken off, what was stored stays, and the next scan goes on from there.
struct IndexService: Sendable {
    private let store: Store
    private let digests: SourceDigests
    private let logger: Logger
    private let gate = SerialGate()

    /// Subjects stored in one transaction.
    private static let batchSubjects = 500

    init(store: Store, digests: SourceDigests, logger: Logger) {
        (self.store, self.digests, self.logger) = (store, digests, logger)
    }

    /// What an up-to-date index says.
    struct Indexed: Sendable {
        /// The dataset, then its derivatives in the order asked for.
        var ids: [DatasetID]
        var reports: [IndexReport.Dataset]
        /// Of datasets, folders and tables; what is wrong with single files stands in the files.
        var problems: [DatasetProblem]
        /// Why single files cannot be used.
        var fileProblems: [String]
    }

    func index(_ request: IndexRequest) async throws -> IndexReport {
        var indexed = try await refresh(path: request.path, derivatives: request.derivatives)
        if request.digestAll {
            for place in indexed.ids.indices {
                let (digested, unreadable) = try await digestAll(indexed.ids[place])
                indexed.reports[place].digested += digested
                indexed.fileProblems += unreadable
            }
        }
        return IndexReport(
            datasets: indexed.reports, problems: indexed.problems.map(\.description) + indexed.fileProblems)
    }

    /// - Throws: `BIDSError` when a folder cannot be read at all.
    func refresh(path: String, derivatives: [String]) async throws -> Indexed {
        var indexed = Indexed(ids: [], reports: [], problems: [], fileProblems: [])
        let raw = Self.normalized(path)
        var seen: Set<String> = []
        for root in [raw] + derivatives.map(Self.normalized) where seen.insert(root).inserted {
            let role = try await BlockingWork.run { try Self.role(of: root, isDerivative: root != raw) }
            let (report, problems) = try await gate.run(root) { try await refresh(root, role: role) }
            indexed.ids.append(report.id)
            indexed.reports.append(report)
            indexed.problems += problems
            indexed.fileProblems += try await store.fileProblems(of: report.id)
        }
        return indexed
    }

    private func refresh(_ root: String, role: DatasetRole) async throws -> (IndexReport.Dataset, [DatasetProblem]) {
        let start = ContinuousClock.now
        let id = try await store.upsertDataset(path: root, role: role)
        let known = try await store.knownFiles(id)
        let (batches, source) = AsyncThrowingStream.makeStream(of: [SubjectScan].self)
        async let scanned = BlockingWork.run {
            var (batch, sessions): ([SubjectScan], Int) = ([], 0)
            do {
                let summary = try DatasetScanner(root: root, role: role).scan(known: known) { subject in
                    sessions += max(1, subject.sessions.count)
                    batch.append(subject)
                    if batch.count == Self.batchSubjects {
                        source.yield(batch)
                        batch = []
                    }
                }
                source.yield(batch)
                source.finish()
                return (summary: summary, sessions: sessions)
            } catch {
                source.finish(throwing: error)
                throw error
            }
        }
        var (added, changed, unchanged) = (0, 0, 0)
        var problems: [DatasetProblem] = []
        var documents: [DatasetDocument] = []
        for try await batch in batches {
            try await store.apply(batch, to: id)
            for subject in batch {
                let new = subject.changed.reduce(0) { $0 + (known[$1.path] == nil ? 1 : 0) }
                added += new
                changed += subject.changed.count - new
                unchanged += subject.unchanged.count
                problems += subject.problems
                documents += subject.documents
            }
        }
        var (summary, sessions) = try await scanned
        summary.documents += documents
        problems = summary.problems + problems
        try await store.finishScan(summary, problems: problems, of: id)
        if added + changed > 10_000 { try await store.analyzeIfNeeded() }
        let report = IndexReport.Dataset(
            id: id, path: root, name: summary.description?.name ?? "", files: added + changed + unchanged,
            added: added, changed: changed, removed: summary.removed.count, subjects: summary.subjects.count,
            sessions: sessions, digested: 0, seconds: start.duration(to: .now) / .seconds(1))
        logger.info(
            "Dataset indexed",
            metadata: [
                "path": "\(root)", "files": "\(report.files)", "added": "\(added)", "changed": "\(changed)",
                "removed": "\(report.removed)", "seconds": "\(report.seconds)",
            ])
        return (report, problems)
    }

    /// Digests the files of a dataset whose digests are not known.
    private func digestAll(_ id: DatasetID) async throws -> (digested: Int, unreadable: [String]) {
        let paths = try await store.files(in: [id]).map(\.file)
            .filter { $0.digest == nil && $0.problem == nil }.map(\.absolutePath)
        var unreadable: [String] = []
        var digested = 0
        // Recorded in parts, so that breaking off loses little.
        for start in stride(from: 0, to: paths.count, by: 1000) {
            let results = try await digests.digests(of: Array(paths[start..<min(start + 1000, paths.count)]))
            var found: [Store.DigestedFile] = []
            for (path, result) in results.sorted(by: { $0.key < $1.key }) {
                switch result {
                case .success(let digest): found.append(try Store.DigestedFile(path: path, digest))
                case .failure(let error): unreadable.append("\(error)")
                }
            }
            try await store.recordDigests(found)
            digested += found.count
        }
        return (digested, unreadable)
    }

    private static func normalized(_ path: String) -> String {
        let path = URL(fileURLWithPath: path).standardizedFileURL.path
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// What `dataset_description.json` says; a dataset named as a derivative is one whatever the file says. That the file
    /// is missing or unreadable is for the scan to report.
    private static func role(of root: String, isDerivative: Bool) throws(BIDSError) -> DatasetRole {
        let file = root + "/" + DatasetDescription.fileName
        var description: DatasetDescription?
        // Read again, with its problems, by the scan.
        if let data = FileManager.default.contents(atPath: file), let json = try? JSONValue.parse(data) {
            description = DatasetDescription.read(json, path: file).0
        }
        guard isDerivative || description?.isDerivative == true else { return .raw }
        let folder = root.split(separator: "/").last.map(String.init) ?? root
        return .derivative(name: folder, pipeline: description?.generatedBy.first?.name)
    }
}

extension Store.DigestedFile {
    init(path: String, _ digest: FileDigest) throws {
        guard let known = ArtifactDigest(hex: digest.hex) else {
            throw StoreError.damagedRow(table: "source_file", what: "“\(digest.hex)” is not a digest")
        }
        self.init(path: path, stamp: digest.stamp, digest: known)
    }
}
