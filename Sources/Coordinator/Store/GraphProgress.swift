// What follows when tasks end: counters of their children go down, children whose inputs are all there are released,
// children of failures are blocked, and so on until nothing moves any more.
//
//   release   pending reached 0: inputs are resolved and the action key is made. A known result is taken over and the
//             task has succeeded, which releases its own children; otherwise the task goes to `ready`.
//   fail      a task failed for good: every strict descendant is blocked. Tolerant children count the failed and the
//             blocked as settled, and may thereby be released in turn. One for which nothing at all came to be is
//             blocked as well: the reason stands at the failure above it, once.
//
// Everything is done for whole sets of tasks, level by level, with the locks of their runs held.

import BIDS
import Foundation
import Postgres
import Workflow

struct GraphProgress {
    let session: Session
    let steps: StepCache
    /// False while a run is being stored: its steps may yet be rolled back.
    var rememberSteps = true

    /// Tasks that went to `ready`.
    private(set) var readied = 0
    /// Tasks that took over an earlier result.
    private(set) var cached = 0
    private(set) var groups: Set<ClaimGroup> = []

    init(session: Session, steps: StepCache) {
        self.session = session
        self.steps = steps
    }

    struct Failure {
        var task: Int64
        var outcome: AttemptOutcome
        var message: String
    }

    /// Carries on from tasks that have just ended.
    ///
    /// - Parameters:
    ///   - succeeded: tasks whose state is already `succeeded`.
    ///   - failed: tasks whose state is already `failed`, or `blocked`.
    ///   - released: waiting tasks with nothing pending.
    mutating func advance(succeeded: [Int64] = [], failed: [Int64] = [], released: [Int64] = []) throws {
        var succeeded = succeeded
        var failed = failed
        var released = Set(released)
        while !succeeded.isEmpty || !failed.isEmpty || !released.isEmpty {
            if !succeeded.isEmpty {
                released.formUnion(try countDown(children: succeeded, tolerantOnly: false))
                succeeded = []
            }
            if !failed.isEmpty {
                let blocked = try block(descendantsOf: failed)
                released.formUnion(try countDown(children: failed + blocked, tolerantOnly: true))
                failed = []
            }
            guard !released.isEmpty else { break }
            (succeeded, failed) = try release(released.sorted())
            released = []
        }
    }

    // MARK: Counters

    /// Lowers the counters of children by the parents that ended.
    ///
    /// - Returns: children that wait for nothing any more.
    private func countDown(children parents: [Int64], tolerantOnly: Bool) throws -> [Int64] {
        guard !parents.isEmpty else { return [] }
        return try session.query(
            """
            WITH ended AS (
                SELECT d.child_id, count(*)::int AS parents
                FROM task_dep d WHERE d.parent_id = ANY ($1) GROUP BY d.child_id)
            UPDATE task t SET pending = t.pending - e.parents
            FROM ended e
            WHERE t.task_id = e.child_id AND (t.tolerant OR NOT $2)
            RETURNING CASE WHEN t.pending = 0 AND t.state = 0 THEN t.task_id END
            """, [.bigintArray(parents), .bool(tolerantOnly)]
        ) { try $0[0] as Int64? }.compactMap { $0 }
    }

    /// Blocks every waiting strict descendant.
    ///
    /// - Returns: tasks blocked now.
    func block(descendantsOf failed: [Int64]) throws -> [Int64] {
        try session.query(
            """
            WITH RECURSIVE below (task_id, root) AS (
                SELECT d.child_id, coalesce(p.blocked_by, p.task_id)
                FROM task p
                JOIN task_dep d ON d.parent_id = p.task_id
                JOIN task c ON c.task_id = d.child_id
                WHERE p.task_id = ANY ($1) AND c.state = 0 AND NOT c.tolerant
                UNION
                SELECT d.child_id, b.root
                FROM below b
                JOIN task_dep d ON d.parent_id = b.task_id
                JOIN task c ON c.task_id = d.child_id
                WHERE c.state = 0 AND NOT c.tolerant),
            -- A task below several failures names the first of them.
            chosen AS (SELECT task_id, min(root) AS root FROM below GROUP BY task_id)
            UPDATE task t
            SET state = 4, blocked_by = c.root, message = r.message
            FROM chosen c JOIN task r ON r.task_id = c.root
            WHERE t.task_id = c.task_id AND t.state = 0
            RETURNING t.task_id
            """, [.bigintArray(failed)]
        ) { try $0[0] as Int64 }
    }

