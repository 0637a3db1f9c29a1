import BIDS
import Foundation
import Postgres
import Workflow

extension Store {
    /// `participants.tsv` of a dataset as the index has it; nil when it has none.
    package func participants(_ dataset: DatasetID) async throws -> CovariateTable? {
        try await report { session in
            let columns = try Self.columns(dataset, .participants, session)
            let rows = try session.query(
                """
                SELECT subject, covariates, ambiguous FROM participant WHERE dataset_id = $1 ORDER BY position
                """, [.bigint(dataset.rawValue)]
            ) { try $0.decode(String.self, String.self, String?.self) }
            guard !columns.isEmpty || !rows.isEmpty else { return nil }
            return try Self.table(.participants, columns, rows)
        }
    }

    /// `sessions.tsv` of every participant that has one, by label without `sub-`.
    package func sessionRows(_ dataset: DatasetID) async throws -> [String: CovariateTable] {
        try await report { session in
            let columns = try Self.columns(dataset, .sessions, session)
            let rows = try session.query(
                """
                SELECT subject, session, covariates, ambiguous FROM session_row WHERE dataset_id = $1
                ORDER BY subject, position
                """, [.bigint(dataset.rawValue)]
            ) { try $0.decode(String.self, String.self, String.self, String?.self) }
            return try Dictionary(grouping: rows, by: \.0).mapValues { rows in
                try Self.table(.sessions, columns, rows.map { ($0.1, $0.2, $0.3) })
            }
        }
    }

    /// Columns of a dataset's covariates.
    package func covariateColumns(
        _ dataset: DatasetID
    ) async throws -> (participants: [CovariateColumn], sessions: [CovariateColumn]) {
        try await report { session in
            (try Self.columns(dataset, .participants, session), try Self.columns(dataset, .sessions, session))
        }
    }

    private static func columns(
        _ dataset: DatasetID, _ kind: CovariateTable.Kind, _ session: Session
    ) throws -> [CovariateColumn] {
        try session.query(
            """
            SELECT name, type, description, units, levels FROM covariate_column
            WHERE dataset_id = $1 AND kind = $2 ORDER BY position, name
            """, [.bigint(dataset.rawValue), .text(kind.rawValue)]
        ) { row in
            let (name, type, description, units, levels) = try row.decode(
                String.self, String.self, String?.self, String?.self, String?.self)
            guard let known = CovariateType(rawValue: type) else {
                throw StoreError.damagedRow(table: "covariate_column", what: "type \"\(type)\" is unknown")
            }
            return CovariateColumn(
                name: name, type: known, description: description, units: units,
                levels: try levels.map { try StoredJSON.decode([String: String].self, $0, table: "covariate_column") })
        }
    }

    private static func table(
        _ kind: CovariateTable.Kind, _ columns: [CovariateColumn], _ rows: [(String, String, String?)]
    ) throws -> CovariateTable {
        var table = CovariateTable(kind: kind)
        table.columns = columns
        let types = Dictionary(columns.map { ($0.name, $0.type) }) { first, _ in first }
        for (label, text, ambiguous) in rows {
            if let ambiguous {
                table.ambiguous[label] = ambiguous
                continue
            }
            let values = try StoredJSON.value(text, table: "covariates").objectValue ?? [:]
            table.labels.append(label)
            table.rows[label] = Dictionary(
                uniqueKeysWithValues: values.compactMap { name, value in
                    types[name].flatMap { CovariateValue(value, as: $0) }.map { (name, $0) }
                })
        }
        return table
    }

    /// Stores `participants.tsv`, in place of what was there.
    static func store(_ table: CovariateTable, _ dataset: DatasetID, _ session: Session) throws {
        try store(table.columns, .participants, dataset, session)
        let rows = Rows([("", table)])
        try session.execute(
            """
            INSERT INTO participant (dataset_id, subject, position, covariates, ambiguous)
            SELECT $1, u.* FROM unnest($2::text[], $3::int[], $4::jsonb[], $5::text[]) AS u
            """,
            [
                .bigint(dataset.rawValue), .textArray(rows.labels), .intArray(rows.positions), .jsonbArray(rows.values),
                .textArray(rows.ambiguous),
            ])
    }

