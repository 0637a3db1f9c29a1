import Wire
import Workflow

extension WireSchemas {
    private static let path = Schema.string("Absolute path as the coordinator sees it.", pattern: "^/")

    static let runs: [String: Schema] = [
        "IndexRequest": .object(
            "A dataset to index.",
            .required("path", path), .required("derivatives", .list(of: path, maxItems: 1000)),
            .required("digestAll", .boolean("Digest every file now instead of at its first use."))),
        "IndexedDataset": .object(
            "A dataset in the index.",
            .required("id", .integer()), .required("path", .string()), .required("name", .string()),
            .required("files", count), .required("added", count), .required("changed", count),
            .required("removed", count), .required("subjects", count), .required("sessions", count),
            .required("digested", count), .required("seconds", .number())),
        "IndexReport": .object(
            "What indexing found.",
            .required("datasets", .list(of: .reference("IndexedDataset"))),
            .required("problems", .list(of: .string(), "One sentence per thing wrong."))),
        "DatasetList": .object(
            "The datasets of the index.", .required("datasets", .list(of: .reference("IndexedDataset")))),
        "RunRequest": .object(
            "A workflow over a dataset.",
            .optional("name", .string()),
            .required("workflowText", .string("The workflow file.")),
            .required("workflowPath", .string("Where it lies; paths inside it are relative to its folder.")),
            .required("dataset", path), .required("derivatives", .list(of: path, maxItems: 1000)),
            .optional("participants", .list(of: .string(), "Labels without sub-; absent is everybody.")),
            .optional("sessions", .list(of: .string(), "Labels without ses-.")),
            .required("atlases", .map(of: .string(), "Folder by atlas name.")),
            .required("parameters", .map(of: .anything("Value."), "Values in place of the file's.")),
            .required("rerunFrom", .list(of: .string(), "Steps to compute anew, with all after them.")),
            .optional("programs", .map(of: .string(), "SHA-256 by the name of an allowed program.")),
            .required("weight", .number("Share among runs.", minimum: 0))),
        "PlannedStep": .object(
            "One step of a plan.",
            .required("step", .string()), .required("kind", .string()), .required("tasks", count),
            .required("cached", count), .required("problems", count), .required("behind", count),
            .required("behindSteps", .list(of: .string()))),
        "PlannedModel": .object(
            "A model that the workflow names, and what it is now.",
            .required("step", .string()), .required("input", .string()),
            .required("model", .string("As the workflow calls it.")), .optional("name", .string()),
            .required("digest", digest)),
        "PlannedFolds": .object(
            "Who would be in which fold.",
            .required("count", .integer(minimum: 2)), .required("seed", .integer(minimum: 0)),
            .required("people", .map(of: fold, "Fold by label without sub-.")),
            .required("stratify", .list(of: .anything("A column, with values or edges of its groups.")))),
        "PlanReport": .object(
            "What a run would do.",
            .required("workflow", .string()), .required("subjects", count), .required("sessions", count),
            .required("tasks", count), .required("steps", .list(of: .reference("PlannedStep"))),
            .required("models", .list(of: .reference("PlannedModel"))), .optional("folds", .reference("PlannedFolds")),
            .required("problems", .list(of: .string()))),
        "ValidationRequest": .object(
            "A workflow file to check.", .required("text", .string()), .required("path", .string())),
        "ValidationReport": .object(
            "What is wrong with a workflow file; empty when nothing is.",
            .required("problems", .list(of: .string()))),
        "RunCreated": .object(
            "A new run.",
            .required("run", run), .required("tasks", count), .required("cached", count),
            .required("problems", .list(of: .string()))),
        "TaskCounts": .object(
            "Tasks by state.",
            .required("waiting", count), .required("ready", count), .required("running", count),
            .required("succeeded", count), .required("cached", count), .required("failed", count),
            .required("blocked", count), .required("cancelled", count)),
        "StepCounts": .object(
            "One step of a run.",
            .required("step", .string()), .required("kind", .string()), .required("counts", .reference("TaskCounts")),
            .optional("meanSeconds", .number()), .optional("peakResidentMiB", count)),
        "RunSummary": .object(
            "A run.",
            .required("run", run), .required("name", .string()), .required("workflow", .string()),
            .required("dataset", .string()),
            .required("state", .choice(["running", "succeeded", "finished_with_failures", "cancelled"])),
            .required("counts", .reference("TaskCounts")),
            .optional("steps", .list(of: .reference("StepCounts"))), .required("createdAt", time),
            .optional("finishedAt", time), .required("elapsedSeconds", .number()),
            .optional("remainingSeconds", .number()),
            .optional(
                "remainingIsLowerBound",
                .boolean("Much of what is left belongs to steps that have finished nothing yet.")),
            .optional("waitsForWorker", .boolean("Not settled, and no worker is connected.")),
            .optional("warnedTasks", count),
            .optional(
                "warnings",
                .list(
                    of: .string(),
                    "Some of the warnings, each with its task: one of every step in turn; what several tasks of a step say in the "
                        + "same words once.")),
            .optional("otherWarnings", .integer("How many more there are, counted in the same way.", minimum: 0))),
        "RunList": .object("Runs, newest first.", .required("runs", .list(of: .reference("RunSummary")))),
        "ResultDigest": .object(
            "A digest over the results of a run.",
            .required("digest", digest)),
        "SourceChanges": .object(
            "Files that are no longer what a run was submitted with.", .required("files", count),
            .required("examples", .list(of: .string(), "Names of some of them."))),
        "Affected": .object(
            "Number of tasks changed.", .required("tasks", count),
            .optional("cannotRun", count)),
    ]

