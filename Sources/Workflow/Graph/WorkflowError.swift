/// Why a workflow cannot be put to work on a cohort at all.
package enum WorkflowError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotReadAtlas(name: String, folder: String, reason: String)
    case atlasLacks(name: String, folder: String, role: AtlasRole, step: String)
    case noAtlas(step: String)
    case noCovariates(step: String)
    case noColumn(String, parameter: String, step: String, known: [String])
    /// A value of a column that nobody of the run has.
    case nobodyHas(String, parameter: String, step: String, column: String, known: [String])
    case noModel(String, step: String)
    case noFolds(step: String)
    /// People cannot be put into folds as the workflow wants it.
    case folds(String)
    case unknownParticipants([String], nearest: String?)
    case unknownSession(String, known: [String])
    case unknownStep(String, known: [String])
    case emptyCohort
    case tooManyTasks(Int)
    case cycle([String])

    package var description: String {
        switch self {
        case .cannotReadAtlas(let name, let folder, let reason):
            return "atlas \(name) (\(folder)) cannot be used: \(reason)"
        case .atlasLacks(let name, let folder, let role, let step):
            return "atlas \(name) (\(folder)) has no \(role.usualFileName), which step \(step) reads; add it, or mark "
                + "the input optional: true where the step can do without"
        case .noAtlas(let step):
            return "step \(step) wants an atlas but none is named; add one under atlases: or with --atlas name=folder"
        case .noCovariates(let step):
            return "step \(step) reads the covariates of the participants, but the dataset has no participants.tsv; "
                + "add the table or remove the step"
        case .noColumn(let name, let parameter, let step, let known):
            let clause =
                known.isEmpty ? "; it has none at all" : Suggestion.clause(for: name, among: known)
            return
                "\(parameter) of step \(step) names the column “\(name)”, which participants.tsv does not have\(clause)"
        case .nobodyHas(let value, let parameter, let step, let column, let known):
            let clause =
                known.isEmpty ? "; nobody of the run has any value there" : Suggestion.clause(for: value, among: known)
            return
                "\(parameter) of step \(step) is “\(value)”, which nobody of the run has in the column \(column) of "
                + "participants.tsv or of a table of sessions\(clause)"
        case .noModel(let text, let step):
            return "step \(step) reads the model \(text), which is not known; `qsmflow models` lists those there are"
        case .noFolds(let step):
            return "step \(step) is about folds, and nobody was put into any; add folds: {count: 5} to the workflow"
        case .folds(let sentence): return "folds: \(sentence)"
        case .unknownParticipants(let labels, let nearest):
            let names = labels.prefix(10).map { "sub-\($0)" }.joined(separator: ", ")
            let more = labels.count > 10 ? " and \(labels.count - 10) more" : ""
            let hint = nearest.map { "; did you mean sub-\($0)?" } ?? "; name subjects of the dataset"
            return "the dataset has no \(names)\(more)\(hint)"
        case .unknownSession(let label, let known):
            let clause =
                known.isEmpty
                ? "; it has no sessions, leave the option out" : Suggestion.clause(for: label, among: known)
            return "the dataset has no ses-\(label)\(clause)"
        case .unknownStep(let name, let known):
            return "the workflow has no step “\(name)”\(Suggestion.clause(for: name, among: known))"
        case .emptyCohort:
            return
                "nobody is left to run on: the dataset holds no subject that was asked for; index it again or ask for "
                + "other participants"
        case .tooManyTasks(let count):
            return
                "the run would have \(count) tasks and a run has at most \(TaskID.ordinalLimit); run part of the cohort"
        case .cycle(let names):
            return "steps need each other in a circle: \((names + names.prefix(1)).joined(separator: " → "))"
        }
    }
}
