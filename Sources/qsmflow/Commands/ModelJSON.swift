import BIDS
import Wire
import Workflow

/// A model as `--json` shows it: tasks are called as everywhere on the command line, `run.ordinal`.
struct ModelJSON: Encodable {
    var digest: ArtifactDigest
    var name: String?
    /// Where the name is `GROUP.fold-N`: how many folds the group has.
    var foldCount: Int?
    var architecture: String?
    var inputs: JSONValue?
    var outputs: JSONValue?
    var source: ModelSummary.Source
    var run: Int64?
    var task: String?
    /// What it was trained on: real, synthetic or semi-synthetic data, or unstated.
    var data: String?
    var metrics: JSONValue?
    var sizeBytes: Int64
    var createdAt: String
    /// The model that had the name until now.
    var nameTakenFrom: ArtifactDigest?
    /// The name that it had until now.
    var formerName: String?
    /// The names that models of folds had until now.
    var foldNamesTaken: [String]?

    init(_ summary: ModelSummary) {
        (digest, name, foldCount, architecture) = (
            summary.digest, summary.name, summary.foldCount, summary.architecture
        )
        (inputs, outputs, source, metrics) = (summary.inputs, summary.outputs, summary.source, summary.metrics)
        (run, task, data) = (summary.task?.run.rawValue, summary.task?.description, summary.data)
        (sizeBytes, createdAt) = (summary.sizeBytes, summary.createdAt)
    }

    init(_ detail: ModelDetail) {
        self.init(detail.summary)
        (nameTakenFrom, formerName) = (detail.nameTakenFrom, detail.formerName)
        foldNamesTaken = detail.foldNamesTaken
    }
}

extension ModelDetail {
    /// What a name did, where it moved: sentences for a person.
    var moves: [String] {
        let name = summary.name ?? ""
        return [
            nameTakenFrom.map {
                "The name \(name) moved from model \($0.abbreviated), which has none now, to model \(summary.digest.abbreviated); "
                    + "runs submitted before keep what they were given."
            },
            foldNamesTaken.map {
                "The name \(name) stood for the models of \(Counted.text($0.count, "fold", "folds")), which have no names any more "
                    + "(\($0.prefix(3).joined(separator: ", "))\($0.count > 3 ? ", …" : "")); `qsmflow models name-folds` names them anew."
            },
            formerName.map { "Model \(summary.digest.abbreviated) was called \($0), a name that no model has now." },
        ].compactMap { $0 }
    }
}
