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
    var folds: Marked<FoldDefinition>?
    /// The file has folds:, be it readable or not.
    var foldsMark: SourceMark?
}

struct StepDraft {
    var name: String
    var mark: SourceMark
    /// Nil when the kind is missing or unknown, which is reported already.
    var kind: TaskKind?
    var scope: Marked<TaskScope>?
    var isPerAtlas: Marked<Bool>?
    var isPerFold: Marked<Bool>?
    var people: Marked<FoldPeople>?
    var condition: Condition?
    var inputs: [InputDraft] = []
    var inputsMark: SourceMark?
    /// Ports whose source is a parameter without a value: the step does without.
    var portsWithoutValue: Set<String> = []
    var parameters: [String: Marked<JSONValue>] = [:]
    var resources: TaskResources?
    var timeoutSeconds: Double?
    var retries: Int?
    var fanIn: Marked<FanInPolicy>?
}

/// `when:` of a step.
struct Condition {
    var holds: Bool
    /// The parameter that it is, where it is nothing else; of several the first.
    var parameter: String?
}

struct InputDraft {
    enum Source {
        case bids([DatasetQuery])
        /// `name.port`, or `name` alone for a step with one output.
        case step(Marked<String>)
        case file(String)
        case atlas(AtlasRole)
        case covariates
        case folds
        /// None where a parameter holds none.
        case model([ModelReference])
    }

    var port: String
    var mark: SourceMark
    /// Nil when the source could not be read, which is reported already.
    var source: Source?
    var isOptional: Marked<Bool>?
    /// For ports that the step itself declares (kind `command`).
    var isGathered: Marked<Bool>?
    /// The parameter that names the models, where they are nothing else.
    var modelParameter: String?
    /// Sources of which the first that exists counts, in place of `source`; empty where there is one.
    var alternatives: [InputDraft] = []
    /// One of the alternatives is a parameter without a value: where no other exists the step does without.
    var canBeAbsent = false
}
