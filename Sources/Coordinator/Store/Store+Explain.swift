import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Why a task waits, failed, ran or did not have to; nil when there is no such task.
    package func explain(_ task: TaskID) async throws -> Explanation? {
        try await report { [steps] session in
            guard let summary = try Self.tasks(TaskFilter(tasks: [task], limit: 1), session).first else { return nil }
            var answer = Explanation(task: task, state: summary.state, reasons: [], upstream: [])
            let id = Parameter.bigint(task.rawValue)
            switch summary.state {
            case .waiting: try Self.explainWaiting(&answer, id, session)
            case .ready: try Self.explainReady(&answer, summary, id, steps, session)
            case .succeeded: try Self.explainSuccess(&answer, summary, id, session)
            case .failed: try Self.explainFailure(&answer, summary, id, session)
            case .blocked: try Self.explainBlocked(&answer, id, session)
            case .cancelled: answer.reasons.append(summary.message.map(Self.sentence) ?? "An operator cancelled it.")
            }
            return answer
        }
    }

    private static func explainWaiting(_ answer: inout Explanation, _ id: Parameter, _ session: Session) throws {
        let parents = try session.query(
            """
            SELECT d.parent_id FROM task_dep d JOIN task p ON p.task_id = d.parent_id
            WHERE d.child_id = $1 AND p.state <> 2 ORDER BY p.state, d.parent_id LIMIT 100
            """, [id]
        ) { TaskID(rawValue: try $0[0]) }
        answer.upstream = try tasks(TaskFilter(tasks: parents, limit: 100), session)
        let pending = try session.first("SELECT pending FROM task WHERE task_id = $1", [id]) { try $0[0] as Int } ?? 0
        answer.reasons.append("It waits for \(pending == 1 ? "one task" : "\(pending) tasks") before it.")
        for parent in answer.upstream.prefix(3) where !parent.state.isSettled {
            answer.reasons.append(
                "\(parent.step) of \(parent.context) is \(parent.running ? "running" : parent.state.description).")
        }
    }

    private static func explainReady(
        _ answer: inout Explanation, _ summary: TaskSummary, _ id: Parameter, _ steps: StepCache, _ session: Session
    ) throws {
        if summary.running {
            answer.reasons.append("It runs now on worker \(summary.worker ?? "?").")
            return
        }
        let wait = try session.first(
            "SELECT extract(epoch FROM run_at - now())::float8 FROM delayed WHERE task_id = $1", [id]
        ) { try $0[0] as Double }
        if let wait {
            answer.reasons.append(
                "Its last attempt failed (\(summary.outcome?.rawValue ?? "?")): it is tried again "
                    + (wait > 0 ? "in \(Int(wait.rounded(.up))) s." : "now."))
            if let message = summary.message { answer.reasons.append(sentence(message)) }
            return
        }
        let need = try session.first(
            "SELECT t.step_id, t.memory_mib FROM task t WHERE t.task_id = $1", [id]
        ) { try $0.decode(Int64.self, Int.self) }
        guard let need, let step = try steps.steps([need.0], session)[need.0] else { return }
        let lane = Lane(
            kind: step.kind, kindVersion: step.kindVersion, cores: step.cores,
            memoryMiB: (need.1 + GraphProgress.memoryClass - 1) / GraphProgress.memoryClass * GraphProgress.memoryClass,
            command: step.command ?? "")
        let (hasWorkers, unfit) = try unfit(lane, session)
        answer.reasons += unfit
        if hasWorkers, !unfit.isEmpty { answer.fitsNoWorker = true }
        if answer.reasons.isEmpty {
            let before =
                try session.first(
                    """
                    SELECT count(*) FROM ready mine JOIN ready other USING (lane_id)
                    WHERE mine.task_id = $1 AND (other.priority, other.seq) < (mine.priority, mine.seq)
                    """, [id]
                ) { try $0[0] as Int } ?? 0
            answer.reasons.append(
                before == 0
                    ? "It can run and is the next of its kind; it waits for a worker with free cores and memory."
                    : "It can run and waits its turn behind \(before == 1 ? "one task" : "\(before) tasks") of its kind."
            )
        }
    }

    /// Why no live worker can take a lane; empty when one can.
    private static func unfit(_ lane: Lane, _ session: Session) throws -> (hasWorkers: Bool, reasons: [String]) {
        let workers = try WorkerFleet.load(session).workers
        if workers.isEmpty { return (false, ["No worker is connected; start one with \"qsmflow worker\"."]) }
        // Cores are no obstacle: a task gets what there is.
        if workers.contains(where: { $0.capability.fits(lane) && $0.memoryMiB >= lane.memoryMiB }) { return (true, []) }
        let able = workers.filter { $0.capability.kinds[lane.kind] == lane.kindVersion }
        guard !able.isEmpty else {
            return (true, ["No connected worker runs version \(lane.kindVersion) of \(lane.kind); update the workers."])
        }
        let allowed = able.filter { $0.capability.fits(lane) }
        guard !allowed.isEmpty else {
            let remedy = "allow it with --allow-command on a worker"
            return (true, ["No connected worker allows the program \"\(lane.command)\"; \(remedy)."])
        }
        let largest = allowed.map(\.memoryMiB).max() ?? 0
        return (
            true, ["It needs \(lane.memoryMiB) MiB of memory, but the largest worker offers \(largest) MiB."]
        )
    }

    private static func explainSuccess(
        _ answer: inout Explanation, _ summary: TaskSummary, _ id: Parameter, _ session: Session
    ) throws {
        let origin = try session.first(
            """
            SELECT r.task_id, r.attempt, \(iso8601("r.created_at"))
            FROM task t JOIN result r USING (result_id) WHERE t.task_id = $1
            """, [id]
        ) { try $0.decode(Int64.self, Int.self, String.self) }
        guard let origin else { return }
        let warnings =
            try session.first(
                "SELECT r.warnings FROM task t JOIN result r USING (result_id) WHERE t.task_id = $1", [id]
            ) { try $0[0] as [String] } ?? []
        defer { answer.reasons += warnings.map { "It warns: \(sentence($0))" } }
        let source = TaskID(rawValue: origin.0)
        if source == summary.task {
            answer.reasons.append("It ran: attempt \(origin.1) succeeded and its result is stored.")
            answer.reasons += try whyNotCached(id, session)
        } else {
            answer.reasons.append(
                "It did not have to run: task \(source) computed the same on \(origin.2), with the same inputs, "
                    + "parameters and version of the code.")
        }
    }

    /// What kept a task from taking over the result of the same step for the same person in an earlier run.
    private static func whyNotCached(_ id: Parameter, _ session: Session) throws -> [String] {
        let twin = try session.first(
            """
            SELECT o.task_id, s.parameters = q.parameters, s.kind_version = q.kind_version,
                   s.cache_salt IS NOT DISTINCT FROM q.cache_salt
            FROM task t JOIN step s USING (step_id)
            JOIN step q ON q.kind = s.kind AND q.name = s.name AND q.run_id < s.run_id
            JOIN task o ON o.step_id = q.step_id AND o.state = 2 AND o.subject IS NOT DISTINCT FROM t.subject
                AND o.session IS NOT DISTINCT FROM t.session AND o.atlas IS NOT DISTINCT FROM t.atlas
                AND o.fold IS NOT DISTINCT FROM t.fold
            WHERE t.task_id = $1 ORDER BY o.task_id DESC LIMIT 1
            """, [id]
        ) { try $0.decode(Int64.self, Bool.self, Bool.self, Bool.self) }
        guard let (other, parameters, version, salt) = twin else {
            return ["No earlier run has done this step for it."]
        }
        let name = TaskID(rawValue: other).description
        var reasons: [String] = []
        if !version { reasons.append("Task \(name) of an earlier run used another version of the code.") }
        if !parameters { reasons.append("Task \(name) of an earlier run had other parameters.") }
        if !salt { reasons.append("It was asked to be computed anew, whatever earlier runs had.") }
        let ports = try changedPorts(id, .bigint(other), session)
        if !ports.isEmpty {
            reasons.append(
                "Task \(name) of an earlier run read other bytes at \(ports.count == 1 ? "port" : "ports") "
                    + ports.joined(separator: ", ") + ".")
        }
        return reasons
    }

    private static func changedPorts(_ one: Parameter, _ other: Parameter, _ session: Session) throws -> [String] {
        let sides = """
            SELECT i.port, coalesce(i.digest, a.digest) AS digest, coalesce(i.metadata, a.metadata) AS metadata
            FROM task_input i LEFT JOIN task p ON p.task_id = i.parent_id
            LEFT JOIN artifact_ref a ON a.result_id = p.result_id AND a.port = i.parent_port WHERE i.task_id =
            """
        return try session.query(
            """
            SELECT DISTINCT port FROM (
                ((\(sides) $1) EXCEPT (\(sides) $2)) UNION ALL ((\(sides) $2) EXCEPT (\(sides) $1))) d ORDER BY port
            """, [one, other]
        ) { try $0[0] as String }
    }

    private static func explainFailure(
        _ answer: inout Explanation, _ summary: TaskSummary, _ id: Parameter, _ session: Session
    ) throws {
        answer.reasons.append(summary.message.map(sentence) ?? "It failed without saying why; see its log.")
        let history = try session.query(
            "SELECT attempt, outcome, worker FROM attempt WHERE task_id = $1 ORDER BY attempt DESC LIMIT 5", [id]
        ) { try $0.decode(Int.self, String.self, String?.self) }
        for (attempt, outcome, worker) in history.reversed() {
            answer.reasons.append("Attempt \(attempt): \(outcome)\(worker.map { " on worker \($0)" } ?? "").")
        }
        let blocked =
            try session.first(
                "SELECT count(*) FROM task WHERE task_id >= $2 << 24 AND task_id < ($2 + 1) << 24 AND blocked_by = $1",
                [id, .bigint(summary.task.run.rawValue)]
            ) { try $0[0] as Int } ?? 0
        if blocked > 0 {
            answer.reasons.append("\(blocked == 1 ? "One task" : "\(blocked) tasks") cannot run because of it.")
        }
    }

    private static func explainBlocked(_ answer: inout Explanation, _ id: Parameter, _ session: Session) throws {
        // The failures above it: for a fan-in perhaps one for each that it gathers.
        let roots = try session.query(
            """
            SELECT coalesce(p.blocked_by, p.task_id) AS root, bool_or(t.blocked_by = coalesce(p.blocked_by, p.task_id))
            FROM task t JOIN task_dep d ON d.child_id = t.task_id JOIN task p ON p.task_id = d.parent_id
            WHERE t.task_id = $1 AND p.state IN (3, 4, 5)
            GROUP BY root ORDER BY 2 DESC, root LIMIT 100
            """, [id]
        ) { TaskID(rawValue: try $0[0]) }
        answer.upstream = try tasks(TaskFilter(tasks: roots, limit: 100), session)
        guard let cause = answer.upstream.first(where: { $0.task == roots.first }) else { return }
        let isFanIn = try session.first("SELECT tolerant FROM task WHERE task_id = $1", [id]) { try $0[0] as Bool }
        answer.reasons.append(
            isFanIn == true
                ? "It goes on without what is missing, but nothing of what it gathers came to be: "
                    + "\(cause.step) of \(cause.context) (task \(cause.task)) \(past(cause.state))."
                : "It cannot run because \(cause.step) of \(cause.context) (task \(cause.task)) \(past(cause.state)).")
        if let message = cause.message { answer.reasons.append(sentence(message)) }
        if roots.count > 1 {
            let others = roots.dropFirst().prefix(3).map(\.description).joined(separator: ", ")
            answer.reasons.append(
                "So did \(roots.count - 1) more above it: \(others)\(roots.count > 4 ? ", …" : "").")
        }
        answer.reasons.append("Mend that and retry it; this task then follows by itself.")
    }

    private static func past(_ state: TaskState) -> String { state == .cancelled ? "was cancelled" : "failed" }

    private static func sentence(_ text: String) -> String {
        text.hasSuffix(".") || text.hasSuffix("!") || text.hasSuffix("?") ? text : text + "."
    }
}
