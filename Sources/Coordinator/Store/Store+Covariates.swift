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

    /// Stores a table: the participants', or with `subject` one participant's sessions.
    static func store(
        _ table: CovariateTable, of subject: String?, _ dataset: DatasetID, _ session: Session
    ) throws {
        try session.execute(
            """
            INSERT INTO covariate_column (dataset_id, kind, position, name, type, description, units, levels)
            SELECT $1, $2, u.* FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[]) AS u
            ON CONFLICT (dataset_id, kind, name) DO UPDATE SET
                type = excluded.type, description = excluded.description, units = excluded.units,
                levels = excluded.levels
            """,
            [
                .bigint(dataset.rawValue), .text(table.kind.rawValue),
                .intArray(table.columns.indices.map { Int32($0) }), .textArray(table.columns.map(\.name)),
                .textArray(table.columns.map(\.type.rawValue)), .textArray(table.columns.map(\.description)),
                .textArray(table.columns.map(\.units)),
                .jsonbArray(
                    table.columns.map { column in
                        WorkerText.json(column.levels.map { .object($0.mapValues { .string($0) }) })
                    }),
            ])
        let ambiguous = table.ambiguous.keys.sorted()
        let labels = table.labels + ambiguous
        let values = labels.map { label in
            WorkerText.json(.object((table.rows[label] ?? [:]).mapValues(\.json))) ?? "{}"
        }
        let common: [Parameter] = [
            .textArray(labels), .intArray(labels.indices.map { Int32($0) }), .jsonbArray(values),
            .textArray(labels.map { table.ambiguous[$0] }),
        ]
        if let subject {
            try session.execute(
                "DELETE FROM session_row WHERE dataset_id = $1 AND subject = $2",
                [.bigint(dataset.rawValue), .text(subject)])
            try session.execute(
                """
                INSERT INTO session_row (dataset_id, subject, session, position, covariates, ambiguous)
                SELECT $1, $2, u.* FROM unnest($3::text[], $4::int[], $5::jsonb[], $6::text[]) AS u
                """, [.bigint(dataset.rawValue), .text(subject)] + common)
        } else {
            try session.execute(
                """
                INSERT INTO participant (dataset_id, subject, position, covariates, ambiguous)
                SELECT $1, u.* FROM unnest($2::text[], $3::int[], $4::jsonb[], $5::text[]) AS u
                """, [.bigint(dataset.rawValue)] + common)
        }
    }
}

extension CovariateValue {
    /// The value that `json` wrote, of a column of this type.
    init?(_ json: JSONValue, as type: CovariateType) {
        switch (type, json) {
        case (.boolean, .bool(let value)): self = .boolean(value)
        case (.category, .string(let value)): self = .category(value)
        case (.text, .string(let value)): self = .text(value)
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
