import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Cancels what is not settled yet in a run; attempts that run now are told with their worker's next heartbeat.
    ///
    /// - Returns: tasks cancelled; nil when there is no such run.
    package func cancel(run: RunID, by actor: String) async throws -> Int? {
        try await pool.transaction(repeatable: true) { session in
            try Self.lock(session, runs: [run.rawValue])
            let isOpen = try session.first(
                """
                SELECT EXISTS (SELECT FROM task WHERE task_id >= $1 << 24 AND task_id < ($1 + 1) << 24
                    AND state IN (0, 1, 4)) FROM run WHERE run_id = $1
                """, [.bigint(run.rawValue)]
            ) { try $0[0] as Bool }
            guard let isOpen else { return nil }
            // Where nothing is left to do, the run stays what it became.
            guard isOpen else { return 0 }
            try session.execute(
                "UPDATE run SET cancelled_at = coalesce(cancelled_at, now()) WHERE run_id = $1",
                [.bigint(run.rawValue)])
            try Self.dequeue(
                "task_id >= $1 << 24 AND task_id < ($1 + 1) << 24", [.bigint(run.rawValue)],
                message: "an operator cancelled the run", session)
            let count = try session.execute(
                """
                UPDATE task SET state = 5, blocked_by = NULL, message = 'an operator cancelled the run'
                WHERE task_id >= $1 << 24 AND task_id < ($1 + 1) << 24 AND state IN (0, 1, 4)
                """, [.bigint(run.rawValue)])
            try session.execute(
                "UPDATE run SET finished_at = coalesce(finished_at, now()) WHERE run_id = $1", [.bigint(run.rawValue)])
            try Self.record(
                session, run: run, actor: actor, kind: "run.cancelled", body: ["tasks": .integer(Int64(count))])
            return count
        }
    }

    /// Takes tasks out of the queue in whatever table they stand; running attempts end as cancelled.
    ///
    /// The tables are cleared against the way tasks take through them (delayed, ready, lease), so that a task which
    /// moves on meanwhile is met in the next.
    private static func dequeue(
        _ condition: String, _ parameters: [Parameter], message: String, _ session: Session
    ) throws {
        try session.execute("DELETE FROM delayed WHERE \(condition)", parameters)
        try session.execute("DELETE FROM ready WHERE \(condition)", parameters)
        let running = try session.query(
            "DELETE FROM lease l WHERE \(condition) RETURNING \(EndedAttempt.leaseColumns)", parameters
        ) { try EndedAttempt(lease: $0, outcome: .cancelled, message: message) }
        try AttemptRows.insert(running, session)
        try session.execute(
            """
            UPDATE task t SET attempts = u.attempt, outcome = 'cancelled'
            FROM unnest($1::bigint[], $2::int[]) AS u (task_id, attempt) WHERE t.task_id = u.task_id
            """, [.bigintArray(running.map(\.task)), .intArray(running.map(\.attempt))])
    }

    /// Runs failed and cancelled tasks again, with everything after them that their failure kept from running, or that
    /// ran without them. Results of other tasks stay.
    ///
    /// - Returns: tasks that are tried again, not counting those after them.
    package func retry(_ filter: TaskFilter, by actor: String) async throws -> Int {
        let steps = steps
        let (count, groups) = try await pool.transaction(repeatable: true) { session in
            let wanted = try Self.retryable(filter, session)
            let runs = Set(wanted.map { $0 >> 24 })
            try Self.lock(session, runs: runs)
            // Anew under the locks: somebody may have retried them meanwhile.
            let chosen = try session.query(
                "SELECT task_id FROM task WHERE task_id = ANY ($1) AND state IN (3, 5) ORDER BY task_id",
                [.bigintArray(wanted)]
            ) { try $0[0] as Int64 }
            guard !chosen.isEmpty else { return (0, Set<ClaimGroup>()) }
            let reset = try Self.reset(chosen, session)
            var progress = GraphProgress(session: session, steps: steps)
            let released = try Self.recount(reset, progress, session)
            try progress.advance(released: released)
            try session.execute(
                "UPDATE run SET finished_at = NULL, cancelled_at = NULL WHERE run_id = ANY ($1)",
                [.bigintArray(runs.sorted())])
            try progress.finishRuns(runs)
            for run in runs.sorted() {
                let tasks = chosen.filter { $0 >> 24 == run }.count
                try Self.record(
                    session, run: RunID(rawValue: run), actor: actor, kind: "run.retried",
                    body: ["tasks": .integer(Int64(tasks))])
            }
            return (chosen.count, progress.groups)
        }
        announce(groups)
        return count
    }

    /// What a filter names that a run does not have; nil when it has all of it.
    package func unknownNames(_ filter: TaskFilter, of run: RunID) async throws -> String? {
        try await report { session in
            func known(_ column: String) throws -> [String] {
                try session.query(
                    """
                    SELECT DISTINCT \(column) FROM task t JOIN step s USING (step_id)
                    WHERE t.task_id >= $1 << 24 AND t.task_id < ($1 + 1) << 24 AND \(column) IS NOT NULL ORDER BY 1
                    """, [.bigint(run.rawValue)]
                ) { try $0[0] as String }
            }
            func fault(_ what: String, _ plural: String, _ wanted: [String]?, _ known: [String]) -> String? {
                guard let name = wanted?.first(where: { !known.contains($0) }) else { return nil }
                if known.isEmpty { return "Run \(run) has no \(plural)." }
                let list = known.prefix(50).joined(separator: ", ") + (known.count > 50 ? ", …" : "")
                return "Run \(run) has no \(what) “\(name)”; its \(plural) are \(list)."
            }
            return try fault("step", "steps", filter.steps, filter.steps == nil ? [] : known("s.name"))
                ?? fault("person", "people", filter.subjects, filter.subjects == nil ? [] : known("t.subject"))
                ?? fault(
                    "fold", "folds", filter.folds?.map { "\($0)" },
                    filter.folds == nil
                        ? [] : known("t.fold::text").sorted { (Int($0) ?? 0) < (Int($1) ?? 0) })
        }
    }

    /// Failed tasks among those meant that were stored as unable to run: a file of theirs is missing or cannot be read.
    package func unrunnable(_ filter: TaskFilter) async throws -> Int {
        let condition = TaskCondition(filter)
        return try await pool.run { session in
            try session.first(
                """
                SELECT count(*)::int FROM task t JOIN step s USING (step_id)
                WHERE t.state IN (3, 5) AND t.unrunnable AND \(condition.sql)
                """, condition.parameters
            ) { try $0[0] as Int } ?? 0
        }
    }

    private static func retryable(_ filter: TaskFilter, _ session: Session) throws -> [Int64] {
        let condition = TaskCondition(filter)
        return try session.query(
            """
            SELECT t.task_id FROM task t JOIN step s USING (step_id)
            WHERE t.state IN (3, 5) AND NOT t.unrunnable AND \(condition.sql)
            """, condition.parameters
        ) { try $0[0] as Int64 }
    }

    /// Puts the chosen tasks and everything below them back to waiting.
    ///
    /// Below them stand blocked tasks, and tolerant ones that went on without them, perhaps with whole branches of their
    /// own. A cancelled task stays cancelled unless chosen.
    /// - Returns: the tasks put back.
    private static func reset(_ chosen: [Int64], _ session: Session) throws -> [Int64] {
        let affected = try session.query(
            """
            WITH RECURSIVE below (task_id) AS (
                SELECT unnest($1::bigint[])
                UNION
                SELECT d.child_id FROM below b
                JOIN task_dep d ON d.parent_id = b.task_id
                JOIN task c ON c.task_id = d.child_id
                WHERE c.state <> 5 AND NOT c.unrunnable)
            SELECT task_id FROM below
            """, [.bigintArray(chosen)]
        ) { try $0[0] as Int64 }
        try dequeue(
            "task_id = ANY ($1)", [.bigintArray(affected)],
            message: "a task it depends on is computed again", session)
        try session.execute(
            """
            UPDATE task SET state = 0, result_id = NULL, blocked_by = NULL, message = NULL, action_key = NULL,
                   failures = 0, losses = 0
            WHERE task_id = ANY ($1)
            """, [.bigintArray(affected)])
        return affected
    }

    /// Counts anew what tasks put back to waiting wait for, and blocks those below other failures.
    ///
    /// - Returns: tasks that wait for nothing.
    private static func recount(_ reset: [Int64], _ progress: GraphProgress, _ session: Session) throws -> [Int64] {
        let failed = try session.query(
            """
            SELECT DISTINCT p.task_id FROM task_dep d JOIN task p ON p.task_id = d.parent_id
            WHERE d.child_id = ANY ($1) AND p.state IN (3, 4, 5)
            """, [.bigintArray(reset)]
        ) { try $0[0] as Int64 }
        _ = try progress.block(descendantsOf: failed)
        return try session.query(
            """
            UPDATE task t
            SET pending = (SELECT count(*) FROM task_dep d JOIN task p ON p.task_id = d.parent_id
                           WHERE d.child_id = t.task_id
                             AND CASE WHEN t.tolerant THEN p.state IN (0, 1) ELSE p.state <> 2 END)
            WHERE t.task_id = ANY ($1)
            RETURNING CASE WHEN t.pending = 0 AND t.state = 0 THEN t.task_id END
            """, [.bigintArray(reset)]
        ) { try $0[0] as Int64? }.compactMap { $0 }
    }
}