    /// Blocks tolerant tasks none of whose inputs came to be.
    private func block(_ tasks: [(task: Int64, root: Int64)]) throws {
        guard !tasks.isEmpty else { return }
        try session.execute(
            """
            UPDATE task t SET state = 4, blocked_by = r.task_id, message = r.message
            FROM unnest($1::bigint[], $2::bigint[]) AS u (task_id, root) JOIN task r ON r.task_id = u.root
            WHERE t.task_id = u.task_id
            """, [.bigintArray(tasks.map(\.task)), .bigintArray(tasks.map(\.root))])
    }

    // MARK: Release

    private struct Candidate {
        var task: Int64
        var step: Int64
        var context: TaskContext
        var tolerant: Bool
    }

    /// Large sets are released in parts, which bounds memory.
    private static let releaseBatch = 5000

    private mutating func release(_ tasks: [Int64]) throws -> (succeeded: [Int64], failed: [Int64]) {
        var succeeded: [Int64] = []
        var failed: [Int64] = []
        for start in stride(from: 0, to: tasks.count, by: Self.releaseBatch) {
            let part = Array(tasks[start..<min(start + Self.releaseBatch, tasks.count)])
            let (more, lost) = try releasePart(part)
            succeeded += more
            failed += lost
        }
        return (succeeded, failed)
    }

    private mutating func releasePart(_ tasks: [Int64]) throws -> (succeeded: [Int64], failed: [Int64]) {
        let candidates = try session.query(
            """
            SELECT task_id, step_id, subject, session, atlas, fold, tolerant FROM task
            WHERE task_id = ANY ($1) AND state = 0 AND pending = 0 ORDER BY task_id
            """, [.bigintArray(tasks)]
        ) { row in
            let (task, step, subject, label, atlas, fold, tolerant) = try row.decode(
                Int64.self, Int64.self, String?.self, String?.self, String?.self, Int?.self, Bool.self)
            return Candidate(
                task: task, step: step,
                context: TaskContext(subject: subject, session: label, atlas: atlas, fold: fold),
                tolerant: tolerant)
        }
        let rows = try steps.steps(candidates.map(\.step), session, remember: rememberSteps)
        let inputs = try TaskInputs.resolve(candidates.map(\.task), session)

        var keys: [(task: Int64, key: [UInt8])] = []
        var failures: [Failure] = []
        var blocked: [(task: Int64, root: Int64)] = []
        for candidate in candidates {
            guard let step = rows[candidate.step], let resolved = inputs[candidate.task] else {
                throw StoreError.damagedRow(table: "task", what: "task \(candidate.task) has no step")
            }
            if candidate.tolerant, let shortage = resolved.shortage(under: step.fanIn) {
                if shortage.isTotal, let root = resolved.root(of: shortage.port) {
                    blocked.append((candidate.task, root))
                } else {
                    failures.append(
                        Failure(
                            task: candidate.task, outcome: .permanent,
                            message: "Step \(step.name) of \(candidate.context): \(shortage)"))
                }
                continue
            }
            let key = CacheKey.make(
                kind: step.kind, kindVersion: step.kindVersion, parameters: step.parameters, inputs: resolved.inputs,
                missing: resolved.missing, context: candidate.context, salt: step.cacheSalt)
            keys.append((candidate.task, key.bytes))
        }
        let hits = try takeOver(keys)
        let misses = keys.filter { !hits.contains($0.task) }
        try markReady(misses)
        try fail(failures)
        try block(blocked)
        cached += hits.count
        return (keys.map(\.task).filter(hits.contains), failures.map(\.task) + blocked.map(\.task))
    }

    /// Lets tasks succeed by a result that is there already.
    private func takeOver(_ keys: [(task: Int64, key: [UInt8])]) throws -> Set<Int64> {
        guard !keys.isEmpty else { return [] }
        return Set(
            try session.query(
                """
                WITH hit AS (
                    SELECT u.task_id, r.result_id, u.action_key
                    FROM unnest($1::bigint[], $2::bytea[]) AS u (task_id, action_key)
                    JOIN result r USING (action_key)),
                done AS (
                    UPDATE task t
                    SET state = 2, result_id = h.result_id, action_key = h.action_key, attempts = t.attempts + 1,
                        outcome = 'cached', message = NULL
                    FROM hit h WHERE t.task_id = h.task_id
                    RETURNING t.task_id, t.attempts)
                INSERT INTO attempt (task_id, attempt, outcome) SELECT task_id, attempts, 'cached' FROM done
                RETURNING task_id
                """, [.bigintArray(keys.map(\.task)), .byteaArray(keys.map(\.key))]
            ) { try $0[0] as Int64 })
    }

