import BIDS
import Postgres
import Wire
import Workflow

extension Store {
    /// A document of one of the datasets of a run.
    package struct RunDocument: Sendable, Hashable {
        /// Path of the dataset.
        package var dataset: String
        package var document: DatasetDocument

        package init(dataset: String, document: DatasetDocument) {
            (self.dataset, self.document) = (dataset, document)
        }
    }

    /// The documents of some datasets as the last scans read them, ordered by dataset and path.
    package func documents(of datasets: [DatasetID]) async throws -> [RunDocument] {
        try await pool.run { session in
            try session.query(
                """
                SELECT s.path, d.path, d.size_bytes, d.modified_ns, d.inode, encode(d.digest, 'hex')
                FROM dataset_document d JOIN dataset s USING (dataset_id)
                WHERE d.dataset_id = ANY ($1) ORDER BY d.dataset_id, d.path
                """, [.bigintArray(datasets.map(\.rawValue))]
            ) { row in
                let (dataset, path, size, modified, inode, digest) = try row.decode(
                    String.self, String.self, Int64.self, Int64.self, Int64.self, String.self)
                let stamp = FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: inode)
                return RunDocument(
                    dataset: dataset,
                    document: DatasetDocument(path: path, digest: FileDigest(hex: digest, stamp: stamp)))
            }
        }
    }

    /// Stores what a scan read, in place of what was there.
    static func store(_ documents: [DatasetDocument], _ dataset: DatasetID, _ session: Session) throws {
        // A sidecar of tables at the root is read for every table.
        let documents = Dictionary(documents.map { ($0.path, $0) }) { _, last in last }.values.sorted {
            $0.path < $1.path
        }
        try session.execute(
            "DELETE FROM dataset_document WHERE dataset_id = $1 AND NOT path = ANY ($2)",
            [.bigint(dataset.rawValue), .textArray(documents.map(\.path))])
        try session.execute(
            """
            INSERT INTO dataset_document AS d (dataset_id, path, size_bytes, modified_ns, inode, digest)
            SELECT $1, u.* FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[]) AS u
            ON CONFLICT (dataset_id, path) DO UPDATE SET
                size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns, inode = excluded.inode,
                digest = excluded.digest
            WHERE (d.size_bytes, d.modified_ns, d.inode, d.digest)
               <> (excluded.size_bytes, excluded.modified_ns, excluded.inode, excluded.digest)
            """,
            [
                .bigint(dataset.rawValue), .textArray(documents.map(\.path)),
                .bigintArray(documents.map(\.digest.stamp.sizeBytes)),
                .bigintArray(documents.map(\.digest.stamp.modifiedNanoseconds)),
                .bigintArray(documents.map(\.digest.stamp.inode)), .byteaArray(try documents.map(bytes)),
            ])
    }

    /// Keeps with a run which documents it was made from.
    static func store(_ documents: [RunDocument], run: RunID, _ session: Session) throws {
        var rows = CopyBuffer()
        for entry in Set(documents) {
            let file = entry.document
            rows.append(run.rawValue)
            rows.append(entry.dataset)
            rows.append(file.path)
            rows.append(file.digest.stamp.sizeBytes)
            rows.append(file.digest.stamp.modifiedNanoseconds)
            rows.append(file.digest.stamp.inode)
            rows.append(try bytes(file))
            rows.endRow()
        }
        guard !rows.isEmpty else { return }
        try session.copy(
            into: "run_document (run_id, dataset_path, path, size_bytes, modified_ns, inode, digest)", rows)
    }

    private static func bytes(_ document: DatasetDocument) throws(StoreError) -> [UInt8] {
        guard let digest = ArtifactDigest(hex: document.digest.hex) else {
            throw .damagedRow(table: "dataset_document", what: "“\(document.digest.hex)” is not a digest")
        }
        return digest.bytes
    }
}
