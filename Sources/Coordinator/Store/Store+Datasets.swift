import BIDS
import Foundation
import Postgres
import Wire
import Workflow

/// A dataset of the index.
package struct DatasetSummaryRow: Sendable, Hashable, Codable {
    package var id: DatasetID
    package var path: String
    package var name: String
    /// `raw`, or the folder's name of a derivative dataset.
    package var kind: String
    package var bidsVersion: String
    package var files: Int
    package var subjects: Int
    /// ISO 8601, UTC; nil while its first indexing has not ended.
    package var indexedAt: String?
}

extension Store {
    /// Makes or finds the row of a dataset.
    package func upsertDataset(path: String, role: DatasetRole) async throws -> DatasetID {
        var pipeline: String?
        if case .derivative(_, let maker) = role { pipeline = maker }
        let parameters: [Parameter] = [.text(path), .text(role.label), .text(pipeline)]
        let id = try await pool.run { session in
            try session.first(
                """
                INSERT INTO dataset (path, name, kind, pipeline, bids_version) VALUES ($1, '', $2, $3, '')
                ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, pipeline = excluded.pipeline
                RETURNING dataset_id
                """, parameters
            ) { try $0[0] as Int64 }
        }
        guard let id else { throw PostgresError.unexpected("INSERT INTO dataset returned no row") }
        return DatasetID(rawValue: id)
    }

    package func datasets() async throws -> [DatasetSummaryRow] {
        try await report { session in
            try session.query(
                """
                SELECT d.dataset_id, d.path, d.name, d.kind, d.bids_version,
                       (SELECT count(*) FROM bids_file f WHERE f.dataset_id = d.dataset_id),
                       coalesce(array_length(d.subjects, 1), 0), \(iso8601("d.indexed_at"))
                FROM dataset d ORDER BY d.path
                """
            ) { row in
                let (id, path, name, kind, version, files, subjects, indexed) = try row.decode(
                    Int64.self, String.self, String.self, String.self, String.self, Int.self, Int.self, String?.self)
                return DatasetSummaryRow(
                    id: DatasetID(rawValue: id), path: path, name: name, kind: kind, bidsVersion: version, files: files,
                    subjects: subjects, indexedAt: indexed)
            }
        }
    }

    /// The dataset at a path, if it is in the index.
    package func dataset(path: String) async throws -> DatasetID? {
        try await pool.run { session in
            try session.first("SELECT dataset_id FROM dataset WHERE path = $1", [.text(path)]) {
                DatasetID(rawValue: try $0[0])
            }
        }
    }

