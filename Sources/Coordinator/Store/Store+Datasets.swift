import BIDS
import Foundation
import Postgres
import Wire
import Workflow

// The index of datasets: files with their stamps, merged sidecars and digests; participants and sessions with their
// covariates. A scan is stored whole or not at all.
extension Store {
    // MARK: Datasets

    /// The dataset of this path, made or brought up to date.
    ///
    /// - Parameter path: absolute; what identifies the dataset.
    package func upsertDataset(
        path: String, name: String, role: DatasetRole, bidsVersion: String, description: JSONValue?
    ) async throws -> DatasetID {
        let pipeline: String? =
            if case .derivative(_, let pipeline) = role { pipeline } else { nil }
        let kind = role.label
        let text = description.map(Self.databaseJSON)
        let id = try await pool.run { session in
            try session.first(
                """
                INSERT INTO qsmflow.dataset AS d (path, name, kind, pipeline, bids_version, description)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (path) DO UPDATE SET
                    name = excluded.name, kind = excluded.kind, pipeline = excluded.pipeline,
                    bids_version = excluded.bids_version, description = excluded.description
                RETURNING d.dataset_id
                """,
                [.text(path), .text(name), .text(kind), .text(pipeline), .text(bidsVersion), .jsonb(text)]
            ) { try $0[0] as Int64 }
        }
        guard let id else { throw PostgresError.unexpected("an upserted dataset has no number") }
        return DatasetID(rawValue: id)
    }

    /// The datasets of the index. The numbers that tell of one scan are 0.
    package func datasets() async throws -> [IndexReport.Dataset] {
        try await report { session in
            try session.query(
                """
                SELECT d.dataset_id, d.path, d.name, count(f.path), cardinality(d.subjects),
                    count(DISTINCT (f.subject, f.session)) FILTER (WHERE f.session IS NOT NULL), count(f.digest)
                FROM qsmflow.dataset d LEFT JOIN qsmflow.bids_file f USING (dataset_id)
                GROUP BY d.dataset_id ORDER BY d.dataset_id
                """
            ) { row in
                let (id, path, name, files, subjects, sessions, digested) = try row.decode(
                    Int64.self, String.self, String.self, Int.self, Int.self, Int.self, Int.self)
                return IndexReport.Dataset(
                    id: DatasetID(rawValue: id), path: path, name: name, files: files, added: 0, changed: 0,
                    removed: 0, subjects: subjects, sessions: sessions, digested: digested, seconds: 0)
            }
        }
    }

    private static func role(_ kind: String, _ pipeline: String?) -> DatasetRole {
        kind == DatasetRole.raw.label ? .raw : .derivative(name: kind, pipeline: pipeline)
    }

    // MARK: Scans

