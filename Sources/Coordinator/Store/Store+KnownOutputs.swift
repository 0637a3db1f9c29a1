import BIDS
import Postgres
import Workflow

/// A file that a known result holds.
struct KnownOutput: Sendable, Hashable {
    var port: String
    var name: String
    var digest: ArtifactDigest
    var sizeBytes: Int64
    var metadata: JSONValue?
}

extension Store {
    /// The outputs of those of the action keys whose results are known; a known result without outputs has none.
    func knownOutputs(_ keys: [ArtifactDigest]) async throws -> [ArtifactDigest: [KnownOutput]] {
        guard !keys.isEmpty else { return [:] }
        return try await pool.run { session in
            let rows = try session.query(
                """
                SELECT r.action_key, a.port, a.name, a.digest, a.size_bytes, a.metadata
                FROM result r LEFT JOIN artifact_ref a USING (result_id)
                WHERE r.action_key = ANY ($1) ORDER BY r.action_key, a.port, a.name
                """, [.byteaArray(keys.map(\.bytes))])
            var known: [ArtifactDigest: [KnownOutput]] = [:]
            known.reserveCapacity(keys.count)
            for row in rows {
                let (keyBytes, port, name, digest, size, metadata) = try row.decode(
                    [UInt8].self, String?.self, String?.self, [UInt8]?.self, Int64?.self, String?.self)
                let key = try ArtifactDigest(bytes: keyBytes, table: "result")
                var outputs = known[key] ?? []
                if let port, let name, let digest, let size {
                    outputs.append(
                        KnownOutput(
                            port: port, name: name, digest: try ArtifactDigest(bytes: digest, table: "artifact_ref"),
                            sizeBytes: size,
                            metadata: try metadata.map { try StoredJSON.value($0, table: "artifact_ref") }))
                }
                known[key] = outputs
            }
            return known
        }
    }
}
