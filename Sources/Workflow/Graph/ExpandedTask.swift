import BIDS

/// What a fan-in does about inputs whose tasks did not succeed.
package enum FanInPolicy: Codable, Hashable, Sendable {
    /// Every input must be there: one failure blocks this task.
    case all
    /// Goes on with at least this fraction (0…1) of the items of each gathered input.
    case atLeast(Double)
    /// Goes on with whatever succeeded, but not with nothing.
    case any

    package var isTolerant: Bool { self != .all }
}

/// A file of the dataset, an atlas or the operator that a task reads.
package struct FileReference: Codable, Hashable, Sendable {
    /// Absolute path as the coordinator sees it.
    package var path: String
    package var name: String
    package var metadata: JSONValue?
    /// Known when the index has the digest; else it is computed at submission.
    package var digest: ArtifactDigest?
    package var sizeBytes: Int64?

    package init(
        path: String, name: String, metadata: JSONValue? = nil, digest: ArtifactDigest? = nil, sizeBytes: Int64? = nil
    ) {
        (self.path, self.name, self.metadata, self.digest, self.sizeBytes) = (path, name, metadata, digest, sizeBytes)
    }

    /// A file that the workflow names by its path.
    package init(path: String) { self.init(path: path, name: path.split(separator: "/").last.map(String.init) ?? path) }
}

/// Where one input of a task comes from.
package struct InputBinding: Codable, Hashable, Sendable {
    package enum Source: Codable, Hashable, Sendable {
        case file(FileReference)
        /// Output port of another task of the same run, by its ordinal.
        case output(ordinal: Int, port: String)
    }

    package var port: String
    package var context: TaskContext
    package var source: Source

    package init(port: String, context: TaskContext, source: Source) {
        (self.port, self.context, self.source) = (port, context, source)
    }
}

/// A step of a workflow for one part of the cohort, ready to be stored. Ordinals count from 0 in topological order.
package struct ExpandedTask: Codable, Hashable, Sendable {
    package var ordinal: Int
    package var step: String
    package var kind: String
    package var kindVersion: Int
    package var context: TaskContext
    package var parameters: JSONValue
    package var inputs: [InputBinding]
    package var fanIn: FanInPolicy
    package var resources: TaskResources
    package var timeoutSeconds: Double
    package var retry: RetryPolicy
    /// Forces recomputation: results are shared only between tasks of equal salt.
    package var cacheSalt: String?
    /// Why it cannot run at all (an input is missing or ambiguous): stored as failed with this sentence.
    package var problem: String?

    package init(
        ordinal: Int, step: String, kind: String, kindVersion: Int, context: TaskContext, parameters: JSONValue,
        inputs: [InputBinding], fanIn: FanInPolicy, resources: TaskResources, timeoutSeconds: Double,
        retry: RetryPolicy, cacheSalt: String? = nil, problem: String? = nil
    ) {
        self.ordinal = ordinal
        self.step = step
        self.kind = kind
        self.kindVersion = kindVersion
        self.context = context
        self.parameters = parameters
        self.inputs = inputs
        self.fanIn = fanIn
        self.resources = resources
        self.timeoutSeconds = timeoutSeconds
        self.retry = retry
        self.cacheSalt = cacheSalt
        self.problem = problem
    }
}
