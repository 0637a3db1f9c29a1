import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Takes in what a worker reports of its attempts. Everything about one call is stored, or nothing.
    ///
    /// Safe to repeat: an attempt already stored is a `duplicate`. A lease that is no longer in force, and one whose
    /// session has expired by the database's clock, is `stale`.
    package func complete(session: UUID, items: [CompletionItem]) async throws -> [CompletionResponse.Item] {
        guard !items.isEmpty else { return [] }
        let (steps, presence) = (steps, presence)
        let (verdicts, groups) = try await pool.transaction(repeatable: true) { connection in
            try Self.lock(connection, runs: items.map { $0.lease.task.run.rawValue })
            var verdicts = [CompletionVerdict?](repeating: nil, count: items.count)
            for index in try Self.lackingArtifacts(items, connection) { verdicts[index] = .missingArtifact }

            let open = items.indices.filter { verdicts[$0] == nil }
            let ended = try Self.takeLeases(open.map { items[$0] }, session: session, connection)
            var byTask = Dictionary(uniqueKeysWithValues: ended.map { ($0.task, $0) })
            var accepted: [EndedAttempt] = []
            for index in open {
                let item = items[index]
                guard var attempt = byTask[item.lease.task.rawValue], attempt.nonce == item.lease.token.nonce else {
                    continue
                }
                byTask[attempt.task] = nil
                attempt.report = item
                attempt.outcome = Self.accepted(item.outcome)
                attempt.message = item.message
                if attempt.outcome == .succeeded, let objection = ResultRows.objection(item) {
                    attempt.outcome = .permanent
                    attempt.message = objection
                }
                accepted.append(attempt)
                verdicts[index] = .accepted
            }
            let progress = try AttemptEnding(session: connection, steps: steps, presence: presence).finish(accepted)

            let stored = try Self.storedOutcomes(items, connection)
            let answers = items.indices.map { index in
                let verdict = verdicts[index] ?? (stored.contains(index) ? .duplicate : .stale)
                return CompletionResponse.Item(task: items[index].lease.task, verdict: verdict)
            }
            return (answers, progress.groups)
        }
        announce(groups)
        return verdicts
    }

    /// What a worker may say of an attempt whose lease is in force; only the coordinator knows of cancelling and losing.
    private static func accepted(_ outcome: AttemptOutcome) -> AttemptOutcome {
        switch outcome {
        case .cancelled: .released
        case .cached, .lost: .transient
        default: outcome
        }
    }

    /// Successes that name bytes the store does not have. The others' bytes cannot be removed before the commit.
    private static func lackingArtifacts(_ items: [CompletionItem], _ connection: Session) throws -> [Int] {
        let wanted = Set(items.filter { $0.outcome == .succeeded }.flatMap { $0.outputs.map(\.digest) })
        guard !wanted.isEmpty else { return [] }
        let present = Set(
            try connection.query(
                "SELECT digest FROM artifact WHERE digest = ANY ($1) ORDER BY digest FOR KEY SHARE",
                [.byteaArray(wanted.map(\.bytes))]
            ) { try ArtifactDigest(bytes: try $0[0], table: "artifact") })
        guard present.count < wanted.count else { return [] }
        return items.indices.filter { index in
            items[index].outcome == .succeeded && !items[index].outputs.allSatisfy { present.contains($0.digest) }
        }
    }

    /// The fence: whoever deletes the lease row has ended the attempt.
    private static func takeLeases(
        _ items: [CompletionItem], session: UUID, _ connection: Session
    ) throws -> [EndedAttempt] {
        try connection.query(
            """
            DELETE FROM lease l
            USING unnest($1::bigint[], $2::int[], $3::uuid[]) AS u (task_id, attempt, nonce)
            WHERE l.task_id = u.task_id AND l.attempt = u.attempt AND l.nonce = u.nonce AND l.session_id = $4
              AND EXISTS (SELECT FROM worker_session w WHERE w.session_id = $4 AND w.expires_at > now())
            RETURNING \(EndedAttempt.leaseColumns)
            """,
            [
                .bigintArray(items.map(\.lease.task.rawValue)), .intArray(items.map(\.lease.token.attempt)),
                .uuidArray(items.map(\.lease.token.nonce)), .uuid(session),
            ]
        ) { try EndedAttempt(lease: $0, outcome: .transient, message: nil) }
    }

    /// Items whose attempts are stored as they say.
    private static func storedOutcomes(_ items: [CompletionItem], _ connection: Session) throws -> Set<Int> {
        let found = try connection.query(
            """
            SELECT u.position, a.outcome
            FROM unnest($1::bigint[], $2::int[], $3::uuid[]) WITH ORDINALITY AS u (task_id, attempt, nonce, position)
            JOIN attempt a ON a.task_id = u.task_id AND a.attempt = u.attempt AND a.nonce = u.nonce
            """,
            [
                .bigintArray(items.map(\.lease.task.rawValue)), .intArray(items.map(\.lease.token.attempt)),
                .uuidArray(items.map(\.lease.token.nonce)),
            ]
        ) { try $0.decode(Int.self, String.self) }
        return Set(
            found.compactMap { position, outcome in
                let said = accepted(items[position - 1].outcome)
                // A success whose report could not be stored is kept as a permanent failure.
                let asStored =
                    outcome == said.rawValue
                    || (said == .succeeded && outcome == AttemptOutcome.permanent.rawValue
                        && ResultRows.objection(items[position - 1]) != nil)
                return asStored ? position - 1 : nil
            })
    }

    // MARK: Leases that end without their worker

    /// Ends leases by the coordinator's own decision.
    ///
    /// - Parameters:
    ///   - condition: SQL over `lease l`.
    ///   - outcome: what the attempts ended as; gets the row of the lease.
    ///   - limit: at most this many at once.
    func endLeases(
        where condition: String, _ parameters: [Parameter], limit: Int = 1000,
        outcome: @escaping @Sendable (Row) throws -> (AttemptOutcome, String),
        afterwards: @escaping @Sendable (Session) throws -> Void = { _ in }
    ) async throws -> (ended: Int, groups: Set<ClaimGroup>) {
        let (steps, presence) = (steps, presence)
        return try await pool.transaction(repeatable: true) { connection in
            // Which runs are concerned is known before their locks are taken; who is concerned, only after.
            let tasks = try connection.query(
                "SELECT l.task_id FROM lease l WHERE \(condition) ORDER BY l.task_id LIMIT \(limit)", parameters
            ) { try $0[0] as Int64 }
            var result: (ended: Int, groups: Set<ClaimGroup>) = (0, [])
            if !tasks.isEmpty {
                try Self.lock(connection, runs: tasks.map { $0 >> 24 })
                let ended = try connection.query(
                    """
                    DELETE FROM lease l WHERE \(condition) AND l.task_id = ANY ($\(parameters.count + 1))
                    RETURNING \(EndedAttempt.leaseColumns),
                        (SELECT w.worker FROM worker_session w WHERE w.session_id = l.session_id),
                        l.deadline_at < now()
                    """, parameters + [.bigintArray(tasks)]
                ) { row in
                    let (outcome, message) = try outcome(row)
                    return try EndedAttempt(lease: row, outcome: outcome, message: message)
                }
                let progress = try AttemptEnding(session: connection, steps: steps, presence: presence).finish(ended)
                result = (ended.count, progress.groups)
            }
            try afterwards(connection)
            return result
        }
    }
}
