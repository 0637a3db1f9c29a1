import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    package func tasks(_ filter: TaskFilter) async throws -> [TaskSummary] {
        try await report { [news] session in try Self.tasks(filter, session, news: news) }
    }

    /// One task with its inputs, outputs and attempts; nil when there is none.
    package func task(_ task: TaskID) async throws -> TaskDetail? {
        try await report { [steps, news] session in
            guard let summary = try Self.tasks(TaskFilter(tasks: [task], limit: 1), session, news: news).first
            else { return nil }
            let id = Parameter.bigint(task.rawValue)
            let step = try session.first("SELECT step_id FROM task WHERE task_id = $1", [id]) { try $0[0] as Int64 }
            let parameters = try step.flatMap { try steps.steps([$0], session)[$0]?.parameters }
            let inputs = try TaskInputs.resolve([task.rawValue], session)[task.rawValue]?.inputs ?? []
            let outputs = try session.query(
                """
                SELECT a.port, a.name, a.digest, a.size_bytes, a.media_type, a.metadata
                FROM task t JOIN artifact_ref a USING (result_id) WHERE t.task_id = $1 ORDER BY a.port, a.name
                """, [id]
            ) { row in
                let (port, name, digest, size, media, metadata) = try row.decode(
                    String.self, String.self, [UInt8].self, Int64.self, String.self, String?.self)
                return CompletionItem.Output(
                    port: port, name: name, digest: try ArtifactDigest(bytes: digest, table: "artifact_ref"),
                    sizeBytes: size, mediaType: media,
                    metadata: try metadata.map { try StoredJSON.value($0, table: "artifact_ref") })
            }
            let warnings = try session.first(
                "SELECT r.warnings FROM task t JOIN result r USING (result_id) WHERE t.task_id = $1", [id]
            ) { try $0[0] as [String] }
            return TaskDetail(
                summary: summary, parameters: parameters ?? .null, inputs: inputs, outputs: outputs,
                attempts: try Self.attempts(task, session), warnings: warnings ?? [])
        }
    }

    /// - Parameter news: what workers said of those that they are at.
    static func tasks(_ filter: TaskFilter, _ session: Session, news: AttemptNews? = nil) throws -> [TaskSummary] {
        let condition = TaskCondition(filter)
        return try session.query(
            """
            SELECT t.task_id, s.name, s.kind, t.subject, t.session, t.atlas, t.fold, t.state, l.task_id IS NOT NULL,
                   t.attempts, t.outcome, t.message, a.wall_ms, coalesce(w.worker, a.worker), l.session_id, l.nonce
            FROM task t
            JOIN step s USING (step_id)
            LEFT JOIN lease l USING (task_id)
            LEFT JOIN worker_session w ON w.session_id = l.session_id
            LEFT JOIN attempt a ON a.task_id = t.task_id AND a.attempt = t.attempts
            WHERE \(condition.sql)
            ORDER BY t.task_id LIMIT \(max(0, min(filter.limit, 1_000_000)))
            """, condition.parameters
        ) { row in
            var found = try summary(row)
            if let holder = try row["session_id"] as UUID?, let nonce = try row["nonce"] as UUID?,
                let item = news?.item(session: holder, nonce: nonce)
            {
                (found.progress, found.lastLine) = (item.progress, item.lastLine)
            }
            return found
        }
    }

    private static func summary(_ row: Row) throws -> TaskSummary {
        let (
            task, step, kind, subject, label, atlas, fold, state, running, attempts, outcome, message, wall, worker, _,
            _
        ) =
            try row.decode(
                Int64.self, String.self, String.self, String?.self, String?.self, String?.self, Int?.self, Int16.self,
                Bool.self, Int.self, String?.self, String?.self, Int?.self, String?.self, UUID?.self, UUID?.self)
        return TaskSummary(
            task: TaskID(rawValue: task), step: step, kind: kind,
            context: TaskContext(subject: subject, session: label, atlas: atlas, fold: fold),
            state: try TaskState(stored: state), running: running, attempts: attempts,
            outcome: try outcome.map(AttemptOutcome.init(stored:)),
            message: message, wallMilliseconds: wall, worker: worker)
    }

    private static func attempts(_ task: TaskID, _ session: Session) throws -> [TaskDetail.Attempt] {
        try session.query(
            """
            SELECT attempt, outcome, message, worker, \(iso8601("started_at")), \(iso8601("finished_at")), log_tail,
                   wall_ms, user_ms, system_ms, peak_resident_mib, staged_bytes, uploaded_bytes, signal, exit_code
            FROM attempt WHERE task_id = $1 ORDER BY attempt
            """, [.bigint(task.rawValue)]
        ) { row in
            let (attempt, outcome, message, worker, started, finished, log) = try row.decode(
                Int32.self, String.self, String?.self, String?.self, String?.self, String.self, String?.self)
            var usage: AttemptUsage?
            if let wall = try row["wall_ms"] as Int? {
                usage = AttemptUsage(
                    wallMilliseconds: wall, userMilliseconds: try row["user_ms"],
                    systemMilliseconds: try row["system_ms"], peakResidentMiB: try row["peak_resident_mib"],
                    stagedBytes: try row["staged_bytes"], uploadedBytes: try row["uploaded_bytes"],
                    signal: try row["signal"], exitCode: try row["exit_code"])
            }
            return TaskDetail.Attempt(
                attempt: attempt, outcome: try AttemptOutcome(stored: outcome), message: message, worker: worker,
                startedAt: started, finishedAt: finished, usage: usage, logTail: log)
        }
    }
}
