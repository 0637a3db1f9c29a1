import BIDS
import Foundation
import Testing
import Wire
import Workflow

@testable import Coordinator

/// A value of every type of the wire with every member set, and one with none that may be absent.
enum WireSamples {
    struct Sample: Sendable, CustomTestStringConvertible {
        var schema: String
        var value: any Encodable & Sendable

        init(_ schema: String, _ value: any Encodable & Sendable) { (self.schema, self.value) = (schema, value) }
        func encoded() throws -> Data { try JSONEncoder().encode(value) }
        var testDescription: String { schema }
    }

    private static let digest = ArtifactDigest(of: [1, 2, 3] as [UInt8])
    private static let run = RunID(rawValue: 3)
    private static let task = TaskID(run: run, ordinal: 4)
    private static let context = TaskContext(subject: "01", session: "a", atlas: "mni", fold: 2)
    private static let token = FencingToken(attempt: 1, nonce: UUID())
    private static let lease = LeaseName(task: task, token: token)
    private static let usage = AttemptUsage(
        wallMilliseconds: 1, userMilliseconds: 2, systemMilliseconds: 3, peakResidentMiB: 4, stagedBytes: 5,
        uploadedBytes: 6, signal: 9, exitCode: 1)
    private static let input = TaskInput(
        port: "in", context: context, name: "a.nii", digest: digest, sizeBytes: 1, sourcePath: "/a.nii",
        metadata: ["a": 1])
    private static let missing = MissingInput(port: "in", context: .cohort, reason: "It failed.")
    private static let output = CompletionItem.Output(
        port: "out", name: "b.json", digest: digest, sizeBytes: 2, mediaType: "application/json", metadata: ["b": [1]])
    private static let measurement = MeasuredValue(
        context: context, region: "L_putamen", reference: "csf", term: "age", metric: "mean", value: 1.5, unit: "ppm")
    private static let summary = TaskSummary(
        task: task, step: "s", kind: "k", context: context, state: .failed, running: false, attempts: 2,
        outcome: .permanent, message: "It failed.", wallMilliseconds: 3, worker: "w", progress: 0.5,
        lastLine: "epoch 1/2")
    private static let attempt = TaskDetail.Attempt(
        attempt: 1, outcome: .lost, message: "m", worker: "w", startedAt: "t", finishedAt: "t", usage: usage,
        logTail: "l")
    private static let counts: TaskCounts = {
        var counts = TaskCounts()
        counts.ready = 2
        return counts
    }()
    private static let step = StepCounts(step: "s", kind: "k", counts: counts, meanSeconds: 1.5, peakResidentMiB: 7)
    private static let runSummary = RunSummary(
        run: run, name: "n", workflow: "w", dataset: "/d", state: .running, counts: counts, steps: [step],
        createdAt: "t", finishedAt: "t", elapsedSeconds: 1, remainingSeconds: 2, remainingIsLowerBound: true,
        waitsForWorker: true,
        warnedTasks: 1, warnings: ["w"], otherWarnings: 2)
    private static let planStep = PlanReport.Step(
        step: "s", kind: "k", tasks: 1, cached: 0, problems: 0, behind: 1, behindSteps: ["b"])
    private static let dataset = IndexReport.Dataset(
        id: DatasetID(rawValue: 1), path: "/d", name: "n", files: 1, added: 1, changed: 0, removed: 0, subjects: 1,
        sessions: 1, digested: 1, seconds: 0.5)
    private static let completion = CompletionItem(
        lease: lease, outcome: .succeeded, message: "m", outputs: [output], measurements: [measurement],
        warnings: ["w"], usage: usage, logTail: "l")
    private static let grant = LeaseGrant(
        task: task, token: token, step: "s", kind: "k", kindVersion: 1, context: context, parameters: ["p": 1],
        inputs: [input], missing: [missing], resources: TaskResources(), timeLimitMilliseconds: 1)
    private static let error = APIError(code: "invalid", message: "m", details: ["d"])
    private static let token1 = TokenSummary(name: "n", role: .analyst, createdAt: "t")
    private static let worker = WorkerSummary(
        worker: "w", state: "active", cores: 1, memoryMiB: 2, running: 0, secondsSinceHeartbeat: 0.5, version: "v")

