import BIDS
import Workflow

/// `POST /v1/plans` and `POST /v1/runs`: a workflow over a dataset.
package struct RunRequest: Codable, Sendable {
    package var name: String?
    /// The workflow file's text and path; paths inside it are relative to the path's folder.
    package var workflowText: String
    package var workflowPath: String
    package var dataset: String
    package var derivatives: [String]
    /// Labels without `sub-`; nil means everybody.
    package var participants: [String]?
    package var sessions: [String]?
    /// Atlas name to folder, added to or in place of those of the file.
    package var atlases: [String: String]
    /// `step.parameter` or a top-level parameter to value, in place of the file's.
    package var parameters: [String: JSONValue]
    /// Steps to compute anew with everything after them, even where a result is cached.
    package var rerunFrom: [String]
    /// Takes part in stride scheduling between runs: twice the weight, twice the share.
    package var weight: Double
    /// Leaves out the steps of cohort scope, as a BIDS App does at participant level. Nil means false.
    package var participantLevelOnly: Bool?
    /// SHA-256, hexadecimal, of the programs that `command` steps run, by the name under which they are allowed, where they
    /// are known: results of one program are not taken for those of another.
    package var programs: [String: String]?

    package init(
        name: String? = nil, workflowText: String, workflowPath: String, dataset: String, derivatives: [String] = [],
        participants: [String]? = nil, sessions: [String]? = nil, atlases: [String: String] = [:],
        parameters: [String: JSONValue] = [:], rerunFrom: [String] = [], weight: Double = 1,
        participantLevelOnly: Bool? = nil, programs: [String: String]? = nil
    ) {
        self.programs = programs
        self.name = name
        self.workflowText = workflowText
        self.workflowPath = workflowPath
        self.dataset = dataset
        self.derivatives = derivatives
        self.participants = participants
        self.sessions = sessions
        self.atlases = atlases
        self.parameters = parameters
        self.rerunFrom = rerunFrom
        self.weight = weight
        self.participantLevelOnly = participantLevelOnly
    }
}

package struct RunCreated: Codable, Sendable {
    package var run: RunID
    package var tasks: Int
    package var cached: Int
    package var problems: [String]
    package init(run: RunID, tasks: Int, cached: Int, problems: [String]) {
        (self.run, self.tasks, self.cached, self.problems) = (run, tasks, cached, problems)
    }
}

package enum RunState: String, Codable, Sendable {
    case running
    /// Every task is settled and all succeeded.
    case succeeded
    /// Every task is settled, some failed or are blocked.
    case finishedWithFailures = "finished_with_failures"
    case cancelled
}

/// `GET /v1/runs`, `GET /v1/runs/{run}`
package struct RunSummary: Codable, Sendable {
    package var run: RunID
    package var name: String
    package var workflow: String
    package var dataset: String
    package var state: RunState
    package var counts: TaskCounts
    package var steps: [StepCounts]?
    /// ISO 8601, UTC.
    package var createdAt: String
    package var finishedAt: String?
    package var elapsedSeconds: Double
    /// From the mean time of the finished tasks of each step and the cores at work; nil until there is something to go by.
    package var remainingSeconds: Double?
    /// True while much of what is left belongs to steps that have finished nothing: how long those take is not known, and
    /// not in `remainingSeconds`.
    package var remainingIsLowerBound: Bool?
    /// True of a run that is not settled while no worker is connected: nothing will happen until one is.
    package var waitsForWorker: Bool?
    /// Tasks that succeeded with something to say; nil in lists of runs.
    package var warnedTasks: Int?
    /// Some of what they say, each with its task: one sentence of every step in turn, as long as there is room. What several
    /// tasks of a step say in the same words is there once.
    package var warnings: [String]?
    /// How many more there are than `warnings`, counted in the same way.
    package var otherWarnings: Int?

    package init(
        run: RunID, name: String, workflow: String, dataset: String, state: RunState, counts: TaskCounts,
        steps: [StepCounts]?, createdAt: String, finishedAt: String?, elapsedSeconds: Double, remainingSeconds: Double?,
        remainingIsLowerBound: Bool? = nil, waitsForWorker: Bool? = nil, warnedTasks: Int? = nil,
        warnings: [String]? = nil, otherWarnings: Int? = nil
    ) {
        self.waitsForWorker = waitsForWorker
        self.warnedTasks = warnedTasks
        (self.warnings, self.otherWarnings) = (warnings, otherWarnings)
        self.run = run
        self.name = name
        self.workflow = workflow
        self.dataset = dataset
        self.state = state
        self.counts = counts
        self.steps = steps
        self.createdAt = createdAt
        self.finishedAt = finishedAt
        self.elapsedSeconds = elapsedSeconds
        self.remainingSeconds = remainingSeconds
        self.remainingIsLowerBound = remainingIsLowerBound
    }
}

package struct StepCounts: Codable, Sendable {
    package var step: String
    package var kind: String
    package var counts: TaskCounts
    package var meanSeconds: Double?
    package var peakResidentMiB: Int?

    package init(step: String, kind: String, counts: TaskCounts, meanSeconds: Double?, peakResidentMiB: Int?) {
        self.step = step
        self.kind = kind
        self.counts = counts
        self.meanSeconds = meanSeconds
        self.peakResidentMiB = peakResidentMiB
    }
}

/// Files that are no longer what a run was submitted with.
package struct SourceChanges: Codable, Sendable {
    /// Files changed, come or gone.
    package var files: Int
    /// Names of some of them.
    package var examples: [String]
    package init(files: Int, examples: [String]) { (self.files, self.examples) = (files, examples) }
}

/// `GET /v1/runs/{run}/digest`: equal digests, equal measurements, bit for bit.
package struct ResultDigest: Codable, Sendable {
    package var digest: ArtifactDigest
    package init(digest: ArtifactDigest) { self.digest = digest }
}
