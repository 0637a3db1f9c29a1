import Foundation
import Postgres
import TestSupport
import Testing

@testable import Coordinator

@Suite("Store: migrations")
struct StoreMigrationTests {
    private func pool() async throws -> (TestDatabase, Pool) {
        let database = try await TestDatabase.make()
        return (database, Store.pool(database.target, limit: 8))
    }

    @Test func anEmptyDatabaseIsBroughtUpToDateOnce() async throws {
        let (database, pool) = try await pool()
        defer { pool.close() }
        #expect(try await Migrator().state(pool) == .older(version: 0))
        // Several coordinators start at once.
        let applied = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<6 { group.addTask { try await Migrator().migrate(pool) } }
            return try await group.reduce(into: [String]()) { $0 += $1 }
        }
        #expect(applied.sorted() == Migration.all.map(\.name))
        #expect(try await Migrator().state(pool) == .current)
        #expect(try await Migrator().migrate(pool) == [])
        withExtendedLifetime(database) {}
    }

    /// A file that is not in the list of CResources would never be applied.
    @Test func everyFileIsCompiledIn() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = try FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: "Sources/Coordinator/Migrations/SQL").path)
        #expect(files.sorted() == Migration.all.map { $0.name + ".sql" })
    }

    @Test func aNewerSchemaIsRefused() async throws {
        let (database, pool) = try await pool()
        defer { pool.close() }
        try await Migrator().migrate(pool)
        try await pool.run { session in
            try session.execute("INSERT INTO schema_version (version, name, checksum) VALUES (99, 'future', '\\x00')")
        }
        let known = Migration.all.count
        #expect(try await Migrator().state(pool) == .newer(version: 99, known: known))
        await #expect(throws: StoreError.schemaNewer(found: 99, known: known)) { try await Migrator().migrate(pool) }
        withExtendedLifetime(database) {}
    }

    @Test func anAlteredMigrationIsRefused() async throws {
        let (database, pool) = try await pool()
        defer { pool.close() }
        try await Migrator().migrate(pool)
        var altered = Migration.all
        altered[0] = Migration(version: 1, name: altered[0].name, sql: altered[0].sql + "\n-- edited")
        let migrator = Migrator(migrations: altered)
        await #expect(throws: StoreError.schemaAltered(migration: "0001_initial")) { try await migrator.migrate(pool) }
        withExtendedLifetime(database) {}
    }

    @Test func aFailedMigrationLeavesTheOneBefore() async throws {
        let (database, pool) = try await pool()
        defer { pool.close() }
        let broken = Migration(
            version: Migration.all.count + 1, name: "broken", sql: "CREATE TABLE half (a int); SELECT 1/0")
        let migrator = Migrator(migrations: Migration.all + [broken])
        let error = await #expect(throws: PostgresError.self) { try await migrator.migrate(pool) }
        #expect(error?.state?.rawValue == "22012")
        #expect(try await Migrator().state(pool) == .current)
        let half = try await pool.run { try $0.first("SELECT to_regclass('half')::text") { try $0[0] as String? } }
        #expect(half == .some(nil))
        withExtendedLifetime(database) {}
    }

    /// What keywords of datasets say that were indexed before the database kept it; who says nothing waits for the next scan.
    @Test func theKindOfDataIsKnownOfDatasetsFromBefore() async throws {
        let (database, pool) = try await pool()
        defer { pool.close() }
        try await Migrator(migrations: Array(Migration.all.prefix(13))).migrate(pool)
        let descriptions = [
            "{}", #"{"Keywords": "synthetic"}"#, #"{"Keywords": ["QSM", "In Vivo"]}"#, #"{"Keywords": ["Phantom"]}"#,
            #"{"Keywords": ["synthetic", "Semi-Synthetic"]}"#,
        ]
        try await pool.run { session in
            for (number, text) in descriptions.enumerated() {
                try session.execute(
                    "INSERT INTO dataset (path, name, kind, bids_version, description) VALUES ($1, '', 'raw', '1.9.0', $2)",
                    [.text("/\(number)"), .jsonb(text)])
            }
        }
        try await Migrator().migrate(pool)
        let kinds = try await pool.run { session in
            try session.query("SELECT data_kind FROM dataset ORDER BY path") { try $0[0] as String? }
        }
        #expect(kinds == [nil, nil, "real", "synthetic", "semi-synthetic"])
        withExtendedLifetime(database) {}
    }

    /// Analysts rely on the views; each column says what it is.
    @Test func everyColumnOfEveryViewHasAComment() async throws {
        let fixture = try await StoreFixture.make()
        let bare = try await fixture.store.pool.run { session in
            try session.query(
                """
                SELECT c.relname || '.' || a.attname FROM pg_class c
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.relnamespace = 'qsmflow'::regnamespace AND c.relkind = 'v'
                  AND coalesce(col_description(c.oid, a.attnum), '') = ''
                """
            ) { try $0[0] as String }
        }
        #expect(bare == [])
        let views = try await fixture.store.pool.run { session in
            try session.query("SELECT viewname FROM pg_views WHERE schemaname = 'qsmflow' ORDER BY 1") {
                try $0[0] as String
            }
        }
        #expect(views == Store.resultViews.sorted())
    }

    @Test func analystsReadViewsAndNothingElse() async throws {
        let fixture = try await StoreFixture.make()
        try await fixture.store.pool.transaction { session in
            try session.script("SET LOCAL ROLE qsmflow_analyst")
            for view in Store.resultViews { try session.query("SELECT * FROM \(view)") }
        }
        for statement in ["SELECT * FROM token", "DELETE FROM measurement", "CREATE TABLE x ()"] {
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.store.pool.transaction { session in
                    try session.script("SET LOCAL ROLE qsmflow_analyst")
                    try session.execute(statement)
                }
            }
            #expect(error?.state == .insufficientPrivilege, "\(statement)")
        }
        let timeout = try await fixture.store.pool.run { session in
            try session.query(
                """
                SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
                WHERE r.rolname = 'qsmflow_analyst' ORDER BY 1
                """
            ) { try $0[0] as String }
        }
        #expect(timeout.contains("statement_timeout=5min") && timeout.contains("default_transaction_read_only=on"))
    }
}
