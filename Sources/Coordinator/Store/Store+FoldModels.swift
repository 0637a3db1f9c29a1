import BIDS
import Foundation
import Postgres
import Wire
import Workflow

// A name may stand for the models that a step trained over its folds: each is NAME.fold-N, and NAME is all of them.
extension Store {
    /// The models that a workflow means by a name, a digest or the beginning of one: one, or those of the folds in their
    /// order.
    ///
    /// - Throws: `StoreError.unknownModel`, `.ambiguousModel`, `.foldsOfModelMissing`.
    package func modelsNamed(_ text: String) async throws -> [ModelSummary] {
        try await pool.run { session in
            let owners = try session.query("SELECT 1 FROM model WHERE name = $1", [.text(text)]) { _ in true }
            let folds = owners.isEmpty ? try Self.modelsOfFolds(text, session) : []
            let digests = folds.isEmpty ? [try Self.digest(ofModel: text, session)] : folds.map(\.digest)
            let count = folds.first?.count ?? 0
            let missing = (0..<count).map { $0 + 1 }.filter { fold in !folds.contains { $0.fold == fold } }
            guard missing.isEmpty else { throw StoreError.foldsOfModelMissing(text, missing: missing, of: count) }
            let found = try session.query(
                """
                SELECT \(Self.modelColumns) FROM model m JOIN artifact a USING (digest) WHERE m.digest = ANY ($1)
                """, [.byteaArray(digests.map(\.bytes))]
            ) { try Self.modelSummary($0) }
            return digests.compactMap { digest in found.first { $0.digest == digest } }
        }
    }

    /// Names the models that a step of a run trained over its folds.
    ///
    /// - Returns: them, in the order of the folds.
    /// - Throws: `StoreError.noModelsOfFolds` where a fold has none or the step is in doubt, `.modelNameTaken`,
    ///   `.modelHasName`, `.unusableModelName`.
    package func nameFolds(of run: RunID, _ request: FoldNaming, by actor: String) async throws -> [ModelSummary] {
        let name = request.name
        return try await pool.transaction(repeatable: true) { session in
            try Self.lockModelNames(session)
            let (step, models) = try Self.trained(run, step: request.step, session)
            guard ModelName.isValid(name), ModelName.isValid(ModelName.ofFold(models.count, of: name)) else {
                throw StoreError.unusableModelName(name)
            }
            let names = models.map { ModelName.ofFold($0.fold, of: name) }
            let wanted = Dictionary(uniqueKeysWithValues: zip(names, models.map(\.digest)))
            var owners = try Self.modelsOfFolds(name, session).map {
                (name: ModelName.ofFold($0.fold, of: name), digest: $0.digest)
            }
            owners += try session.query("SELECT name, digest FROM model WHERE name = $1", [.text(name)]) { row in
                (name: try row[0] as String, digest: try ArtifactDigest(bytes: try row[1], table: "model"))
            }
            if request.moveName != true, let other = owners.first(where: { wanted[$0.name] != $0.digest }) {
                throw StoreError.modelNameTaken(other.name, by: other.digest)
            }
            let former = try session.query(
                "SELECT digest, name FROM model WHERE digest = ANY ($1) AND name IS NOT NULL",
                [.byteaArray(models.map(\.digest.bytes))]
            ) { row in (digest: try ArtifactDigest(bytes: try row[0], table: "model"), name: try row[1] as String) }
            for (fold, digest) in models where request.moveName != true {
                let own = ModelName.ofFold(fold, of: name)
                if let other = former.first(where: { $0.digest == digest && $0.name != own }) {
                    throw StoreError.modelHasName(other.name, digest, wanted: own)
                }
            }
            // First all of them, so that models which change places do not meet.
            try Self.unname(owners.map(\.digest), session)
            try session.execute(
                """
                UPDATE model m SET name = u.name, fold_count = $3
                FROM unnest($1::bytea[], $2::text[]) AS u (digest, name) WHERE m.digest = u.digest
                """, [.byteaArray(models.map(\.digest.bytes)), .textArray(names), .int(models.count)])
            try Self.record(
                session, run: run, actor: actor, kind: "models.named",
                body: ["step": .string(step), "name": .string(name), "folds": .integer(Int64(models.count))])
            let named = try session.query(
                """
                SELECT \(Self.modelColumns) FROM model m JOIN artifact a USING (digest) WHERE m.digest = ANY ($1)
                """, [.byteaArray(models.map(\.digest.bytes))]
            ) { try Self.modelSummary($0) }
            return models.compactMap { model in named.first { $0.digest == model.digest } }
        }
    }

