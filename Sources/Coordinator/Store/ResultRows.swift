// Keeping what successful attempts made: one result per action key, its artifacts and its numbers.

import BIDS
import Foundation
import Postgres
import Wire
import Workflow

enum ResultRows {
    struct Differing {
        var task: Int64
        var result: Int64
    }

    /// Stores the results of succeeded attempts and points their tasks to them.
    ///
    /// Where another task got to the same action key first, its result stands for both: equal keys, equal results. When
    /// the outputs are not the same bytes, that promise is broken, which is told.
    static func insert(_ ended: [EndedAttempt], _ session: Session) throws -> [Differing] {
        guard !ended.isEmpty else { return [] }
        let results = try claimKeys(ended, session)
        let own = ended.filter { results[$0.task]?.isOwn == true }
        try insertOutputs(own, results.mapValues(\.result), session)
        try insertMeasurements(own, results.mapValues(\.result), session)
        try session.execute(
            """
            UPDATE task t
            SET state = 2, result_id = u.result_id, attempts = u.attempt, outcome = 'succeeded', message = NULL
            FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS u (task_id, attempt, result_id)
            WHERE t.task_id = u.task_id
            """,
            [
                .bigintArray(ended.map(\.task)), .intArray(ended.map(\.attempt)),
                .bigintArray(ended.map { results[$0.task]?.result }),
            ])
        return try differing(ended.filter { results[$0.task]?.isOwn == false }, results.mapValues(\.result), session)
    }

    /// The result of each task: a new one, or that of whoever had the key first.
    private static func claimKeys(
        _ ended: [EndedAttempt], _ session: Session
    ) throws -> [Int64: (result: Int64, isOwn: Bool)] {
        let warnings = ended.map { item in
            JSONValue.array((item.report?.warnings ?? []).map { .string(WorkerText.clean($0) ?? "") }).canonicalString
        }
        var results: [Int64: (result: Int64, isOwn: Bool)] = [:]
        let created = try session.query(
            """
            INSERT INTO result (action_key, task_id, attempt, warnings)
            SELECT t.action_key, u.task_id, u.attempt, ARRAY(SELECT jsonb_array_elements_text(u.warnings))
            FROM unnest($1::bigint[], $2::int[], $3::jsonb[]) AS u (task_id, attempt, warnings)
            JOIN task t USING (task_id)
            ORDER BY t.action_key, u.task_id
            ON CONFLICT (action_key) DO NOTHING
            RETURNING task_id, result_id
            """, [.bigintArray(ended.map(\.task)), .intArray(ended.map(\.attempt)), .jsonbArray(warnings)]
        ) { try $0.decode(Int64.self, Int64.self) }
        for (task, result) in created { results[task] = (result, true) }
        let others = ended.map(\.task).filter { results[$0] == nil }
        if !others.isEmpty {
            let found = try session.query(
                """
                SELECT t.task_id, r.result_id FROM task t JOIN result r USING (action_key) WHERE t.task_id = ANY ($1)
                """, [.bigintArray(others)]
            ) { try $0.decode(Int64.self, Int64.self) }
            for (task, result) in found { results[task] = (result, false) }
        }
        return results
    }

    private static func insertOutputs(_ ended: [EndedAttempt], _ results: [Int64: Int64], _ session: Session) throws {
        let outputs = ended.flatMap { item in (item.report?.outputs ?? []).map { (results[item.task], $0) } }
        guard !outputs.isEmpty else { return }
        try session.execute(
            """
            INSERT INTO artifact_ref (result_id, port, name, digest, size_bytes, media_type, metadata)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::jsonb[])
            """,
            [
                .bigintArray(outputs.map(\.0)), .textArray(outputs.map(\.1.port)), .textArray(outputs.map(\.1.name)),
                .byteaArray(outputs.map(\.1.digest.bytes)), .bigintArray(outputs.map(\.1.sizeBytes)),
                .textArray(outputs.map(\.1.mediaType)), .jsonbArray(outputs.map { WorkerText.json($0.1.metadata) }),
            ])
        try insertModels(ended, session)
    }

    /// Outputs that say that they are models.
    private static func insertModels(_ ended: [EndedAttempt], _ session: Session) throws {
        let models = ended.flatMap { item in
            (item.report?.outputs ?? []).filter(\.isModel).map { (task: item.task, output: $0) }
        }
        guard !models.isEmpty else { return }
        // One that was imported before keeps its name and is a trained one from now on. In the order of the digests, as
        // everybody does it.
        try session.execute(
            """
            INSERT INTO model (digest, task_id, card)
            SELECT DISTINCT ON (digest) digest, task_id, card
            FROM unnest($1::bytea[], $2::bigint[], $3::jsonb[]) AS u (digest, task_id, card)
            ORDER BY digest, task_id
            ON CONFLICT (digest) DO UPDATE
            SET task_id = excluded.task_id, card = excluded.card WHERE model.task_id IS NULL
            """,
            [
                .byteaArray(models.map(\.output.digest.bytes)), .bigintArray(models.map(\.task)),
                .jsonbArray(models.map { WorkerText.json($0.output.metadata?["card"]) }),
            ])
    }

