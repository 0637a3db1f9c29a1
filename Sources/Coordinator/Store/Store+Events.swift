import BIDS
import Foundation
import Postgres
import Workflow

extension Store {
    /// Keeps who did what.
    package func record(
        run: RunID? = nil, task: TaskID? = nil, actor: String, kind: String, body: JSONValue = .object([:])
    ) async throws {
        try await pool.run { session in
            try Self.record(session, run: run, task: task, actor: actor, kind: kind, body: body)
        }
    }

    static func record(
        _ session: Session, run: RunID? = nil, task: TaskID? = nil, actor: String, kind: String, body: JSONValue
    ) throws {
        try session.execute(
            "INSERT INTO event (run_id, task_id, actor, kind, body) VALUES ($1, $2, $3, $4, $5)",
            [
                .bigint(run?.rawValue), .bigint(task?.rawValue), .text(actor), .text(kind),
                .jsonb(body.canonicalString),
            ])
    }
}
