// What the store can refuse, apart from what PostgreSQL itself reports.

import Workflow

package enum StoreError: Error, Sendable, Equatable {
    case serverTooOld(found: Int, needed: Int)
    case wrongEncoding(String)
    case schemaNewer(found: Int, known: Int)
    case schemaAltered(migration: String)
    /// A file of a task was not digested before the run was stored.
    case missingDigest(step: String, path: String)
    /// An input names a task that does not come before it.
    case brokenGraph(step: String, ordinal: Int)
    case tooManyTasks(Int)
    case unknownView(String, known: [String])
    case tokenExists(String)
    case emptyTokenName
    case damagedRow(table: String, what: String)
    case unknownModel(String, nearest: String?)
    /// Several digests begin with these digits.
    case ambiguousModel(String, digests: [ArtifactDigest])
    case unusableModelName(String)
    case modelNameTaken(String, by: ArtifactDigest)
    /// The model has another name, which it would lose.
    case modelHasName(String, ArtifactDigest, wanted: String)
    /// The name stands for the models of several folds, where one model is meant.
    case modelNameOfFolds(String, count: Int)
    /// The name that a model would get stands for the models of several folds.
    case modelNameTakenByFolds(String, count: Int)
    /// Of the models that a name stands for some have lost theirs.
    case foldsOfModelMissing(String, missing: [Int], of: Int)
    /// The folds of a run have no models that could be named.
    case noModelsOfFolds(String)
    /// The bytes of a model are not in the artifact store.
    case missingModelBytes(ArtifactDigest)
    case modelWithoutCard(ArtifactDigest)
    /// Nothing of it can be removed: it belongs to the run that trained it.
    case modelBelongsToRun(ArtifactDigest, task: TaskID)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .serverTooOld(let found, let needed):
            "The database server is PostgreSQL \(found / 10_000); qsmflow needs \(needed / 10_000) or newer."
        case .wrongEncoding(let encoding):
            "The database is encoded in \(encoding); create it anew with ENCODING 'UTF8'."
        case .schemaNewer(let found, let known):
            "The database has schema version \(found), and this qsmflow knows \(known): a newer qsmflow has used it. "
                + "Update this one, or choose another database."
        case .schemaAltered(let migration):
            "Migration \(migration) was applied to the database with another text than this qsmflow has; use the "
                + "release of qsmflow that made the database."
        case .missingDigest(let step, let path):
            "Step \(step) reads \(path), whose digest is not known yet; index the dataset first."
        case .brokenGraph(let step, let ordinal):
            "Task \(ordinal) of step \(step) reads the output of a task that does not come before it."
        case .tooManyTasks(let count):
            "The run would have \(count) tasks, more than the 16777216 a run can hold; restrict it to fewer participants."
        case .unknownView(let name, let known):
            "There is no result view \"\(name)\"; there are \(known.joined(separator: ", "))."
        case .tokenExists(let name): "There is a token named \"\(name)\" already; revoke it or choose another name."
        case .emptyTokenName: "A token needs a name."
        case .damagedRow(let table, let what): "A row of table \(table) cannot be read: \(what)."
        case .unknownModel(let text, let nearest):
            "There is no model “\(text)”"
                + (nearest.map { "; did you mean \($0)?" }
                    ?? (ModelName.isTooShortForDigest(text)
                        ? "; for a digest it has too few digits: give at least \(ModelName.leastDigits), as `qsmflow models` "
                            + "lists them."
                        : "; `qsmflow models` lists those there are."))
        case .ambiguousModel(let text, let digests):
            "Several models start with \(text): \(digests.map { $0.hex.prefix(16) + "…" }.joined(separator: ", ")); "
                + "give more digits."
        case .unusableModelName(let name): "“\(name)” cannot name a model; \(ModelName.rule)."
        case .modelNameTaken(let name, let digest):
            "The name \(name) belongs to model \(digest.abbreviated), of other bytes; choose another, or move it to this model "
                + "with --move (moveName over HTTP)."
        case .modelHasName(let name, let digest, let wanted):
            "Model \(digest.abbreviated) has the name \(name), which workflows may use and which it would lose to \(wanted); "
                + "rename it with --move (moveName over HTTP)."
        case .modelNameOfFolds(let name, let count):
            "The name \(name) stands for \(count) models, those of the folds of a training; name one of them, such as "
                + "\(ModelName.ofFold(1, of: name))."
        case .modelNameTakenByFolds(let name, let count):
            "The name \(name) stands for \(count) models, those of the folds of a training; choose another, or take it away "
                + "from all of them with --move (moveName over HTTP)."
        case .foldsOfModelMissing(let name, let missing, let count):
            "Of the \(count) folds that the name \(name) stands for, "
                + "\(missing.prefix(5).map { "\($0)" }.joined(separator: ", "))\(missing.count > 5 ? ", …" : "") "
                + "\(missing.count == 1 ? "has" : "have") no model any more; name all folds of a run anew with `qsmflow models "
                + "name-folds`."
        case .noModelsOfFolds(let sentence): sentence
        case .missingModelBytes(let digest):
            "The bytes of model \(digest.abbreviated) are not in the artifact store; send them first."
        case .modelWithoutCard(let digest): "Model \(digest.abbreviated) is not known yet; send its card too."
        case .modelBelongsToRun(let digest, let task):
            "Model \(digest.abbreviated) was trained by task \(task) and has no name; it stays as long as the results of "
                + "run \(task.run)."
        }
    }
}
