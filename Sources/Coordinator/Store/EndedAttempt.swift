// An attempt that has ended, however it did, and what is written about it.

import BIDS
import Foundation
import Postgres
import Wire
import Workflow

struct EndedAttempt: Sendable {
    var task: Int64
    var attempt: Int32
    var nonce: UUID
    var session: UUID
    var startedAt: Date
    var memoryMiB: Int
    var outcome: AttemptOutcome
    var message: String?
    /// What the worker said; nil when it was not heard.
    var report: CompletionItem?

    var run: Int64 { task >> 24 }
}

extension EndedAttempt {
    /// The columns of a lease that `DELETE FROM lease l … RETURNING` gives back.
    static let leaseColumns = "l.task_id, l.attempt, l.nonce, l.session_id, l.started_at, l.memory_mib"

    init(lease row: Row, outcome: AttemptOutcome, message: String?) throws {
        let (task, attempt, nonce, session, started, memory) = try row.decode(
            Int64.self, Int32.self, UUID.self, UUID.self, Date.self, Int.self)
        self.init(
            task: task, attempt: attempt, nonce: nonce, session: session, startedAt: started, memoryMiB: memory,
            outcome: outcome, message: message)
    }
}

/// Text of workers as PostgreSQL can hold it: no zero bytes, and not without end.
enum WorkerText {
    static let messageBytes = 8192
    static let logBytes = 16384

    static func clean(_ text: String?, limit: Int = messageBytes) -> String? {
        guard var text else { return nil }
        if text.utf8.contains(0) { text = text.replacing("\0", with: "\u{FFFD}") }
        guard text.utf8.count > limit else { return text }
        // From the end: that is where a log says what went wrong.
        return "…" + String(decoding: text.utf8.suffix(limit), as: UTF8.self)
    }

    static func json(_ value: JSONValue?) -> String? {
        guard let value else { return nil }
        let text = value.canonicalString
        return text.contains("\\u0000") ? clean(value).canonicalString : text
    }

    private static func clean(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text.replacing("\0", with: "\u{FFFD}"))
        case .array(let elements): .array(elements.map(clean))
        case .object(let members):
            .object(
                Dictionary(members.map { ($0.key.replacing("\0", with: "\u{FFFD}"), clean($0.value)) }) { first, _ in
                    first
                })
        default: value
        }
    }
}

enum AttemptRows {
    /// Writes the rows of ended attempts. Their leases are gone already.
    static func insert(_ ended: [EndedAttempt], _ session: Session) throws {
        guard !ended.isEmpty else { return }
        func numbers(_ value: (AttemptUsage) -> Int64?) -> Parameter {
            .bigintArray(ended.map { item in item.report.flatMap { value($0.usage) } })
        }
        try session.execute(
            """
            INSERT INTO attempt (task_id, attempt, nonce, session_id, worker, outcome, message, started_at, memory_mib,
                                 wall_ms, user_ms, system_ms, peak_resident_mib, staged_bytes, uploaded_bytes, signal,
                                 exit_code, log_tail)
            SELECT u.task_id, u.attempt, u.nonce, u.session_id, w.worker, u.outcome, u.message, u.started_at,
                   u.memory_mib, u.wall_ms, u.user_ms, u.system_ms, u.peak_resident_mib, u.staged_bytes,
                   u.uploaded_bytes, u.signal, u.exit_code, u.log_tail
            FROM unnest($1::bigint[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
                        $8::int[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                        $14::bigint[], $15::bigint[], $16::bigint[], $17::text[])
                 AS u (task_id, attempt, nonce, session_id, outcome, message, started_at, memory_mib, wall_ms, user_ms,
                       system_ms, peak_resident_mib, staged_bytes, uploaded_bytes, signal, exit_code, log_tail)
            LEFT JOIN worker_session w USING (session_id)
            """,
            [
                .bigintArray(ended.map(\.task)), .intArray(ended.map(\.attempt)), .uuidArray(ended.map(\.nonce)),
                .uuidArray(ended.map(\.session)), .textArray(ended.map(\.outcome.rawValue)),
                .textArray(ended.map { WorkerText.clean($0.message) }), .timestamptzArray(ended.map(\.startedAt)),
                .intArray(ended.map { Int32(clamping: $0.memoryMiB) }),
                numbers { Int64($0.wallMilliseconds) }, numbers { Int64($0.userMilliseconds) },
                numbers { Int64($0.systemMilliseconds) }, numbers { Int64(Int32(clamping: $0.peakResidentMiB)) },
                numbers(\.stagedBytes), numbers(\.uploadedBytes),
                numbers { $0.signal.map { Int64(Int32(clamping: $0)) } },
                numbers { $0.exitCode.map { Int64(Int32(clamping: $0)) } },
                .textArray(ended.map { WorkerText.clean($0.report?.logTail, limit: WorkerText.logBytes) }),
            ])
    }
}
