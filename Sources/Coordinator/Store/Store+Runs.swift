import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// The latest runs, without their steps.
    package func runs(limit: Int = 100) async throws -> [RunSummary] {
        try await report { session in
            let ids = try session.query(
                "SELECT run_id FROM run ORDER BY run_id DESC LIMIT $1", [.bigint(limit)]
            ) { try $0[0] as Int64 }
            return try Self.summaries(ids, withSteps: false, session)
        }
    }

    /// A run with its steps; nil when there is none.
    package func run(_ run: RunID) async throws -> RunSummary? {
        try await report { session in
            guard var summary = try Self.summaries([run.rawValue], withSteps: true, session).first else { return nil }
            try Self.addWarnings(to: &summary, session)
            return summary
        }
    }

    /// A model that could not be fitted is no failure, but whoever reads "succeeded" must hear of it. Steps are
    /// heard in turn: what one says of everybody would hide what another says of one. What a step says of several in the same
    /// words is said once.
    private static func addWarnings(to summary: inout RunSummary, _ session: Session) throws {
        let rows = try session.query(
            """
            WITH said AS (
                SELECT t.step_id, u.text, min(t.task_id) AS task_id, min(u.place) AS place, count(*)::int AS alike
                FROM task t JOIN result r USING (result_id)
                CROSS JOIN LATERAL (
                    SELECT text, min(place) AS place FROM unnest(r.warnings) WITH ORDINALITY AS w (text, place)
                    GROUP BY text) u
                WHERE t.task_id >= $1 << 24 AND t.task_id < ($1 + 1) << 24 GROUP BY t.step_id, u.text)
            , turns AS (
                SELECT *, row_number() OVER (PARTITION BY step_id ORDER BY place, task_id) AS turn FROM said)
            SELECT t.task_id, s.name, t.subject, t.session, t.atlas, t.fold, w.text, w.alike,
                   (SELECT count(*) FROM said)::int,
                   (SELECT count(*) FROM task t JOIN result r USING (result_id)
                    WHERE t.task_id >= $1 << 24 AND t.task_id < ($1 + 1) << 24 AND cardinality(r.warnings) > 0)::int
            FROM turns w JOIN step s USING (step_id) JOIN task t USING (task_id)
            ORDER BY w.turn, t.subject IS NOT NULL, t.task_id LIMIT 12
            """, [.bigint(summary.run.rawValue)]
        ) { row in
            let (task, step, subject, label, atlas, fold, text, alike, sentences, tasks) = try row.decode(
                Int64.self, String.self, String?.self, String?.self, String?.self, Int?.self, String.self, Int.self,
                Int.self, Int.self)
            let context = TaskContext(subject: subject, session: label, atlas: atlas, fold: fold)
            let others = alike > 1 ? " (and \(alike - 1) more \(alike == 2 ? "task" : "tasks") of this step)" : ""
            return (
                line: "\(TaskID(rawValue: task))  \(step)  \(context)\(others): \(text)", sentences: sentences,
                tasks: tasks
            )
        }
        summary.warnedTasks = rows.first?.tasks ?? 0
        summary.otherWarnings = (rows.first?.sentences ?? 0) - rows.count
        summary.warnings = rows.map(\.line)
    }

    /// What a run was asked for; nil when there is none.
    package func request(of run: RunID) async throws -> RunRequest? {
        let text = try await pool.run { session in
            try session.first("SELECT request FROM run WHERE run_id = $1", [.bigint(run.rawValue)]) {
                try $0[0] as String
            }
        }
        return try text.map { try StoredJSON.decode(RunRequest.self, $0, table: "run") }
    }

    /// Files in which what a run was stored with differs from `files`: other bytes, other metadata, come or gone.
    ///
    /// - Returns: their names, sorted.
    package func sourceChanges(since run: RunID, to files: [FileReference]) async throws -> [String] {
        try await report { session in
            try session.query(
                """
                WITH present AS (
                    SELECT path, name, digest, metadata::jsonb AS metadata
                    FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[]) AS u (path, name, digest, metadata)),
                before AS (
                    SELECT DISTINCT path, name, digest, metadata FROM task_input
                    WHERE task_id >= $1 << 24 AND task_id < ($1 + 1) << 24 AND digest IS NOT NULL
                    UNION SELECT path, 'folds.json', digest, NULL FROM fold_assignment WHERE run_id = $1)
                SELECT DISTINCT name FROM (
                    (SELECT * FROM present EXCEPT SELECT * FROM before)
                    UNION ALL (SELECT * FROM before EXCEPT SELECT * FROM present)) d ORDER BY name
                """,
                [
                    .bigint(run.rawValue), .textArray(files.map(\.path)), .textArray(files.map(\.name)),
                    .byteaArray(files.compactMap { $0.digest?.bytes }),
                    .textArray(files.map { $0.metadata?.canonicalString }),
                ]
            ) { try $0[0] as String }
        }
    }

    /// Those of the action keys whose results are known.
    package func knownResults(_ keys: [ArtifactDigest]) async throws -> Set<ArtifactDigest> {
        guard !keys.isEmpty else { return [] }
        return try await pool.run { session in
            Set(
                try session.query(
                    "SELECT action_key FROM result WHERE action_key = ANY ($1)", [.byteaArray(keys.map(\.bytes))]
                ) { try ArtifactDigest(bytes: try $0[0], table: "result") })
        }
    }

    private struct StepState {
        var run: Int64
        var step: Int64
        var position: Int
        var name: String
        var kind: String
        var cores: Int
        var counts = TaskCounts()
        var meanMilliseconds: Double?
        var peakResidentMiB: Int?
    }

    private static func summaries(_ ids: [Int64], withSteps: Bool, _ session: Session) throws -> [RunSummary] {
        guard !ids.isEmpty else { return [] }
        let states = try stepStates(ids, session)
        let coresAtWork =
            try session.first(
                "SELECT coalesce(sum(cores), 0)::int FROM worker_session WHERE expires_at > now()"
            ) { try $0[0] as Int } ?? 0
        return try session.query(
            """
            SELECT run_id, name, workflow, dataset_path, \(iso8601("created_at")), \(iso8601("finished_at")),
                   extract(epoch FROM coalesce(finished_at, now()) - created_at)::float8, cancelled_at IS NOT NULL
            FROM run WHERE run_id = ANY ($1) ORDER BY run_id DESC
            """, [.bigintArray(ids)]
        ) { row in
            let (id, name, workflow, dataset, created, finished, elapsed, cancelled) = try row.decode(
                Int64.self, String.self, String.self, String.self, String.self, String?.self, Double.self, Bool.self)
            let steps = states.filter { $0.run == id }
            let counts = steps.reduce(TaskCounts()) { $0.adding($1.counts) }
            let state: RunState =
                if cancelled {
                    .cancelled
                } else if counts.settled < counts.total {
                    .running
                } else if counts.succeeded == counts.total {
                    .succeeded
                } else {
                    .finishedWithFailures
                }
            let rest = state == .running ? remaining(steps, coresAtWork: coresAtWork) : nil
            return RunSummary(
                run: RunID(rawValue: id), name: name, workflow: workflow, dataset: dataset, state: state,
                counts: counts, steps: withSteps ? merged(steps) : nil, createdAt: created, finishedAt: finished,
                elapsedSeconds: elapsed, remainingSeconds: rest?.seconds,
                remainingIsLowerBound: rest?.isLowerBound == true ? true : nil,
                waitsForWorker: state == .running && coresAtWork == 0 ? true : nil)
        }
    }

    private static func stepStates(_ ids: [Int64], _ session: Session) throws -> [StepState] {
        var states: [StepState] = []
        var index: [Int64: Int] = [:]
        let rows = try session.query(
            """
            SELECT t.run_id, t.step_id, s.position, s.name, s.kind, s.cores, t.state, l.task_id IS NOT NULL,
                   t.state = 2 AND t.outcome = 'cached', count(*)::int
            FROM unnest($1::bigint[]) AS r (run_id)
            JOIN task t ON t.task_id >= r.run_id << 24 AND t.task_id < (r.run_id + 1) << 24
            JOIN step s USING (step_id)
            LEFT JOIN lease l USING (task_id)
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY s.position
            """, [.bigintArray(ids)])
        for row in rows {
            let (run, step, position, name, kind, cores, state, running, cached, count) = try row.decode(
                Int64.self, Int64.self, Int.self, String.self, String.self, Int.self, Int16.self, Bool.self, Bool.self,
                Int.self)
            if index[step] == nil {
                index[step] = states.count
                states.append(
                    StepState(run: run, step: step, position: position, name: name, kind: kind, cores: cores))
            }
            states[index[step]!].counts.add(try TaskState(stored: state), running: running, cached: cached, count)
        }
        let times = try session.query(
            """
            SELECT t.step_id, avg(a.wall_ms)::float8, max(a.peak_resident_mib)
            FROM unnest($1::bigint[]) AS r (run_id)
            JOIN task t ON t.task_id >= r.run_id << 24 AND t.task_id < (r.run_id + 1) << 24
            JOIN attempt a ON a.task_id = t.task_id AND a.outcome = 'succeeded'
            GROUP BY 1
            """, [.bigintArray(ids)]
        ) { try $0.decode(Int64.self, Double?.self, Int?.self) }
        for (step, mean, peak) in times {
            guard let place = index[step] else { continue }
            states[place].meanMilliseconds = mean
            states[place].peakResidentMiB = peak
        }
        return states
    }

    /// One line per step name; variants of a step are added up.
    private static func merged(_ states: [StepState]) -> [StepCounts] {
        var order: [String] = []
        var groups: [String: [StepState]] = [:]
        for state in states.sorted(by: { $0.position < $1.position }) {
            if groups[state.name] == nil { order.append(state.name) }
            groups[state.name, default: []].append(state)
        }
        return order.map { name in
            let variants = groups[name] ?? []
            let timed = variants.filter { $0.meanMilliseconds != nil }
            let done = timed.reduce(0) { $0 + $1.counts.succeeded - $1.counts.cached }
            let total = timed.reduce(0.0) {
                $0 + ($1.meanMilliseconds ?? 0) * Double($1.counts.succeeded - $1.counts.cached)
            }
            return StepCounts(
                step: name, kind: variants.first?.kind ?? "",
                counts: variants.reduce(TaskCounts()) { $0.adding($1.counts) },
                meanSeconds: done > 0 ? total / Double(done) / 1000 : nil,
                peakResidentMiB: variants.compactMap(\.peakResidentMiB).max())
        }
    }

    /// Work left over the cores at work, as far as it is known: a step that has finished nothing is left out, for a training
    /// says nothing of how long a person takes, nor the reverse.
    ///
    /// - Returns: seconds, and whether more than a tenth of the tasks left were left out; nil where all were.
    private static func remaining(_ steps: [StepState], coresAtWork: Int) -> (seconds: Double, isLowerBound: Bool)? {
        guard coresAtWork > 0, steps.contains(where: { $0.meanMilliseconds != nil }) else { return nil }
        var (open, unknown, coreMilliseconds) = (0, 0, 0.0)
        for step in steps {
            let left = step.counts.waiting + step.counts.ready + step.counts.running
            open += left
            if let mean = step.meanMilliseconds {
                coreMilliseconds += Double(left * step.cores) * mean
            } else {
                unknown += left
            }
        }
        guard unknown == 0 || coreMilliseconds > 0 else { return nil }
        return (coreMilliseconds / 1000 / Double(coresAtWork), unknown * 10 > open)
    }
}

extension TaskCounts {
    mutating func add(_ state: TaskState, running: Bool, cached: Bool, _ count: Int) {
        switch state {
        case .waiting: waiting += count
        case .ready: if running { self.running += count } else { ready += count }
        case .succeeded:
            succeeded += count
            if cached { self.cached += count }
        case .failed: failed += count
        case .blocked: blocked += count
        case .cancelled: cancelled += count
        }
    }

    func adding(_ other: TaskCounts) -> TaskCounts {
        var sum = self
        sum.waiting += other.waiting
        sum.ready += other.ready
        sum.running += other.running
        sum.succeeded += other.succeeded
        sum.cached += other.cached
        sum.failed += other.failed
        sum.blocked += other.blocked
        sum.cancelled += other.cancelled
        return sum
    }
}
