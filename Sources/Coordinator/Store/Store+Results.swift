import Crypto
import Postgres
import Workflow

// Rows of the result views as files hold them, streamed so that a million of them cost no memory.
extension Store {
    /// Names of the views that `copyResults` knows.
    package static let resultViews: [String] = ResultView.all.map(\.name)

    /// The rows of a view for one run, in a fixed order, as one document in pieces.
    ///
    /// Reads on a connection of its own: a slow reader holds up no one else. Ending the iteration ends the query.
    ///
    /// - Throws: `ResultError.unknownView`, `.unknownRun`; the stream throws `PostgresError`.
    package func copyResults(
        view name: String, run: RunID, format: ResultFormat
    ) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        guard let view = ResultView.named(name) else { throw ResultError.unknownView(name) }
        try await checkRun(run)
        let sql: String
        switch format {
        case .csv:
            let columns = view.tableColumns(try await columns(of: name))
            sql = "COPY (\(view.query(run: run.rawValue, columns: columns))) TO STDOUT WITH (FORMAT csv, HEADER)"
        case .tsv:
            let columns = view.tableColumns(try await columns(of: name))
            sql =
                "COPY (\(view.query(run: run.rawValue, columns: columns))) TO STDOUT"
                + " WITH (FORMAT csv, HEADER, DELIMITER E'\\t', NULL 'n/a')"
        case .json:
            // One object per line. Quote and delimiter are characters that JSON text never holds, so nothing is quoted.
            sql =
                "COPY (\(view.query(run: run.rawValue, columns: "row_to_json(v)"))) TO STDOUT"
                + " WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
        }
        return stream(sql, asArray: format == .json)
    }

    /// SHA-256 over all measurements of a run in a fixed order: equal digests, equal results, bit for bit.
    ///
    /// Each row is its columns as text, numbers as the shortest text that reads back the same, separated by tabs.
    package func measurementDigest(run: RunID) async throws -> ArtifactDigest {
        guard let view = ResultView.named("measurements") else {
            preconditionFailure("the view measurements is listed")
        }
        try await checkRun(run)
        let columns =
            "v.step, v.subject, v.session, v.atlas, v.fold, v.region, v.reference, v.term, v.metric, v.value, v.unit"
        let sql = "COPY (\(view.query(run: run.rawValue, columns: columns))) TO STDOUT"
        return try await report { session in
            var hash = SHA256()
            try session.copyOut(sql) { piece in hash.update(data: piece) }
            return ArtifactDigest(hash.finalize())
        }
    }

    private func columns(of view: String) async throws -> [String] {
        try await pool.run { session in
            try session.query(
                """
                SELECT attname::text FROM pg_attribute
                WHERE attrelid = ('qsmflow.' || quote_ident($1))::regclass AND attnum > 0 AND NOT attisdropped
                ORDER BY attnum
                """, [.text(view)]
            ) { try $0[0] as String }
        }
    }

    private func checkRun(_ run: RunID) async throws {
        let isThere = try await pool.run { session in
            try session.first("SELECT 1 FROM qsmflow.run WHERE run_id = $1", [.bigint(run.rawValue)]) { _ in true }
        }
        guard isThere == true else { throw ResultError.unknownRun(run.rawValue) }
    }

    /// Stops the query when the last reader goes: the stream holds it, and nothing else does.
    private final class Reader: Sendable {
        let rows: RowStream
        init(_ rows: RowStream) { self.rows = rows }
        deinit { rows.abandon() }
    }

    private func stream(_ sql: String, asArray: Bool) -> AsyncThrowingStream<[UInt8], any Error> {
        let rows = RowStream()
        let target = pool.target
        // Not a child of the caller, who returns at once; it ends with the query, or when its reader goes.
        Task {
            do {
                let connection = try await Connection.open(target)
                defer { connection.close() }
                try await connection.run { session in
                    try session.transaction(readOnly: true) { session in
                        try session.script(Self.plannerFreedom)
                        var array = JSONArrayLines(isArray: asArray)
                        try session.copyOut(sql) { piece in try rows.put(array.take(piece)) }
                        if let end = array.end() { try rows.put(end) }
                    }
                }
                rows.finish(.success(()))
            } catch {
                rows.finish(.failure(error))
            }
        }
        let reader = Reader(rows)
        return AsyncThrowingStream { try await reader.rows.next() }
    }
}

/// Makes one JSON array of lines that hold an object each.
private struct JSONArrayLines {
    let isArray: Bool
    private var isFirst = true

    init(isArray: Bool) { self.isArray = isArray }

    /// - Parameter piece: whole lines, the last one ended.
    mutating func take(_ piece: [UInt8]) -> [UInt8] {
        guard isArray else { return piece }
        var text: [UInt8] = []
        text.reserveCapacity(piece.count + piece.count / 64 + 2)
        var rest = piece[...]
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            // The comma goes before a line: only then is it known that there is one.
            if isFirst { text.append(contentsOf: "[\n".utf8) } else { text.append(UInt8(ascii: ",")) }
            isFirst = false
            text.append(contentsOf: rest[...newline])
            rest = rest[(newline + 1)...]
        }
        return text
    }

    func end() -> [UInt8]? {
        guard isArray else { return nil }
        return Array((isFirst ? "[]\n" : "]\n").utf8)
    }
}
