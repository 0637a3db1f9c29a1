import Foundation
import Postgres
import TestSupport
import Testing

@Suite("Session against a real server")
struct SessionTests {
    private func withSession<Value: Sendable>(
        _ body: @escaping @Sendable (Session) throws -> Value
    ) async throws -> Value {
        let target = try await PostgresServer.shared.target()
        let connection = try await Connection.open(target)
        defer { connection.close() }
        return try await connection.run(body)
    }

    @Test func everyTypeMakesTheRoundTrip() async throws {
        try await withSession { session in
            let uuid = UUID()
            let date = Date(timeIntervalSince1970: 1_234_567_890.123456)
            let rows = try session.query(
                """
                SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f, $7 AS g, $8 AS h, $9 AS i, $10 AS j,
                       $11 AS k
                """,
                [
                    .bool(true), .smallint(-7), .int(1 << 30), .bigint(Int64.min), .float8(0.1), .text("Zoë\t'\\"),
                    .bytea([0, 255, 1]), .uuid(uuid), .jsonb(#"{"a": [1, 2]}"#), .timestamptz(date),
                    .interval(.microseconds(1_500_001)),
                ])
            let row = try #require(rows.first)
            let values = try row.decode(
                Bool.self, Int16.self, Int32.self, Int64.self, Double.self, String.self, [UInt8].self, UUID.self,
                String.self, Date.self, Duration.self)
            #expect(values.0 == true)
            #expect(values.1 == -7)
            #expect(values.2 == 1 << 30)
            #expect(values.3 == .min)
            #expect(values.4 == 0.1)
            #expect(values.5 == "Zoë\t'\\")
            #expect(values.6 == [0, 255, 1])
            #expect(values.7 == uuid)
            #expect(values.8 == #"{"a": [1, 2]}"#)
            #expect(abs(values.9.timeIntervalSince(date)) < 1e-6)
            #expect(values.10 == .microseconds(1_500_001))
        }
    }

    @Test func theServerReadsTheValuesWeSend() async throws {
        try await withSession { session in
            let table = try session.table(
                "SELECT $1::text, $2, $3, $4, $5, $6, $7, $8",
                [
                    .timestamptz(Date(timeIntervalSince1970: 0.5)), .bigintArray([1, -2]), .textArray(["a,\"b", nil]),
                    .float8Array([.infinity, -0.5]), .byteaArray([[0xde, 0xad], []]), .boolArray([true, nil]),
                    .interval(.seconds(90)), .intArray([Int32]()),
                ])
            #expect(
                table.rows == [
                    [
                        "1970-01-01 00:00:00.5+00", "{1,-2}", #"{"a,\"b",NULL}"#, "{Infinity,-0.5}",
                        #"{"\\xdead","\\x"}"#, "{t,NULL}", "00:01:30", "{}",
                    ]
                ])
        }
    }