    private static let model = ModelSummary(
        digest: digest, name: "n", architecture: "U-Net", inputs: ["T1w"], outputs: ["a", "b"], source: .trained,
        task: task, data: "real", metrics: ["dice": 0.9], sizeBytes: 1, createdAt: "t")
    private static let bareModel = ModelSummary(
        digest: digest, name: nil, architecture: nil, inputs: nil, outputs: nil, source: .imported, task: nil,
        metrics: nil, sizeBytes: 1, createdAt: "t")

    private static let plannedModel = PlanReport.Model(step: "s", input: "i", model: "m", name: "n", digest: digest)

    private static let plannedFolds = PlanReport.Folds(
        count: 2, seed: 1, people: ["01": 2], stratify: [["column": "group", "values": ["a", "b"]]])

    static let all: [Sample] = full + sparse

    private static let full: [Sample] = [
        Sample("ModelSummary", model), Sample("ModelList", ModelList(models: [model, bareModel])),
        Sample(
            "ModelDetail",
            ModelDetail(
                summary: model, card: ["c": 1], nameTakenFrom: digest, formerName: "f", foldNamesTaken: ["n"])),
        Sample("ModelRequest", ModelRequest(name: "n", moveName: true, card: ["c": 1])),
        Sample("FoldNaming", FoldNaming(name: "n", step: "s", moveName: true)),
        Sample("Error", ErrorBody(error: error)), Sample("APIError", error), Sample("TaskContext", context),
        Sample("TaskInput", input), Sample("MissingInput", missing), Sample("AttemptUsage", usage),
        Sample("TaskOutput", output), Sample("TokenRequest", TokenRequest(name: "n", role: .worker)),
        Sample("TokenGrant", TokenGrant(name: "n", role: .worker, secret: "s")), Sample("TokenSummary", token1),
        Sample("TokenList", TokenList(tokens: [token1])), Sample("WorkerSummary", worker),
        Sample("WorkerList", WorkerList(workers: [worker])),
        Sample("CollectionReport", CollectionReport(removed: 1, bytes: 2)),
        Sample("CheckReport", CheckReport(violations: ["v"])), Sample("Status", StatusBody(status: "alive")),
        Sample("SessionRequest", WireSamples.session),
        Sample("SessionGrant", SessionGrant(session: UUID(), ttlMilliseconds: 2, heartbeatMilliseconds: 1)),
        Sample(
            "ClaimRequest",
            ClaimRequest(claim: UUID(), freeCores: 1, freeMemoryMiB: 1, maximumTasks: 1, waitMilliseconds: 0)),
        Sample("ClaimResponse", ClaimResponse(leases: [grant])), Sample("TaskResources", TaskResources()),
        Sample("FencingToken", token), Sample("LeaseName", lease), Sample("LeaseGrant", grant),
        Sample(
            "HeldLease",
            HeartbeatRequest.Held(lease: lease, progress: 0.5, residentMiB: 3, lastLine: "epoch 1/2", sending: true)),
        Sample("HeartbeatRequest", HeartbeatRequest(held: [.init(lease: lease)], draining: true)),
        Sample(
            "HeartbeatResponse", HeartbeatResponse(ttlMilliseconds: 1, cancel: [task], unknown: [task], drain: false)),
        Sample("Measurement", measurement), Sample("CompletionItem", completion),
        Sample("CompletionRequest", CompletionRequest(items: [completion])),
        Sample("CompletionVerdict", CompletionResponse.Item(task: task, verdict: .missingArtifact)),
        Sample("CompletionResponse", CompletionResponse(items: [.init(task: task, verdict: .stale)])),
        Sample("ReleaseRequest", ReleaseRequest(leases: [lease])),
        Sample("ArtifactList", ArtifactList(digests: [digest])),
        Sample("IndexRequest", IndexRequest(path: "/d", derivatives: ["/e"], digestAll: true)),
        Sample("IndexedDataset", dataset), Sample("IndexReport", IndexReport(datasets: [dataset], problems: ["p"])),
        Sample("DatasetList", DatasetList(datasets: [dataset])), Sample("RunRequest", WireSamples.request),
        Sample("PlannedStep", planStep),
        Sample(
            "PlanReport",
            PlanReport(
                workflow: "w", subjects: 1, sessions: 1, tasks: 1, steps: [planStep], models: [plannedModel],
                folds: plannedFolds, problems: ["p"])),
        Sample("PlannedFolds", plannedFolds),
        Sample("PlannedModel", plannedModel),
        Sample("ValidationRequest", ValidationRequest(text: "t", path: "/p")),
        Sample("ValidationReport", ValidationReport(problems: ["p"])),
        Sample("ResultDigest", ResultDigest(digest: digest)),
        Sample("RunCreated", RunCreated(run: run, tasks: 1, cached: 0, problems: [])), Sample("TaskCounts", counts),
        Sample("StepCounts", step), Sample("RunSummary", runSummary), Sample("RunList", RunList(runs: [runSummary])),
        Sample("SourceChanges", SourceChanges(files: 1, examples: ["e"])),
        Sample("Affected", Affected(tasks: 1, cannotRun: 1)),
        Sample(
            "TaskFilter",
            TaskFilter(
                run: run, states: [.failed], steps: ["s"], subjects: ["01"], folds: [1], outcomes: [.lost],
                tasks: [task], limit: 1, after: task)),
        Sample("TaskSummary", summary), Sample("TaskList", TaskList(tasks: [summary])),
        Sample("TaskAttempt", attempt),
        Sample(
            "TaskDetail",
            TaskDetail(
                summary: summary, parameters: ["p": 1], inputs: [input], outputs: [output], attempts: [attempt],
                warnings: ["w"])),
        Sample(
            "Explanation",
            Explanation(task: task, state: .blocked, reasons: ["r"], upstream: [summary], fitsNoWorker: true)),
    ]