    private static func insertMeasurements(
        _ ended: [EndedAttempt], _ results: [Int64: Int64], _ session: Session
    ) throws {
        guard ended.contains(where: { $0.report?.measurements.isEmpty == false }) else { return }
        let contexts = Dictionary(
            uniqueKeysWithValues: try session.query(
                "SELECT task_id, subject, session, atlas, fold FROM task WHERE task_id = ANY ($1)",
                [.bigintArray(ended.map(\.task))]
            ) { row in
                let (task, subject, label, atlas, fold) = try row.decode(
                    Int64.self, String?.self, String?.self, String?.self, Int?.self)
                return (task, TaskContext(subject: subject, session: label, atlas: atlas, fold: fold))
            })
        var rows = CopyBuffer()
        for item in ended {
            for value in item.report?.measurements ?? [] {
                let own = contexts[item.task] ?? .cohort
                let context = value.context ?? own
                rows.append(results[item.task])
                rows.append(value.region ?? "")
                rows.append(value.reference ?? "")
                rows.append(value.term ?? "")
                rows.append(value.metric)
                rows.append(context.subject ?? "")
                rows.append(context.session ?? "")
                rows.append(context.atlas ?? "")
                // The task's own fold is no part of its result, which equal work for another fold may take over.
                rows.append(context.fold == own.fold ? 0 : context.fold ?? 0)
                rows.append(value.value)
                rows.append(value.unit)
                rows.endRow()
            }
        }
        try session.copy(
            into:
                "measurement (result_id, region, reference, term, metric, subject, session, atlas, fold, value, unit)",
            rows
        )
    }

    private static func differing(
        _ ended: [EndedAttempt], _ results: [Int64: Int64], _ session: Session
    ) throws -> [Differing] {
        guard !ended.isEmpty else { return [] }
        let kept = Dictionary(
            grouping: try session.query(
                "SELECT result_id, port, name, digest FROM artifact_ref WHERE result_id = ANY ($1)",
                [.bigintArray(ended.compactMap { results[$0.task] })]
            ) { row in
                let (result, port, name, digest) = try row.decode(Int64.self, String.self, String.self, [UInt8].self)
                return (result, "\(port)/\(name)", digest)
            }, by: \.0)
        return ended.compactMap { item in
            guard let result = results[item.task] else { return nil }
            let old = Dictionary((kept[result] ?? []).map { ($0.1, $0.2) }) { first, _ in first }
            let new = Dictionary(
                (item.report?.outputs ?? []).map { ("\($0.port)/\($0.name)", $0.digest.bytes) }
            ) { first, _ in first }
            return old == new ? nil : Differing(task: item.task, result: result)
        }
    }

    /// Why the report of a worker cannot be stored as it is; nil when it can.
    static func objection(_ report: CompletionItem) -> String? {
        struct Key: Hashable {
            var context: TaskContext?
            var region, reference, term: String?
            var metric: String
        }
        var seen: Set<Key> = []
        for value in report.measurements {
            let key = Key(
                context: value.context, region: value.region, reference: value.reference, term: value.term,
                metric: value.metric)
            if !seen.insert(key).inserted {
                let parts = [value.context?.description, value.region, value.reference, value.term, value.metric]
                return "The measurement \(parts.compactMap { $0 }.joined(separator: ", ")) was given twice; "
                    + "the program that wrote it must give each number once."
            }
            let texts = [value.region, value.reference, value.term, value.metric, value.unit]
            if texts.contains(where: { $0?.utf8.contains(0) == true }) {
                return "A measurement has a zero byte in its name; the program that wrote it must not."
            }
        }
        var outputs: Set<String> = []
        for output in report.outputs {
            if !outputs.insert("\(output.port)/\(output.name)").inserted {
                return "The output \(output.name) of port \(output.port) was given twice."
            }
            if output.port.utf8.contains(0) || output.name.utf8.contains(0) || output.mediaType.utf8.contains(0) {
                return "An output has a zero byte in its name; the program that wrote it must not."
            }
            if output.isModel, output.metadata?["card"]?.objectValue == nil {
                return "The output \(output.name) of port \(output.port) is a model without a card; the program that "
                    + "wrote it must state one."
            }
        }
        return nil
    }
}

extension CompletionItem.Output {
    /// It says of itself that it is a network with its weights.
    fileprivate var isModel: Bool { metadata?["type"]?.stringValue == "model" }
}
