// The coordinator's memory: everything it knows is in PostgreSQL, and every function here is one statement or one
// transaction.
//
// Who may change what:
//   - Claims move rows from `ready` to `lease`. They lock nothing else and skip rows that others hold.
//   - Everything that ends an attempt or changes a graph (completion, loss, cancel, retry) first takes the advisory lock
//     of its run (of all its runs, in ascending order). Within a run these therefore happen one after another: the last
//     two parents of a task cannot both believe the other is still missing, and rows are never locked crosswise.
//   - Deleting a lease row by (task, attempt, nonce) is the one moment at which an attempt ends. Who deletes it decides
//     how; who finds it gone is told "duplicate" or "stale", and writes nothing.

import Foundation
import Postgres
import Workflow

package struct Store: Sendable {
    package let pool: Pool
    let scheduler: ClaimScheduler
    let steps: StepCache
    let presence = Presence()
    let news = AttemptNews()
    /// Called after a commit that put tasks into `ready`.
    let onReady: @Sendable () -> Void

    /// - Parameters:
    ///   - pool: connections made with `Store.pool`.
    ///   - onReady: called after each commit that made tasks ready, to wake waiting claims; must not block.
    package init(pool: Pool, onReady: @escaping @Sendable () -> Void = {}) {
        self.pool = pool
        self.onReady = onReady
        scheduler = ClaimScheduler()
        steps = StepCache()
    }

    /// Connections set up as the statements of the store expect them.
    ///
    /// The planner is told to use indexes: tables go from empty to a million rows between two runs of ANALYZE, and a plan
    /// made for the one is a disaster for the other.
    package static func pool(
        _ target: ConnectionTarget, limit: Int = 8, waitTimeout: Duration = .seconds(30),
        patience: Duration = .seconds(10)
    ) -> Pool {
        var target = target
        let settings = [
            "search_path": "qsmflow, pg_temp", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off",
            "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
            "idle_in_transaction_session_timeout": "60s", "TimeZone": "UTC", "extra_float_digits": "1",
        ]
        target.settings.merge(settings) { given, _ in given }
        return Pool(target, limit: limit, waitTimeout: waitTimeout, patience: patience)
    }

    /// A read that walks many rows: with the planner's usual freedom, and one snapshot for all its statements.
    func report<Value: Sendable>(_ body: @escaping @Sendable (Session) throws -> Value) async throws -> Value {
        try await pool.transaction(isolation: .repeatableRead, readOnly: true) { session in
            try session.script(Self.plannerFreedom)
            return try body(session)
        }
    }

    static let plannerFreedom = """
        SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
        SET LOCAL enable_mergejoin = on
        """

    /// Takes the locks of some runs, in ascending order.
    static func lock(_ session: Session, runs: some Sequence<Int64>) throws {
        let sorted = Set(runs).sorted()
        guard !sorted.isEmpty else { return }
        try session.query(
            """
            SELECT pg_advisory_xact_lock($1 | run) FROM unnest($2::bigint[]) WITH ORDINALITY AS u (run, position)
            ORDER BY position
            """, [.bigint(runLockSpace), .bigintArray(sorted)])
    }

    /// Apart from the locks of other programs in the same database.
    private static let runLockSpace: Int64 = 0x51 << 48
}
