import BIDS
import Workflow

/// `POST /v1/datasets`: index (or index again) a dataset and its derivatives.
package struct IndexRequest: Codable, Sendable {
    /// Absolute path as the coordinator sees it.
    package var path: String
    package var derivatives: [String]
    /// Digest every file now instead of when a run first uses it.
    package var digestAll: Bool

    package init(path: String, derivatives: [String] = [], digestAll: Bool = false) {
        (self.path, self.derivatives, self.digestAll) = (path, derivatives, digestAll)
    }
}

package struct IndexReport: Codable, Sendable {
    package struct Dataset: Codable, Sendable {
        package var id: DatasetID
        package var path: String
        package var name: String
        package var files: Int
        package var added: Int
        package var changed: Int
        package var removed: Int
        package var subjects: Int
        package var sessions: Int
        package var digested: Int
        package var seconds: Double

        package init(
            id: DatasetID, path: String, name: String, files: Int, added: Int, changed: Int, removed: Int,
            subjects: Int, sessions: Int, digested: Int, seconds: Double
        ) {
            self.id = id
            self.path = path
            self.name = name
            self.files = files
            self.added = added
            self.changed = changed
            self.removed = removed
            self.subjects = subjects
            self.sessions = sessions
            self.digested = digested
            self.seconds = seconds
        }
    }

    package var datasets: [Dataset]
    /// One sentence per thing wrong with the dataset; the subjects concerned are excluded or go on as it says.
    package var problems: [String]
    package init(datasets: [Dataset], problems: [String]) { (self.datasets, self.problems) = (datasets, problems) }
}

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

