import BIDS

/// A value with its place in the file.
struct Marked<Value> {
    var value: Value
    var mark: SourceMark
}

/// A workflow as written: decoded, but its names not yet checked against each other.
struct WorkflowDraft {
    var name = ""
    var version = ""
    var description = ""
    var atlases: [Marked<AtlasReference>] = []
    var atlasesMark: SourceMark?
    var steps: [StepDraft] = []
}

struct StepDraft {
    var name: String
    var mark: SourceMark
    /// Nil when the kind is missing or unknown, which is reported already.
    var kind: TaskKind?
    var scope: Marked<TaskScope>?
    var isPerAtlas: Marked<Bool>?
    var inputs: [InputDraft] = []
    var inputsMark: SourceMark?
    var parameters: [String: Marked<JSONValue>] = [:]
    var resources: TaskResources?
    var timeoutSeconds: Double?
    var retries: Int?
    var fanIn: Marked<FanInPolicy>?
}

struct InputDraft {
    enum Source {
        case bids([DatasetQuery])
        /// `name.port`, or `name` alone for a step with one output.
        case step(Marked<String>)
        case file(String)
        case atlas(AtlasRole)
        case covariates
        case model([ModelReference])
    }

    var port: String
    var mark: SourceMark
    /// Nil when the source could not be read, which is reported already.
    var source: Source?
    var isOptional: Marked<Bool>?
    /// For ports that the step itself declares (kind `command`).
    var isGathered: Marked<Bool>?
}
