import BIDS
import Workflow

/// `PUT /v1/models/{digest}`: registers bytes that are in the artifact store as a model, or names a model.
package struct ModelRequest: Codable, Sendable {
    /// Nil leaves the name as it is.
    package var name: String?
    /// Takes the name away from the model that has it, and from this model the name that it has; nil means false.
    package var moveName: Bool?
    /// The model card, an object; nil for a model that is known already. What a run trained keeps the card of its task.
    package var card: JSONValue?

    package init(name: String? = nil, moveName: Bool? = nil, card: JSONValue? = nil) {
        (self.name, self.moveName, self.card) = (name, moveName, card)
    }
}

/// `PUT /v1/runs/{run}/models`: names the models that a step trained over the folds of a cross-validation.
package struct FoldNaming: Codable, Sendable {
    /// The models get NAME.fold-1 and so on; a workflow means all of them by NAME.
    package var name: String
    /// Nil: the only step of the run that trained any.
    package var step: String?
    /// Takes the names away from the models that have them; nil means false.
    package var moveName: Bool?

    package init(name: String, step: String? = nil, moveName: Bool? = nil) {
        (self.name, self.step, self.moveName) = (name, step, moveName)
    }
}

/// A network with its weights, without the whole card.
package struct ModelSummary: Codable, Sendable {
    package enum Source: String, Codable, Sendable, CaseIterable { case trained, imported }

    package var digest: ArtifactDigest
    package var name: String?
    /// Where the name is one of a group, `GROUP.fold-N`: how many folds the group has.
    package var foldCount: Int?
    /// As the card names it.
    package var architecture: String?
    /// Input channels, as the card states them.
    package var inputs: JSONValue?
    /// Classes or other outputs, as the card states them.
    package var outputs: JSONValue?
    package var source: Source
    /// Trained by this task.
    package var task: TaskID?
    /// What the dataset is of that it was trained on: real, synthetic, semi-synthetic or unstated; nil where nobody knows.
    package var data: String?
    /// As the card states them.
    package var metrics: JSONValue?
    package var sizeBytes: Int64
    /// ISO 8601, UTC.
    package var createdAt: String

    package init(
        digest: ArtifactDigest, name: String?, foldCount: Int? = nil, architecture: String?, inputs: JSONValue?,
        outputs: JSONValue?,
        source: Source, task: TaskID?, data: String? = nil, metrics: JSONValue?, sizeBytes: Int64, createdAt: String
    ) {
        self.digest = digest
        self.name = name
        self.foldCount = foldCount
        self.architecture = architecture
        self.inputs = inputs
        self.outputs = outputs
        self.source = source
        self.task = task
        self.data = data
        self.metrics = metrics
        self.sizeBytes = sizeBytes
        self.createdAt = createdAt
    }
}

/// `GET /v1/models/{model}`
package struct ModelDetail: Codable, Sendable {
    package var summary: ModelSummary
    package var card: JSONValue
    /// Of an answer to `PUT`: the model that had the name until now.
    package var nameTakenFrom: ArtifactDigest?
    /// Of an answer to `PUT`: the name that this one had until now.
    package var formerName: String?
    /// Of an answer to `PUT`, where the name stood for the models of folds: the names that those had until now.
    package var foldNamesTaken: [String]?

    package init(
        summary: ModelSummary, card: JSONValue, nameTakenFrom: ArtifactDigest? = nil, formerName: String? = nil,
        foldNamesTaken: [String]? = nil
    ) {
        (self.summary, self.card) = (summary, card)
        (self.nameTakenFrom, self.formerName, self.foldNamesTaken) = (nameTakenFrom, formerName, foldNamesTaken)
    }
}

/// `GET /v1/models`, newest first.
package struct ModelList: Codable, Sendable {
    package var models: [ModelSummary]
    package init(models: [ModelSummary]) { self.models = models }
}
