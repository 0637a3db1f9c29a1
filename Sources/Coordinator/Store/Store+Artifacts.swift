import BIDS
import Foundation
import Postgres
import Workflow

/// A file of a dataset or atlas that holds known bytes.
package struct SourceFile: Sendable, Hashable {
    package var path: String
    package var sizeBytes: Int64
    package var modifiedNanoseconds: Int64
    package var inode: Int64

    package init(path: String, sizeBytes: Int64, modifiedNanoseconds: Int64, inode: Int64) {
        self.path = path
        self.sizeBytes = sizeBytes
        self.modifiedNanoseconds = modifiedNanoseconds
        self.inode = inode
    }
}

extension Store {
    /// The bytes are in the artifact store, checked; only now may a completion name them.
    package func recordArtifact(digest: ArtifactDigest, sizeBytes: Int64, mediaType: String) async throws {
        try await pool.run { session in
            try session.execute(
                """
                INSERT INTO artifact (digest, size_bytes, media_type) VALUES ($1, $2, $3)
                ON CONFLICT (digest) DO UPDATE SET verified_at = now()
                """, [.bytea(digest.bytes), .bigint(sizeBytes), .text(mediaType)])
        }
    }

    /// Those of the digests that are not in the artifact store, in their order.
    ///
    /// Those that are there stay for a while: their age counts anew, so that a collection of garbage in between does not
    /// take what a worker was just told it need not send.
    package func missing(_ digests: [ArtifactDigest]) async throws -> [ArtifactDigest] {
        guard !digests.isEmpty else { return [] }
        let present = try await pool.run { session in
            try session.query(
                "UPDATE artifact SET verified_at = now() WHERE digest = ANY ($1) RETURNING digest",
                [.byteaArray(Set(digests).map(\.bytes))]
            ) { try ArtifactDigest(bytes: try $0[0], table: "artifact") }
        }
        let known = Set(present)
        return digests.filter { !known.contains($0) }
    }

    /// Media type and size of an artifact.
    package func artifact(_ digest: ArtifactDigest) async throws -> (sizeBytes: Int64, mediaType: String)? {
        try await pool.run { session in
            try session.first(
                "SELECT size_bytes, media_type FROM artifact WHERE digest = $1", [.bytea(digest.bytes)]
            ) { try $0.decode(Int64.self, String.self) }
        }
    }

    /// Files that held these bytes when they were last digested, the latest first.
    package func sources(of digest: ArtifactDigest) async throws -> [SourceFile] {
        try await pool.run { session in
            try session.query(
                """
                SELECT path, size_bytes, modified_ns, inode FROM source_file WHERE digest = $1
                ORDER BY recorded_at DESC LIMIT 16
                """, [.bytea(digest.bytes)]
            ) { row in
                let (path, size, modified, inode) = try row.decode(String.self, Int64.self, Int64.self, Int64.self)
                return SourceFile(path: path, sizeBytes: size, modifiedNanoseconds: modified, inode: inode)
            }
        }
    }

    /// Artifacts that results need, and those too young to judge.
    ///
    /// - Parameter grace: longer than the longest time between the upload of an output and its completion.
    package func liveDigests(grace: Duration = .seconds(86_400)) async throws -> Set<ArtifactDigest> {
        try await report { session in
            let rows = try session.query(
                """
                SELECT digest FROM artifact_ref
                UNION SELECT digest FROM artifact WHERE verified_at > now() - $1::interval
                -- Tables made by the coordinator itself, such as covariates, are inputs.
                UNION SELECT i.digest FROM task_input i JOIN artifact a USING (digest)
                UNION SELECT digest FROM fold_assignment
                UNION SELECT digest FROM model WHERE imported OR name IS NOT NULL
                """, [.interval(grace)])
            var digests: Set<ArtifactDigest> = []
            digests.reserveCapacity(rows.count)
            for row in rows { digests.insert(try ArtifactDigest(bytes: try row[0], table: "artifact")) }
            return digests
        }
    }

    /// Takes artifacts out of the books before their bytes are removed; those that came to be needed meanwhile stay.
    ///
    /// - Returns: those taken out: only their bytes may be removed.
    package func forgetArtifacts(
        _ digests: [ArtifactDigest], grace: Duration = .seconds(86_400)
    ) async throws -> [ArtifactDigest] {
        var forgotten: [ArtifactDigest] = []
        for start in stride(from: 0, to: digests.count, by: 500) {
            let part = Array(digests[start..<min(start + 500, digests.count)])
            forgotten += try await pool.transaction { session in
                // Locked first, and judged by a later look: what a completion refers to by then is seen, and what it has
                // not referred to yet it can refer to no more. Rows that a completion holds are left alone.
                let candidates = try session.query(
                    """
                    SELECT digest FROM artifact WHERE digest = ANY ($1) AND verified_at <= now() - $2::interval
                    ORDER BY digest FOR UPDATE SKIP LOCKED
                    """, [.byteaArray(part.map(\.bytes)), .interval(grace)]
                ) { try $0[0] as [UInt8] }
                try Self.forgetModels(candidates, session)
                return try session.query(
                    """
                    DELETE FROM artifact a
                    WHERE a.digest = ANY ($1)
                      AND NOT EXISTS (SELECT FROM artifact_ref r WHERE r.digest = a.digest)
                      AND NOT EXISTS (SELECT FROM task_input i WHERE i.digest = a.digest)
                      AND NOT EXISTS (SELECT FROM fold_assignment f WHERE f.digest = a.digest)
                      AND NOT EXISTS (SELECT FROM model m WHERE m.digest = a.digest)
                    RETURNING a.digest
                    """, [.byteaArray(candidates)]
                ) { try ArtifactDigest(bytes: try $0[0], table: "artifact") }
            }
        }
        // Bytes without a row belong to nobody.
        let known = try await report { session in
            Set(
                try session.query(
                    "SELECT digest FROM artifact WHERE digest = ANY ($1)", [.byteaArray(digests.map(\.bytes))]
                ) { try ArtifactDigest(bytes: try $0[0], table: "artifact") })
        }
        let gone = Set(forgotten)
        return digests.filter { gone.contains($0) || !known.contains($0) }
    }
}