    @Test func nullsAndArraysDecode() async throws {
        try await withSession { session in
            let row = try #require(
                try session.query(
                    """
                    SELECT NULL::bigint, '{1,NULL,3}'::int[], '{}'::text[], '{a,b}'::text[], 'x'::name,
                           '{"(1)"}'::text[], ARRAY['\\x00ff'::bytea]
                    """
                ).first)
            #expect(try row[0] as Int64? == nil)
            #expect(try row[1] as [Int32?] == [1, nil, 3])
            #expect(try row[2] as [String] == [])
            #expect(try row[3] as [String] == ["a", "b"])
            #expect(try row[4] as String == "x")
            #expect(try row[6] as [[UInt8]] == [[0, 255]])
            #expect(throws: PostgresError.self) { try row[0] as Int64 }
            #expect(throws: PostgresError.self) { try row[3] as Int64 }
            #expect(throws: PostgresError.self) { try row["absent"] as Int64 }
            #expect(throws: PostgresError.self) { try row[9] as Int64 }
        }
    }

    @Test(arguments: [
        "0", "1", "-1", "0.5", "-0.0001", "10000", "123456789012345678901234.000100", "0.00000000012", "99990000",
        "1.10",
    ])
    func numericsReadBackDigitForDigit(_ text: String) async throws {
        try await withSession { session in
            let row = try #require(try session.query("SELECT $1::text::numeric", [.text(text)]).first)
            #expect(try row[0] as String == text)
            #expect(try row[0] as Double == Double(text))
        }
    }

    @Test func aNumberThatDoesNotFitIsRefused() async throws {
        try await withSession { session in
            let row = try #require(try session.query("SELECT 70000").first)
            #expect(throws: PostgresError.self) { try row[0] as Int16 }
        }
    }

    @Test func errorsCarryTheSQLState() async throws {
        try await withSession { session in
            try session.script("CREATE TEMP TABLE t (a int PRIMARY KEY, b int CHECK (b > 0))")
            try session.execute("INSERT INTO t VALUES (1, 1)")
            let unique = #expect(throws: PostgresError.self) { try session.execute("INSERT INTO t VALUES (1, 1)") }
            #expect(unique?.state == .uniqueViolation)
            guard case .statement(let report)? = unique else {
                Issue.record("not a statement error: \(String(describing: unique))")
                return
            }
            #expect(report.constraint == "t_pkey")
            #expect(report.description.contains("INSERT INTO t VALUES (1, 1)"))
            let check = #expect(throws: PostgresError.self) { try session.execute("INSERT INTO t VALUES (2, 0)") }
            #expect(check?.state == .checkViolation)
            let syntax = #expect(throws: PostgresError.self) { try session.execute("SELEC 1") }
            #expect(syntax?.state == .syntaxError)
            // The session is fine afterwards.
            #expect(try session.first("SELECT count(*) FROM t") { try $0[0] as Int } == 1)
        }
    }

    @Test func transactionsCommitAndRollBack() async throws {
        try await withSession { session in
            try session.script("CREATE TEMP TABLE t (a int)")
            try session.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
            struct Stop: Error {}
            #expect(throws: Stop.self) {
                try session.transaction {
                    try $0.execute("INSERT INTO t VALUES (2)")
                    throw Stop()
                }
            }
            #expect(!session.isInTransaction)
            // A failed statement whose error is dropped must not look like success.
            #expect(throws: PostgresError.self) {
                try session.transaction {
                    try $0.execute("INSERT INTO t VALUES (3)")
                    _ = try? $0.execute("SELECT 1/0")
                }
            }
            #expect(try session.query("SELECT a FROM t") { try $0[0] as Int } == [1])
            #expect(throws: PostgresError.self) {
                try session.transaction(readOnly: true) { try $0.execute("CREATE TABLE nowhere ()") }
            }
        }
    }

    @Test func aChangedTableIsPreparedAnew() async throws {
        try await withSession { session in
            try session.script("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)")
            let sql = "SELECT * FROM t"
            #expect(try session.query(sql).columns == ["a"])
            try session.script("ALTER TABLE t ADD b text DEFAULT 'x'")
            #expect(try session.query(sql).columns == ["a", "b"])
            try session.script("DEALLOCATE ALL")
            #expect(try session.query(sql).columns == ["a", "b"])
        }
    }

    @Test func moreStatementsThanTheCacheHolds() async throws {
        try await withSession { session in
            for round in 0..<2 {
                for number in 0..<300 {
                    #expect(try session.first("SELECT \(number)") { try $0[0] as Int } == number, "round \(round)")
                }
            }
            let held = try session.first("SELECT count(*) FROM pg_prepared_statements") { try $0[0] as Int }
            #expect(try #require(held) <= 256)
        }
    }

    @Test func aPipelineIsOneTransaction() async throws {
        try await withSession { session in
            try session.script("CREATE TEMP TABLE t (a int PRIMARY KEY)")
            let insert = "INSERT INTO t VALUES ($1) RETURNING a"
            let rows = try session.pipeline((0..<5000).map { (insert, [.int($0)]) })
            #expect(rows.count == 5000)
            #expect(try rows[4999][0][0] as Int == 4999)
            let error = #expect(throws: PostgresError.self) {
                try session.pipeline([(insert, [.int(9000)]), (insert, [.int(1)]), (insert, [.int(9001)])])
            }
            #expect(error?.state == .uniqueViolation)
            #expect(try session.first("SELECT count(*) FROM t") { try $0[0] as Int } == 5000)
        }
    }

    @Test func aPipelineOfLargeAnswersDoesNotBlock() async throws {
        try await withSession { session in
            let statement = ("SELECT repeat($1, 300000)", [Parameter.text("x")])
            let big = String(repeating: "y", count: 300_000)
            let mixed = (0..<40).flatMap { _ in [statement, ("SELECT length($1)", [Parameter.text(big)])] }
            let rows = try session.pipeline(mixed)
            #expect(try rows[78][0][0] as String == String(repeating: "x", count: 300_000))
            #expect(try rows[79][0][0] as Int == 300_000)
        }
    }

    @Test func copyKeepsEveryByte() async throws {
        try await withSession { session in
            try session.script("CREATE TEMP TABLE t (n bigint, s text, f float8, b bytea, o bool)")
            let strings = ["plain", "tab\there", "line\nbreak\r", "back\\slash", "\\N", "\\.", "", "ünïcode 🧠"]
            var buffer = CopyBuffer()
            for (index, string) in strings.enumerated() {
                buffer.append(index)
                buffer.append(string)
                buffer.append(0.1 + Double(index))
                buffer.append([UInt8(index), 0, 255])
                buffer.append(index % 2 == 0)
                buffer.endRow()
            }
            buffer.append(Int64?.none)
            buffer.append(String?.none)
            buffer.append(Double.nan)
            buffer.append([UInt8]?.none)
            buffer.append(Bool?.none)
            buffer.endRow()
            #expect(try session.copy(into: "t (n, s, f, b, o)", buffer) == strings.count + 1)
            let rows = try session.query("SELECT * FROM t ORDER BY n NULLS LAST")
            for (index, string) in strings.enumerated() {
                #expect(try rows[index][1] as String == string)
                #expect(try rows[index][2] as Double == 0.1 + Double(index))
                #expect(try rows[index][3] as [UInt8] == [UInt8(index), 0, 255])
                #expect(try rows[index][4] as Bool == (index % 2 == 0))
            }
            #expect(try rows[strings.count][1] as String? == nil)
            #expect(try (rows[strings.count][2] as Double).isNaN)
            var wrong = CopyBuffer()
            wrong.append("not a number")
            wrong.endRow()
            #expect(throws: PostgresError.self) { try session.copy(into: "t (n)", wrong) }
            #expect(try session.first("SELECT 1") { try $0[0] as Int } == 1)
        }
    }
}
