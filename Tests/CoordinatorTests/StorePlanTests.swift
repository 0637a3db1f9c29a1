import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: size")
struct StorePlanTests {
    /// The claim must walk the key from its cursor and fetch rows by their place, on an empty table, on a filled one
    /// that was never analysed, and on one whose statistics say it is empty.
    @Test func theClaimNeverScans() async throws {
        let fixture = try await StoreFixture.make()
        let plan: @Sendable (Session) throws -> String = { session in
            try session.transaction { session in
                try session.script(
                    """
                    DEALLOCATE ALL;
                    PREPARE claim (int, bigint, smallint, bigint, bigint) AS
                    DELETE FROM ready r WHERE r.ctid = ANY (ARRAY(
                        SELECT x.ctid FROM ready x
                        WHERE x.lane_id = $1 AND x.run_id = $2 AND x.priority = $3 AND x.seq > $4
                        ORDER BY x.seq LIMIT $5 FOR UPDATE SKIP LOCKED)) RETURNING r.task_id
                    """)
                return try session.table("EXPLAIN EXECUTE claim (1, 1, 0::smallint, 0, 32)").rows
                    .compactMap { $0[0] }.joined(separator: "\n")
            }
        }
        for (moment, statement) in [
            ("empty", "ANALYZE ready"),
            (
                "filled",
                """
                INSERT INTO ready (lane_id, run_id, priority, task_id, attempt, memory_mib, timeout_ms)
                SELECT n % 3, 1, 0, n, 1, 1024, 60000 FROM generate_series(1, 100000) n
                """
            ), ("analysed", "ANALYZE ready"), ("emptied", "DELETE FROM ready"),
        ] {
            try await fixture.store.pool.run { try $0.script(statement) }
            let text = try await fixture.store.pool.run(plan)
            #expect(text.contains("Tid Scan on ready r"), "\(moment): \(text)")
            #expect(text.contains("Index Scan using ready_pkey on ready x"), "\(moment): \(text)")
            #expect(!text.contains("Seq Scan") && !text.contains("Sort"), "\(moment): \(text)")
        }
    }

    /// Statements of completions go by keys whatever the tables hold.
    @Test func completionsUseKeysOnly() async throws {
        let fixture = try await StoreFixture.make(connections: 1)
        var graph = GraphBuilder()
        let parents = (0..<50).map { graph.add("p", subject: "\($0)", file: "\($0)") }
        graph.add("c", after: parents)
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession()
        let scans: @Sendable () async throws -> [String] = {
            // One connection: what it has counted is on the books when it asks.
            _ = try await fixture.store.pool.run { try $0.execute("SELECT pg_stat_force_next_flush()") }
            return try await fixture.store.pool.run { session in
                try session.query(
                    """
                    SELECT relname || ' ' || seq_scan FROM pg_stat_user_tables
                    -- The dictionary of lanes is small and read whole.
                    WHERE schemaname = 'qsmflow' AND relname <> 'lane' ORDER BY 1
                    """
                ) { try $0[0] as String }
            }
        }
        let before = try await scans()
        let leases = try await fixture.claim(session, 50)
        #expect(leases.count == 50)
        _ = try await fixture.finish(session, leases.map { Report.success($0, measured: true) })
        #expect(try await fixture.claim(session, 50).map(\.step) == ["c"])
        let after = try await scans()
        #expect(after.filter { !before.contains($0) } == [], "tables scanned, and how often by now")
    }

