import Wire
import Workflow

extension WireSchemas {
    static let sessions: [String: Schema] = [
        "SessionRequest": .object(
            "A worker that offers its services.",
            .required("worker", .string("Name of the worker.", minLength: 1, maxLength: 200)),
            .required("bootID", uuid),
            .required("cores", .integer("Processor cores offered.", minimum: 1, maximum: 65_536)),
            .required("memoryMiB", .integer("Memory offered.", minimum: 1, maximum: largestCount)),
            .required("kinds", .map(of: .integer(minimum: 0, maximum: largestCount), "Version by task kind.")),
            .required("commands", .list(of: .string(), "Programs allowed for the kind command.", maxItems: 1000)),
            .required("instructionSet", .string("e.g. x86-64-v4.")),
            .required("version", .string("Version of the program.")),
            .optional("predecessor", uuid)),
        "SessionGrant": .object(
            "A session. It ends when heartbeats stay away for its time to live.",
            .required("session", uuid), .required("ttlMilliseconds", count), .required("heartbeatMilliseconds", count)),
        "ClaimRequest": .object(
            "What a worker has free.",
            .required("claim", uuid),
            .required("freeCores", .integer(minimum: 0, maximum: 65_536)),
            .required("freeMemoryMiB", .integer(minimum: 0, maximum: largestCount)),
            .required("maximumTasks", .integer(minimum: 1, maximum: 1000)),
            .required(
                "waitMilliseconds", .integer("How long to wait for a task.", minimum: 0, maximum: 25_000))),
        "ClaimResponse": .object("Tasks to run.", .required("leases", .list(of: .reference("LeaseGrant")))),
        "TaskResources": .object(
            "What a task needs.", .required("cores", count), .required("memoryMiB", count)),
        "FencingToken": .object(
            "Proof of a lease.",
            .required("attempt", .integer(minimum: 0, maximum: largestCount)), .required("nonce", uuid)),
        "LeaseName": .object(
            "A lease as its holder names it.",
            .required("task", task), .required("token", .reference("FencingToken"))),
        "LeaseGrant": .object(
            "One task to run, with everything needed to run it.",
            .required("task", task), .required("token", .reference("FencingToken")), .required("step", .string()),
            .required("kind", .string()), .required("kindVersion", count),
            .required("context", .reference("TaskContext")), .required("parameters", .anything("Of the kind.")),
            .required("inputs", .list(of: .reference("TaskInput"))),
            .required("missing", .list(of: .reference("MissingInput"))),
            .required("resources", .reference("TaskResources")),
            .required("timeLimitMilliseconds", count)),
        "HeldLease": .object(
            "A lease that is being worked on.",
            .required("lease", .reference("LeaseName")), .optional("progress", .number(minimum: 0, maximum: 1)),
            .optional("residentMiB", .integer(minimum: 0, maximum: largestCount)),
            .optional("lastLine", .string("Last line of the attempt's log.")),
            .optional("sending", .boolean("The process has ended and its outputs are on their way."))),
        "HeartbeatRequest": .object(
            "A sign of life.",
            .required("held", .list(of: .reference("HeldLease"), maxItems: 10_000)),
            .required("draining", .boolean("The worker takes no more tasks."))),
        "HeartbeatResponse": .object(
            "What the worker is to stop.",
            .required("ttlMilliseconds", count), .required("cancel", .list(of: task)),
            .required("unknown", .list(of: task)), .required("drain", .boolean())),
        "Measurement": .object(
            "One number for the database.",
            .optional("context", .reference("TaskContext")), .optional("region", .string()),
            .optional("reference", .string()), .optional("term", .string()), .required("metric", .string()),
            .optional("value", .number()), .required("unit", .string())),
        "CompletionItem": .object(
            "One finished attempt.",
            .required("lease", .reference("LeaseName")), .required("outcome", outcome),
            .optional("message", .string("Why it failed, one sentence.")),
            .required("outputs", .list(of: .reference("TaskOutput"), maxItems: 10_000)),
            .required("measurements", .list(of: .reference("Measurement"), maxItems: 1_000_000)),
            .required("warnings", .list(of: .string(), maxItems: 10_000)),
            .required("usage", .reference("AttemptUsage")),
            .required("logTail", .string("End of the log."))),
        "CompletionRequest": .object(
            "Finished attempts.", .required("items", .list(of: .reference("CompletionItem"), maxItems: 1000))),
        "CompletionVerdict": .object(
            "What became of one completion.",
            .required("task", task),
            .required("verdict", .choice(["accepted", "duplicate", "stale", "missing_artifact"]))),
        "CompletionResponse": .object(
            "Verdicts, in the order of the request.",
            .required("items", .list(of: .reference("CompletionVerdict")))),
        "ReleaseRequest": .object(
            "Leases handed back unharmed.",
            .required("leases", .list(of: .reference("LeaseName"), maxItems: 10_000))),
        "ArtifactList": .object("Digests.", .required("digests", .list(of: digest, maxItems: 100_000))),
    ]
}
