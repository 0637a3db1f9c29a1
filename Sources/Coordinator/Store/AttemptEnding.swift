// What becomes of tasks whose attempts have ended. The leases are deleted, the locks of the runs are held.

import BIDS
import Foundation
import Postgres
import Wire
import Workflow

struct AttemptEnding {
    let session: Session
    let steps: StepCache
    let presence: Presence

    /// Writes the attempts down, decides about retries, and moves the graph on.
    ///
    /// - Returns: what became ready.
    func finish(_ ended: [EndedAttempt]) throws -> GraphProgress {
        var progress = GraphProgress(session: session, steps: steps)
        guard !ended.isEmpty else { return progress }
        try AttemptRows.insert(ended, session)

        let succeeded = ended.filter { $0.outcome == .succeeded }
        for differing in try ResultRows.insert(succeeded, session) {
            try Store.record(
                session, run: RunID(rawValue: differing.task >> 24), task: TaskID(rawValue: differing.task),
                actor: "coordinator", kind: "result.differs",
                body: ["kept_result": .integer(differing.result)])
        }
        let failed = try settle(ended.filter { $0.outcome != .succeeded }, &progress)
        try progress.advance(succeeded: succeeded.map(\.task), failed: failed)
        try progress.finishRuns(ended.map(\.run))
        return progress
    }

    private struct Failed {
        var ended: EndedAttempt
        var failures: Int
        var losses: Int
        var memoryMiB: Int
        var decision: RetryPolicy.Decision
    }

    /// Sends failed tasks back to the queue, or gives them up.
    ///
    /// - Returns: tasks given up.
    private func settle(_ ended: [EndedAttempt], _ progress: inout GraphProgress) throws -> [Int64] {
        guard !ended.isEmpty else { return [] }
        let decided = try decide(ended)
        let gone = decided.filter { $0.decision == .giveUp }
        let back = decided.filter { $0.decision != .giveUp }
        try giveUp(gone)
        try update(back)

        func delay(_ item: Failed) -> Double {
            if case .retry(let seconds, _) = item.decision { seconds } else { 0 }
        }
        let later = back.filter { delay($0) > 0 }
        try session.execute(
            """
            INSERT INTO delayed (task_id, run_at)
            SELECT task_id, now() + seconds * interval '1 s' FROM unnest($1::bigint[], $2::float8[]) u (task_id, seconds)
            """, [.bigintArray(later.map(\.ended.task)), .float8Array(later.map(delay))])
        try progress.enqueue(back.filter { delay($0) <= 0 }.map(\.ended.task), inFront: true)
        return gone.map(\.ended.task)
    }

    private func decide(_ ended: [EndedAttempt]) throws -> [Failed] {
        let tasks = Dictionary(
            uniqueKeysWithValues: try session.query(
                "SELECT task_id, step_id, failures, losses FROM task WHERE task_id = ANY ($1)",
                [.bigintArray(ended.map(\.task))]
            ) { row in
                let (task, step, failures, losses) = try row.decode(Int64.self, Int64.self, Int.self, Int.self)
                return (task, (step: step, failures: failures, losses: losses))
            })
        let blameless = try blameless(ended)
        let rows = try steps.steps(tasks.values.map(\.step), session)
        var ceilings: [Int64: Int?] = [:]
        for item in ended where item.outcome == .outOfMemory {
            guard let id = tasks[item.task]?.step, ceilings[id] == nil, let step = rows[id] else { continue }
            ceilings[id] = .some(try memoryCeiling(of: step))
        }
        return try ended.map { item in
            guard let task = tasks[item.task], let step = rows[task.step] else {
                throw StoreError.damagedRow(table: "lease", what: "task \(item.task) does not exist")
            }
            var (failures, losses) = (task.failures, task.losses)
            switch item.outcome {
            case .lost where blameless.contains(item.task): break
            case .lost, .crashed: losses += 1
            case .released, .cancelled, .cached, .succeeded: break
            case .transient, .permanent, .outOfMemory, .timedOut: failures += 1
            }
            let ceiling = (ceilings[task.step] ?? nil) ?? item.memoryMiB
            let decision = step.retry.decide(
                outcome: item.outcome, failures: failures, losses: losses, memoryMiB: item.memoryMiB,
                memoryCeilingMiB: max(ceiling, item.memoryMiB), jitter: .random(in: 0..<1))
            var memory = item.memoryMiB
            if case .retry(_, let grown) = decision { memory = grown }
            return Failed(ended: item, failures: failures, losses: losses, memoryMiB: memory, decision: decision)
        }
    }

