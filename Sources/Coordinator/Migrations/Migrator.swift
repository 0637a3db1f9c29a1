// Brings a database to the schema this program knows.
//
// Migrations are numbered, go forward only, and are never edited after a release: the checksum of each is kept, and a
// different text under an applied number is refused. One transaction each, all under one advisory lock, so that any
// number of coordinators may start at once.

import CResources
import Crypto
import Foundation
import Postgres

package struct Migration: Sendable {
    /// 1, 2, …
    package let version: Int
    /// Such as "0001_initial".
    package let name: String
    package let sql: String

    var checksum: [UInt8] { Array(SHA256.hash(data: Data(sql.utf8))) }

    /// Every migration compiled in, in order.
    package static let all: [Migration] = {
        var list: [Migration] = []
        var resource = qsm_resource()
        while qsm_migration(list.count, &resource) {
            let name = String(cString: resource.name)
            let version = list.count + 1
            precondition(Int(name.prefix(4)) == version, "migration \(name) is not number \(version)")
            let bytes = UnsafeBufferPointer(start: resource.bytes, count: resource.count)
            list.append(Migration(version: version, name: name, sql: String(decoding: bytes, as: UTF8.self)))
        }
        return list
    }()
}

package enum SchemaState: Equatable, Sendable {
    case current
    /// Lacks the newest migrations; 0: an empty database.
    case older(version: Int)
    case newer(version: Int, known: Int)
}

package struct Migrator: Sendable {
    package let migrations: [Migration]

    package init(migrations: [Migration] = Migration.all) {
        self.migrations = migrations
    }

    static let minimumServerVersion = 140_000
    /// Any number that no other program uses; "qsmflow" in ASCII.
    private static let lockKey: Int64 = 0x71_736d_666c_6f77

    /// Applies what is missing.
    ///
    /// - Returns: names of the migrations applied now.
    /// - Throws: `StoreError` for a server too old, a newer or altered schema.
    @discardableResult
    package func migrate(_ pool: Pool) async throws -> [String] {
        try await pool.run { try migrate($0) }
    }

    func migrate(_ session: Session) throws -> [String] {
        guard session.serverVersion >= Self.minimumServerVersion else {
            throw StoreError.serverTooOld(found: session.serverVersion, needed: Self.minimumServerVersion)
        }
        let encoding = try session.first("SHOW server_encoding") { try $0[0] as String } ?? ""
        guard encoding == "UTF8" else { throw StoreError.wrongEncoding(encoding) }
        var applied: [String] = []
        // Looked at without the lock first: a coordinator that finds nothing to do never waits for another.
        if try state(session) == .current { return [] }
        for migration in migrations {
            let isNew = try session.transaction { session in
                try session.query("SELECT pg_advisory_xact_lock($1)", [.bigint(Self.lockKey)])
                try prepareTables(session)
                try check(session)
                if try appliedVersions(session).contains(migration.version) { return false }
                // A migration must not queue behind a long query and hold up everybody else meanwhile.
                try session.script("SET LOCAL lock_timeout = '10s'; SET LOCAL search_path = qsmflow, pg_temp")
                try session.script(migration.sql)
                try session.execute(
                    "INSERT INTO qsmflow.schema_version (version, name, checksum) VALUES ($1, $2, $3)",
                    [.int(migration.version), .text(migration.name), .bytea(migration.checksum)])
                return true
            }
            if isNew { applied.append(migration.name) }
        }
        return applied
    }

    /// How the database compares with this program.
    ///
    /// - Throws: `StoreError.schemaAltered` when an applied migration has another text than ours.
    package func state(_ pool: Pool) async throws -> SchemaState {
        try await pool.run { try state($0) }
    }

    private func state(_ session: Session) throws -> SchemaState {
        guard try exists(session) else { return .older(version: 0) }
        do {
            try check(session)
        } catch StoreError.schemaNewer(let found, let known) {
            return .newer(version: found, known: known)
        }
        let versions = try appliedVersions(session)
        return versions.count == migrations.count ? .current : .older(version: versions.max() ?? 0)
    }

    private func exists(_ session: Session) throws -> Bool {
        // Read from the catalogue itself: to_regclass may answer from a cache filled before the lock was waited for, and
        // overlook the table another coordinator has made meanwhile.
        try session.first(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname = 'qsmflow' AND c.relname = 'schema_version')
            """
        ) { try $0[0] as Bool } ?? false
    }

    private func prepareTables(_ session: Session) throws {
        if try exists(session) { return }
        try session.script(
            """
            CREATE SCHEMA IF NOT EXISTS qsmflow;
            CREATE TABLE qsmflow.schema_version (
                version     int PRIMARY KEY,
                name        text NOT NULL,
                checksum    bytea NOT NULL,
                applied_at  timestamptz NOT NULL DEFAULT now())
            """)
    }

    private func check(_ session: Session) throws {
        let rows = try session.query("SELECT version, name, checksum FROM qsmflow.schema_version ORDER BY version") {
            try $0.decode(Int.self, String.self, [UInt8].self)
        }
        for (version, name, checksum) in rows {
            guard version <= migrations.count else {
                throw StoreError.schemaNewer(found: rows.map(\.0).max() ?? version, known: migrations.count)
            }
            guard checksum == migrations[version - 1].checksum else {
                throw StoreError.schemaAltered(migration: name)
            }
        }
    }

    private func appliedVersions(_ session: Session) throws -> Set<Int> {
        Set(try session.query("SELECT version FROM qsmflow.schema_version") { try $0[0] as Int })
    }
}
