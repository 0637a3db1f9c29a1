import BIDS
import Workflow

import struct Foundation.UUID

// Bodies of the worker protocol. Durations cross the wire, never points in time: expiry is decided by the database's
// clock alone, and a worker measures durations on its own monotonic clock.

/// `POST /v1/sessions`
package struct SessionRequest: Codable, Sendable {
    package var worker: String
    /// Drawn at every start of the worker process.
    package var bootID: UUID
    package var cores: Int
    package var memoryMiB: Int
    /// `name: version` of every kind this worker can run.
    package var kinds: [String: Int]
    /// Names of the programs it allows for the kind `command`.
    package var commands: [String]
    /// e.g. `x86-64-v4`.
    package var instructionSet: String
    package var version: String
    /// Boot of the process whose cache this one has taken over: it is gone, and its attempts with it.
    package var predecessor: UUID?

    package init(
        worker: String, bootID: UUID, cores: Int, memoryMiB: Int, kinds: [String: Int], commands: [String],
        instructionSet: String, version: String, predecessor: UUID? = nil
    ) {
        self.worker = worker
        self.bootID = bootID
        self.cores = cores
        self.memoryMiB = memoryMiB
        self.kinds = kinds
        self.commands = commands
        self.instructionSet = instructionSet
        self.version = version
        self.predecessor = predecessor
    }
}

package struct SessionGrant: Codable, Sendable {
    package var session: UUID
    /// The session, and with it every lease, ends this long after the last heartbeat that the coordinator saw.
    package var ttlMilliseconds: Int
    package var heartbeatMilliseconds: Int

    package init(session: UUID, ttlMilliseconds: Int, heartbeatMilliseconds: Int) {
        (self.session, self.ttlMilliseconds, self.heartbeatMilliseconds) =
            (session, ttlMilliseconds, heartbeatMilliseconds)
    }
}

/// `POST /v1/sessions/{session}/claim`
package struct ClaimRequest: Codable, Sendable {
    /// Drawn by the worker; the same claim sent again gets the same leases.
    package var claim: UUID
    package var freeCores: Int
    package var freeMemoryMiB: Int
    package var maximumTasks: Int
    /// How long the coordinator may hold the request while nothing is ready; at most 25 000.
    package var waitMilliseconds: Int

    package init(claim: UUID, freeCores: Int, freeMemoryMiB: Int, maximumTasks: Int, waitMilliseconds: Int) {
        self.claim = claim
        self.freeCores = freeCores
        self.freeMemoryMiB = freeMemoryMiB
        self.maximumTasks = maximumTasks
        self.waitMilliseconds = waitMilliseconds
    }
}

package struct ClaimResponse: Codable, Sendable {
    package var leases: [LeaseGrant]
    package init(leases: [LeaseGrant]) { self.leases = leases }
}

/// One task to run, with everything needed to run it.
package struct LeaseGrant: Codable, Sendable {
    package var task: TaskID
    package var token: FencingToken
    package var step: String
    package var kind: String
    package var kindVersion: Int
    package var context: TaskContext
    package var parameters: JSONValue
    package var inputs: [TaskInput]
    package var missing: [MissingInput]
    package var resources: TaskResources
    /// Hard limit on the attempt, from now.
    package var timeLimitMilliseconds: Int

    package init(
        task: TaskID, token: FencingToken, step: String, kind: String, kindVersion: Int, context: TaskContext,
        parameters: JSONValue, inputs: [TaskInput], missing: [MissingInput], resources: TaskResources,
        timeLimitMilliseconds: Int
    ) {
        self.task = task
        self.token = token
        self.step = step
        self.kind = kind
        self.kindVersion = kindVersion
        self.context = context
        self.parameters = parameters
        self.inputs = inputs
        self.missing = missing
        self.resources = resources
        self.timeLimitMilliseconds = timeLimitMilliseconds
    }
}

/// A lease as its holder names it.
package struct LeaseName: Codable, Hashable, Sendable {
    package var task: TaskID
    package var token: FencingToken
    package init(task: TaskID, token: FencingToken) { (self.task, self.token) = (task, token) }
}

/// `POST /v1/sessions/{session}/heartbeat`
package struct HeartbeatRequest: Codable, Sendable {
    package struct Held: Codable, Sendable {
        package var lease: LeaseName
        /// 0…1 where the attempt reports it.
        package var progress: Double?
        package var residentMiB: Int?
        /// Last line of the attempt's log.
        package var lastLine: String?
        /// Its process has ended in time, and its outputs are on their way: the time limit is not for them.
        package var sending: Bool?

        package init(
            lease: LeaseName, progress: Double? = nil, residentMiB: Int? = nil, lastLine: String? = nil,
            sending: Bool? = nil
        ) {
            (self.lease, self.progress, self.residentMiB) = (lease, progress, residentMiB)
            (self.lastLine, self.sending) = (lastLine, sending)
        }
    }

    package var held: [Held]
    package var draining: Bool
    package init(held: [Held], draining: Bool = false) { (self.held, self.draining) = (held, draining) }
}

