import Foundation
import Postgres

extension Store {
    /// Checks what must always hold. A sentence per kind of violation, with examples; empty when all is well.
    ///
    /// Reads one snapshot, so it can run beside everything else.
    package func fsck() async throws -> [String] {
        try await report { session in
            // Whole tables against each other, perhaps before anybody has counted their rows: a nested loop over what
            // was thought to be ten rows would take hours.
            try session.script("SET LOCAL enable_nestloop = off")
            return try Self.invariants.flatMap { invariant in
                let found = try session.query(
                    "SELECT culprit::text FROM (\(invariant.violations)) v (culprit) ORDER BY 1 LIMIT 1001"
                ) { try $0[0] as String }
                guard !found.isEmpty else { return [String]() }
                let count = found.count > 1000 ? "more than 1000" : "\(found.count)"
                let examples = found.prefix(5).joined(separator: ", ")
                return ["\(invariant.name) \(invariant.sentence): violated by \(count), such as \(examples)."]
            }
        }
    }

    struct Invariant {
        var name: String
        var sentence: String
        /// A query whose rows are the culprits.
        var violations: String
    }

    static let invariants = [
        Invariant(
            name: "I1", sentence: "a task's counter is the number of parents it still waits for",
            violations: """
                SELECT t.task_id FROM task t
                LEFT JOIN (SELECT d.child_id, count(*) FILTER (WHERE p.state <> 2) AS unfinished,
                                  count(*) FILTER (WHERE p.state IN (0, 1)) AS unsettled
                           FROM task_dep d JOIN task p ON p.task_id = d.parent_id GROUP BY d.child_id) c
                    ON c.child_id = t.task_id
                WHERE t.state <> 5 AND NOT t.unrunnable
                  AND t.pending <> coalesce(CASE WHEN t.tolerant THEN c.unsettled ELSE c.unfinished END, 0)
                """),
        Invariant(
            name: "I2", sentence: "a waiting task waits for something, and nothing that waits is below a failure",
            violations: """
                SELECT t.task_id FROM task t
                WHERE t.state = 0 AND (t.pending = 0 OR NOT t.tolerant AND EXISTS (
                    SELECT FROM task_dep d JOIN task p ON p.task_id = d.parent_id
                    WHERE d.child_id = t.task_id AND p.state IN (3, 4, 5)))
                """),
        Invariant(
            name: "I3", sentence: "a succeeded task has a result, and its last attempt succeeded or took one over",
            violations: """
                SELECT t.task_id FROM task t
                WHERE t.state = 2 AND (t.result_id IS NULL OR NOT EXISTS (
                    SELECT FROM attempt a WHERE a.task_id = t.task_id AND a.attempt = t.attempts
                        AND a.outcome IN ('succeeded', 'cached')))
                """),
        Invariant(
            name: "I4",
            sentence: "a ready task is in exactly one of ready, delayed and lease, and no other task is in any",
            violations: """
                SELECT coalesce(t.task_id, q.task_id) FROM task t
                FULL JOIN (SELECT task_id, count(*) AS places
                           FROM (SELECT task_id FROM ready UNION ALL SELECT task_id FROM delayed
                                 UNION ALL SELECT task_id FROM lease) x GROUP BY task_id) q USING (task_id)
                WHERE (coalesce(t.state, -1) = 1) <> (coalesce(q.places, 0) = 1) OR q.places > 1
                """),
        Invariant(
            name: "I5", sentence: "a task runs or has run only when its parents have",
            violations: """
                SELECT t.task_id FROM task t
                WHERE t.state IN (1, 2) AND EXISTS (
                    SELECT FROM task_dep d JOIN task p ON p.task_id = d.parent_id
                    WHERE d.child_id = t.task_id
                      AND CASE WHEN t.tolerant THEN p.state IN (0, 1) ELSE p.state <> 2 END)
                """),
        Invariant(
            name: "I6", sentence: "every artifact that a result names is in the store, with the same size",
            violations: """
                SELECT encode(r.digest, 'hex') FROM artifact_ref r LEFT JOIN artifact a USING (digest)
                WHERE a.digest IS NULL OR a.size_bytes <> r.size_bytes
                """),
        Invariant(
            name: "I7", sentence: "a result belongs to an attempt that succeeded",
            violations: """
                SELECT r.result_id FROM result r
                WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.task_id = r.task_id AND a.attempt = r.attempt
                                  AND a.outcome = 'succeeded')
                """),
        Invariant(
            name: "I8", sentence: "the attempts of a task are numbered from 1 without a gap",
            violations: """
                SELECT t.task_id FROM task t
                LEFT JOIN (SELECT task_id, count(*) AS total, max(attempt) AS last FROM attempt GROUP BY task_id) a
                    USING (task_id)
                WHERE coalesce(a.total, 0) <> t.attempts OR coalesce(a.last, 0) <> t.attempts
                UNION SELECT l.task_id FROM lease l JOIN task t USING (task_id) WHERE l.attempt <> t.attempts + 1
                UNION SELECT q.task_id FROM ready q JOIN task t USING (task_id) WHERE q.attempt <> t.attempts + 1
                """),
        Invariant(
            name: "I9",
            sentence: "a blocked task names a task above it that failed or was cancelled, and lacks an input by it",
            violations: """
                SELECT t.task_id FROM task t LEFT JOIN task b ON b.task_id = t.blocked_by
                WHERE t.state = 4 AND (b.task_id IS NULL OR b.state NOT IN (3, 5) OR NOT EXISTS (
                    SELECT FROM task_dep d JOIN task p ON p.task_id = d.parent_id
                    WHERE d.child_id = t.task_id AND p.state IN (3, 4, 5)
                      AND coalesce(p.blocked_by, p.task_id) = t.blocked_by))
                """),
        Invariant(
            name: "I10", sentence: "a run is finished exactly when all its tasks are settled",
            violations: """
                SELECT r.run_id FROM run r
                WHERE (r.finished_at IS NOT NULL) = EXISTS (
                    SELECT FROM task t WHERE t.task_id >= r.run_id << 24 AND t.task_id < (r.run_id + 1) << 24
                        AND t.state IN (0, 1))
                """),
        Invariant(
            name: "I11", sentence: "every number belongs to a result, and every task to a step of its run",
            violations: """
                SELECT t.task_id FROM task t JOIN step s USING (step_id) WHERE s.run_id <> t.run_id
                """),
        Invariant(
            name: "I12",
            sentence: "a tolerant task is blocked only when all above it is settled and one of its ports has nothing",
            violations: """
                SELECT t.task_id FROM task t
                LEFT JOIN (SELECT task_id, bool_or(unsettled) AS unsettled, bool_or(present = 0) AS lacks
                           FROM (SELECT i.task_id, i.port, bool_or(p.state IN (0, 1)) AS unsettled,
                                        count(a.result_id) AS present
                                 FROM task_input i JOIN task p ON p.task_id = i.parent_id
                                 LEFT JOIN artifact_ref a ON a.result_id = p.result_id AND a.port = i.parent_port
                                 WHERE i.task_id IN (SELECT task_id FROM task WHERE state = 4 AND tolerant)
                                 GROUP BY i.task_id, i.port) x
                           GROUP BY task_id) c USING (task_id)
                WHERE t.state = 4 AND t.tolerant AND (c.unsettled OR c.lacks IS NOT TRUE)
                """),
    ]
}
