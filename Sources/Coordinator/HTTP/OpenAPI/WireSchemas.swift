import Wire
import Workflow

/// The schemas of all bodies, by the names of their types. Tests encode a value of every type and hold it against its
/// schema, so a field that is added to a type and forgotten here is found.
package enum WireSchemas {
    package static let all: [String: Schema] = shared.merging(sessions) { a, _ in a }.merging(runs) { a, _ in a }
        .merging(tasks) { a, _ in a }.merging(models) { a, _ in a }.merging(administration) { a, _ in a }

    static let largestCount: Int64 = 2_147_483_647

    static let digest = Schema.string("SHA-256, 64 lower-case hexadecimal digits.", pattern: "^[0-9a-f]{64}$")
    static let uuid = Schema.string(format: "uuid")
    /// So that run times 2^24 is a number of 64 bits.
    static let largestRun: Int64 = (1 << 39) - 1
    static let run = Schema.integer("Number of a run.", minimum: 1, maximum: largestRun)
    static let task = Schema.integer("Number of a task: the run's number times 2^24 plus its ordinal.", minimum: 0)
    static let count = Schema.integer(minimum: 0)
    static let fold = Schema.integer("Fold of a cross-validation.", minimum: 1, maximum: largestCount)
    static let time = Schema.string("ISO 8601, UTC.")
    static let outcome = Schema.choice(AttemptOutcome.allCases.map(\.rawValue), "How an attempt ended.")

    private static let shared: [String: Schema] = [
        "Error": .object(
            "The one shape of every error.", .required("error", .reference("APIError"))),
        "APIError": .object(
            "What is wrong and what to do.",
            .required("code", .string("Stable word for programs, e.g. not_found.")),
            .required("message", .string("One sentence for people.")),
            .optional("details", .list(of: .string(), "Where in the input, one entry per finding."))),
        "TaskContext": .object(
            "The part of the cohort; empty is the whole cohort.",
            .optional("subject", .string("Label without sub-.")),
            .optional("session", .string("Label without ses-.")),
            .optional("atlas", .string("Name of an atlas.")),
            .optional("fold", fold)),
        "TaskInput": .object(
            "A file that a task reads, named by its bytes.",
            .required("port", .string("Port of the task kind.")),
            .required("context", .reference("TaskContext")),
            .required("name", .string("File name to stage it under.")),
            .required("digest", digest),
            .required("sizeBytes", count),
            .optional("sourcePath", .string("Where the coordinator sees the file; need not be reachable elsewhere.")),
            .optional("metadata", .anything("Merged BIDS sidecar, or facts stated by the producing task."))),
        "MissingInput": .object(
            "An input that a tolerant fan-in goes on without.",
            .required("port", .string()), .required("context", .reference("TaskContext")),
            .required("reason", .string())),
        "AttemptUsage": .object(
            "What an attempt used.",
            .required("wallMilliseconds", count), .required("userMilliseconds", count),
            .required("systemMilliseconds", count), .required("peakResidentMiB", count),
            .required("stagedBytes", count), .required("uploadedBytes", count),
            .optional("signal", .integer("Signal that ended the process.")),
            .optional("exitCode", .integer())),
        "TaskOutput": .object(
            "A file that a task made.",
            .required("port", .string()), .required("name", .string("File name.")), .required("digest", digest),
            .required("sizeBytes", count), .required("mediaType", .string()),
            .optional("metadata", .anything("Facts about the output."))),
    ]

    private static let administration: [String: Schema] = [
        "TokenRequest": .object(
            "A token to make.",
            .required("name", .string("Unique among the tokens in force.", minLength: 1, maxLength: 100)),
            .required("role", .choice(TokenRole.allCases.map(\.rawValue)))),
        "TokenGrant": .object(
            "A new token. The secret is shown this once.",
            .required("name", .string()), .required("role", .choice(TokenRole.allCases.map(\.rawValue))),
            .required("secret", .string())),
        "TokenSummary": .object(
            "A token in force.",
            .required("name", .string()), .required("role", .choice(TokenRole.allCases.map(\.rawValue))),
            .optional("createdAt", time)),
        "TokenList": .object("The tokens in force.", .required("tokens", .list(of: .reference("TokenSummary")))),
        "WorkerSummary": .object(
            "A worker.",
            .required("worker", .string("Name.")), .required("state", .string("e.g. active, draining, lost.")),
            .required("cores", count), .required("memoryMiB", count), .required("running", count),
            .required("secondsSinceHeartbeat", .number()), .required("version", .string())),
        "WorkerList": .object("All workers.", .required("workers", .list(of: .reference("WorkerSummary")))),
        "CollectionReport": .object(
            "What the collection of unreferenced artifacts freed.",
            .required("removed", count), .required("bytes", count)),
        "CheckReport": .object(
            "Broken invariants, one sentence each; empty when all hold.",
            .required("violations", .list(of: .string()))),
        "OpenAPI": .object("An OpenAPI document.", .required("openapi", .string())),
        "Status": .object("State of the coordinator.", .required("status", .string())),
    ]
}