    /// What the index knows of the files of a dataset, for an incremental scan.
    package func knownFiles(_ dataset: DatasetID) async throws -> [String: KnownFile] {
        try await pool.run { session in
            let rows = try session.query(
                """
                SELECT path, size_bytes, modified_ns, inode, sidecar_stamp FROM bids_file WHERE dataset_id = $1
                """, [.bigint(dataset.rawValue)])
            var known: [String: KnownFile] = [:]
            known.reserveCapacity(rows.count)
            for row in rows {
                let (path, size, modified, inode, sidecar) = try row.decode(
                    String.self, Int64.self, Int64.self, Int64.self, String.self)
                known[path] = KnownFile(
                    stamp: FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode),
                    sidecarStamp: sidecar)
            }
            return known
        }
    }

    /// Stores what a scan found of some subjects: new and changed files take the place of what was known of them.
    ///
    /// A file whose size, modification time and inode stayed keeps its digest: only its sidecars changed.
    package func apply(_ subjects: [SubjectScan], to dataset: DatasetID) async throws {
        guard !subjects.isEmpty else { return }
        let files = subjects.flatMap(\.changed)
        let withoutTable = subjects.filter { $0.sessionTable == nil }.map(\.subject)
        let rows = Self.rows(of: files, dataset)
        try await pool.transaction(repeatable: true) { session in
            try Self.store(rows, session)
            try Self.storeSessions(
                subjects.compactMap { subject in subject.sessionTable.map { (subject.subject, $0) } }, dataset, session)
            // A table that was deleted takes with it what it said.
            try session.execute(
                "DELETE FROM session_row WHERE dataset_id = $1 AND subject = ANY ($2)",
                [.bigint(dataset.rawValue), .textArray(withoutTable)])
        }
    }

    private static let fileColumns = """
        dataset_id, path, size_bytes, modified_ns, inode, subject, session, suffix, datatype, metadata, sidecar_stamp, \
        problem
        """

    private static func rows(of files: [BIDSFile], _ dataset: DatasetID) -> CopyBuffer {
        var rows = CopyBuffer()
        // Sidecars at the top of a dataset reach thousands of files; each merged text is written out once.
        var written: [JSONValue: String] = [:]
        for file in files {
            rows.append(dataset.rawValue)
            rows.append(file.path)
            rows.append(file.stamp.sizeBytes)
            rows.append(file.stamp.modifiedNanoseconds)
            rows.append(file.stamp.inode)
            rows.append(file.subject)
            rows.append(file.session)
            rows.append(file.name.suffix)
            rows.append(file.datatype)
            rows.append(
                file.metadata.map { metadata in
                    if let text = written[metadata] { return text }
                    let text = WorkerText.json(metadata) ?? "null"
                    written[metadata] = text
                    return text
                })
            rows.append(file.sidecarStamp)
            rows.append(WorkerText.clean(file.problem))
            rows.endRow()
        }
        return rows
    }

    private static func store(_ files: CopyBuffer, _ session: Session) throws {
        guard !files.isEmpty else { return }
        try session.script(
            """
            CREATE TEMP TABLE IF NOT EXISTS scanned_file (LIKE bids_file INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;
            TRUNCATE scanned_file
            """)
        try session.copy(into: "scanned_file (\(fileColumns))", files)
        try session.script(
            """
            INSERT INTO bids_file AS f (\(fileColumns)) SELECT \(fileColumns) FROM scanned_file
            ON CONFLICT (dataset_id, path) DO UPDATE SET
                size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns, inode = excluded.inode,
                subject = excluded.subject, session = excluded.session, suffix = excluded.suffix,
                datatype = excluded.datatype, metadata = excluded.metadata,
                sidecar_stamp = excluded.sidecar_stamp, problem = excluded.problem,
                digest = CASE WHEN (f.size_bytes, f.modified_ns, f.inode)
                                 = (excluded.size_bytes, excluded.modified_ns, excluded.inode)
                              THEN f.digest END
            """)
    }

    /// Stores what a scan found around the subjects, and ends it.
    ///
    /// - Parameter problems: everything the scan had to say, for `problems(of:)`.
    package func finishScan(_ summary: DatasetSummary, problems: [DatasetProblem], of dataset: DatasetID) async throws {
        let description = summary.description
        let descriptionText = WorkerText.json(description?.json)
        let problemText = try StoredJSON.encode(problems)
        let shared = Self.rows(of: summary.changed, dataset)
        try await pool.transaction(repeatable: true) { session in
            try Self.store(shared, session)
            try session.execute(
                """
                UPDATE dataset SET name = $2, bids_version = $3, description = $4, subjects = $5, problems = $6,
                       data_kind = $7, indexed_at = now()
                WHERE dataset_id = $1
                """,
                [
                    .bigint(dataset.rawValue), .text(WorkerText.clean(description?.name) ?? ""),
                    .text(WorkerText.clean(description?.bidsVersion) ?? ""), .jsonb(descriptionText),
                    .textArray(summary.subjects), .jsonb(problemText.replacing("\\u0000", with: "\\ufffd")),
                    .text((description.map(DataKind.init) ?? .unstated).rawValue),
                ])
            try session.execute(
                "DELETE FROM bids_file WHERE dataset_id = $1 AND path = ANY ($2)",
                [.bigint(dataset.rawValue), .textArray(summary.removed)])
            try session.execute(
                "DELETE FROM session_row WHERE dataset_id = $1 AND NOT subject = ANY ($2)",
                [.bigint(dataset.rawValue), .textArray(summary.subjects)])
            try session.execute("DELETE FROM participant WHERE dataset_id = $1", [.bigint(dataset.rawValue)])
            try session.execute(
                "DELETE FROM covariate_column WHERE dataset_id = $1 AND kind = 'participants'",
                [.bigint(dataset.rawValue)])
            try Self.store(summary.documents, dataset, session)
            if let table = summary.participants { try Self.store(table, dataset, session) }
            try Self.unifySessionColumns(dataset, session)
        }
    }

    /// What was wrong with a dataset when it was last indexed.
    package func problems(of dataset: DatasetID) async throws -> [DatasetProblem] {
        let text = try await pool.run { session in
            try session.first("SELECT problems FROM dataset WHERE dataset_id = $1", [.bigint(dataset.rawValue)]) {
                try $0[0] as String
            }
        }
        return try text.map { try StoredJSON.decode([DatasetProblem].self, $0, table: "dataset") } ?? []
    }

    /// The files of some datasets with their roots and what is known of their digests, ordered by dataset and path.
    package func files(in datasets: [DatasetID]) async throws -> [(dataset: DatasetID, file: BIDSFile)] {
        try await report { session in
            let rows = try session.query(
                """
                SELECT f.dataset_id, d.path, d.kind, d.pipeline, f.path, f.size_bytes, f.modified_ns, f.inode,
                       f.datatype, f.metadata, f.sidecar_stamp, f.problem, encode(f.digest, 'hex')
                FROM bids_file f JOIN dataset d USING (dataset_id)
                WHERE f.dataset_id = ANY ($1) ORDER BY f.dataset_id, f.path
                """, [.bigintArray(datasets.map(\.rawValue))])
            var parsed: [String: JSONValue] = [:]
            return try rows.map { row in
                let (
                    dataset, root, kind, pipeline, path, size, modified, inode, datatype, metadata, sidecar, problem,
                    digest
                ) = try row.decode(
                    Int64.self, String.self, String.self, String?.self, String.self, Int64.self, Int64.self,
                    Int64.self, String?.self, String?.self, String.self, String?.self, String?.self)
                if let metadata, parsed[metadata] == nil {
                    parsed[metadata] = try StoredJSON.value(metadata, table: "bids_file")
                }
                let name: BIDSName
                do {
                    name = try BIDSName(parsing: path.split(separator: "/").last.map(String.init) ?? path)
                } catch {
                    throw StoreError.damagedRow(table: "bids_file", what: "\(error)")
                }
                let file = BIDSFile(
                    root: root, path: path,
                    stamp: FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode), name: name,
                    datatype: datatype,
                    dataset: kind == "raw" ? .raw : .derivative(name: kind, pipeline: pipeline),
                    metadata: metadata.flatMap { parsed[$0] }, sidecarStamp: sidecar, problem: problem, digest: digest)
                return (DatasetID(rawValue: dataset), file)
            }
        }
    }

    // MARK: Digests

    /// A file whose bytes have been read.
    package struct DigestedFile: Sendable, Hashable {
        /// Absolute.
        package var path: String
        package var stamp: FileStamp
        package var digest: ArtifactDigest

        package init(path: String, stamp: FileStamp, digest: ArtifactDigest) {
            (self.path, self.stamp, self.digest) = (path, stamp, digest)
        }
    }

    /// Remembers digests, so that a file is read once as long as its size, modification time and inode stay.
    package func recordDigests(_ files: [DigestedFile]) async throws {
        guard !files.isEmpty else { return }
        let parameters: [Parameter] = [
            .textArray(files.map(\.path)), .bigintArray(files.map(\.stamp.sizeBytes)),
            .bigintArray(files.map(\.stamp.modifiedNanoseconds)), .bigintArray(files.map(\.stamp.inode)),
            .byteaArray(files.map(\.digest.bytes)),
        ]
        try await pool.transaction(repeatable: true) { session in
            try session.execute(
                """
                INSERT INTO source_file (path, size_bytes, modified_ns, inode, digest)
                SELECT DISTINCT ON (u.digest, u.path) u.*
                FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])
                     AS u (path, size_bytes, modified_ns, inode, digest)
                ORDER BY u.digest, u.path
                ON CONFLICT (digest, path) DO UPDATE SET
                    size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns, inode = excluded.inode,
                    recorded_at = now()
                """, parameters)
            try session.execute(
                """
                UPDATE bids_file f SET digest = u.digest
                FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])
                     AS u (path, size_bytes, modified_ns, inode, digest)
                JOIN dataset d ON starts_with(u.path, d.path || '/')
                WHERE f.dataset_id = d.dataset_id AND f.path = substr(u.path, length(d.path) + 2)
                  AND (f.size_bytes, f.modified_ns, f.inode) = (u.size_bytes, u.modified_ns, u.inode)
                """, parameters)
        }
    }

    /// Digests remembered of files that have not changed since.
    ///
    /// - Parameter files: absolute path and present stamp.
    package func knownDigests(_ files: [(path: String, stamp: FileStamp)]) async throws -> [String: ArtifactDigest] {
        guard !files.isEmpty else { return [:] }
        let parameters: [Parameter] = [
            .textArray(files.map(\.path)), .bigintArray(files.map(\.stamp.sizeBytes)),
            .bigintArray(files.map(\.stamp.modifiedNanoseconds)), .bigintArray(files.map(\.stamp.inode)),
        ]
        return try await pool.run { session in
            let rows = try session.query(
                """
                SELECT s.path, s.digest
                FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
                     AS u (path, size_bytes, modified_ns, inode)
                JOIN source_file s USING (path, size_bytes, modified_ns, inode)
                ORDER BY s.path, s.recorded_at
                """, parameters
            ) { try $0.decode(String.self, [UInt8].self) }
            var digests: [String: ArtifactDigest] = [:]
            for (path, bytes) in rows { digests[path] = try ArtifactDigest(bytes: bytes, table: "source_file") }
            return digests
        }
    }
}
