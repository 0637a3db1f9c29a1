import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Postgres

@Suite("Pool")
struct PoolTests {
    @Test func neverMoreThanItsLimit() async throws {
        let pool = Pool(try await PostgresServer.shared.target(), limit: 3)
        let box = Counters()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    try await pool.run { session in
                        box.enter()
                        defer { box.leave() }
                        try session.query("SELECT pg_sleep(0.002)")
                    }
                }
            }
            for try await _ in group {}
        }
        #expect(box.mostAtOnce <= 3)
        #expect(box.mostAtOnce >= 1)
        let occupancy = pool.occupancy
        #expect(occupancy.held == 0 && occupancy.waiting == 0 && (1...3).contains(occupancy.idle))
        pool.close()
        let error = await #expect(throws: PostgresError.self) { try await pool.run { try $0.execute("SELECT 1") } }
        guard case .poolClosed? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    private final class Counters: Sendable {
        private let state = Mutex((now: 0, most: 0))
        func enter() { state.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }
        func leave() { state.withLock { $0.now -= 1 } }
        var mostAtOnce: Int { state.withLock { $0.most } }
    }

    @Test func aWaiterIsTurnedAwayInTime() async throws {
        let pool = Pool(try await PostgresServer.shared.target(), limit: 1, waitTimeout: .milliseconds(30))
        defer { pool.close() }
        let (held, holding) = AsyncStream.makeStream(of: Void.self)
        let release = DispatchSemaphore(value: 0)
        async let holder: Void = pool.run { _ in
            holding.yield()
            release.wait()
        }
        for await _ in held { break }
        let error = await #expect(throws: PostgresError.self) { try await pool.run { try $0.execute("SELECT 1") } }
        guard case .poolExhausted(limit: 1, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        release.signal()
        try await holder
        #expect(try await pool.run { try $0.first("SELECT 1") { try $0[0] as Int } } == 1)
    }

    @Test func cancellingStopsTheStatementOnTheServer() async throws {
        let pool = Pool(try await PostgresServer.shared.target(), limit: 1)
        defer { pool.close() }
        let (started, starting) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await pool.run { session in
                starting.yield()
                try session.execute("SELECT pg_sleep(600)")
            }
        }
        for await _ in started { break }
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        guard case .cancelled? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        // The connection went back unharmed.
        #expect(pool.occupancy.idle == 1)
        #expect(try await pool.run { try $0.first("SELECT 1") { try $0[0] as Int } } == 1)
    }

    @Test func connectionsEndedByTheServerAreReplaced() async throws {
        let pool = Pool(try await PostgresServer.shared.target(), limit: 2)
        let other = Pool(try await PostgresServer.shared.target(), limit: 1)
        defer {
            pool.close()
            other.close()
        }
        for _ in 0..<20 {
            let process = try await pool.run { $0.serverProcessID }
            try await other.run { session in
                try session.execute("SELECT pg_terminate_backend($1, 10000)", [.int(process)])
            }
            #expect(try await pool.run { $0.serverProcessID } != process)
        }
    }

    @Test func aTransactionCutOffIsRepeated() async throws {
        let target = try await PostgresServer.shared.target()
        let pool = Pool(target, limit: 1)
        let other = Pool(target, limit: 1)
        defer {
            pool.close()
            other.close()
        }
        let tries = Counter()
        let value = try await pool.transaction { session -> Int in
            if tries.next() == 1 {
                let process = session.serverProcessID
                // Ends its own connection in the middle of the transaction.
                try session.query("SELECT pg_terminate_backend($1)", [.int(process)])
            }
            return try session.first("SELECT 3") { try $0[0] as Int }!
        }
        #expect(value == 3)
        #expect(tries.value == 2)
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        func next() -> Int {
            count.withLock {
                $0 += 1
                return $0
            }
        }
        var value: Int { count.withLock { $0 } }
    }

    @Test func deadlocksAreRepeatedUntilBothGetThrough() async throws {
        let database = try await TestDatabase.make()
        let pool = Pool(database.target, limit: 2)
        defer { pool.close() }
        try await pool.run { session in
            try session.script("CREATE TABLE t (a int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
            try session.script("ALTER DATABASE \"\(database.name)\" SET deadlock_timeout = '20ms'")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for order in [[1, 2], [2, 1]] {
                group.addTask {
                    for _ in 0..<20 {
                        try await pool.transaction(retries: 50) { session in
                            for row in order {
                                try session.execute("UPDATE t SET n = n + 1 WHERE a = $1", [.int(row)])
                            }
                        }
                    }
                }
            }
            for try await _ in group {}
        }
        let counts = try await pool.run { try $0.query("SELECT n FROM t ORDER BY a") { try $0[0] as Int } }
        #expect(counts == [40, 40])
    }

    @Test func anUnreachableServerIsNamed() async throws {
        let pool = Pool(ConnectionTarget("host=127.0.0.1 port=1 dbname=x password=secret"), limit: 1)
        let error = await #expect(throws: PostgresError.self) { try await pool.run { try $0.execute("SELECT 1") } }
        let text = try #require(error?.description)
        #expect(text.contains("host 127.0.0.1 port 1") && text.contains("Connection refused"))
        #expect(!text.contains("secret"))
        let target = try await PostgresServer.shared.target(database: "absent")
        let refused = await #expect(throws: PostgresError.self) { try await Connection.open(target) }
        guard case .refused? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(refused?.description.contains("\"absent\" does not exist") == true)
        await #expect(throws: PostgresError.self) { try await Connection.open(ConnectionTarget("host = = x")) }
    }

    @Test func listenersHearAndReconnect() async throws {
        let database = try await TestDatabase.make()
        let pool = Pool(database.target, limit: 1)
        defer { pool.close() }
        var events = Listener(database.target, channels: ["news"]).events().makeAsyncIterator()
        guard case .listening? = await events.next() else {
            Issue.record("not listening")
            return
        }
        try await pool.run { try $0.execute("SELECT pg_notify('news', 'first')") }
        guard case .notification("news", "first")? = await events.next() else {
            Issue.record("no notification")
            return
        }
        try await pool.run { session in
            try session.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'
                """)
        }
        guard case .interrupted? = await events.next(), case .listening? = await events.next() else {
            Issue.record("did not reconnect")
            return
        }
        try await pool.run { try $0.execute("SELECT pg_notify('news', 'second')") }
        guard case .notification("news", "second")? = await events.next() else {
            Issue.record("no notification after reconnecting")
            return
        }
    }

    @Test func settingsHoldInEverySession() async throws {
        var target = try await PostgresServer.shared.target()
        target.settings = ["statement_timeout": "20ms", "plan_cache_mode": "force_generic_plan"]
        let pool = Pool(target, limit: 1)
        defer { pool.close() }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.run { try $0.execute("SELECT pg_sleep(60)") }
        }
        #expect(error?.state == .queryCanceled)
    }
}

@Suite("Pool decisions")
struct PoolStateTests {
    /// Random events; after each, slots add up and nobody waits while a slot is to be had.
    @Test(arguments: [1, 2, 7])
    func slotsAreConserved(limit: Int) {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0...UInt64.max, using: &generator)
        var random = SplitMix(state: seed)
        var state = PoolState<Int, UInt64>(limit: limit)
        var held: [Int?] = []
        var queue: [UInt64] = []
        var nextID: UInt64 = 0
        var nextResource = 0
        for _ in 0..<5000 {
            switch random.next() % 4 {
            case 0, 1:
                nextID += 1
                switch state.request(id: nextID, waiter: nextID) {
                case .granted(.use(let resource)): held.append(resource)
                case .granted(.connect):
                    nextResource += 1
                    held.append(nextResource)
                case .queued: queue.append(nextID)
                case .closed: Issue.record("closed, seed \(seed)")
                }
            case 2 where !held.isEmpty:
                let resource = held.remove(at: Int(random.next() % UInt64(held.count)))
                let broken = random.next() % 3 == 0
                switch state.release(broken ? nil : resource) {
                case .resume(let waiter, let grant):
                    #expect(waiter == queue.removeFirst(), "not first come, first served; seed \(seed)")
                    if case .use(let given) = grant { held.append(given) } else { held.append(nil) }
                case .discard: Issue.record("discarded, seed \(seed)")
                case .nothing: #expect(queue.isEmpty, "a waiter was forgotten; seed \(seed)")
                }
            case 3 where !queue.isEmpty:
                let gone = queue.remove(at: Int(random.next() % UInt64(queue.count)))
                #expect(state.remove(id: gone) == gone)
                #expect(state.remove(id: gone) == nil)
            default: break
            }
            #expect(state.held == held.count && state.waiting == queue.count, "seed \(seed)")
            #expect(state.held + state.idle.count <= limit, "seed \(seed)")
            #expect(queue.isEmpty || (state.held == limit && state.idle.isEmpty), "seed \(seed)")
        }
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}