    /// Stores the sessions of some participants, in place of what was there of them. Rows that are as before are not
    /// written: most scans of a large dataset find nothing new.
    static func storeSessions(
        _ tables: [(subject: String, table: CovariateTable)], _ dataset: DatasetID, _ session: Session
    ) throws {
        guard !tables.isEmpty else { return }
        try store(MergedColumns.merge(tables.map(\.table)), .sessions, dataset, session)
        let rows = Rows(tables)
        try session.execute(
            """
            DELETE FROM session_row WHERE dataset_id = $1 AND subject = ANY ($2)
                AND (subject, session) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))
            """,
            [
                .bigint(dataset.rawValue), .textArray(tables.map(\.subject)), .textArray(rows.subjects),
                .textArray(rows.labels),
            ])
        try session.execute(
            """
            INSERT INTO session_row AS s (dataset_id, subject, session, position, covariates, ambiguous)
            SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::int[], $5::jsonb[], $6::text[]) AS u
            ON CONFLICT (dataset_id, subject, session) DO UPDATE SET
                position = excluded.position, covariates = excluded.covariates, ambiguous = excluded.ambiguous
            WHERE (s.position, s.covariates, s.ambiguous)
                IS DISTINCT FROM (excluded.position, excluded.covariates, excluded.ambiguous)
            """,
            [
                .bigint(dataset.rawValue), .textArray(rows.subjects), .textArray(rows.labels),
                .intArray(rows.positions), .jsonbArray(rows.values), .textArray(rows.ambiguous),
            ])
    }

    /// Ends the storing of sessions: every participant's table was typed by itself, and a column over all of them has
    /// the narrowest type that holds every value. Columns in which nobody has a value go.
    static func unifySessionColumns(_ dataset: DatasetID, _ session: Session) throws {
        try session.execute(
            """
            WITH used AS (
                SELECT v.key, bool_and(jsonb_typeof(v.value) = 'number') AS numeric,
                    bool_and(jsonb_typeof(v.value) = 'boolean') AS logical,
                    bool_and(CASE WHEN jsonb_typeof(v.value) = 'number'
                        THEN trunc((v.value #>> '{}')::numeric) = (v.value #>> '{}')::numeric END) AS whole
                FROM session_row s, jsonb_each(s.covariates) v WHERE s.dataset_id = $1 GROUP BY v.key)
            , gone AS (
                DELETE FROM covariate_column c WHERE c.dataset_id = $1 AND c.kind = 'sessions'
                    AND NOT EXISTS (SELECT FROM used u WHERE u.key = c.name))
            UPDATE covariate_column c SET type = CASE
                -- A number column may hold whole numbers only; an integer column may not hold others.
                WHEN u.numeric THEN CASE WHEN u.whole AND c.type = 'integer' THEN 'integer' ELSE 'number' END
                WHEN u.logical THEN 'boolean'
                WHEN c.type = 'text' THEN 'text'
                ELSE 'category' END
            FROM used u WHERE c.dataset_id = $1 AND c.kind = 'sessions' AND c.name = u.key
            """, [.bigint(dataset.rawValue)])
    }

    private static func store(
        _ columns: [CovariateColumn], _ kind: CovariateTable.Kind, _ dataset: DatasetID, _ session: Session
    ) throws {
        try session.execute(
            """
            INSERT INTO covariate_column AS c (dataset_id, kind, position, name, type, description, units, levels)
            SELECT $1, $2, u.* FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[]) AS u
            ON CONFLICT (dataset_id, kind, name) DO UPDATE SET
                type = excluded.type, description = coalesce(excluded.description, c.description),
                units = coalesce(excluded.units, c.units), levels = coalesce(excluded.levels, c.levels)
            """,
            [
                .bigint(dataset.rawValue), .text(kind.rawValue), .intArray(columns.indices.map { Int32($0) }),
                .textArray(columns.map(\.name)), .textArray(columns.map(\.type.rawValue)),
                .textArray(columns.map(\.description)), .textArray(columns.map(\.units)),
                .jsonbArray(
                    columns.map { column in
                        WorkerText.json(column.levels.map { .object($0.mapValues { .string($0) }) })
                    }),
            ])
    }

    /// Tables as columns of parameters.
    private struct Rows {
        var subjects: [String] = []
        var labels: [String] = []
        var positions: [Int32] = []
        var values: [String] = []
        var ambiguous: [String?] = []

        init(_ tables: [(subject: String, table: CovariateTable)]) {
            for (subject, table) in tables {
                for (position, label) in (table.labels + table.ambiguous.keys.sorted()).enumerated() {
                    subjects.append(subject)
                    labels.append(label)
                    positions.append(Int32(position))
                    values.append(WorkerText.json(.object((table.rows[label] ?? [:]).mapValues(\.json))) ?? "{}")
                    ambiguous.append(table.ambiguous[label])
                }
            }
        }
    }
}

extension CovariateValue {
    /// The value that `json` wrote, of a column of this type.
    init?(_ json: JSONValue, as type: CovariateType) {
        switch (type, json) {
        case (.boolean, .bool(let value)): self = .boolean(value)
        // A column of one participant's table may hold numbers where another's holds words.
        case (.category, _):
            guard !json.isNull else { return nil }
            self = .category(json.stringValue ?? json.canonicalString)
        case (.text, _):
            guard !json.isNull else { return nil }
            self = .text(json.stringValue ?? json.canonicalString)
        case (.integer, _):
            guard let value = json.integerValue else { return nil }
            self = .integer(value)
        case (.number, _):
            guard let value = json.doubleValue else { return nil }
            self = .number(value)
        default: return nil
        }
    }
}