    /// A reader that keeps a snapshot open keeps dead rows from being removed; claims start behind them.
    @Test func aLongReaderDoesNotSlowClaims() async throws {
        let fixture = try await StoreFixture.make()
        try await fixture.execute(
            """
            INSERT INTO ready (lane_id, run_id, priority, task_id, attempt, memory_mib, timeout_ms)
            SELECT 1, 1, 0, n, 1, 1024, 60000 FROM generate_series(1, 50000) n
            """)
        let (opened, opening) = AsyncStream.makeStream(of: Void.self)
        let done = DispatchSemaphore(value: 0)
        let reader = Pool(fixture.database.target, limit: 1)
        defer { reader.close() }
        async let held: Void = reader.run { session in
            try session.transaction(isolation: .repeatableRead, readOnly: true) { session in
                try session.query("SELECT count(*) FROM qsmflow.ready")
                opening.yield()
                done.wait()
            }
        }
        for await _ in opened { break }
        try await fixture.execute("DELETE FROM ready WHERE seq <= 49000")
        let pages: @Sendable (Int) async throws -> Int64 = { cursor in
            try await fixture.store.pool.run { session in
                let text = try session.table(
                    """
                    EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json)
                    SELECT x.ctid FROM ready x
                    WHERE x.lane_id = 1 AND x.run_id = 1 AND x.priority = 0 AND x.seq > \(cursor)
                    ORDER BY x.seq LIMIT 32 FOR UPDATE SKIP LOCKED
                    """
                ).rows.compactMap { $0[0] }.joined()
                let plan = try JSONValue.parse(text)[0]?["Plan"]
                return (plan?["Shared Hit Blocks"]?.integerValue ?? 0)
                    + (plan?["Shared Read Blocks"]?.integerValue ?? 0)
            }
        }
        let behind = try await pages(49_000)
        let fromStart = try await pages(0)
        done.signal()
        try await held
        #expect(behind < 100, "pages read from the cursor")
        #expect(fromStart > 10 * behind, "pages read from the start: \(fromStart); the snapshot holds nothing back?")
    }

    @Test func aLargeRunIsStoredRunAndTakenOver() async throws {
        let fixture = try await StoreFixture.make()
        var graph = GraphBuilder()
        let people = ProcessInfo.processInfo.environment["QSMFLOW_LARGE"] == "1" ? 20_000 : 1_000
        var ends: [Int] = []
        for person in 0..<people {
            let first = graph.add("first", subject: "\(person)", file: "f\(person)")
            let middle = graph.add("middle", subject: "\(person)", after: [first])
            let left = graph.add("left", subject: "\(person)", after: [middle])
            let right = graph.add("right", subject: "\(person)", after: [middle])
            ends.append(graph.add("join", subject: "\(person)", after: [left, right]))
        }
        graph.add("cohort", after: ends, fanIn: .atLeast(0.9))
        let clock = ContinuousClock()
        var run = RunID(rawValue: 0)
        let stored = try await clock.measure { run = try await fixture.create(graph).run }
        let session = try await fixture.openSession(cores: 4096, memoryMiB: 1 << 30)
        var ran = 0
        let worked = try await clock.measure {
            while true {
                let leases = try await fixture.claim(session, 128, cores: 4096, memoryMiB: 1 << 30)
                if leases.isEmpty { break }
                ran += leases.count
                let items = leases.map { Report.success($0) }
                let outputs = items.flatMap(\.outputs)
                try await fixture.store.pool.run { session in
                    try session.execute(
                        """
                        INSERT INTO artifact (digest, size_bytes, media_type)
                        SELECT digest, size, 'x' FROM unnest($1::bytea[], $2::bigint[]) u (digest, size)
                        ON CONFLICT DO NOTHING
                        """, [.byteaArray(outputs.map(\.digest.bytes)), .bigintArray(outputs.map(\.sizeBytes))])
                }
                _ = try await fixture.complete(session, items)
            }
        }
        #expect(ran == graph.tasks.count)
        #expect(try await fixture.store.run(run)?.state == .succeeded)
        let large = graph
        var cached = 0
        let again = try await clock.measure { cached = try await fixture.create(large).cached }
        #expect(cached == graph.tasks.count)
        #expect(try await fixture.store.fsck() == [])
        // For the record, not judged: the machine may be busy.
        print("\(graph.tasks.count) tasks: stored in \(stored), worked in \(worked), taken over in \(again)")
    }
}
