import Networks
import Workflow

/// The files that a model was trained with, by their digests, to be held against those that it is to judge: what it says of
/// these is no test of it.
///
/// Whoever the epochs of a training were judged by counts too, for the weights were chosen by them. In a cross-validation a
/// person's model has seen no file of theirs, and there is nothing to say.
struct TrainingRecord {
    /// As sentences call the model.
    private let model: String
    /// Whose each file is in the training, by digest.
    private let subjects: [String: String]

    /// - Parameter files: those of a model card.
    init(_ item: TaskRequest.StagedInput, files: [ModelCard.DataItem]) {
        // Models of folds may have one name.
        model = item.input.name + (item.input.context.fold.map { " of fold \($0)" } ?? "")
        subjects = Dictionary(files.map { ($0.digest, $0.subject) }) { first, _ in first }
    }

    /// - Parameters:
    ///   - records: of one model, or of all that judge together.
    ///   - items: what they judge.
    ///   - noun: what each of these is, such as “image”.
    /// - Returns: one sentence; nil where none has seen any.
    static func warning(
        _ records: [TrainingRecord], judging items: [TaskRequest.StagedInput], noun: String
    ) -> String? {
        for item in items {
            let digest = item.input.digest.description
            let seen = records.filter { $0.subjects[digest] != nil }
            guard let first = seen.first, let subject = first.subjects[digest] else { continue }
            let who =
                records.count == 1
                ? "\(first.model) was"
                : seen.count == 1
                    ? "\(first.model), one of \(records.count) models, was"
                    : "\(first.model) and \(seen.count - 1) more of \(records.count) models were"
            return "\(who) trained with this \(noun) (\(item.input.name), there of sub-\(subject)): what "
                + (seen.count == 1 ? "it says here is no test of it." : "they say here is no test of them.")
        }
        return nil
    }
}