    private mutating func markReady(_ keys: [(task: Int64, key: [UInt8])]) throws {
        guard !keys.isEmpty else { return }
        try session.execute(
            """
            UPDATE task t SET state = 1, action_key = u.action_key
            FROM unnest($1::bigint[], $2::bytea[]) AS u (task_id, action_key) WHERE t.task_id = u.task_id
            """, [.bigintArray(keys.map(\.task)), .byteaArray(keys.map(\.key))])
        try enqueue(keys.map(\.task), inFront: false)
    }

    /// Records failures that no worker was asked about.
    func fail(_ failures: [Failure]) throws {
        guard !failures.isEmpty else { return }
        try session.execute(
            """
            WITH done AS (
                UPDATE task t
                SET state = 3, outcome = u.outcome, message = u.message, attempts = t.attempts + 1
                FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u (task_id, outcome, message)
                WHERE t.task_id = u.task_id
                RETURNING t.task_id, t.attempts, t.outcome, t.message)
            INSERT INTO attempt (task_id, attempt, outcome, message)
            SELECT task_id, attempts, outcome, message FROM done
            """,
            [
                .bigintArray(failures.map(\.task)), .textArray(failures.map(\.outcome.rawValue)),
                .textArray(failures.map(\.message)),
            ])
    }

    // MARK: Queue

    /// Memory limits are rounded up to a multiple of this to make lanes, MiB.
    static let memoryClass = 256

    /// Puts ready tasks into their lanes.
    ///
    /// - Parameter inFront: before their peers: tasks whose worker was lost have waited once already.
    mutating func enqueue(_ tasks: [Int64], inFront: Bool) throws {
        guard !tasks.isEmpty else { return }
        try session.execute(
            """
            INSERT INTO lane (kind, kind_version, cores, memory_mib, command)
            SELECT DISTINCT s.kind, s.kind_version, s.cores, (t.memory_mib + $2 - 1) / $2 * $2, coalesce(s.command, '')
            FROM task t JOIN step s USING (step_id)
            WHERE t.task_id = ANY ($1)
              AND NOT EXISTS (SELECT FROM lane l
                              WHERE l.kind = s.kind AND l.kind_version = s.kind_version AND l.cores = s.cores
                                AND l.memory_mib = (t.memory_mib + $2 - 1) / $2 * $2
                                AND l.command = coalesce(s.command, ''))
            ORDER BY 1, 2, 3, 4, 5
            ON CONFLICT DO NOTHING
            """, [.bigintArray(tasks), .int(Self.memoryClass)])
        let entered = try session.query(
            """
            WITH entered AS (
                INSERT INTO ready (lane_id, run_id, priority, task_id, attempt, memory_mib, timeout_ms)
                SELECT l.lane_id, t.run_id, t.priority - $3, t.task_id, t.attempts + 1, t.memory_mib, s.timeout_ms
                FROM task t
                JOIN step s USING (step_id)
                JOIN lane l ON l.kind = s.kind AND l.kind_version = s.kind_version AND l.cores = s.cores
                           AND l.memory_mib = (t.memory_mib + $2 - 1) / $2 * $2
                           AND l.command = coalesce(s.command, '')
                WHERE t.task_id = ANY ($1)
                ORDER BY t.task_id
                RETURNING lane_id, run_id, priority)
            SELECT lane_id, run_id, priority, count(*) FROM entered GROUP BY 1, 2, 3
            """, [.bigintArray(tasks), .int(Self.memoryClass), .smallint(inFront ? 1 : 0)]
        ) { row in
            let (lane, run, priority, count) = try row.decode(Int32.self, Int64.self, Int16.self, Int.self)
            return (ClaimGroup(lane: lane, run: run, priority: priority), count)
        }
        for (group, count) in entered {
            groups.insert(group)
            readied += count
        }
    }

    // MARK: Runs

    /// Marks runs as finished in which nothing is left to do.
    ///
    /// A waiting task always has an unsettled task above it, and at the top of that chain is one that is ready: a run
    /// without ready tasks has no unsettled ones, and ready ones are all in the three small tables.
    func finishRuns(_ runs: some Sequence<Int64>) throws {
        try session.execute(
            """
            UPDATE run r SET finished_at = now()
            WHERE r.run_id = ANY ($1) AND r.finished_at IS NULL
              AND NOT EXISTS (SELECT FROM ready q
                              WHERE q.task_id >= r.run_id << 24 AND q.task_id < (r.run_id + 1) << 24)
              AND NOT EXISTS (SELECT FROM lease q
                              WHERE q.task_id >= r.run_id << 24 AND q.task_id < (r.run_id + 1) << 24)
              AND NOT EXISTS (SELECT FROM delayed q
                              WHERE q.task_id >= r.run_id << 24 AND q.task_id < (r.run_id + 1) << 24)
            """, [.bigintArray(Set(runs).sorted())])
    }
}
