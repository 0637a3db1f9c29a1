import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Time a lease lasts beyond the task's own limit: staging inputs and sending outputs.
    static let leaseGraceMilliseconds: Int64 = 180_000

    /// Gives ready tasks to a worker, as many as fit what it offers. Does not wait.
    ///
    /// The same claim sent again gets the leases it got before.
    /// - Returns: nil when the session has expired or never was.
    package func claim(session: UUID, request: ClaimRequest) async throws -> [LeaseGrant]? {
        if scheduler.beginSweep() { try await sweepReady() }
        var capability = scheduler.capability(of: session)
        if capability == nil {
            guard let loaded = try await loadCapability(session) else { return nil }
            capability = loaded
            scheduler.remember(loaded, of: session)
        }
        guard let offered = capability else { return nil }
        if scheduler.with({ $0.offer(offered, request.allowance, except: []) }) == nil {
            // A waiting worker costs at most one small query per claim: has this one been served before?
            if scheduler.isEmpty(claim: request.claim) { return [] }
            let (alive, served) = try await lookUp(claim: request.claim, session: session)
            guard alive else {
                scheduler.forget(session: session)
                return nil
            }
            if !served {
                scheduler.remember(emptyClaim: request.claim)
                return []
            }
        }
        let (scheduler, steps) = (scheduler, steps)
        scheduler.forget(claim: request.claim)
        let grants = try await pool.transaction(repeatable: true) { connection -> [LeaseGrant]? in
            let alive = try connection.first(
                "SELECT NOT draining, cores FROM worker_session WHERE session_id = $1 AND expires_at > now()",
                [.uuid(session)]
            ) { try $0.decode(Bool.self, Int.self) }
            guard let (mayTake, cores) = alive else { return nil }
            // Also when the transaction is repeated after a lost COMMIT that was in fact stored.
            var leases = try Self.leases(ofClaim: request.claim, session: session, connection)
            if leases.isEmpty, mayTake {
                leases = try Self.take(
                    for: request, session: session, capability: offered, scheduler: scheduler, connection)
            }
            return try Self.grants(for: leases, cores: cores, steps: steps, connection)
        }
        guard let grants else {
            scheduler.forget(session: session)
            return nil
        }
        if grants.isEmpty { scheduler.remember(emptyClaim: request.claim) }
        return grants
    }

    /// Looks which groups of ready tasks there are, for all claims until the next sweep. Call it once a second.
    ///
    /// - Returns: whether there is anything ready.
    @discardableResult
    package func sweepReady() async throws -> Bool {
        let (groups, lanes) = try await pool.run { session in
            let fleet = try WorkerFleet.load(session)
            let groups = try session.query(
                """
                WITH RECURSIVE present AS (
                    (SELECT lane_id, run_id, priority FROM ready ORDER BY 1, 2, 3 LIMIT 1)
                    UNION ALL
                    SELECT n.lane_id, n.run_id, n.priority
                    FROM present p CROSS JOIN LATERAL (
                        SELECT r.lane_id, r.run_id, r.priority FROM ready r
                        WHERE (r.lane_id, r.run_id, r.priority) > (p.lane_id, p.run_id, p.priority)
                        ORDER BY 1, 2, 3 LIMIT 1) n)
                SELECT p.lane_id, p.run_id, p.priority, r.weight FROM present p JOIN run r USING (run_id)
                """
            ) { row in
                let (lane, run, priority, weight) = try row.decode(Int32.self, Int64.self, Int16.self, Double.self)
                return (group: ClaimGroup(lane: lane, run: run, priority: priority), weight: weight)
            }
            let lanes = try session.query(
                "SELECT lane_id, kind, kind_version, cores, memory_mib, command FROM lane"
            ) { row in
                let (id, kind, version, cores, memory, command) = try row.decode(
                    Int32.self, String.self, Int.self, Int.self, Int.self, String.self)
                return (
                    id,
                    fleet.offered(
                        Lane(kind: kind, kindVersion: version, cores: cores, memoryMiB: memory, command: command))
                )
            }
            return (groups, Dictionary(uniqueKeysWithValues: lanes))
        }
        scheduler.with { $0.swept(groups, lanes: lanes) }
        return !groups.isEmpty
    }

    private func lookUp(claim: UUID, session: UUID) async throws -> (alive: Bool, served: Bool) {
        try await pool.run { connection in
            try connection.first(
                """
                SELECT EXISTS (SELECT FROM worker_session WHERE session_id = $1 AND expires_at > now()),
                       EXISTS (SELECT FROM lease WHERE claim_id = $2 AND session_id = $1)
                """, [.uuid(session), .uuid(claim)]
            ) { try $0.decode(Bool.self, Bool.self) } ?? (false, false)
        }
    }

    private func loadCapability(_ session: UUID) async throws -> WorkerCapability? {
        try await pool.run { connection in
            try connection.first(
                "SELECT kinds, commands FROM worker_session WHERE session_id = $1 AND expires_at > now()",
                [.uuid(session)]
            ) { row in
                let (kinds, commands) = try row.decode(String.self, [String].self)
                let versions = try StoredJSON.value(kinds, table: "worker_session").objectValue ?? [:]
                return WorkerCapability(
                    kinds: versions.compactMapValues { $0.integerValue.map { Int($0) } }, commands: Set(commands))
            }
        }
    }

    // MARK: In the transaction

    struct HeldLease {
        var task: Int64
        var token: FencingToken
        var memoryMiB: Int
        var remainingMilliseconds: Int64
    }

    private static func heldLease(_ row: Row) throws -> HeldLease {
        let (task, attempt, nonce, memory, remaining) = try row.decode(
            Int64.self, Int32.self, UUID.self, Int.self, Int64.self)
        return HeldLease(
            task: task, token: FencingToken(attempt: attempt, nonce: nonce), memoryMiB: memory,
            remainingMilliseconds: remaining)
    }

    private static func leases(ofClaim claim: UUID, session: UUID, _ connection: Session) throws -> [HeldLease] {
        try connection.query(
            """
            SELECT task_id, attempt, nonce, memory_mib,
                   greatest(1, extract(epoch FROM deadline_at - now()) * 1000)::bigint
            FROM lease WHERE claim_id = $1 AND session_id = $2 ORDER BY task_id
            """, [.uuid(claim), .uuid(session)], heldLease)
    }

    /// Goes from group to group until the worker is full or nothing fits any more.
    private static func take(
        for request: ClaimRequest, session: UUID, capability: WorkerCapability, scheduler: ClaimScheduler,
        _ connection: Session
    ) throws -> [HeldLease] {
        var allowance = request.allowance
        var leases: [HeldLease] = []
        var tried: Set<ClaimGroup> = []
        while let offer = scheduler.with({ $0.offer(capability, allowance, except: tried) }) {
            tried.insert(offer.group)
            // The subselect finds exactly the rows wanted by walking the key, and their places are fetched directly:
            // no estimate of the planner can turn this into a scan.
            let taken = try connection.query(
                """
                WITH taken AS (
                    DELETE FROM ready r
                    WHERE r.ctid = ANY (ARRAY(
                        SELECT x.ctid FROM ready x
                        WHERE x.lane_id = $1 AND x.run_id = $2 AND x.priority = $3 AND x.seq > $4
                        ORDER BY x.seq LIMIT $5 FOR UPDATE SKIP LOCKED))
                    RETURNING r.task_id, r.attempt, r.memory_mib, r.timeout_ms, r.seq),
                leased AS (
                    INSERT INTO lease (task_id, attempt, nonce, claim_id, session_id, memory_mib, deadline_at)
                    SELECT task_id, attempt, gen_random_uuid(), $6, $7, memory_mib,
                           now() + (timeout_ms + $8) * interval '1 ms'
                    FROM taken
                    RETURNING task_id, attempt, nonce, memory_mib)
                SELECT l.task_id, l.attempt, l.nonce, l.memory_mib, t.timeout_ms, t.seq
                FROM leased l JOIN taken t USING (task_id) ORDER BY t.seq
                """,
                [
                    .int(offer.group.lane), .bigint(offer.group.run), .smallint(offer.group.priority),
                    .bigint(offer.cursor), .bigint(offer.count), .uuid(request.claim), .uuid(session),
                    .bigint(leaseGraceMilliseconds),
                ]
            ) { (try heldLease($0), try $0[5] as Int64) }
            scheduler.with { $0.served(offer, count: taken.count, lastSequence: taken.last?.1) }
            allowance.take(taken.count, of: offer.lane)
            leases += taken.map(\.0)
        }
        return leases
    }

    /// Everything a worker needs to run the tasks it got.
    ///
    /// - Parameter cores: that the worker has; no task gets more.
    private static func grants(
        for leases: [HeldLease], cores: Int, steps: StepCache, _ connection: Session
    ) throws -> [LeaseGrant] {
        guard !leases.isEmpty else { return [] }
        let ids = leases.map(\.task)
        let tasks = Dictionary(
            uniqueKeysWithValues: try connection.query(
                "SELECT task_id, step_id, subject, session, atlas, fold FROM task WHERE task_id = ANY ($1)",
                [.bigintArray(ids)]
            ) { row in
                let (task, step, subject, label, atlas, fold) = try row.decode(
                    Int64.self, Int64.self, String?.self, String?.self, String?.self, Int?.self)
                let context = TaskContext(subject: subject, session: label, atlas: atlas, fold: fold)
                return (task, (step: step, context: context))
            })
        let rows = try steps.steps(tasks.values.map(\.step), connection)
        let inputs = try TaskInputs.resolve(ids, connection)
        return try leases.map { lease in
            guard let task = tasks[lease.task], let step = rows[task.step], let resolved = inputs[lease.task] else {
                throw StoreError.damagedRow(table: "lease", what: "task \(lease.task) does not exist")
            }
            return LeaseGrant(
                task: TaskID(rawValue: lease.task), token: lease.token, step: step.name, kind: step.kind,
                kindVersion: step.kindVersion, context: task.context, parameters: step.parameters,
                inputs: resolved.inputs, missing: resolved.missing,
                resources: TaskResources(cores: min(step.cores, cores), memoryMiB: lease.memoryMiB),
                timeLimitMilliseconds: Int(min(step.timeoutMilliseconds, lease.remainingMilliseconds)))
        }
    }
}

extension ClaimRequest {
    var allowance: ClaimAllowance {
        ClaimAllowance(cores: freeCores, memoryMiB: freeMemoryMiB, tasks: min(max(0, maximumTasks), 128))
    }
}