/// Answer to `POST /v1/plans`.
package struct PlanReport: Codable, Sendable {
    package struct Step: Codable, Sendable {
        package var step: String
        package var kind: String
        package var tasks: Int
        /// Results that exist already, as far as it can be known before the inputs are computed.
        package var cached: Int
        package var problems: Int
        /// Tasks that cannot run because one before them cannot.
        package var behind: Int
        /// Steps of those before them.
        package var behindSteps: [String]

        package init(
            step: String, kind: String, tasks: Int, cached: Int, problems: Int, behind: Int = 0,
            behindSteps: [String] = []
        ) {
            (self.step, self.kind, self.tasks, self.cached, self.problems) = (step, kind, tasks, cached, problems)
            (self.behind, self.behindSteps) = (behind, behindSteps)
        }
    }

    /// What a model that the workflow names is now.
    package struct Model: Codable, Sendable {
        package var step: String
        package var input: String
        /// As the workflow calls it.
        package var model: String
        package var name: String?
        package var digest: ArtifactDigest

        package init(step: String, input: String, model: String, name: String?, digest: ArtifactDigest) {
            (self.step, self.input, self.model, self.name, self.digest) = (step, input, model, name, digest)
        }
    }

    /// Who would be in which fold.
    package struct Folds: Codable, Sendable {
        package var count: Int
        package var seed: Int64
        /// By label without `sub-`, from 1; whoever is in none is not there.
        package var people: [String: Int]
        /// Columns of participants.tsv with the groups that were made of them.
        package var stratify: [JSONValue]

        package init(count: Int, seed: Int64, people: [String: Int], stratify: [JSONValue]) {
            (self.count, self.seed, self.people, self.stratify) = (count, seed, people, stratify)
        }
    }

    package var workflow: String
    package var subjects: Int
    package var sessions: Int
    package var tasks: Int
    package var steps: [Step]
    package var models: [Model]
    /// Nil for a workflow without folds.
    package var folds: Folds?
    /// `sub-01: …` sentences: who lacks what.
    package var problems: [String]

    package init(
        workflow: String, subjects: Int, sessions: Int, tasks: Int, steps: [Step], models: [Model] = [],
        folds: Folds? = nil, problems: [String]
    ) {
        self.models = models
        self.folds = folds
        self.workflow = workflow
        self.subjects = subjects
        self.sessions = sessions
        self.tasks = tasks
        self.steps = steps
        self.problems = problems
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

/// Counts of tasks by state; `running` are the ready ones that hold a lease.
package struct TaskCounts: Codable, Hashable, Sendable {
    package var waiting = 0
    package var ready = 0
    package var running = 0
    package var succeeded = 0
    /// Part of `succeeded`: taken over from an earlier run.
    package var cached = 0
    package var failed = 0
    package var blocked = 0
    package var cancelled = 0

    package init() {}
    package var total: Int { waiting + ready + running + succeeded + failed + blocked + cancelled }
    package var settled: Int { succeeded + failed + blocked + cancelled }
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
    /// True of a run that is not settled while no worker is connected: nothing will happen until one is.
    package var waitsForWorker: Bool?
    /// Tasks that succeeded with something to say; nil in lists of runs.
    package var warnedTasks: Int?
    /// The first warning of some of them, those over the whole cohort first, each with its task.
    package var warnings: [String]?

    package init(
        run: RunID, name: String, workflow: String, dataset: String, state: RunState, counts: TaskCounts,
        steps: [StepCounts]?, createdAt: String, finishedAt: String?, elapsedSeconds: Double, remainingSeconds: Double?,
        waitsForWorker: Bool? = nil, warnedTasks: Int? = nil, warnings: [String]? = nil
    ) {
        self.waitsForWorker = waitsForWorker
        self.warnedTasks = warnedTasks
        self.warnings = warnings
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

/// Which tasks an operator means. Nil fields do not restrict.
package struct TaskFilter: Codable, Sendable {
    package var run: RunID?
    package var states: [TaskState]?
    package var steps: [String]?
    package var subjects: [String]?
    /// Numbers from 1.
    package var folds: [Int]?
    package var outcomes: [AttemptOutcome]?
    package var tasks: [TaskID]?
    package var limit: Int
    /// Only tasks after this one, for paging.
    package var after: TaskID?

    package init(
        run: RunID? = nil, states: [TaskState]? = nil, steps: [String]? = nil, subjects: [String]? = nil,
        folds: [Int]? = nil, outcomes: [AttemptOutcome]? = nil, tasks: [TaskID]? = nil, limit: Int = 1000,
        after: TaskID? = nil
    ) {
        self.run = run
        self.states = states
        self.steps = steps
        self.subjects = subjects
        self.folds = folds
        self.outcomes = outcomes
        self.tasks = tasks
        self.limit = limit
        self.after = after
    }
}

package struct TaskSummary: Codable, Sendable {
    package var task: TaskID
    package var step: String
    package var kind: String
    package var context: TaskContext
    package var state: TaskState
    package var running: Bool
    package var attempts: Int
    package var outcome: AttemptOutcome?
    package var message: String?
    package var wallMilliseconds: Int?
    package var worker: String?
    /// Of the attempt at work, 0…1, where it says.
    package var progress: Double?
    /// Last line of the log of the attempt at work.
    package var lastLine: String?

    package init(
        task: TaskID, step: String, kind: String, context: TaskContext, state: TaskState, running: Bool, attempts: Int,
        outcome: AttemptOutcome?, message: String?, wallMilliseconds: Int?, worker: String?, progress: Double? = nil,
        lastLine: String? = nil
    ) {
        (self.progress, self.lastLine) = (progress, lastLine)
        self.task = task
        self.step = step
        self.kind = kind
        self.context = context
        self.state = state
        self.running = running
        self.attempts = attempts
        self.outcome = outcome
        self.message = message
        self.wallMilliseconds = wallMilliseconds
        self.worker = worker
    }
}

/// `GET /v1/tasks/{task}`
package struct TaskDetail: Codable, Sendable {
    package struct Attempt: Codable, Sendable {
        package var attempt: Int32
        package var outcome: AttemptOutcome
        package var message: String?
        package var worker: String?
        package var startedAt: String?
        package var finishedAt: String
        package var usage: AttemptUsage?
        package var logTail: String?

        package init(
            attempt: Int32, outcome: AttemptOutcome, message: String?, worker: String?, startedAt: String?,
            finishedAt: String, usage: AttemptUsage?, logTail: String?
        ) {
            self.attempt = attempt
            self.outcome = outcome
            self.message = message
            self.worker = worker
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.usage = usage
            self.logTail = logTail
        }
    }

    package var summary: TaskSummary
    package var parameters: JSONValue
    package var inputs: [TaskInput]
    package var outputs: [CompletionItem.Output]
    package var attempts: [Attempt]
    package var warnings: [String]

    package init(
        summary: TaskSummary, parameters: JSONValue, inputs: [TaskInput], outputs: [CompletionItem.Output],
        attempts: [Attempt], warnings: [String]
    ) {
        self.summary = summary
        self.parameters = parameters
        self.inputs = inputs
        self.outputs = outputs
        self.attempts = attempts
        self.warnings = warnings
    }
}

/// `GET /v1/tasks/{task}/why`: why it waits, failed, ran or was taken over, in sentences.
package struct Explanation: Codable, Sendable {
    package var task: TaskID
    package var state: TaskState
    /// The answer first, then what led to it.
    package var reasons: [String]
    /// Tasks it waits for, or whose failure blocks it.
    package var upstream: [TaskSummary]
    /// True of a task that could run if only a worker could take it, and none that is connected can.
    package var fitsNoWorker: Bool?

    package init(
        task: TaskID, state: TaskState, reasons: [String], upstream: [TaskSummary], fitsNoWorker: Bool? = nil
    ) {
        (self.task, self.state, self.reasons, self.upstream) = (task, state, reasons, upstream)
        self.fitsNoWorker = fitsNoWorker
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

package struct Affected: Codable, Sendable {
    package var tasks: Int
    /// Of a retry: tasks meant that cannot run with the files that the run was submitted with, and stay as they are.
    package var cannotRun: Int?
    package init(tasks: Int, cannotRun: Int? = nil) { (self.tasks, self.cannotRun) = (tasks, cannotRun) }
}

/// `GET /v1/runs/{run}/digest`: equal digests, equal measurements, bit for bit.
package struct ResultDigest: Codable, Sendable {
    package var digest: ArtifactDigest
    package init(digest: ArtifactDigest) { self.digest = digest }
}

package struct WorkerSummary: Codable, Sendable {
    package var worker: String
    package var state: String
    package var cores: Int
    package var memoryMiB: Int
    package var running: Int
    package var secondsSinceHeartbeat: Double
    package var version: String

    package init(
        worker: String, state: String, cores: Int, memoryMiB: Int, running: Int, secondsSinceHeartbeat: Double,
        version: String
    ) {
        self.worker = worker
        self.state = state
        self.cores = cores
        self.memoryMiB = memoryMiB
        self.running = running
        self.secondsSinceHeartbeat = secondsSinceHeartbeat
        self.version = version
    }
}
