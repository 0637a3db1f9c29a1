import BIDS
import Workflow

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

package struct Affected: Codable, Sendable {
    package var tasks: Int
    /// Of a retry: tasks meant that cannot run with the files that the run was submitted with, and stay as they are.
    package var cannotRun: Int?
    package init(tasks: Int, cannotRun: Int? = nil) { (self.tasks, self.cannotRun) = (tasks, cannotRun) }
}