    /// A model that is one of those that a name stands for.
    struct FoldModel {
        /// From 1 to `count`.
        var fold, count: Int
        var digest: ArtifactDigest
    }

    /// Those that `name` stands for, by their folds; a group may have lost some.
    static func modelsOfFolds(_ name: String, _ session: Session) throws -> [FoldModel] {
        try session.query(
            "SELECT name, fold_count, digest FROM model WHERE starts_with(name, $1) AND fold_count IS NOT NULL",
            [.text(name + ".fold-")]
        ) { row -> FoldModel? in
            guard let fold = ModelName.fold(in: try row[0], of: name) else { return nil }
            return FoldModel(
                fold: fold, count: Int(try row[1] as Int16),
                digest: try ArtifactDigest(bytes: try row[2], table: "model"))
        }.compactMap { $0 }.sorted { $0.fold < $1.fold }
    }

    private struct FoldOutput {
        var step: String
        var fold: Int
        var task: TaskID
        var state: TaskState
        var digest: ArtifactDigest?
    }

    /// The one model that each fold of a step trained.
    private static func trained(
        _ run: RunID, step wanted: String?, _ session: Session
    ) throws -> (step: String, models: [(fold: Int, digest: ArtifactDigest)]) {
        let rows = try session.query(
            """
            SELECT s.name, t.fold, t.task_id, t.state, m.digest
            FROM task t JOIN step s USING (step_id)
            LEFT JOIN LATERAL (
                SELECT a.digest FROM artifact_ref a JOIN model USING (digest)
                WHERE a.result_id = t.result_id ORDER BY a.port, a.name LIMIT 1) m ON true
            WHERE t.task_id >= $1 << 24 AND t.task_id < ($1 + 1) << 24 AND t.fold IS NOT NULL
              AND ($2::text IS NULL OR s.name = $2)
            ORDER BY t.task_id
            """, [.bigint(run.rawValue), .text(wanted)]
        ) { row in
            let (step, fold, task, state, digest) = try row.decode(
                String.self, Int.self, Int64.self, Int16.self, [UInt8]?.self)
            return FoldOutput(
                step: step, fold: fold, task: TaskID(rawValue: task), state: try TaskState(stored: state),
                digest: try digest.map { try ArtifactDigest(bytes: $0, table: "model") })
        }
        var steps: [String] = []
        for row in rows where row.digest != nil && !steps.contains(row.step) { steps.append(row.step) }
        guard let step = steps.first else {
            throw StoreError.noModelsOfFolds(
                "\(wanted.map { "Step \($0) of run" } ?? "Run") \(run) has trained no models over folds; steps with each: fold "
                    + "do, once they are done.")
        }
        guard steps.count == 1 else {
            throw StoreError.noModelsOfFolds(
                "Several steps of run \(run) have trained models over folds: \(steps.joined(separator: ", ")); say which with "
                    + "--step (step over HTTP).")
        }
        let own = rows.filter { $0.step == step }
        if let gap = own.first(where: { $0.digest == nil }) {
            throw StoreError.noModelsOfFolds(
                "Fold \(gap.fold) of step \(step) has no model: task \(gap.task) is \(gap.state); let the run end, or retry it "
                    + "(`qsmflow retry \(run) --step \(step) --fold \(gap.fold)`).")
        }
        var seen: [ArtifactDigest: Int] = [:]
        for row in own {
            guard let digest = row.digest else { continue }
            if let twin = seen[digest] {
                throw StoreError.noModelsOfFolds(
                    "Folds \(twin) and \(row.fold) of step \(step) are the same model, and a model has one name.")
            }
            seen[digest] = row.fold
        }
        return (step, own.compactMap { row in row.digest.map { (row.fold, $0) } })
    }
}
