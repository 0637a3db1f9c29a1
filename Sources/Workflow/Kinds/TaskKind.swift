import BIDS

/// What can be done: the declaration of a kind of task. What it does is in `Tasks`, which a coordinator does not link.
package struct TaskKind: Sendable {
    /// e.g. `roi.statistics`.
    package let name: String
    /// Part of the cache key: raised whenever the same input would give another result.
    package let version: Int
    /// One sentence.
    package let summary: String
    package let scopes: [TaskScope]
    package let inputs: [TaskPort]
    package let outputs: [TaskPort]
    package let parameters: [TaskParameter]
    package let measurements: [MeasurementDeclaration]
    package let resources: TaskResources
    package let timeoutSeconds: Double
    /// The workflow file declares further ports of its own (kind `command`).
    package let hasOpenPorts: Bool
    /// An attempt leaves on its worker what a later attempt of the same work can go on from.
    package let keepsProgress: Bool
    /// What has to hold between parameters and inputs.
    package let rules: StepRules

    package init(
        name: String, version: Int, summary: String, scopes: [TaskScope], inputs: [TaskPort], outputs: [TaskPort],
        parameters: [TaskParameter] = [], measurements: [MeasurementDeclaration] = [],
        resources: TaskResources = TaskResources(), timeoutSeconds: Double = 1800, hasOpenPorts: Bool = false,
        keepsProgress: Bool = false, rules: StepRules = StepRules()
    ) {
        self.name = name
        self.version = version
        self.summary = summary
        self.scopes = scopes
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.measurements = measurements
        self.resources = resources
        self.timeoutSeconds = timeoutSeconds
        self.hasOpenPorts = hasOpenPorts
        self.keepsProgress = keepsProgress
        self.rules = rules
    }

    package func input(_ name: String) -> TaskPort? { inputs.first { $0.name == name } }
    package func output(_ name: String) -> TaskPort? { outputs.first { $0.name == name } }
    package func parameter(_ name: String) -> TaskParameter? { parameters.first { $0.name == name } }
}

/// For which parts of the cohort a step has one task each.
package enum TaskScope: String, Codable, Hashable, Sendable, CaseIterable {
    case session, subject, cohort
}

/// A number that a kind writes into the database.
package struct MeasurementDeclaration: Codable, Hashable, Sendable {
    package let metric: String
    package let unit: String
    package let summary: String

    package init(_ metric: String, unit: String, _ summary: String) {
        (self.metric, self.unit, self.summary) = (metric, unit, summary)
    }
}
