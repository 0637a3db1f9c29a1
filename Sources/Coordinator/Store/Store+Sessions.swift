import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Opens a session for a worker. One it left open under the same boot ends, as it says thereby that it has abandoned
    /// that one's attempts, and so do those of a predecessor that it knows to be gone: the next look for expired leases
    /// takes theirs back.
    package func openSession(_ request: SessionRequest, ttl: Duration) async throws -> SessionGrant {
        let milliseconds = Int(ttl.components.seconds * 1000 + ttl.components.attoseconds / 1_000_000_000_000_000)
        let kinds = JSONValue.object(request.kinds.mapValues { .integer(Int64($0)) }).canonicalString
        let session = UUID()
        try await pool.transaction(repeatable: true) { connection in
            try connection.execute(
                "UPDATE worker_session SET expires_at = now() WHERE boot_id IN ($1, $2) AND expires_at > now()",
                [.uuid(request.bootID), .uuid(request.predecessor ?? request.bootID)])
            try connection.execute(
                """
                INSERT INTO worker_session (session_id, worker, boot_id, cores, memory_mib, kinds, commands,
                                            instruction_set, version, ttl_ms, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $10 * interval '1 ms')
                ON CONFLICT (session_id) DO UPDATE SET expires_at = excluded.expires_at
                """,
                [
                    .uuid(session), .text(request.worker), .uuid(request.bootID), .int(request.cores),
                    .int(request.memoryMiB), .jsonb(kinds), .textArray(request.commands),
                    .text(request.instructionSet), .text(request.version), .int(milliseconds),
                ])
        }
        scheduler.remember(
            WorkerCapability(kinds: request.kinds, commands: Set(request.commands)), of: session)
        // How wide tasks are offered depends on who is there.
        scheduler.sweepSoon()
        return SessionGrant(
            session: session, ttlMilliseconds: milliseconds, heartbeatMilliseconds: max(100, milliseconds / 6))
    }

    /// A worker says goodbye: what it still holds goes back unharmed.
    package func closeSession(_ session: UUID) async throws {
        scheduler.forget(session: session)
        news.forget(session)
        let groups = try await endLeases(
            where: "l.session_id = $1", [.uuid(session)],
            outcome: { _ in (.released, "the worker ended its session") },
            afterwards: { connection in
                try connection.execute(
                    "UPDATE worker_session SET expires_at = now() WHERE session_id = $1 AND expires_at > now()",
                    [.uuid(session)])
            }
        ).groups
        announce(groups)
    }

    /// Keeps a session and its leases alive.
    ///
    /// - Returns: nil when the session has expired or never was: the worker opens another and abandons its attempts.
    package func heartbeat(session: UUID, request: HeartbeatRequest) async throws -> HeartbeatResponse? {
        let held = request.held.map(\.lease)
        let (answer, forgotten) = try await pool.transaction(repeatable: true) {
            connection -> (HeartbeatResponse?, [LeaseName]) in
            let ttl = try connection.first(
                """
                UPDATE worker_session
                SET expires_at = now() + ttl_ms * interval '1 ms', heartbeat_at = now(), draining = $2
                WHERE session_id = $1 AND expires_at > now() RETURNING ttl_ms
                """, [.uuid(session), .bool(request.draining)]
            ) { try $0[0] as Int }
            guard let ttl else { return (nil, []) }
            let sending = request.held.filter { $0.sending == true }.map(\.lease)
            if !sending.isEmpty {
                // The hard deadline is for processes that do not end. A large result over a slow line is waited for as
                // long as its worker is heard of; the worker gives up by itself when nothing moves.
                try connection.execute(
                    """
                    UPDATE lease l SET deadline_at = greatest(l.deadline_at, now() + $4 * interval '1 ms')
                    FROM unnest($1::bigint[], $2::int[], $3::uuid[]) AS h (task_id, attempt, nonce)
                    WHERE l.task_id = h.task_id AND l.attempt = h.attempt AND l.nonce = h.nonce AND l.session_id = $5
                    """,
                    [
                        .bigintArray(sending.map(\.task.rawValue)), .intArray(sending.map(\.token.attempt)),
                        .uuidArray(sending.map(\.token.nonce)),
                        .bigint(max(Self.leaseGraceMilliseconds, 2 * Int64(ttl))), .uuid(session),
                    ])
            }
            var answer = HeartbeatResponse(ttlMilliseconds: ttl, cancel: [], unknown: [], drain: false)
            let ended = try connection.query(
                """
                SELECT h.task_id, a.outcome
                FROM unnest($1::bigint[], $2::int[], $3::uuid[]) AS h (task_id, attempt, nonce)
                LEFT JOIN lease l ON l.task_id = h.task_id AND l.attempt = h.attempt AND l.nonce = h.nonce
                LEFT JOIN attempt a ON a.task_id = h.task_id AND a.attempt = h.attempt AND a.nonce = h.nonce
                WHERE l.task_id IS NULL
                """,
                [
                    .bigintArray(held.map(\.task.rawValue)), .intArray(held.map(\.token.attempt)),
                    .uuidArray(held.map(\.token.nonce)),
                ]
            ) { try $0.decode(Int64.self, String?.self) }
            for (task, outcome) in ended {
                if outcome == AttemptOutcome.cancelled.rawValue {
                    answer.cancel.append(TaskID(rawValue: task))
                } else {
                    answer.unknown.append(TaskID(rawValue: task))
                }
            }
            // Leases whose grant never reached the worker; young ones may be on their way.
            let forgotten = try connection.query(
                """
                SELECT l.task_id, l.attempt, l.nonce FROM lease l
                WHERE l.session_id = $1 AND l.started_at < now() - 2 * $2 * interval '1 ms'
                  AND NOT l.nonce = ANY ($3)
                """, [.uuid(session), .int(ttl), .uuidArray(held.map(\.token.nonce))]
            ) { row in
                let (task, attempt, nonce) = try row.decode(Int64.self, Int32.self, UUID.self)
                return LeaseName(task: TaskID(rawValue: task), token: FencingToken(attempt: attempt, nonce: nonce))
            }
            return (answer, forgotten)
        }
        if let answer {
            news.heard(request.held, from: session, ttl: .milliseconds(answer.ttlMilliseconds))
        } else {
            news.forget(session)
        }
        if !forgotten.isEmpty {
            try await release(session: session, leases: forgotten)
        }
        return answer
    }

    /// Takes leases back unharmed.
    package func release(session: UUID, leases: [LeaseName]) async throws {
        guard !leases.isEmpty else { return }
        let groups = try await endLeases(
            where: """
                l.session_id = $1 AND (l.task_id, l.attempt, l.nonce) IN
                    (SELECT * FROM unnest($2::bigint[], $3::int[], $4::uuid[]))
                """,
            [
                .uuid(session), .bigintArray(leases.map(\.task.rawValue)), .intArray(leases.map(\.token.attempt)),
                .uuidArray(leases.map(\.token.nonce)),
            ], outcome: { _ in (.released, "the worker handed the task back") }
        ).groups
        announce(groups)
    }

    /// Workers with a session, and those gone for less than a day.
    package func workers() async throws -> [WorkerSummary] {
        try await pool.run { session in
            try session.query(
                """
                SELECT DISTINCT ON (w.worker, w.boot_id) w.worker,
                       CASE WHEN w.expires_at <= now() THEN 'gone' WHEN w.draining THEN 'draining' ELSE 'active' END,
                       w.cores, w.memory_mib, (SELECT count(*) FROM lease l WHERE l.session_id = w.session_id),
                       extract(epoch FROM now() - w.heartbeat_at)::float8, w.version
                FROM worker_session w WHERE w.expires_at > now() - interval '1 day'
                ORDER BY w.worker, w.boot_id, w.opened_at DESC
                """
            ) { row in
                let (worker, state, cores, memory, running, seconds, version) = try row.decode(
                    String.self, String.self, Int.self, Int.self, Int.self, Double.self, String.self)
                return WorkerSummary(
                    worker: worker, state: state, cores: cores, memoryMiB: memory, running: running,
                    secondsSinceHeartbeat: seconds, version: version)
            }
        }
    }
}
