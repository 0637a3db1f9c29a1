import BIDS

/// A workflow file that was found valid: every name resolved, every parameter filled in.
package struct WorkflowDefinition: Hashable, Sendable {
    package var name: String
    package var version: String
    package var description: String
    /// In the order of the file, those of the command line after them.
    package var atlases: [AtlasReference]
    /// In the order of the file, without those that a condition leaves out.
    package var steps: [StepDefinition]
    /// How people are put into folds; nil where no step asks for it.
    package var folds: FoldDefinition?
    /// How models trained over the folds are applied to others, step by step; empty where the file does not provide for it.
    package var reuses: [FoldReuse]

    package init(
        name: String, version: String, description: String, atlases: [AtlasReference], steps: [StepDefinition],
        folds: FoldDefinition? = nil, reuses: [FoldReuse] = []
    ) {
        self.name = name
        self.version = version
        self.description = description
        self.atlases = atlases
        self.steps = steps
        self.folds = folds
        self.reuses = reuses
    }

    package func step(_ name: String) -> StepDefinition? { steps.first { $0.name == name } }

    package var usesAtlases: Bool {
        steps.contains { step in
            step.isPerAtlas
                || step.inputs.contains {
                    if case .atlas = $0.source { true } else { false }
                }
        }
    }

    package var usesCovariates: Bool {
        steps.contains { $0.inputs.contains { $0.source == .covariates } }
    }

    /// Some step has one task per fold, reads only people in folds, or reads who is in which.
    package var usesFolds: Bool {
        steps.contains { $0.isPerFold || $0.people != nil || $0.inputs.contains { $0.source == .folds } }
    }

    /// Every mention of a model that is not a file, in the order of the file.
    package var registeredModels: [(step: String, input: String, reference: ModelReference)] {
        steps.flatMap { step in
            step.inputs.flatMap { input -> [(step: String, input: String, reference: ModelReference)] in
                guard case .model(let references) = input.source else { return [] }
                return references.filter { $0.registeredAs != nil }.map { (step.name, input.port, $0) }
            }
        }
    }

    /// Every file that an input of models names by its path, in the order of the file. What a program of the user's own
    /// takes for a model is the program's to say.
    package var modelFiles: [(step: String, input: String, path: String, line: Int?, column: Int?)] {
        steps.flatMap { step in
            step.inputs.flatMap { input -> [(step: String, input: String, path: String, line: Int?, column: Int?)] in
                guard TaskKindCatalog.kind(step.kind)?.input(input.port)?.format == .model else { return [] }
                switch input.source {
                case .file(let path): return [(step.name, input.port, path, nil, nil)]
                case .model(let references):
                    return references.compactMap { reference in
                        guard case .file(let path) = reference.place else { return nil }
                        return (step.name, input.port, path, reference.line, reference.column)
                    }
                default: return []
                }
            }
        }
    }

    /// Edges between steps, by their places in `steps`.
    package var graph: TaskGraph {
        let place = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1.name, $0) })
        return TaskGraph(
            names: steps.map(\.name),
            predecessors: steps.map { step in
                step.inputs.compactMap { input in
                    if case .output(let name, _) = input.source { place[name] } else { nil }
                }
            })
    }
}

/// An atlas by name and folder, not yet looked at.
package struct AtlasReference: Hashable, Sendable {
    package var name: String
    /// Absolute.
    package var folder: String

    package init(name: String, folder: String) { (self.name, self.folder) = (name, folder) }
}

/// A step of a workflow.
package struct StepDefinition: Hashable, Sendable {
    package var name: String
    package var kind: String
    package var kindVersion: Int
    package var scope: TaskScope
    /// One task per atlas (`each: atlas`).
    package var isPerAtlas: Bool
    /// One task per fold (`each: fold`).
    package var isPerFold: Bool
    /// Of a step over the cohort: the people whose files and results it reads; of another: those it has tasks for. Nil:
    /// everybody.
    package var people: FoldPeople?
    package var inputs: [StepInput]
    /// All parameters of the kind, defaults filled in: an object.
    package var parameters: JSONValue
    package var resources: TaskResources
    package var timeoutSeconds: Double
    package var retry: RetryPolicy
    package var fanIn: FanInPolicy

    package init(
        name: String, kind: String, kindVersion: Int, scope: TaskScope, isPerAtlas: Bool, inputs: [StepInput],
        parameters: JSONValue, resources: TaskResources, timeoutSeconds: Double, retry: RetryPolicy, fanIn: FanInPolicy,
        isPerFold: Bool = false, people: FoldPeople? = nil
    ) {
        self.name = name
        self.kind = kind
        self.kindVersion = kindVersion
        self.scope = scope
        self.isPerAtlas = isPerAtlas
        self.isPerFold = isPerFold
        self.people = people
        self.inputs = inputs
        self.parameters = parameters
        self.resources = resources
        self.timeoutSeconds = timeoutSeconds
        self.retry = retry
        self.fanIn = fanIn
    }
}

/// What feeds one port of a step.
package struct StepInput: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// Files of the dataset; of several queries the first that matches anything counts.
        case bids([DatasetQuery])
        /// Output port of another step.
        case output(step: String, port: String)
        /// One file, absolute path.
        case file(String)
        case atlas(AtlasRole)
        /// Columns of `participants.tsv` and `sessions.tsv`, as JSON.
        case covariates
        /// Who is in which fold, as JSON.
        case folds
        /// Networks with their weights; several only where the port gathers.
        case model([ModelReference])
    }

    package var port: String
    package var source: Source
    /// The step does without when there is none.
    package var isOptional: Bool
    /// The port takes any number of items.
    package var isGathered: Bool

    package init(port: String, source: Source, isOptional: Bool, isGathered: Bool) {
        (self.port, self.source, self.isOptional, self.isGathered) = (port, source, isOptional, isGathered)
    }
}

/// A query over the files of the task's own session, or of another that it names.
package struct DatasetQuery: Hashable, Sendable {
    package var query: BIDSQuery
    /// Set by `ses:` in the workflow file: looked for among all files of the subject.
    package var session: BIDSQuery.Match?

    package init(query: BIDSQuery, session: BIDSQuery.Match? = nil) { (self.query, self.session) = (query, session) }
}

/// A model as an input names it.
package struct ModelReference: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        /// Absolute path of a file.
        case file(String)
        /// Name, digest or beginning of a digest, as written.
        case registry(String)
    }

    package var place: Place
    /// Where it stands in the workflow file, both from 1.
    package var line: Int
    package var column: Int

    package init(_ place: Place, line: Int, column: Int) {
        (self.place, self.line, self.column) = (place, line, column)
    }

    /// What the registry is asked for; nil for a file.
    package var registeredAs: String? {
        if case .registry(let text) = place { text } else { nil }
    }
}

/// A file that an atlas folder holds.
package enum AtlasRole: String, Hashable, Sendable, CaseIterable {
    case t1w = "T1w"
    case chimap = "Chimap"
    case dseg
    case table

    /// As it is usually named.
    package var usualFileName: String {
        switch self {
        case .t1w: "T1w.nii.gz"
        case .chimap: "Chimap.nii.gz"
        case .dseg: "dseg.nii.gz"
        case .table: "dseg.tsv"
        }
    }

    package var format: TaskPort.Format {
        switch self {
        case .t1w, .chimap: .volume
        case .dseg: .labelMap
        case .table: .table
        }
    }
}
