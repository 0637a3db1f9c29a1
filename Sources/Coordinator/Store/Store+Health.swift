import Postgres

/// How much is in the hot tables.
package struct QueueDepth: Sendable, Hashable {
    package var waiting: Int
    package var ready: Int
    package var delayed: Int
    package var leased: Int
    package var sessions: Int
}

extension Store {
    /// Returns when the database answers and has the schema of this version.
    ///
    /// - Throws: `PostgresError`; `StoreError` when another version changed the schema meanwhile.
    package func ping() async throws {
        switch try await Migrator().state(pool) {
        case .current: return
        case .older(let version):
            throw PostgresError.unexpected("the schema went back to version \(version)")
        case .newer(let version, let known): throw StoreError.schemaNewer(found: version, known: known)
        }
    }

    /// For the metrics: counts of tables that hold live work only.
    package func queueDepth() async throws -> QueueDepth {
        try await report { session in
            let depth = try session.first(
                """
                SELECT (SELECT count(*) FROM ready), (SELECT count(*) FROM delayed), (SELECT count(*) FROM lease),
                       (SELECT count(*) FROM worker_session WHERE expires_at > now()),
                       (SELECT count(*) FROM run r JOIN task t ON t.task_id >= r.run_id << 24
                                                             AND t.task_id < (r.run_id + 1) << 24
                        WHERE r.finished_at IS NULL AND t.state = 0)
                """
            ) { row in
                let (ready, delayed, leased, sessions, waiting) = try row.decode(
                    Int.self, Int.self, Int.self, Int.self, Int.self)
                return QueueDepth(
                    waiting: waiting, ready: ready, delayed: delayed, leased: leased, sessions: sessions)
            }
            guard let depth else { throw PostgresError.unexpected("a query of counts returned no row") }
            return depth
        }
    }
}