    private static let session = SessionRequest(
        worker: "w", bootID: UUID(), cores: 1, memoryMiB: 1, kinds: ["k": 1], commands: ["c"], instructionSet: "i",
        version: "v", predecessor: UUID())

    private static let request = RunRequest(
        name: "n", workflowText: "t", workflowPath: "/w", dataset: "/d", derivatives: ["/e"], participants: ["01"],
        sessions: ["a"], atlases: ["a": "/a"], parameters: ["p": 1], rerunFrom: ["s"], weight: 2,
        programs: ["p": "00"])

    private static let sparse: [Sample] = [
        Sample("ModelSummary", bareModel), Sample("ModelRequest", ModelRequest()),
        Sample("ModelDetail", ModelDetail(summary: bareModel, card: ["c": 1])),
        Sample("FoldNaming", FoldNaming(name: "n")),
        Sample("PlannedModel", PlanReport.Model(step: "s", input: "i", model: "m", name: nil, digest: digest)),
        Sample("APIError", APIError(code: "c", message: "m")), Sample("TaskContext", TaskContext.cohort),
        Sample("TaskInput", TaskInput(port: "p", context: .cohort, name: "n", digest: digest, sizeBytes: 0)),
        Sample(
            "AttemptUsage",
            AttemptUsage(wallMilliseconds: 0, userMilliseconds: 0, systemMilliseconds: 0, peakResidentMiB: 0)),
        Sample("Measurement", MeasuredValue(metric: "m", value: nil, unit: "1")),
        Sample("HeldLease", HeartbeatRequest.Held(lease: lease)), Sample("TaskFilter", TaskFilter()),
        Sample("RunRequest", RunRequest(workflowText: "", workflowPath: "", dataset: "/d")),
        Sample(
            "TaskSummary",
            TaskSummary(
                task: task, step: "s", kind: "k", context: .cohort, state: .waiting, running: false, attempts: 0,
                outcome: nil, message: nil, wallMilliseconds: nil, worker: nil)),
        Sample(
            "RunSummary",
            RunSummary(
                run: run, name: "n", workflow: "w", dataset: "/d", state: .finishedWithFailures, counts: counts,
                steps: nil, createdAt: "t", finishedAt: nil, elapsedSeconds: 0, remainingSeconds: nil)),
        Sample("StepCounts", StepCounts(step: "s", kind: "k", counts: counts, meanSeconds: nil, peakResidentMiB: nil)),
    ]
}
