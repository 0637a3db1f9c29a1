import BIDS
import Wire
import Workflow

/// A model as `--json` shows it: tasks are called as everywhere on the command line, `run.ordinal`.
struct ModelJSON: Encodable {
    var digest: ArtifactDigest
    var name: String?
    var architecture: String?
    var inputs: JSONValue?
    var outputs: JSONValue?
    var source: ModelSummary.Source
    var run: Int64?
    var task: String?
    var metrics: JSONValue?
    var sizeBytes: Int64
    var createdAt: String
    /// The model that had the name until now.
    var nameTakenFrom: ArtifactDigest?
    /// The name that it had until now.
    var formerName: String?

    init(_ summary: ModelSummary) {
        (digest, name, architecture) = (summary.digest, summary.name, summary.architecture)
        (inputs, outputs, source, metrics) = (summary.inputs, summary.outputs, summary.source, summary.metrics)
        (run, task) = (summary.task?.run.rawValue, summary.task?.description)
        (sizeBytes, createdAt) = (summary.sizeBytes, summary.createdAt)
    }

    init(_ detail: ModelDetail) {
        self.init(detail.summary)
        (nameTakenFrom, formerName) = (detail.nameTakenFrom, detail.formerName)
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
            formerName.map { "Model \(summary.digest.abbreviated) was called \($0), a name that no model has now." },
        ].compactMap { $0 }
    }
}