    static let tasks: [String: Schema] = [
        "TaskFilter": .object(
            "Which tasks are meant; absent fields do not restrict.",
            .optional("run", run),
            .optional("states", .list(of: .integer("State by number.", minimum: 0, maximum: 5))),
            .optional("steps", .list(of: .string())), .optional("subjects", .list(of: .string())),
            .optional("folds", .list(of: fold)),
            .optional("outcomes", .list(of: outcome)), .optional("tasks", .list(of: task)),
            .required("limit", .integer(minimum: 1, maximum: largestCount)), .optional("after", task)),
        "TaskSummary": .object(
            "A task.",
            .required("task", task), .required("step", .string()), .required("kind", .string()),
            .required("context", .reference("TaskContext")),
            .required(
                "state",
                .integer("0 waiting, 1 ready, 2 succeeded, 3 failed, 4 blocked, 5 cancelled.", minimum: 0, maximum: 5)),
            .required("running", .boolean("It holds a lease.")), .required("attempts", count),
            .optional("outcome", outcome), .optional("message", .string()), .optional("wallMilliseconds", count),
            .optional("worker", .string()), .optional("progress", .number(minimum: 0, maximum: 1)),
            .optional("lastLine", .string("Last line of the log of the attempt at work."))),
        "TaskList": .object(
            "Tasks in the order of their numbers.", .required("tasks", .list(of: .reference("TaskSummary")))),
        "TaskAttempt": .object(
            "One try.",
            .required("attempt", count), .required("outcome", outcome), .optional("message", .string()),
            .optional("worker", .string()), .optional("startedAt", time), .required("finishedAt", time),
            .optional("usage", .reference("AttemptUsage")), .optional("logTail", .string())),
        "TaskDetail": .object(
            "All about a task.",
            .required("summary", .reference("TaskSummary")), .required("parameters", .anything("Of the kind.")),
            .required("inputs", .list(of: .reference("TaskInput"))),
            .required("outputs", .list(of: .reference("TaskOutput"))),
            .required("attempts", .list(of: .reference("TaskAttempt"))),
            .required("warnings", .list(of: .string()))),
        "Explanation": .object(
            "Why a task waits, failed, ran or was taken over.",
            .required("task", task), .required("state", .integer(minimum: 0, maximum: 5)),
            .required("reasons", .list(of: .string(), "The answer first.")),
            .required("upstream", .list(of: .reference("TaskSummary"))),
            .optional("fitsNoWorker", .boolean("Ready, but beyond every connected worker."))),
    ]
}