    /// The largest memory under which a worker would take this step: tasks are offered by classes of memory, so that the
    /// rest above the last whole class is out of reach. Nil when no worker that could take it is connected.
    private func memoryCeiling(of step: StepRow) throws -> Int? {
        let most = try session.first(
            """
            SELECT max(memory_mib) FROM worker_session
            WHERE expires_at > now() AND NOT draining AND (kinds ->> $1)::int = $2
              AND ($3 = '' OR $3 = ANY (commands))
            """, [.text(step.kind), .int(step.kindVersion), .text(step.command ?? "")]
        ) { try $0[0] as Int? }
        guard let found = most, let offered = found else { return nil }
        return offered / GraphProgress.memoryClass * GraphProgress.memoryClass
    }

    /// Tasks whose loss says nothing about them: the worker was last heard before this coordinator was there to hear it,
    /// or the same process of a worker has lost the task before (a machine that sleeps or is cut off now and then). A
    /// task that kills its workers is lost with another process each time.
    private func blameless(_ ended: [EndedAttempt]) throws -> Set<Int64> {
        let lost = ended.filter { $0.outcome == .lost }
        guard !lost.isEmpty else { return [] }
        return Set(
            try session.query(
                """
                SELECT u.task_id
                FROM unnest($1::bigint[], $2::int[], $3::uuid[]) AS u (task_id, attempt, session_id)
                JOIN worker_session w USING (session_id)
                WHERE w.heartbeat_at < now() - $4 * interval '1 s'
                   OR EXISTS (SELECT FROM attempt a JOIN worker_session o ON o.session_id = a.session_id
                              WHERE a.task_id = u.task_id AND a.attempt < u.attempt AND a.outcome = 'lost'
                                AND o.boot_id = w.boot_id)
                """,
                [
                    .bigintArray(lost.map(\.task)), .intArray(lost.map(\.attempt)), .uuidArray(lost.map(\.session)),
                    .float8(presence.seconds),
                ]
            ) { try $0[0] as Int64 })
    }

    private func giveUp(_ items: [Failed]) throws {
        guard !items.isEmpty else { return }
        try session.execute(
            """
            UPDATE task t
            SET state = CASE WHEN u.outcome = 'cancelled' THEN 5 ELSE 3 END, attempts = u.attempt,
                failures = u.failures, losses = u.losses, outcome = u.outcome, message = u.message
            FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[])
                 AS u (task_id, attempt, failures, losses, outcome, message)
            WHERE t.task_id = u.task_id
            """, parameters(items) { Self.finalMessage($0) })
    }

    private func update(_ items: [Failed]) throws {
        guard !items.isEmpty else { return }
        try session.execute(
            """
            UPDATE task t
            SET attempts = u.attempt, failures = u.failures, losses = u.losses, outcome = u.outcome,
                message = u.message, memory_mib = u.memory_mib
            FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::int[])
                 AS u (task_id, attempt, failures, losses, outcome, message, memory_mib)
            WHERE t.task_id = u.task_id
            """,
            parameters(items) { WorkerText.clean($0.ended.message) }
                + [.intArray(items.map { Int32(clamping: $0.memoryMiB) })])
    }

    private func parameters(_ items: [Failed], _ message: (Failed) -> String?) -> [Parameter] {
        [
            .bigintArray(items.map(\.ended.task)), .intArray(items.map(\.ended.attempt)),
            .intArray(items.map { Int32(clamping: $0.failures) }), .intArray(items.map { Int32(clamping: $0.losses) }),
            .textArray(items.map(\.ended.outcome.rawValue)), .textArray(items.map(message)),
        ]
    }

    /// The sentence a failed task keeps.
    private static func finalMessage(_ item: Failed) -> String {
        let said = WorkerText.clean(item.ended.message) ?? ""
        switch item.ended.outcome {
        case .lost, .crashed:
            let often = item.losses == 1 ? "once" : "\(item.losses) times"
            let what = item.ended.outcome == .lost ? "its worker was lost" : "its process crashed"
            return "It was taken out because \(what) (\(often) in all): \(said)"
        case .outOfMemory:
            return "It needs more than \(item.memoryMiB) MiB of memory, the most that it could be given: \(said)"
        default:
            return said.isEmpty ? "It failed without saying why; see its log." : said
        }
    }
}
