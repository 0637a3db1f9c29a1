import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Ends leases whose session has expired or whose hard deadline has passed. Any number of coordinators may do it.
    ///
    /// - Returns: leases ended.
    @discardableResult
    package func reapExpired() async throws -> Int {
        var total = 0
        while true {
            let (ended, groups) = try await endLeases(
                where: """
                    (l.deadline_at < now()
                     OR NOT EXISTS (SELECT FROM worker_session w WHERE w.session_id = l.session_id
                                    AND w.expires_at > now()))
                    """, [], limit: 500,
                outcome: { row in
                    let worker: String? = try row[6]
                    if try row[7] as Bool {
                        return (.timedOut, "worker \(worker ?? "?") did not end the attempt within its time limit")
                    }
                    return (.lost, "worker \(worker ?? "?") was not heard of any more")
                })
            announce(groups)
            total += ended
            if ended < 500 { return total }
        }
    }

    /// Puts tasks back into the queue whose backoff is over.
    ///
    /// - Returns: tasks put back.
    @discardableResult
    package func promoteDelayed() async throws -> Int {
        let steps = steps
        let (count, groups) = try await pool.transaction(repeatable: true) { connection in
            let tasks = try connection.query(
                """
                DELETE FROM delayed d WHERE d.ctid = ANY (ARRAY(
                    SELECT x.ctid FROM delayed x WHERE x.run_at <= now() ORDER BY x.run_at LIMIT 1000
                    FOR UPDATE SKIP LOCKED))
                RETURNING task_id
                """
            ) { try $0[0] as Int64 }
            var progress = GraphProgress(session: connection, steps: steps)
            try progress.enqueue(tasks, inFront: true)
            return (tasks.count, progress.groups)
        }
        announce(groups)
        return count
    }

    /// Removes sessions that ended long ago; attempts keep the worker's name.
    package func forgetOldSessions(olderThan age: Duration = .seconds(7 * 86_400)) async throws {
        try await pool.run { session in
            try session.execute(
                """
                DELETE FROM worker_session w WHERE w.expires_at < now() - $1::interval
                  AND NOT EXISTS (SELECT FROM lease l WHERE l.session_id = w.session_id)
                """, [.interval(age)])
        }
    }

    /// Gathers statistics of tables that were filled faster than autovacuum looks.
    package func analyzeIfNeeded() async throws {
        let tables = try await pool.run { session in
            try session.query(
                """
                SELECT relname FROM pg_stat_user_tables
                WHERE schemaname = 'qsmflow' AND n_mod_since_analyze > 1000 + n_live_tup / 2
                """
            ) { try $0[0] as String }
        }
        for table in tables {
            // A name from the catalogue, quoted.
            try await pool.run { try $0.script("ANALYZE qsmflow.\"\(table)\"") }
        }
    }

    /// Takes the cache's word back for every result with this artifact: equal computations run again instead of taking
    /// over what cannot be read.
    package func disown(artifact digest: ArtifactDigest) async throws {
        try await pool.run { session in
            try session.execute(
                """
                UPDATE result SET action_key = NULL
                WHERE action_key IS NOT NULL
                  AND result_id IN (SELECT result_id FROM artifact_ref WHERE digest = $1)
                """, [.bytea(digest.bytes)])
        }
    }
}