package struct HeartbeatResponse: Codable, Sendable {
    package var ttlMilliseconds: Int
    /// Stop these attempts; an operator cancelled the task.
    package var cancel: [TaskID]
    /// Leases the coordinator does not know (expired, given to another): stop these attempts too.
    package var unknown: [TaskID]
    package var drain: Bool

    package init(ttlMilliseconds: Int, cancel: [TaskID], unknown: [TaskID], drain: Bool) {
        (self.ttlMilliseconds, self.cancel, self.unknown, self.drain) = (ttlMilliseconds, cancel, unknown, drain)
    }
}

/// What an attempt used.
package struct AttemptUsage: Codable, Hashable, Sendable {
    package var wallMilliseconds: Int
    package var userMilliseconds: Int
    package var systemMilliseconds: Int
    package var peakResidentMiB: Int
    package var stagedBytes: Int64
    package var uploadedBytes: Int64
    package var signal: Int?
    package var exitCode: Int?

    package init(
        wallMilliseconds: Int, userMilliseconds: Int, systemMilliseconds: Int, peakResidentMiB: Int,
        stagedBytes: Int64 = 0, uploadedBytes: Int64 = 0, signal: Int? = nil, exitCode: Int? = nil
    ) {
        self.wallMilliseconds = wallMilliseconds
        self.userMilliseconds = userMilliseconds
        self.systemMilliseconds = systemMilliseconds
        self.peakResidentMiB = peakResidentMiB
        self.stagedBytes = stagedBytes
        self.uploadedBytes = uploadedBytes
        self.signal = signal
        self.exitCode = exitCode
    }
}

/// One finished attempt; `POST /v1/sessions/{session}/complete` takes a list of them.
package struct CompletionItem: Codable, Sendable {
    package struct Output: Codable, Hashable, Sendable {
        package var port: String
        package var name: String
        package var digest: ArtifactDigest
        package var sizeBytes: Int64
        package var mediaType: String
        package var metadata: JSONValue?

        package init(
            port: String, name: String, digest: ArtifactDigest, sizeBytes: Int64, mediaType: String,
            metadata: JSONValue? = nil
        ) {
            self.port = port
            self.name = name
            self.digest = digest
            self.sizeBytes = sizeBytes
            self.mediaType = mediaType
            self.metadata = metadata
        }
    }

    package var lease: LeaseName
    package var outcome: AttemptOutcome
    /// One sentence; nil for a success.
    package var message: String?
    package var outputs: [Output]
    package var measurements: [MeasuredValue]
    package var warnings: [String]
    package var usage: AttemptUsage
    /// Last 8 KiB of the attempt's log.
    package var logTail: String

    package init(
        lease: LeaseName, outcome: AttemptOutcome, message: String?, outputs: [Output], measurements: [MeasuredValue],
        warnings: [String], usage: AttemptUsage, logTail: String
    ) {
        self.lease = lease
        self.outcome = outcome
        self.message = message
        self.outputs = outputs
        self.measurements = measurements
        self.warnings = warnings
        self.usage = usage
        self.logTail = logTail
    }
}

package struct CompletionRequest: Codable, Sendable {
    package var items: [CompletionItem]
    package init(items: [CompletionItem]) { self.items = items }
}

package enum CompletionVerdict: String, Codable, Sendable {
    case accepted
    /// The same completion was accepted before; nothing was written again.
    case duplicate
    /// The lease is no longer in force; nothing was written.
    case stale
    /// An output names bytes that the store does not have; nothing was written. Upload and send again.
    case missingArtifact = "missing_artifact"
}

package struct CompletionResponse: Codable, Sendable {
    package struct Item: Codable, Sendable {
        package var task: TaskID
        package var verdict: CompletionVerdict
        package init(task: TaskID, verdict: CompletionVerdict) { (self.task, self.verdict) = (task, verdict) }
    }
    package var items: [Item]
    package init(items: [Item]) { self.items = items }
}

/// `POST /v1/sessions/{session}/release`: leases handed back unharmed.
package struct ReleaseRequest: Codable, Sendable {
    package var leases: [LeaseName]
    package init(leases: [LeaseName]) { self.leases = leases }
}

/// `POST /v1/artifacts/missing`
package struct ArtifactList: Codable, Sendable {
    package var digests: [ArtifactDigest]
    package init(digests: [ArtifactDigest]) { self.digests = digests }
}