    /// What the index knows of a dataset's files, for the scanner.
    package func knownFiles(_ dataset: DatasetID) async throws -> [String: KnownFile] {
        try await pool.run { session in
            let rows = try session.query(
                "SELECT path, size_bytes, modified_ns, inode, sidecar_stamp FROM qsmflow.bids_file WHERE dataset_id = $1",
                [.bigint(dataset.rawValue)])
            var known: [String: KnownFile] = [:]
            known.reserveCapacity(rows.count)
            for row in rows {
                let (path, size, modified, inode, sidecars) = try row.decode(
                    String.self, Int64.self, Int64.self, Int64.self, String.self)
                let stamp = FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode)
                known[path] = KnownFile(stamp: stamp, sidecarStamp: sidecars)
            }
            return known
        }
    }

    /// Stores a scan that was made with `knownFiles` of the same dataset.
    ///
    /// A changed file keeps its digest while its stamp stays the same: a new sidecar does not change the image.
    package func apply(_ scan: DatasetScan, to dataset: DatasetID) async throws -> IndexChange {
        let id = dataset.rawValue
        let files = Self.fileRows(scan, id)
        let participants = Self.rows(of: scan.summary.participants.map { [("", $0)] } ?? [], id, isSessions: false)
        let sessionTables = scan.subjects.compactMap { subject in
            subject.sessionTable.map { (subject.subject, $0) }
        }
        let sessions = Self.rows(of: sessionTables, id, isSessions: true)
        let columns = Self.columnRows(
            (scan.summary.participants?.columns ?? []).map { (CovariateTable.Kind.participants, $0) }
                + MergedColumns.merge(sessionTables.map(\.1)).map { (CovariateTable.Kind.sessions, $0) }, id)
        let removed = scan.removed
        let counts = IndexChange(
            files: scan.changed.count + scan.unchanged.count, subjects: scan.subjects.count,
            sessions: scan.subjects.reduce(0) { $0 + $1.sessions.count })
        let labels = scan.summary.subjects
        let problems = try StoredJSON.encode(scan.summary.problems + scan.subjects.flatMap(\.problems))
            .replacing("\\u0000", with: "\\ufffd")

        return try await pool.transaction(repeatable: true) { session in
            try session.script(Self.plannerFreedom)
            var change = counts
            if !files.isEmpty {
                try session.script(
                    """
                    CREATE TEMPORARY TABLE scan_file (LIKE qsmflow.bids_file) ON COMMIT DROP
                    """)
                let count = try session.copy(into: "scan_file (\(Self.fileColumns))", files)
                change.changed =
                    try session.first(
                        """
                        SELECT count(*) FROM scan_file s JOIN qsmflow.bids_file f USING (dataset_id, path)
                        """
                    ) { try $0[0] } ?? 0
                change.added = count - change.changed
                try session.execute(
                    """
                    INSERT INTO qsmflow.bids_file AS f (\(Self.fileColumns))
                    SELECT \(Self.fileColumns) FROM scan_file
                    ON CONFLICT (dataset_id, path) DO UPDATE SET
                        subject = excluded.subject, session = excluded.session, datatype = excluded.datatype,
                        suffix = excluded.suffix, size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,
                        inode = excluded.inode, sidecar_stamp = excluded.sidecar_stamp, metadata = excluded.metadata,
                        problem = excluded.problem,
                        digest = CASE
                            WHEN (f.size_bytes, f.modified_ns, f.inode)
                                = (excluded.size_bytes, excluded.modified_ns, excluded.inode) THEN f.digest END
                    """)
                try session.script("DROP TABLE scan_file")
            }
            if !removed.isEmpty {
                change.removed = try session.execute(
                    "DELETE FROM qsmflow.bids_file WHERE dataset_id = $1 AND path = ANY ($2)",
                    [.bigint(id), .textArray(removed)])
            }
            try Self.replace("participant", Self.participantColumns, participants, id, session)
            try Self.replace("session_row", Self.sessionColumns, sessions, id, session)
            try Self.replace("covariate_column", Self.covariateColumns, columns, id, session)
            try session.execute(
                """
                UPDATE qsmflow.dataset SET subjects = $2, problems = $3, indexed_at = now() WHERE dataset_id = $1
                """, [.bigint(id), .textArray(labels), .jsonb(problems)])
            // Later queries are planned on what the tables hold now, not on what they held before a first big load.
            if change.added + change.removed > 1000 { try session.script("ANALYZE qsmflow.bids_file") }
            return change
        }
    }

    private static let fileColumns = """
        dataset_id, path, subject, session, datatype, suffix, size_bytes, modified_ns, inode, sidecar_stamp, metadata, \
        problem
        """
    private static let participantColumns = "dataset_id, subject, position, covariates, ambiguous"
    private static let sessionColumns = "dataset_id, subject, session, position, covariates, ambiguous"
    private static let covariateColumns = "dataset_id, kind, position, name, type, description, units, levels"

    private static func fileRows(_ scan: DatasetScan, _ id: Int64) -> CopyBuffer {
        var buffer = CopyBuffer()
        // Most files share a sidecar with many others.
        var texts: [JSONValue: String] = [:]
        for file in scan.changed {
            buffer.append(id)
            buffer.append(file.path)
            buffer.append(file.subject)
            buffer.append(file.session)
            buffer.append(file.datatype)
            buffer.append(file.name.suffix)
            buffer.append(file.stamp.sizeBytes)
            buffer.append(file.stamp.modifiedNanoseconds)
            buffer.append(file.stamp.inode)
            buffer.append(file.sidecarStamp)
            if let metadata = file.metadata {
                let text = texts[metadata] ?? databaseJSON(metadata)
                texts[metadata] = text
                buffer.append(text)
            } else {
                buffer.append(nil as String?)
            }
            buffer.append(file.problem)
            buffer.endRow()
        }
        return buffer
    }

    private static func rows(
        of tables: [(subject: String, table: CovariateTable)], _ id: Int64, isSessions: Bool
    ) -> CopyBuffer {
        var buffer = CopyBuffer()
        var position = 0
        func add(_ subject: String, _ label: String, _ values: [String: CovariateValue], problem: String?) {
            buffer.append(id)
            if isSessions { buffer.append(subject) }
            buffer.append(label)
            buffer.append(position)
            position += 1
            buffer.append(databaseJSON(.object(values.mapValues(\.json))))
            buffer.append(problem)
            buffer.endRow()
        }
        for (subject, table) in tables {
            position = 0
            for label in table.labels { add(subject, label, table.rows[label] ?? [:], problem: nil) }
            for (label, problem) in table.ambiguous.sorted(by: { $0.key < $1.key }) {
                add(subject, label, [:], problem: problem)
            }
        }
        return buffer
    }

    private static func columnRows(_ columns: [(CovariateTable.Kind, CovariateColumn)], _ id: Int64) -> CopyBuffer {
        var buffer = CopyBuffer()
        for (position, (kind, column)) in columns.enumerated() {
            buffer.append(id)
            buffer.append(kind.rawValue)
            buffer.append(position)
            buffer.append(column.name)
            buffer.append(column.type.rawValue)
            buffer.append(column.description)
            buffer.append(column.units)
            buffer.append(column.levels.map { databaseJSON(.object($0.mapValues { .string($0) })) })
            buffer.endRow()
        }
        return buffer
    }

    /// Makes the rows of a dataset in a table exactly those of the buffer, touching only those that differ.
    private static func replace(
        _ table: String, _ columns: String, _ buffer: CopyBuffer, _ id: Int64, _ session: Session
    ) throws {
        try session.script("CREATE TEMPORARY TABLE scan_rows (LIKE qsmflow.\(table)) ON COMMIT DROP")
        if !buffer.isEmpty { try session.copy(into: "scan_rows (\(columns))", buffer) }
        // EXCEPT compares missing values as equal, which a join does not.
        try session.script(
            """
            DELETE FROM qsmflow.\(table) t USING (
                SELECT \(columns) FROM qsmflow.\(table) WHERE dataset_id = \(id)
                EXCEPT SELECT \(columns) FROM scan_rows) gone
            WHERE t.dataset_id = \(id) AND (\(Self.key(of: table, "t"))) = (\(Self.key(of: table, "gone")));
            INSERT INTO qsmflow.\(table) (\(columns))
            SELECT \(columns) FROM scan_rows
            EXCEPT SELECT \(columns) FROM qsmflow.\(table) WHERE dataset_id = \(id);
            DROP TABLE scan_rows
            """)
    }

    private static func key(of table: String, _ alias: String) -> String {
        let columns =
            switch table {
            case "participant": ["subject"]
            case "session_row": ["subject", "session"]
            default: ["kind", "name"]
            }
        return columns.map { "\(alias).\($0)" }.joined(separator: ", ")
    }

    private static func databaseJSON(_ value: JSONValue) -> String { WorkerText.json(value) ?? "null" }

    // MARK: Files

    /// The files of some datasets, in the order of dataset and path.
    ///
    /// - Parameter subjects: labels without `sub-`; nil means everybody.
    package func files(in datasets: [DatasetID], subjects: [String]? = nil) async throws -> [BIDSFile] {
        let numbers = Parameter.bigintArray(datasets.map(\.rawValue))
        guard let subjects else { return try await files(where: "f.dataset_id = ANY ($1)", [numbers]) }
        return try await files(
            where: "f.dataset_id = ANY ($1) AND f.subject = ANY ($2)", [numbers, .textArray(subjects)])
    }

    /// Files whose present version was never read.
    package func undigested(_ datasets: [DatasetID]) async throws -> [BIDSFile] {
        try await files(
            where: "f.dataset_id = ANY ($1) AND f.digest IS NULL AND f.problem IS NULL",
            [.bigintArray(datasets.map(\.rawValue))])
    }

    private func files(where condition: String, _ parameters: [Parameter]) async throws -> [BIDSFile] {
        try await report { session in
            let rows = try session.query(
                """
                SELECT d.path, d.kind, d.pipeline, f.path, f.datatype, f.size_bytes, f.modified_ns,
                    f.inode, f.sidecar_stamp, f.metadata, f.problem, f.digest
                FROM qsmflow.bids_file f JOIN qsmflow.dataset d USING (dataset_id)
                WHERE \(condition)
                ORDER BY d.dataset_id, f.path COLLATE "C"
                """, parameters)
            var files: [BIDSFile] = []
            files.reserveCapacity(rows.count)
            var sidecars: [String: JSONValue] = [:]
            for row in rows {
                let (root, kind, pipeline, path, datatype, size, modified, inode, stamp, metadata, problem, digest) =
                    try row.decode(
                        String.self, String.self, String?.self, String.self, String?.self, Int64.self, Int64.self,
                        Int64.self, String.self, String?.self, String?.self, [UInt8]?.self)
                let fileName = path.split(separator: "/").last.map(String.init) ?? path
                var sidecar: JSONValue?
                if let metadata {
                    sidecar = try sidecars[metadata] ?? StoredJSON.value(metadata, table: "bids_file")
                    sidecars[metadata] = sidecar
                }
                files.append(
                    BIDSFile(
                        root: root, path: path,
                        stamp: FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode),
                        name: try BIDSName(parsing: fileName), datatype: datatype, dataset: Self.role(kind, pipeline),
                        metadata: sidecar, sidecarStamp: stamp, problem: problem,
                        digest: try digest.map { try ArtifactDigest(bytes: $0, table: "bids_file").hex }))
            }
            return files
        }
    }

    // MARK: Digests

    /// Remembers what some files held. A file of the index is given its digest only while it is still the version
    /// that was read.
    package func recordDigests(_ digests: [SourceDigest]) async throws {
        guard !digests.isEmpty else { return }
        var buffer = CopyBuffer()
        for item in digests {
            buffer.append(item.path)
            buffer.append(item.digest.stamp.sizeBytes)
            buffer.append(item.digest.stamp.modifiedNanoseconds)
            buffer.append(item.digest.stamp.inode)
            buffer.append(Self.bytes(item.digest))
            buffer.endRow()
        }
        let rows = buffer
        try await pool.transaction(repeatable: true) { session in
            try session.script(Self.plannerFreedom)
            try session.script(
                """
                CREATE TEMPORARY TABLE read_file (
                    path text, size_bytes bigint, modified_ns bigint, inode bigint, digest bytea) ON COMMIT DROP
                """)
            try session.copy(into: "read_file", rows)
            try session.script(
                """
                ANALYZE read_file;
                -- A place holds one version of a file at a time.
                DELETE FROM qsmflow.source_file s USING read_file r WHERE s.path = r.path AND s.digest <> r.digest;
                INSERT INTO qsmflow.source_file (path, size_bytes, modified_ns, inode, digest)
                SELECT DISTINCT ON (path) path, size_bytes, modified_ns, inode, digest FROM read_file ORDER BY path
                ON CONFLICT (digest, path) DO UPDATE SET
                    size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns, inode = excluded.inode,
                    recorded_at = now();
                UPDATE qsmflow.bids_file f SET digest = r.digest
                FROM qsmflow.dataset d JOIN read_file r ON starts_with(r.path, d.path || '/')
                WHERE f.dataset_id = d.dataset_id AND f.path = substr(r.path, length(d.path) + 2)
                    AND (f.size_bytes, f.modified_ns, f.inode) = (r.size_bytes, r.modified_ns, r.inode)
                    AND f.digest IS DISTINCT FROM r.digest;
                DROP TABLE read_file
                """)
        }
    }

    /// What is remembered of files by absolute path: digests, each good while the file has that stamp.
    package func digests(ofPaths paths: [String]) async throws -> [String: FileDigest] {
        try await pool.run { session in
            let found = try session.query(
                """
                SELECT path, size_bytes, modified_ns, inode, digest FROM qsmflow.source_file WHERE path = ANY ($1)
                ORDER BY recorded_at
                """, [.textArray(paths)]
            ) { row in
                let (path, size, modified, inode, digest) = try row.decode(
                    String.self, Int64.self, Int64.self, Int64.self, [UInt8].self)
                let stamp = FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode)
                return (
                    path, FileDigest(hex: try ArtifactDigest(bytes: digest, table: "source_file").hex, stamp: stamp)
                )
            }
            return Dictionary(found) { _, later in later }
        }
    }

    private static func bytes(_ digest: FileDigest) -> [UInt8] {
        guard let digest = ArtifactDigest(hex: digest.hex) else {
            preconditionFailure("a file digest is 64 hexadecimal digits: \(digest.hex)")
        }
        return digest.bytes
    }

    /// What was wrong at the last scan: with the datasets as a whole, with folders, tables and files.
    package func problems(of datasets: [DatasetID]) async throws -> [DatasetProblem] {
        try await report { session in
            var problems: [DatasetProblem] = []
            let parameters = [Parameter.bigintArray(datasets.map(\.rawValue))]
            let general = try session.query(
                "SELECT problems FROM qsmflow.dataset WHERE dataset_id = ANY ($1) ORDER BY dataset_id", parameters
            ) { try $0[0] as String }
            for text in general {
                problems += try StoredJSON.decode([DatasetProblem].self, text, table: "dataset")
            }
            // Problems of a file stand with it, as the next scan may find it unchanged and not look at it again.
            problems += try session.query(
                """
                SELECT path, subject, session, problem FROM qsmflow.bids_file
                WHERE dataset_id = ANY ($1) AND problem IS NOT NULL ORDER BY dataset_id, path COLLATE "C"
                """, parameters
            ) { row in
                let (path, subject, label, sentence) = try row.decode(
                    String.self, String?.self, String?.self, String.self)
                return DatasetProblem(.error, path: path, subject: subject, session: label, sentence)
            }
            return problems
        }
    }

    // MARK: Covariates

    /// Rows of `participants.tsv`, by label.
    package func participants(_ dataset: DatasetID) async throws -> [CovariateRow] {
        try await covariateRows(
            "SELECT subject, NULL::text, covariates, ambiguous FROM qsmflow.participant", .participants, dataset)
    }

    /// Rows of all `sessions.tsv`, by participant in the order of the file.
    package func sessionRows(_ dataset: DatasetID) async throws -> [CovariateRow] {
        try await covariateRows(
            "SELECT subject, session, covariates, ambiguous FROM qsmflow.session_row", .sessions, dataset)
    }

    /// Columns of `participants.tsv`, then those of `sessions.tsv`, each of a type that holds all its values.
    package func covariateColumns(_ dataset: DatasetID) async throws -> [CovariateColumn] {
        try await pool.run { try Self.columns($0, dataset, nil) }
    }

    private static func columns(
        _ session: Session, _ dataset: DatasetID, _ kind: CovariateTable.Kind?
    ) throws -> [CovariateColumn] {
        try session.query(
            """
            SELECT name, type, description, units, levels FROM qsmflow.covariate_column
            WHERE dataset_id = $1 AND ($2 IS NULL OR kind = $2) ORDER BY position
            """, [.bigint(dataset.rawValue), .text(kind?.rawValue)]
        ) { row in
            let (name, type, description, units, levels) = try row.decode(
                String.self, String.self, String?.self, String?.self, String?.self)
            return CovariateColumn(
                name: name, type: CovariateType(rawValue: type) ?? .text, description: description, units: units,
                levels: try levels.map { try StoredJSON.value($0, table: "covariate_column").objectValue ?? [:] }?
                    .compactMapValues(\.stringValue))
        }
    }

    private func covariateRows(
        _ select: String, _ kind: CovariateTable.Kind, _ dataset: DatasetID
    ) async throws -> [CovariateRow] {
        try await pool.run { session in
            let columns = try Self.columns(session, dataset, kind)
            return try session.query(
                "\(select) WHERE dataset_id = $1 ORDER BY subject COLLATE \"C\", position", [.bigint(dataset.rawValue)]
            ) { row in
                let (subject, label, json, problem) = try row.decode(
                    String.self, String?.self, String.self, String?.self)
                let stored = try StoredJSON.value(json, table: "participant")
                var values: [String: CovariateValue] = [:]
                for column in columns {
                    values[column.name] = stored[column.name].flatMap { MergedColumns.value($0, as: column.type) }
                }
                return CovariateRow(subject: subject, session: label, values: values, problem: problem)
            }
        }
    }
}
