import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Models, newest first.
    ///
    /// - Parameters:
    ///   - name: only those whose name begins so; nil is all, those without a name included.
    ///   - after: only those after this one, for paging; it may be gone meanwhile only at the cost of an empty page.
    package func models(
        name: String? = nil, after: ArtifactDigest? = nil, limit: Int = 1000
    ) async throws -> [ModelSummary] {
        try await report { session in
            try session.query(
                """
                SELECT \(Self.modelColumns) FROM model m JOIN artifact a USING (digest)
                WHERE ($1::text IS NULL OR starts_with(m.name, $1))
                  AND ($2::bytea IS NULL
                       OR (m.created_at, m.digest) < (SELECT o.created_at, o.digest FROM model o WHERE o.digest = $2))
                ORDER BY m.created_at DESC, m.digest DESC LIMIT $3
                """, [.text(name), .bytea(after?.bytes), .int(limit)]
            ) { try Self.modelSummary($0) }
        }
    }

    /// The model that a name, a digest or the beginning of one (six digits or more) means; the name counts first.
    ///
    /// - Throws: `StoreError.unknownModel`, `.ambiguousModel`.
    package func model(_ text: String) async throws -> ModelDetail {
        try await pool.run { session in try Self.detail(try Self.digest(ofModel: text, session), session) }
    }

    /// Registers bytes of the artifact store as a model, or names one.
    ///
    /// - Parameter hasBytes: whether the bytes are where artifacts are kept: a row alone is no model.
    /// - Returns: the model, and whether it was not known before.
    /// - Throws: `StoreError` where the name cannot be or is taken, the model has another, the bytes or the card are missing.
    package func putModel(
        _ digest: ArtifactDigest, _ request: ModelRequest, hasBytes: Bool = true, by actor: String
    ) async throws -> (model: ModelDetail, isNew: Bool) {
        if let name = request.name, !ModelName.isValid(name) { throw StoreError.unusableModelName(name) }
        return try await pool.transaction(repeatable: true) { session in
            try Self.lockModelNames(session)
            let known = try session.first(
                "SELECT name FROM model WHERE digest = $1 FOR UPDATE", [.bytea(digest.bytes)]
            ) { try $0[0] as String? }
            if known == nil, request.card == nil { throw StoreError.modelWithoutCard(digest) }
            var freed = FreedName()
            let former = known.flatMap { $0 }.flatMap { $0 == request.name ? nil : $0 }
            if let name = request.name {
                let isMoving = request.moveName == true
                freed = try Self.free(name, for: digest, moving: isMoving, session)
                if let former, !isMoving { throw StoreError.modelHasName(former, digest, wanted: name) }
            }
            // Held against a collection of garbage until the commit.
            let bytes = try session.first(
                "SELECT size_bytes FROM artifact WHERE digest = $1 FOR KEY SHARE", [.bytea(digest.bytes)]
            ) { try $0[0] as Int64 }
            guard bytes != nil, hasBytes else { throw StoreError.missingModelBytes(digest) }
            if let card = request.card {
                try session.execute(
                    """
                    INSERT INTO model (digest, name, imported, card) VALUES ($1, $2, true, $3)
                    ON CONFLICT (digest) DO UPDATE
                    SET name = coalesce(excluded.name, model.name), imported = true,
                        fold_count = CASE WHEN excluded.name IS NULL OR excluded.name = model.name THEN model.fold_count END,
                        card = CASE WHEN model.task_id IS NULL THEN excluded.card ELSE model.card END
                    """, [.bytea(digest.bytes), .text(request.name), .jsonb(WorkerText.json(card))])
            } else if let name = request.name {
                try session.execute(
                    """
                    UPDATE model SET name = $2, fold_count = CASE WHEN name = $2 THEN fold_count END WHERE digest = $1
                    """, [.bytea(digest.bytes), .text(name)])
            }
            try Self.record(
                session, actor: actor, kind: known == nil ? "model.imported" : "model.changed",
                body: ["digest": .string(digest.hex), "name": request.name.map { .string($0) } ?? .null])
            var model = try Self.detail(digest, session)
            if request.name != nil {
                (model.nameTakenFrom, model.foldNamesTaken, model.formerName) = (freed.owner, freed.folds, former)
            }
            return (model, known == nil)
        }
    }

    /// Takes a model's name away, and what an import brought; of a name that stands for the models of folds, the names of all
    /// of them. What a run trained stays with the run.
    ///
    /// - Returns: true when the model is gone, false when it, or all of them, stay without their names.
    /// - Throws: `StoreError.unknownModel`, `.ambiguousModel`, `.modelBelongsToRun`.
    package func removeModel(_ text: String, by actor: String) async throws -> Bool {
        try await pool.transaction(repeatable: true) { session in
            try Self.lockModelNames(session)
            let digest: ArtifactDigest
            do {
                digest = try Self.digest(ofModel: text, session)
            } catch StoreError.modelNameOfFolds {
                // Whatever is named so was trained by a run.
                let folds = try Self.modelsOfFolds(text, session)
                try Self.unname(folds.map(\.digest), session)
                try Self.record(
                    session, actor: actor, kind: "model.removed",
                    body: ["name": .string(text), "folds": .integer(Int64(folds.count))])
                return false
            }
            let row = try session.first(
                "SELECT name, imported, task_id FROM model WHERE digest = $1 FOR UPDATE", [.bytea(digest.bytes)]
            ) { try $0.decode(String?.self, Bool.self, Int64?.self) }
            guard let (name, imported, task) = row else { throw StoreError.unknownModel(text, nearest: nil) }
            if let task {
                guard name != nil || imported else {
                    throw StoreError.modelBelongsToRun(digest, task: TaskID(rawValue: task))
                }
                try session.execute(
                    "UPDATE model SET name = NULL, fold_count = NULL, imported = false WHERE digest = $1",
                    [.bytea(digest.bytes)])
            } else {
                try session.execute("DELETE FROM model WHERE digest = $1", [.bytea(digest.bytes)])
            }
            try Self.record(
                session, actor: actor, kind: "model.removed",
                body: ["digest": .string(digest.hex), "name": name.map { .string($0) } ?? .null])
            return task == nil
        }
    }

    /// Those that came from outside: no task can make them again.
    func importedModels() async throws -> Set<ArtifactDigest> {
        try await pool.run { session in
            Set(
                try session.query("SELECT digest FROM model WHERE imported") {
                    try ArtifactDigest(bytes: try $0[0], table: "model")
                })
        }
    }

    /// Models that no result holds any more and nobody wants; their artifacts are locked.
    static func forgetModels(_ digests: [[UInt8]], _ session: Session) throws {
        try session.execute(
            """
            DELETE FROM model m WHERE m.digest = ANY ($1) AND NOT m.imported AND m.name IS NULL
              AND NOT EXISTS (SELECT FROM artifact_ref r WHERE r.digest = m.digest)
            """, [.byteaArray(digests)])
    }

    // MARK: Parts

    /// Names are given and taken one at a time: two that want the same one learn of each other.
    static func lockModelNames(_ session: Session) throws {
        try session.query("SELECT pg_advisory_xact_lock($1)", [.bigint(0x4d << 48)])
    }

    /// Who had a name and has it no more.
    private struct FreedName {
        var owner: ArtifactDigest?
        /// Names of the models of folds that it stood for, in their order.
        var folds: [String]?
    }

    private static func free(
        _ name: String, for digest: ArtifactDigest, moving: Bool, _ session: Session
    ) throws -> FreedName {
        var freed = FreedName()
        let owner = try session.first("SELECT digest FROM model WHERE name = $1", [.text(name)]) {
            try ArtifactDigest(bytes: try $0[0], table: "model")
        }
        let folds = try modelsOfFolds(name, session)
        if !folds.isEmpty {
            guard moving else { throw StoreError.modelNameTakenByFolds(name, count: folds.count) }
            let others = folds.filter { $0.digest != digest }
            try unname(others.map(\.digest), session)
            freed.folds = others.map { ModelName.ofFold($0.fold, of: name) }
        }
        guard let owner, owner != digest else { return freed }
        guard moving else { throw StoreError.modelNameTaken(name, by: owner) }
        try unname([owner], session)
        freed.owner = owner
        return freed
    }

    static func unname(_ digests: [ArtifactDigest], _ session: Session) throws {
        try session.execute(
            "UPDATE model SET name = NULL, fold_count = NULL WHERE digest = ANY ($1)",
            [.byteaArray(digests.map(\.bytes))])
    }

    static func digest(ofModel text: String, _ session: Session) throws -> ArtifactDigest {
        func read(_ row: Row) throws -> ArtifactDigest { try ArtifactDigest(bytes: try row[0], table: "model") }
        if let named = try session.first("SELECT digest FROM model WHERE name = $1", [.text(text)], read) {
            return named
        }
        if ModelName.isDigestPrefix(text) {
            func bound(_ filler: Character) -> [UInt8] {
                let digits = text + String(repeating: filler, count: 64 - text.utf8.count)
                guard let digest = ArtifactDigest(hex: digits) else {
                    preconditionFailure("\(digits) is not a digest")
                }
                return digest.bytes
            }
            let found = try session.query(
                "SELECT digest FROM model WHERE digest BETWEEN $1 AND $2 ORDER BY digest LIMIT 4",
                [.bytea(bound("0")), .bytea(bound("f"))], read)
            if found.count == 1 { return found[0] }
            if found.count > 1 { throw StoreError.ambiguousModel(text, digests: found) }
        }
        let folds = try modelsOfFolds(text, session)
        if !folds.isEmpty { throw StoreError.modelNameOfFolds(text, count: folds.count) }
        let names = try session.query("SELECT name FROM model WHERE name IS NOT NULL ORDER BY name LIMIT 10000") {
            try $0[0] as String
        }
        throw StoreError.unknownModel(text, nearest: Suggestion.nearest(to: text, among: names))
    }

    /// As the view `models` has them.
    static let modelColumns = """
        m.digest, m.name, m.fold_count, coalesce(m.card #>> '{architecture,name}', m.card ->> 'architecture'),
        coalesce(m.card -> 'inputs', jsonb_path_query_array(m.card, '$.channels[*].modality')),
        coalesce(m.card -> 'classes', m.card -> 'outputs'), m.task_id, m.card -> 'metrics', a.size_bytes,
        \(iso8601("m.created_at")),
        (SELECT d.data_kind FROM run r JOIN dataset d ON d.path = r.dataset_path WHERE r.run_id = m.task_id >> 24)
        """

    static func modelSummary(_ row: Row) throws -> ModelSummary {
        let (digest, name, folds, architecture, inputs, outputs, task, metrics, size, created, data) = try row.decode(
            [UInt8].self, String?.self, Int16?.self, String?.self, String?.self, String?.self, Int64?.self,
            String?.self,
            Int64.self, String.self, String?.self)
        func json(_ text: String?) throws -> JSONValue? { try text.map { try StoredJSON.value($0, table: "model") } }
        return ModelSummary(
            digest: try ArtifactDigest(bytes: digest, table: "model"), name: name, foldCount: folds.map { Int($0) },
            architecture: architecture,
            inputs: try json(inputs), outputs: try json(outputs), source: task == nil ? .imported : .trained,
            task: task.map { TaskID(rawValue: $0) }, data: data,
            metrics: try json(metrics), sizeBytes: size, createdAt: created)
    }

    private static func detail(_ digest: ArtifactDigest, _ session: Session) throws -> ModelDetail {
        let found = try session.first(
            """
            SELECT \(modelColumns), m.card FROM model m JOIN artifact a USING (digest) WHERE m.digest = $1
            """, [.bytea(digest.bytes)]
        ) { row in
            ModelDetail(
                summary: try modelSummary(row), card: try StoredJSON.value(try row[11] as String, table: "model"))
        }
        guard let found else { throw StoreError.unknownModel(digest.hex, nearest: nil) }
        return found
    }
}