/// A `TaskFilter` as SQL over `task t` and `step s`.
struct TaskCondition {
    private(set) var sql = "true"
    private(set) var parameters: [Parameter] = []

    init(_ filter: TaskFilter) {
        if let run = filter.run {
            add("t.task_id >= $# << 24", .bigint(run.rawValue))
            add("t.task_id < ($# + 1) << 24", .bigint(run.rawValue))
        }
        if let states = filter.states { add("t.state = ANY ($#)", .smallintArray(states.map(\.rawValue))) }
        if let steps = filter.steps { add("s.name = ANY ($#)", .textArray(steps)) }
        if let subjects = filter.subjects { add("t.subject = ANY ($#)", .textArray(subjects)) }
        if let folds = filter.folds { add("t.fold = ANY ($#)", .intArray(folds.map { Int32(clamping: $0) })) }
        if let outcomes = filter.outcomes { add("t.outcome = ANY ($#)", .textArray(outcomes.map(\.rawValue))) }
        if let tasks = filter.tasks { add("t.task_id = ANY ($#)", .bigintArray(tasks.map(\.rawValue))) }
        if let after = filter.after { add("t.task_id > $#", .bigint(after.rawValue)) }
    }

    private mutating func add(_ condition: String, _ parameter: Parameter) {
        parameters.append(parameter)
        sql += " AND " + condition.replacing("$#", with: "$\(parameters.count)")
    }
}
